"""What would be noticed, and how soon."""

from fastapi import APIRouter
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Monitor


def routes(monitor: Monitor) -> APIRouter:
    """/v1/detectability."""
    router = APIRouter(tags=["targets"])

    @router.get("/v1/detectability", summary="Smallest change of each signal that would be noticed in a day and a week")
    def detectability() -> Response:
        return reply.json(monitor.watcher.detectability())

    return router
