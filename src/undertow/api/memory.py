"""The last days against every former baseline."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Monitor

Days = Annotated[float, Query(gt=0, le=366, allow_inf_nan=False, description="how many of the last days are compared")]


def routes(monitor: Monitor) -> APIRouter:
    """/v1/memory."""
    router = APIRouter(tags=["targets"])

    @router.get("/v1/memory", summary="The last days against every baseline that a target was judged by")
    def memory(days: Days = 7.0) -> Response:
        return reply.json(monitor.watcher.memory(days))

    return router
