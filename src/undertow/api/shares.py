"""How many of a target's calls had which name of a field: who answered, why it ended, what failed."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Monitor
from undertow.api.series import Moment, OfTarget, Route, Step, last

Field = Annotated[str, Query(max_length=64, description="`finish_reason`, `error_class`, `response_model`, ...")]


def routes(monitor: Monitor) -> APIRouter:
    """/v1/shares."""
    router = APIRouter(tags=["signals"])

    @router.get("/v1/shares", summary="Counts by name of a field over time; the last day unless told otherwise")
    def shares(
        target: OfTarget,
        field: Field,
        route: Route = None,
        start: Moment = None,
        end: Moment = None,
        step_s: Step = 600,
    ) -> Response:
        window = last(monitor, start, end)
        return reply.json(monitor.store.shares(target, field, window.start, window.end, step_s, route))

    return router
