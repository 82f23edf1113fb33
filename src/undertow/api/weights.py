"""The weights feed, polled by gateways, so cheap when nothing changed; and what people say about it."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from undertow.api import bodies, reply
from undertow.api.guard import caller
from undertow.api.monitor import Document, Monitor
from undertow.api.reply import Problem
from undertow.errors import UsageError
from undertow.span import Target
from undertow.watch import weights

LONGEST_S = 366 * 86_400.0
"""An override ends within a year: one that nobody remembers is worse than none."""

EXAMPLE = '{"target": {...}, "multiplier": 0.5, "until": UNIX_SECONDS, "by": "who", "reason": "why"}'

_BODY_BYTES = 8192

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Limit = Annotated[int, Query(ge=1, le=10_000)]
Id = Annotated[str, Query(alias="id", max_length=64)]
By = Annotated[str, Query(max_length=200)]


class OfTarget(msgspec.Struct, forbid_unknown_fields=True):
    """A target as the feed names it."""

    provider: Name
    model: Name
    gateway: Name | None = None
    deployment: Name | None = None


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an override; `until` in Unix seconds."""

    target: OfTarget
    multiplier: Annotated[float, Meta(ge=0, le=1)]
    until: float
    by: Annotated[str, Meta(max_length=200)] = ""
    reason: Annotated[str, Meta(max_length=500)] = ""


def routes(monitor: Monitor) -> APIRouter:
    """/v1/weights, its overrides and its audit trail."""
    router = APIRouter(tags=["weights"])

    @router.get("/v1/weights", summary="What share of its own weight each target should get; ETag and 304")
    def current(if_none_match: Annotated[str, Header(max_length=4096)] = "") -> Response:
        published, config = monitor.watcher.weights(), monitor.config.weights
        headers = {"etag": published.etag, "cache-control": "no-cache"}
        if _matches(if_none_match, published.etag):
            return Response(status_code=304, headers=headers)
        feed = weights.feed(published.version, published.weights, config, monitor.clock())
        return reply.json(feed, headers=headers)

    @router.get("/v1/weights/changes", summary="The audit trail: every change, why and by whom, newest first")
    def changes(limit: Limit = 1000) -> Response:
        return reply.json({"changes": monitor.store.weight_changes(limit)})

    @router.get("/v1/weights/overrides", summary="The weights that people have set, until their ends")
    def overrides() -> Response:
        return reply.json({"overrides": monitor.watcher.overrides()})

    @router.post("/v1/weights/overrides", summary="Set the multiplier of a target until then, whatever the policy says")
    async def override(request: Request) -> Response:
        wanted = _wanted(await bodies.read(request, _BODY_BYTES), monitor.clock())
        by = wanted.by.strip() or caller(request)
        if not by:
            raise Problem(400, "by: say who sets it")
        return reply.json(await run_in_threadpool(_override, monitor, wanted, by), 201)

    @router.delete("/v1/weights/overrides", summary="End an override before its time")
    async def withdraw(request: Request, override_id: Id, by: By = "") -> Response:
        author = by.strip() or caller(request) or "api"
        ended = await run_in_threadpool(monitor.watcher.withdraw, override_id, author)
        if ended is None:
            raise Problem(404, f"no override {override_id} stands")
        return reply.json(ended)

    return router


def _wanted(body: bytes, now: float) -> Wanted:
    try:
        wanted = msgspec.json.decode(body, type=Wanted)
    except msgspec.ValidationError as error:
        raise Problem(422, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(400, f"expected {EXAMPLE}") from None
    if not now < wanted.until <= now + LONGEST_S:
        raise Problem(422, "until: expected a time in Unix seconds that is to come, within a year")
    return wanted


def _override(monitor: Monitor, wanted: Wanted, by: str) -> Document:
    target = Target(**msgspec.structs.asdict(wanted.target))
    if not monitor.store.seen(target):
        raise Problem(404, "this target was never seen: name it as GET /v1/targets does")
    try:
        return monitor.watcher.override(target, wanted.multiplier, wanted.until, by, wanted.reason)
    except UsageError as error:
        raise Problem(409, str(error)) from None


def _matches(if_none_match: str, etag: str) -> bool:
    """RFC 9110 13.1.2: any of the listed tags, compared weakly, or a star."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags
