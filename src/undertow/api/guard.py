"""Who may ask what: bearer tokens with scopes, no web page of a stranger, and no head of a request without end.

Without a token the API listens on loopback only, where any web page in the operator's browser can reach it: then the
Host must be a loopback name, which a page that rebinds its own name cannot send, and an Origin must be ours.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undertow.api import reply
from undertow.api.reply import Problem
from undertow.config import ApiConfig

OPEN = ("/healthz", "/readyz")
"""What is answered to anybody, in words that say nothing about this installation: see `is_stranger`."""

HEAD_BYTES, HEAD_LINES = 16 * 2**10, 100
"""The largest head of a request."""

INGEST = ("/v1/spans", "/v1/traces", "/v1/logs")
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
SCOPES = "undertow-scopes"
"""The header that says what the caller's token may."""
_ALL = frozenset({"read", "operate", "ingest"})


@dataclass(frozen=True, slots=True)
class _Caller:
    name: str
    digest: bytes
    scopes: frozenset[str]


ANYBODY = _Caller("", b"", frozenset())
"""Whoever asks where there are no tokens; what a token may is not said then."""


class Guard:
    """ASGI middleware: every path needs a scope but those of OPEN, so that a new route is closed until it is opened."""

    def __init__(self, app: ASGIApp, config: ApiConfig, closed: MutableMapping[str, int]) -> None:
        self._app = app
        self._closed = closed
        self._host = config.host
        self._callers = [
            _Caller(token.name, _digest(token.token.reveal()), frozenset(token.scopes))
            for token in config.tokens
            if token.token
        ]
        if config.token:
            self._callers.append(_Caller("token", _digest(config.token.reveal()), _ALL))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  ASGI
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = self._counting(send)
        try:
            _check_head(scope)
            found = self._admitted(scope)
        except Problem as problem:
            await reply.problem(problem)(scope, receive, _with_headers(send))
            return
        scope["undertow.caller"] = found.name if found else None
        await self._app(scope, receive, _with_headers(send, found))

    def _admitted(self, scope: Scope) -> _Caller | None:
        """The caller, None for a stranger whom the path is open to. Raises Problem 401 or 403."""
        try:
            return self._check(scope)
        except Problem:
            if scope["path"] in OPEN:
                return None
            raise

    def _check(self, scope: Scope) -> _Caller:
        """The caller; ANYBODY where no token is needed. Raises Problem 401 or 403."""
        headers = Headers(scope=scope)
        if not self._callers:
            self._check_browser(headers)
            return ANYBODY
        caller = self._caller(headers.get("authorization", ""))
        if caller is None:
            raise Problem(401, "a bearer token is needed: Authorization: Bearer ...", {"www-authenticate": "Bearer"})
        needed = _scope(scope["method"], scope["path"])
        if needed not in caller.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
            raise Problem(403, f"this token lacks the scope {needed}", {"www-authenticate": challenge})
        return caller

    def _caller(self, authorization: str) -> _Caller | None:
        kind, _, token = authorization.partition(" ")
        digest = _digest(token.strip())
        matching = [caller for caller in self._callers if hmac.compare_digest(caller.digest, digest)]
        return matching[0] if matching and kind.lower() == "bearer" else None

    def _check_browser(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            raise Problem(403, f"without a token only loopback names are answered, not {host[:256]!r}; set api.token")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise Problem(403, "a web page of another origin may not ask")

    def _counting(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.REQUEST_TIMEOUT:
                self._closed["slow_body"] += 1
            await send(message)

        return sending

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in ("localhost", self._host) or ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def caller(request: Request) -> str:
    """The name of the token that a request came with; empty where there is none."""
    return request.scope.get("undertow.caller") or ""


def is_stranger(request: Request) -> bool:
    """Whether the caller may read nothing, and asks for a path of OPEN."""
    return request.scope.get("undertow.caller") is None


def _check_head(scope: Scope) -> None:
    """Raise Problem 431 where the head is larger than it may be: the server bounds only one that comes in pieces."""
    size = len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(n) + len(v) for n, v in scope["headers"])
    if size > HEAD_BYTES or len(scope["headers"]) > HEAD_LINES:
        limits = f"{HEAD_BYTES} bytes or {HEAD_LINES} headers"
        raise Problem(431, f"the head of the request is larger than {limits}", {"connection": "close"})


def _scope(method: str, path: str) -> str:
    if method in ("GET", "HEAD", "OPTIONS"):
        return "read"
    return "ingest" if path in INGEST else "operate"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _with_headers(send: Send, found: _Caller | None = None) -> Send:
    more = {SCOPES: " ".join(sorted(found.scopes))} if found and found.scopes else {}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            for name, value in (HEADERS | more).items():
                headers.setdefault(name, value)
        await send(message)

    return sending
