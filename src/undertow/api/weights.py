"""The weights feed: polled by gateways, so cheap when nothing changed."""

import threading
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from undertow.api import reply
from undertow.api.monitor import Document, Monitor
from undertow.span import Target
from undertow.watch import weights
from undertow.watch.weights import Entry

_META = "weights_version"


def routes(monitor: Monitor) -> APIRouter:
    """/v1/weights."""
    router = APIRouter(tags=["weights"])
    feed = Feed(monitor)

    @router.get("/v1/weights", summary="What share of its own weight each target should get; ETag and 304")
    def current(if_none_match: Annotated[str, Header(max_length=4096)] = "") -> Response:
        etag, document = feed.current()
        headers = {"etag": etag, "cache-control": "no-cache"}
        if _matches(if_none_match, etag):
            return Response(status_code=304, headers=headers)
        return reply.json(document, headers=headers)

    return router


class Feed:
    """The current feed under a version that grows with every change and outlives a restart."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._lock = threading.Lock()

    def current(self) -> tuple[str, Document]:
        """ETag and body."""
        store, config, now = self._monitor.store, self._monitor.config.weights, self._monitor.clock()
        with self._lock:
            standing = [i for status in weights.STANDING for i in store.incidents(status, limit=100_000)]
            targets = [Target(**row["target"]) for row in store.targets()]
            entries = weights.entries(standing, targets, config, now)
            version = self._version(entries)
        return weights.etag(version, config.mode, entries), weights.feed(version, entries, config, now)

    def _version(self, entries: list[Entry]) -> int:
        content = weights.etag(0, self._monitor.config.weights.mode, entries)
        number, _, known = (self._monitor.store.meta(_META) or "0 ").partition(" ")
        if content == known:
            return int(number)
        self._monitor.store.set_meta(_META, f"{int(number) + 1} {content}")
        return int(number) + 1


def _matches(if_none_match: str, etag: str) -> bool:
    """RFC 9110 13.1.2: any of the listed tags, compared weakly, or a star."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags
