"""Silences: for how long nobody is told of what, and who decided that."""

import uuid
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from undertow.api import bodies, reply
from undertow.api.guard import caller
from undertow.api.monitor import Monitor
from undertow.api.reply import Problem
from undertow.quiet import in_force

Id = Annotated[str, Path(max_length=128)]
By = Annotated[str, Query(max_length=200)]
Glob = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]

LONGEST_S = 366 * 86_400.0
"""Nobody remembers a silence of more than a year."""
_BYTES = 16_384
_EXPECTED = 'expected {"matchers": {"provider": ...}, "for_s" or "ends_at": seconds, "by": ..., "comment": ...}'


class Matchers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is silenced: all that are given must fit, `*` stands for any text; none is everything."""

    provider: Glob | None = None
    model: Glob | None = None
    route: Glob | None = None
    lane: Glob | None = None
    cause: Glob | None = None


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/silences: one of `for_s` and `ends_at` says when it ends; it starts now unless told."""

    matchers: Matchers
    for_s: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_S)] | None = None
    ends_at: float | None = None
    starts_at: float | None = None
    by: Annotated[str, msgspec.Meta(max_length=200)] = ""
    comment: Annotated[str, msgspec.Meta(max_length=1000)] = ""


def routes(monitor: Monitor) -> APIRouter:
    """/v1/silences."""
    router = APIRouter(tags=["silences"])

    @router.get("/v1/silences", summary="Silences, those that are over only with all=true")
    def silences(all: bool = False) -> Response:  # noqa: A002  the name of the parameter
        now = monitor.clock()
        kept = monitor.store.silences(*(() if all else (now,)))
        return reply.json({"silences": [one | {"active": in_force(one, now)} for one in kept]})

    @router.post("/v1/silences", summary="Tell nobody of what matches, until it ends; it is recorded as ever")
    async def silence(request: Request) -> Response:
        wanted = _wanted(await bodies.read(request, _BYTES))
        document = _document(wanted, monitor.clock(), wanted.by.strip() or caller(request) or "api")
        await run_in_threadpool(_put, monitor, document, "created", document["by"])
        return reply.json(document, 201)

    @router.delete("/v1/silences/{silence_id}", summary="End a silence now")
    def end(silence_id: Id, request: Request, by: By = "") -> Response:
        now = monitor.clock()
        found = next((one for one in monitor.store.silences() if one["id"] == silence_id), None)
        if found is None:
            raise Problem(404, f"there is no silence {silence_id}")
        if found["ends_at"] <= now:
            raise Problem(409, f"silence {silence_id} is over")
        author = by.strip() or caller(request) or "api"
        ended = found | {"ends_at": now, "starts_at": min(found["starts_at"], now), "ended_by": author}
        _put(monitor, ended, "ended", author)
        return reply.json(ended)

    return router


def _wanted(body: bytes) -> Wanted:
    try:
        return msgspec.json.decode(body, type=Wanted)
    except msgspec.ValidationError as error:
        raise Problem(400, f"{_EXPECTED}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(400, _EXPECTED) from None


def _document(wanted: Wanted, now: float, by: str) -> dict[str, Any]:
    if (wanted.for_s is None) == (wanted.ends_at is None):
        raise Problem(400, "a silence ends: give either for_s or ends_at")
    starts_at = now if wanted.starts_at is None else wanted.starts_at
    ends_at = starts_at + wanted.for_s if wanted.for_s is not None else wanted.ends_at or 0.0
    if not now < ends_at <= starts_at + LONGEST_S or starts_at >= ends_at:
        raise Problem(400, "ends_at must be after now and after starts_at, and at most a year after it")
    return {
        "id": f"sil_{uuid.uuid4().hex[:16]}",
        "matchers": msgspec.to_builtins(wanted.matchers),
        "starts_at": starts_at,
        "ends_at": ends_at,
        "by": by,
        "comment": wanted.comment,
        "created_at": now,
        "ended_by": None,
    }


def _put(monitor: Monitor, document: dict[str, Any], action: str, by: str) -> None:
    now = monitor.clock()
    with monitor.store.judgement() as transaction:
        transaction.put_silence(document)
        transaction.put_audit(document["id"], action, "silence", by, at=now, recorded_at=now, text=document["comment"])
