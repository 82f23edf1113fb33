"""Incidents and notices, and what people decide about them."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from undertow.api import bodies, reply
from undertow.api.guard import caller
from undertow.api.monitor import Document, Monitor
from undertow.api.reply import Problem

Id = Annotated[str, Path(max_length=128)]
Limit = Annotated[int, Query(ge=1, le=10_000)]
Status = Literal["open", "acknowledged", "resolved", "accepted"]

_DECISION_BYTES = 4096


class Decision(msgspec.Struct):
    """The optional body of a decision: who takes it."""

    by: Annotated[str, msgspec.Meta(max_length=200)] = ""


def routes(monitor: Monitor) -> APIRouter:
    """/v1/incidents, the decisions about one, and /v1/notices."""
    router = APIRouter(tags=["incidents"])

    @router.get("/v1/incidents", summary="Incidents, newest first")
    def incidents(status: Status | None = None, limit: Limit = 1000) -> Response:
        return reply.json({"incidents": monitor.store.incidents(status, limit)})

    @router.get("/v1/incidents/{incident_id}", summary="One incident, and in `trail` who did what, when and why")
    def incident(incident_id: Id) -> Response:
        return reply.json(_found(monitor, incident_id) | {"trail": monitor.store.audit(incident_id)})

    @router.get("/v1/notices", summary="What is worth knowing and is no incident, newest first")
    def notices(limit: Limit = 1000) -> Response:
        return reply.json({"notices": monitor.store.notices(limit)})

    @router.post("/v1/incidents/{incident_id}/acknowledge", summary="Someone looks at it; it stays open")
    async def acknowledge(incident_id: Id, request: Request) -> Response:
        return await _decide(monitor, monitor.watcher.acknowledge, incident_id, request)

    @router.post("/v1/incidents/{incident_id}/accept", summary="The change is the new normal; a new baseline starts")
    async def accept(incident_id: Id, request: Request) -> Response:
        return await _decide(monitor, monitor.watcher.accept, incident_id, request)

    @router.post("/v1/incidents/{incident_id}/resolve", summary="It is over; the baseline stays")
    async def resolve(incident_id: Id, request: Request) -> Response:
        return await _decide(monitor, monitor.watcher.resolve, incident_id, request)

    return router


async def _decide(
    monitor: Monitor, decide: Callable[[str, str], Document | None], incident_id: str, request: Request
) -> Response:
    by = _by(await bodies.read(request, _DECISION_BYTES)) or caller(request) or "api"
    decided = await run_in_threadpool(decide, incident_id, by)
    if decided is None:
        past = await run_in_threadpool(_found, monitor, incident_id)
        raise Problem(409, f"incident {incident_id} is {past['status']}, nothing is left to decide")
    return reply.json(decided)


def _by(body: bytes) -> str:
    if not body.strip():
        return ""
    try:
        return msgspec.json.decode(body, type=Decision).by.strip()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(400, 'expected {"by": "who decides"} or no body') from None


def _found(monitor: Monitor, incident_id: str) -> dict[str, Any]:
    found = monitor.store.incident(incident_id)
    if found is None:
        raise Problem(404, f"there is no incident {incident_id}")
    return found
