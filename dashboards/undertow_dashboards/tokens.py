"""The token without which no connection is taken: a page gets it from its own origin, where no other page can read it.

Cookies do not tell ports apart, so neither SameSite nor Streamlit's XSRF cookie, which scripts may read, keeps out a
page of another port of the same host. The token stands in the page and goes back with each WebSocket, as one more
subprotocol, which is taken off before Streamlit sees it. It fits the cookie of the browser that it was issued to.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

COOKIE = "undertow_dashboard"
PATH = "/_undertow/token"
PREFIX = "undertow."
_BROWSER = re.compile(r"[A-Za-z0-9_-]{20,100}", re.ASCII)
_OFFERED = "sec-websocket-protocol"
# A dashboard that was started anew has another secret: the next try, which Streamlit makes by itself, has its token.
SCRIPT = """<script>(() => {
  let token = %s
  const renew = () => fetch(%s, {cache: "no-store"})
    .then(answer => answer.ok ? answer.text() : token)
    .then(text => { token = text }, () => {})
  const Plain = window.WebSocket
  window.WebSocket = class extends Plain {
    constructor(url, protocols = []) {
      super(url, [protocols, %s + token].flat())
      this.addEventListener("error", renew)
    }
  }
})()</script>"""


class Tokens:
    """Issues and checks the tokens of one run of the dashboard."""

    def __init__(
        self, secret: bytes | None = None, new_browser: Callable[[], str] = lambda: secrets.token_urlsafe(32)
    ) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._new_browser = new_browser

    def issue(self, cookies: Mapping[str, str], secure: bool) -> tuple[str, str | None]:
        """The token of the browser that sent these cookies, and the Set-Cookie where it has none yet."""
        browser = cookies.get(COOKIE, "")
        if _BROWSER.fullmatch(browser):
            return self._token(browser), None
        browser = self._new_browser()
        more = "; Secure" if secure else ""
        return self._token(browser), f"{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Strict{more}"

    def fits(self, headers: Headers, cookies: Mapping[str, str]) -> bool:
        """Whether a WebSocket comes with the token of the browser whose cookie it sends."""
        browser = cookies.get(COOKIE, "")
        given = [one for one in offered(headers) if one.startswith(PREFIX)]
        known = bool(_BROWSER.fullmatch(browser)) and len(given) == 1
        return known and hmac.compare_digest(given[0].encode(), (PREFIX + self._token(browser)).encode())

    def _token(self, browser: str) -> str:
        return hmac.new(self._secret, browser.encode(), hashlib.sha256).hexdigest()


def offered(headers: Headers) -> list[str]:
    """The subprotocols that a WebSocket offers, in order; empty ones hold the place of Streamlit's own tokens."""
    return [one.strip() for line in headers.getlist(_OFFERED) for one in line.split(",")]


def without(scope: MutableMapping[str, Any]) -> None:
    """Take the token off a WebSocket's scope."""
    kept = [one for one in offered(Headers(scope=scope)) if not one.startswith(PREFIX)]
    scope["subprotocols"] = [one for one in scope.get("subprotocols", []) if not one.startswith(PREFIX)]
    headers: Any = MutableHeaders(scope=scope)
    headers[_OFFERED] = ", ".join(kept)


def into(page: bytes, token: str) -> bytes:
    """The page with the token and what sends it, before any other script."""
    script = SCRIPT % (json.dumps(token), json.dumps(PATH), json.dumps(PREFIX))
    return page.replace(b"<head>", b"<head>" + script.encode(), 1)
