"""What each target cost over time."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Monitor
from undertow.api.series import DAY_S, Moment, last

MONTH_S = 30 * DAY_S
Step = Annotated[float, Query(ge=600, le=31_536_000, allow_inf_nan=False, description="seconds, whole ten minutes")]


def routes(monitor: Monitor) -> APIRouter:
    """/v1/cost."""
    router = APIRouter(tags=["targets"])

    @router.get("/v1/cost", summary="Requests, cost and tokens of each target; the last thirty days, day by day")
    def cost(start: Moment = None, end: Moment = None, step_s: Step = DAY_S) -> Response:
        window = last(monitor, start, end, MONTH_S)
        return reply.json(monitor.store.cost(window.start, window.end, step_s, *monitor.watcher.others()))

    return router
