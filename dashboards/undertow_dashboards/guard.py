"""No page of another origin: every request is checked before Streamlit sees it.

Streamlit's own lists are set too, and are not enough: `server.allowedHosts` is for WebSockets alone and knows no ports,
and a page of any port of localhost is an allowed origin whatever `server.corsAllowedOrigins` says.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undertow_dashboards import tokens
from undertow_dashboards.places import Place
from undertow_dashboards.tokens import Tokens

Refusal = Literal["host", "origin", "token"]
OPEN = "/_stcore/health"
"""Says that the dashboard is alive, to whoever asks by whatever name."""
ASSETS = ("/static/", "/_stcore/", "/media/", "/component/")
HEADERS = {
    "content-security-policy": "frame-ancestors 'none'; object-src 'none'; base-uri 'self'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
SAID = {
    "host": "This dashboard is not served under the name {host!r}. Open it at {home}, or name the other address "
    "with --address or dashboard.addresses.",
    "origin": "A page of {origin!r} may not use this dashboard. Where that is its own address, as behind a proxy, name "
    "it with --address or dashboard.addresses.",
    "token": "A connection came without the token that the dashboard's own pages have.",
}
MOST_LINES = 20
_log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware that lets in requests to `places`, from their own pages."""

    def __init__(self, app: ASGIApp, places: Sequence[Place], given: Tokens | None = None) -> None:
        self._app = app
        self._home = places[0].origin
        self._hosts = {name for place in places for name in place.authorities}
        self._origins = {place.origin for place in places}
        plain = {name for place in places if place.scheme == "http" for name in place.authorities}
        self._secure = self._hosts - plain
        self._tokens = given or Tokens()
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  ASGI
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        if refusal := self.refusal(asked):
            await self._refuse(refusal, asked, receive, send)
        elif scope["type"] == "websocket":
            await self._app(_as_streamlit_takes_it(scope), receive, send)
        else:
            await self._answer(asked, receive, _with_headers(send))

    def refusal(self, asked: HTTPConnection) -> Refusal | None:
        """Why a request is not let in; None where it is."""
        if asked.scope.get("method") == "GET" and asked.scope["path"] == OPEN:
            return None
        return next(self.refusals(asked), None)

    def refusals(self, asked: HTTPConnection) -> Iterator[Refusal]:
        """Everything that speaks against a request.

        Browsers send the Origin with every WebSocket and with every request that may change something, so that a
        missing one is refused there. GET and HEAD change nothing, and a person who follows a link sends none.
        """
        hosts, origins = map(asked.headers.getlist, ("host", "origin"))
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            yield "host"
        if not self._is_own(origins) and (origins or asked.scope.get("method") not in ("GET", "HEAD")):
            yield "origin"
        if asked.scope["path"] == tokens.PATH and asked.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            yield "origin"
        if asked.scope["type"] == "websocket" and not self._tokens.fits(asked.headers, asked.cookies):
            yield "token"

    def _is_own(self, origins: Sequence[str]) -> bool:
        return len(origins) == 1 and origins[0] in self._origins

    async def _refuse(self, refusal: Refusal, asked: HTTPConnection, receive: Receive, send: Send) -> None:
        named = {name: asked.headers.get(name, "")[:256] for name in ("host", "origin")}
        text = SAID[refusal].format(home=self._home, **named)
        if len(self._logged) < MOST_LINES and text not in self._logged:  # whoever asks often fills no log
            self._logged.add(text)
            _log.warning(text)
        if asked.scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        else:
            await PlainTextResponse(text, 403)(asked.scope, receive, _with_headers(send))

    async def _answer(self, asked: HTTPConnection, receive: Receive, send: Send) -> None:
        if asked.scope["method"] != "GET" or asked.scope["path"].startswith(ASSETS):
            await self._app(asked.scope, receive, send)
            return
        token, cookie = self._tokens.issue(asked.cookies, asked.headers["host"].lower() in self._secure)
        if asked.scope["path"] == tokens.PATH:
            new = {"set-cookie": cookie} if cookie else {}
            await PlainTextResponse(token, headers={"cache-control": "no-store"} | new)(asked.scope, receive, send)
        else:
            await self._app(_whole(asked.scope), receive, _Page(send, token, cookie).send)


class _Page:
    """Sends on what an application answers, with the token where it is a page."""

    def __init__(self, send: Send, token: str, cookie: str | None) -> None:
        self._send = send
        self._token = token
        self._cookie = cookie
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._end(self._start)

    async def _end(self, start: Message) -> None:
        body = tokens.into(self._body, self._token)
        headers: Any = MutableHeaders(scope=start)
        headers["content-length"] = str(len(body))
        headers["cache-control"] = "no-store"
        for name in ("etag", "last-modified", "accept-ranges"):
            del headers[name]
        if self._cookie:
            headers.append("set-cookie", self._cookie)
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _is_page(message: Message) -> bool:
    return message["status"] == 200 and Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")


def _whole(scope: Scope) -> Scope:
    """The request for all of a page as it stands in the file: not compressed, and not only if it is new."""
    conditions = {b"accept-encoding", b"if-none-match", b"if-modified-since", b"range", b"if-range"}
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name not in conditions]}


def _as_streamlit_takes_it(scope: Scope) -> Scope:
    """Without our token, and with the Host of the Origin: both are ours, and behind a proxy they may differ.

    Where they do, Streamlit asks a host in the internet for the address of this machine.
    """
    copy = {**scope, "headers": list(scope["headers"])}
    tokens.without(copy)
    headers: Any = MutableHeaders(scope=copy)
    headers["host"] = headers["origin"].partition("://")[2]
    return copy


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending
