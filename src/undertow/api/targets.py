"""What is watched, and how it stands."""

from fastapi import APIRouter
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Monitor


def routes(monitor: Monitor) -> APIRouter:
    """/v1/targets."""
    router = APIRouter(tags=["targets"])

    @router.get("/v1/targets", summary="State of each target")
    def targets() -> Response:
        return reply.json({"targets": list(monitor.watcher.targets())})

    return router
