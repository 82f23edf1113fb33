"""Alive, ready, and the metrics of the monitor itself."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from undertow import telemetry
from undertow.api import reply
from undertow.api.guard import is_stranger
from undertow.api.monitor import Document, Monitor
from undertow.api.reply import Problem
from undertow.crew import UPKEEP
from undertow.errors import UndertowError
from undertow.watch import clocks
from undertow.watch.dataalert import LATE, standing

REPEATED = 3
"""Rounds of upkeep that failed in a row before it is told: one that was refused mostly succeeds a second later."""

READING = ("running", "rebalancing", "paused")
"""States of a source in which nothing needs anybody."""


def routes(monitor: Monitor) -> APIRouter:
    """/healthz, /readyz, /metrics."""
    router = APIRouter(tags=["health"])
    measure = telemetry.Measurements(
        monitor.store, monitor.source, monitor.deliverer, monitor.clock, monitor.closed, monitor.health
    )

    @router.get("/healthz", summary="Alive")
    async def healthz() -> Response:
        return reply.json({"alive": True})

    @router.get("/readyz", summary="Ready, with a line for each part; 503 when one is not")
    def readyz(request: Request) -> Response:
        parts = [
            _source(monitor),
            _store(monitor),
            _thread(monitor, "detection"),
            _event_time(monitor),
            _outbox(monitor),
            _upkeep(monitor),
        ]
        ready = all(part["ok"] for part in parts)
        if is_stranger(request):
            parts = [{name: part[name] for name in ("part", "ok", "state")} for part in parts]
        return reply.json({"ready": ready, "parts": parts}, 200 if ready else 503)

    @router.get("/metrics", summary="The monitor's own metrics in the Prometheus text format")
    def metrics() -> Response:
        if not monitor.config.telemetry.prometheus:
            raise Problem(404, "telemetry.prometheus is off")
        return Response(telemetry.prometheus_text(measure), media_type=telemetry.PROMETHEUS_TEXT)

    return router


def _part(name: str, ok: bool, state: str, detail: str = "") -> Document:
    return {"part": name, "ok": ok, "state": state, "detail": detail}


def _source(monitor: Monitor) -> Document:
    if monitor.source is None:
        return _part("source", True, "none", "there is no [kafka] section: spans come by HTTP alone")
    status = monitor.source.status()
    return _part("source", status.state in READING, status.state, status.detail)


def _store(monitor: Monitor) -> Document:
    try:
        monitor.store.newest()
        monitor.store.meta("installation_id")
    except UndertowError as error:
        return _part("store", False, "failing", str(error))
    return _part("store", True, "running")


def _event_time(monitor: Monitor) -> Document:
    """Late spans and wrong clocks are told, and take the monitor out of service where nothing is judged any more."""
    try:
        troubles = standing(monitor.store.alerts(), LATE)
    except UndertowError as error:
        return _part("event_time", False, "failing", str(error))
    if not troubles:
        return _part("event_time", True, "running")
    state = "late" if any(one["why"] == clocks.LATE_SPANS for one in troubles) else "ahead"
    return _part("event_time", not clocks.blind(monitor.store), state, "; ".join(one["text"] for one in troubles))


def _thread(monitor: Monitor, name: str) -> Document:
    health = monitor.health(name)
    return _part(name, health.ok, health.state, health.detail)


def _outbox(monitor: Monitor) -> Document:
    """A receiver that is away is told and is no reason to take the monitor out of service."""
    part: dict[str, Any] = _thread(monitor, "outbox")
    failing = dict(monitor.deliverer.failing) if monitor.deliverer else {}
    disabled = [one["channel"] for one in monitor.store.disabled()] if part["ok"] else []
    if disabled:
        told = f"gone and disabled until somebody enables them: {', '.join(disabled)}"
        return part | {"state": "disabled", "detail": told}
    if part["ok"] and failing:
        told = ", ".join(f"{channel} ({reason})" for channel, reason in sorted(failing.items()))
        return part | {"state": "retrying", "detail": f"not delivered at the last attempt: {told}"}
    return part


def _upkeep(monitor: Monitor) -> Document:
    """What keeps the file small is told where it fails, and is no reason to take the monitor out of service."""
    healths = {task: monitor.health(task) for task in UPKEEP}
    failing = [f"{task}: {one.detail}" for task, one in healths.items() if one.failures >= REPEATED]
    return _part("upkeep", True, "failing" if failing else "running", "; ".join(failing))
