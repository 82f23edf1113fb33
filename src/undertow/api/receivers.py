"""Who is told of alerts, and who said that they are gone."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from undertow.api import reply
from undertow.api.guard import caller
from undertow.api.monitor import Monitor
from undertow.api.reply import Problem

Channel = Annotated[str, Path(max_length=512)]


def routes(monitor: Monitor) -> APIRouter:
    """/v1/receivers."""
    router = APIRouter(tags=["receivers"])

    @router.get("/v1/receivers", summary="Receivers that are disabled, and why the last attempt at others failed")
    def receivers() -> Response:
        failing = dict(monitor.deliverer.failing) if monitor.deliverer else {}
        disabled = monitor.store.disabled()
        gone = {one["channel"] for one in disabled}
        told: list[dict[str, Any]] = [{"channel": c, "detail": d} for c, d in failing.items() if c not in gone]
        return reply.json({"disabled": disabled, "failing": sorted(told, key=lambda one: one["channel"])})

    @router.post("/v1/receivers/{channel}/enable", summary="Send to a receiver again that answered 410")
    def enable(channel: Channel, request: Request) -> Response:
        if channel not in {one["channel"] for one in monitor.store.disabled()}:
            raise Problem(404, "there is no such disabled receiver")
        now = monitor.clock()
        with monitor.store.judgement() as transaction:
            transaction.enable(channel, now)
            by = caller(request) or "api"
            transaction.put_audit(channel, "enabled", "receiver", by, at=now, recorded_at=now)
        return reply.json({"channel": channel})

    return router
