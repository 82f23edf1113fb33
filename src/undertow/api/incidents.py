"""Incidents and notices, and what people decide about them."""

from collections.abc import Callable, Iterable, Iterator
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
from undertow.quiet import Quiet
from undertow.watch import ruled_out
from undertow.watch.document import Verdict
from undertow.watch.grouping import leader_id
from undertow.watch.lifecycle import STANDING
from undertow.watch.teller import ALERT

Id = Annotated[str, Path(max_length=128)]
Limit = Annotated[int, Query(ge=1, le=10_000)]
Status = Literal["open", "acknowledged", "resolved", "accepted"]

_DECISION_BYTES = 8192
_EXPECTED = 'expected {"by": "who decides", "reason": "why", "verdict": "real" or "false_alarm"}, or no body'

Decide = Callable[[str, str, str, Verdict | None], Document | None]


class Decision(msgspec.Struct):
    """The optional body of a decision: who takes it and why, and whether the incident was real."""

    by: Annotated[str, msgspec.Meta(max_length=200)] = ""
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    verdict: Verdict | None = None


def routes(monitor: Monitor) -> APIRouter:
    """/v1/incidents, the decisions about one, and /v1/notices."""
    router = APIRouter(tags=["incidents"])

    @router.get("/v1/incidents", summary="Incidents, newest first")
    def incidents(status: Status | None = None, limit: Limit = 1000) -> Response:
        return reply.json({"incidents": _with_quiet(monitor, monitor.store.incidents(status, limit))})

    @router.get("/v1/incidents/{incident_id}", summary="One incident, who did what, who was told, and spans to look at")
    def incident(incident_id: Id) -> Response:
        return reply.json(_told(monitor, _found(monitor, incident_id)))

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

    @router.post("/v1/incidents/{incident_id}/judge", summary="Whether it was real, also when it is over")
    async def judge(incident_id: Id, request: Request) -> Response:
        wanted = _decision(await bodies.read(request, _DECISION_BYTES))
        if wanted.verdict is None:
            raise Problem(400, 'verdict: expected "real" or "false_alarm"')
        by = wanted.by or caller(request) or "api"
        judged = await run_in_threadpool(monitor.watcher.judge, incident_id, by, wanted.reason, wanted.verdict)
        if judged is None:
            raise Problem(404, f"there is no incident {incident_id}")
        return reply.json(judged)

    return router


def _told(monitor: Monitor, incident: Document) -> Document:
    """An incident with everything that stands around it."""
    alert = leader_id(incident)
    [incident] = _with_quiet(monitor, [incident])
    return (
        {"verdict": None}
        | incident
        | {
            "trail": monitor.store.audit(incident["id"]),
            "deliveries": [*monitor.store.deliveries(alert), *_held(monitor, alert)],
            "examples": list(monitor.watcher.examples(incident)),
            "ruled_out": ruled_out.of(incident),
        }
    )


def _with_quiet(monitor: Monitor, incidents: Iterable[Document]) -> list[Document]:
    """Each with the silence or maintenance window that it is covered by now, None where nothing does or it is over."""
    now = monitor.clock()
    quiet = Quiet(monitor.store.silences(now), monitor.config.alerts.maintenance, now)
    return [one | {"quiet": (one["status"] in STANDING and quiet.over([one])) or None} for one in incidents]


def _held(monitor: Monitor, alert: str) -> Iterator[Document]:
    """What is told later: nobody is chosen until then, so that its channel is empty."""
    said = monitor.store.alerts().get(ALERT + alert, {})
    if said.get("owed"):
        yield {
            "channel": "",
            "kind": "llm.drift.updated" if said["said"] == "firing" else "llm.drift.opened",
            "state": "held",
            "attempts": 0,
            "changed_at": None,
            "next_attempt_at": None,
            "detail": said["quiet"] or "told with the other targets of its group",
        }


async def _decide(monitor: Monitor, decide: Decide, incident_id: str, request: Request) -> Response:
    wanted = _decision(await bodies.read(request, _DECISION_BYTES))
    by = wanted.by or caller(request) or "api"
    decided = await run_in_threadpool(decide, incident_id, by, wanted.reason, wanted.verdict)
    if decided is None:
        past = await run_in_threadpool(_found, monitor, incident_id)
        raise Problem(409, f"incident {incident_id} is {past['status']}, nothing is left to decide")
    return reply.json(decided)


def _decision(body: bytes) -> Decision:
    if not body.strip():
        return Decision()
    try:
        read = msgspec.json.decode(body, type=Decision)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(400, _EXPECTED) from None
    return Decision(read.by.strip(), read.reason.strip(), read.verdict)


def _found(monitor: Monitor, incident_id: str) -> dict[str, Any]:
    found = monitor.store.incident(incident_id)
    if found is None:
        raise Problem(404, f"there is no incident {incident_id}")
    return found
