"""Takes whatever is posted to it and keeps the bodies, as an OTLP endpoint or a log collector would."""

from typing import NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Posted(NamedTuple):
    """One request: where it went, what it said it was, and its body as it came."""

    path: str
    content_type: str
    encoding: str
    body: bytes


class Inbox:
    """The application, and what it was sent."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.app = Starlette(routes=[Route("/{p:path}", self._take, methods=["POST"])])

    def bodies(self, path: str) -> list[bytes]:
        """Of all requests to `path`."""
        return [posted.body for posted in self.posted if posted.path == path]

    async def _take(self, request: Request) -> Response:
        headers = request.headers
        kind, encoding = headers.get("content-type", ""), headers.get("content-encoding", "")
        self.posted.append(Posted(request.url.path, kind, encoding, await request.body()))
        return Response(media_type=kind or None)
