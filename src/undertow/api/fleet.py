"""Every target at once: traffic, errors, times and costs of the last hours."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Monitor
from undertow.api.series import DAY_S, now

WindowLength = Annotated[float, Query(ge=600, le=400 * DAY_S, allow_inf_nan=False, description="seconds")]


def routes(monitor: Monitor) -> APIRouter:
    """/v1/fleet."""
    router = APIRouter(tags=["targets"])

    @router.get("/v1/fleet", summary="Traffic, errors, times and costs of each target; of the last day unless told")
    def fleet(window_s: WindowLength = DAY_S) -> Response:
        return reply.json(monitor.store.fleet(now(monitor), window_s, *monitor.watcher.others()))

    return router
