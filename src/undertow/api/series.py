"""A signal of a target over time, and its baseline against now."""

from typing import Annotated, Any, NamedTuple

import pyarrow as pa
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Document, Monitor
from undertow.api.reply import Problem
from undertow.span import Target

DAY_S = 86_400.0
QUANTILES = ("p05", "p25", "p50", "p75", "p95", "p99")

Name = Annotated[str, Query(max_length=512)]
Moment = Annotated[float | None, Query(ge=0, le=253_402_300_799, allow_inf_nan=False, description="Unix seconds")]
Step = Annotated[float, Query(ge=1, le=31_536_000, allow_inf_nan=False, description="seconds")]
Signal = Annotated[str, Query(max_length=256)]
Route = Annotated[str | None, Query(max_length=512, description="of one route alone")]


def _target(provider: Name, model: Name, gateway: Name | None = None, deployment: Name | None = None) -> Target:
    return Target(gateway, provider, model, deployment)


OfTarget = Annotated[Target, Depends(_target)]


class Window(NamedTuple):
    """[start, end) in Unix seconds of event time."""

    start: float
    end: float


def routes(monitor: Monitor) -> APIRouter:
    """/v1/series and /v1/distribution."""
    router = APIRouter(tags=["signals"])

    @router.get("/v1/series", summary="A signal's quantiles or rate over time; the last day unless told otherwise")
    def series(
        request: Request,
        target: OfTarget,
        signal: Signal,
        route: Route = None,
        start: Moment = None,
        end: Moment = None,
        step_s: Step = 600,
    ) -> Response:
        window = last(monitor, start, end)
        found = monitor.store.series(target, signal, window.start, window.end, step_s, route)
        return reply.table(request, found, "points", _schema(found["kind"]))

    @router.get("/v1/distribution", summary="A signal in the baseline against now, or in any two windows")
    def distribution(
        target: OfTarget,
        signal: Signal,
        route: Route = None,
        before_start: Moment = None,
        before_end: Moment = None,
        after_start: Moment = None,
        after_end: Moment = None,
    ) -> Response:
        before, after = _windows(monitor, target)
        before = _window(before, before_start, before_end)
        after = _window(after, after_start, after_end)
        return reply.json(monitor.store.distribution(target, signal, before, after, route))

    return router


def last(monitor: Monitor, start: float | None, end: float | None, length_s: float = DAY_S) -> Window:
    """The window that was asked for, by default the last `length_s` before its end, which is by default now."""
    until = now(monitor) if end is None else end
    return Window(max(0.0, until - length_s) if start is None else start, until)


def now(monitor: Monitor) -> float:
    """Just past the newest event time, or the clock's time before anything came."""
    newest = monitor.store.newest()
    return monitor.clock() if newest is None else newest + 1.0


def _window(default: Window, start: float | None, end: float | None) -> Window:
    window = Window(default.start if start is None else start, default.end if end is None else end)
    if window.start > window.end:
        raise Problem(400, f"a window that starts at {window.start:g} cannot end at {window.end:g}")
    return window


def _windows(monitor: Monitor, target: Target) -> tuple[Window, Window]:
    """The baseline, and what came since the change of the standing incident, or else in the last day.

    Where no baseline is frozen yet, everything before that.
    """
    found: Document = monitor.watcher.target(target) or {}
    first, last = found.get("first") or 0.0, (found.get("last") or monitor.clock()) + 1.0
    baseline = Window(found.get("baseline_start") or first, found.get("baseline_end") or last)
    changes = [monitor.store.incident(incident_id) for incident_id in found.get("open_incidents", ())]
    since = min((change["change_point"] for change in changes if change), default=max(last - DAY_S, baseline.start))
    return Window(baseline.start, min(baseline.end, since)), Window(since, last)


def _schema(kind: str) -> pa.Schema:
    names = {"rate": ("rate",), "count": ()}.get(kind, QUANTILES)
    columns: list[Any] = [("at", pa.float64()), ("n", pa.int64()), *((name, pa.float64()) for name in names)]
    return pa.schema(columns)
