"""What came in, and what became of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Document, Monitor
from undertow.api.series import DAY_S, now
from undertow.instrumentation import Instrumentation
from undertow.known_faults import known_faults
from undertow.watch.dataalert import LATE, STALE, standing

Reason = Annotated[str | None, Query(max_length=128)]
Limit = Annotated[int, Query(ge=1, le=10_000)]


def routes(monitor: Monitor) -> APIRouter:
    """/v1/ingest and /v1/rejects."""
    router = APIRouter(tags=["ingestion"])

    @router.get("/v1/ingest", summary="Offsets, lag, counts, throughput, rejects by reason")
    def ingest() -> Response:
        return reply.json(_ingestion(monitor))

    @router.get("/v1/rejects", summary="What could not become a span, newest first, without the payload")
    def rejects(request: Request, reason: Reason = None, limit: Limit = 100) -> Response:
        return reply.table(request, {"rejects": monitor.store.rejects(reason, limit)}, "rejects")

    return router


def _ingestion(monitor: Monitor) -> Document:
    alerts = monitor.store.alerts()
    told = {"silent": standing(alerts, STALE), "troubles": standing(alerts, LATE)}
    found = monitor.store.ingestion() | monitor.store.lateness() | {"throughput": _throughput(monitor)} | told
    found["instrumentations"] = [one | {"warnings": _warnings(one)} for one in found["instrumentations"]]
    if monitor.source is None:
        return found | {"source": {"state": "none", "detail": ""}}
    status = monitor.source.status()
    lags = {(p.topic, p.partition): p.lag for p in status.partitions}
    partitions = [p | {"lag": lags.get((p["topic"], p["partition"]))} for p in found["partitions"]]
    return found | {"partitions": partitions, "source": {"state": status.state, "detail": status.detail}}


def _warnings(one: Document) -> list[Document]:
    """What is known to be wrong with the spans of an instrumentation."""
    faults = known_faults(Instrumentation(one["name"], one["version"]))
    return [{"affects": fault.affects, "text": fault.text} for fault in faults]


def _throughput(monitor: Monitor) -> Document:
    """Now by the clock, and over the last day of event time."""
    points = monitor.store.stored(now(monitor), DAY_S)
    return {"per_s": monitor.store.stored_per_s(), "points": points}
