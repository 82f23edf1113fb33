"""The evidence of a signal over time, what happened beside it, and how the false-alarm budget is spent."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Document, Monitor
from undertow.api.reply import Problem
from undertow.api.series import DAY_S, Moment, OfTarget, Signal
from undertow.span import Target
from undertow.watch import budget, marks

Days = Annotated[float, Query(gt=0, le=3660, allow_inf_nan=False, description="how many of the last days are counted")]
MOST_INCIDENTS = 100_000


def routes(monitor: Monitor) -> APIRouter:
    """/v1/evidence, /v1/marks and /v1/budget."""
    router = APIRouter(tags=["evidence"])

    @router.get(
        "/v1/evidence", summary="The evidence of a signal in each ten minutes; the last week unless told otherwise"
    )
    def evidence(target: OfTarget, signal: Signal, start: Moment = None, end: Moment = None) -> Response:
        since, until = _window(monitor, start, end)
        found = monitor.store.evidence(target, signal, since, until)
        now: Document = next((s for s in _state(monitor, target).get("signals", ()) if s["signal"] == signal), {})
        threshold = now.get("log10_threshold", found[-1]["log10_threshold"] if found else None)
        return reply.json({"signal": signal, "log10_threshold": threshold, "points": found})

    @router.get("/v1/marks", summary="What happened around a target; the last week unless told otherwise")
    def all_marks(target: OfTarget, start: Moment = None, end: Moment = None) -> Response:
        window = _window(monitor, start, end)
        store = monitor.store
        found = marks.of(
            target,
            window,
            notices=store.between("notices", *window),
            changes=store.between("weight_changes", *window),
            incidents=store.between("incidents", *window),
            silences=store.between("silences", *window),
            state=_state(monitor, target),
        )
        return reply.json({"marks": found})

    @router.get("/v1/budget", summary="Incidents against the false alarms that the configuration allows")
    def spent(days: Days = 90.0) -> Response:
        return reply.json(_budget(monitor, days))

    return router


def _window(monitor: Monitor, start: float | None, end: float | None) -> tuple[float, float]:
    newest = monitor.store.newest()
    until = end if end is not None else monitor.clock() if newest is None else newest + 1.0
    since = until - 7 * DAY_S if start is None else start
    if since > until:
        raise Problem(400, f"a window that starts at {since:g} cannot end at {until:g}")
    return since, until


def _state(monitor: Monitor, target: Target) -> Document:
    return monitor.watcher.target(target) or {}


def _budget(monitor: Monitor, days: float) -> Document:
    """Of the days until the newest judged span, from when the first baseline is known to have been frozen."""
    interval = monitor.config.detect.false_alarm_interval_days
    until = monitor.store.cursor()
    if until is None:
        return budget.told((), days, 0.0, interval)
    start = until - days * DAY_S
    opened = [one for one in monitor.store.incidents(limit=MOST_INCIDENTS) if start <= one["opened_at"] <= until]
    frozen = [t.get("baseline_end") for t in monitor.watcher.targets()]
    known = [*frozen, monitor.store.judged_since(start), *(one["opened_at"] for one in opened)]
    first = min((max(at, start) for at in known if at is not None), default=until)
    return budget.told(opened, days, max(0.0, until - first) / DAY_S, interval)
