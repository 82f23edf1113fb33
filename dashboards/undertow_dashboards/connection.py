"""HTTP to the monitor, with limits.

A body that drips is given up after `timeout_s` in all, and one of more than 16 MiB at once. No redirect is followed,
which could carry the token elsewhere, and no proxy is asked.
"""

from collections.abc import Mapping
from time import monotonic
from typing import Any, Literal, TypeVar

import httpx
import msgspec

from undertow.errors import UndertowError
from undertow.veil import origin, veil

T = TypeVar("T")
Kind = Literal["away", "refused", "problem", "unreadable"]
DEFAULT_URL = "http://127.0.0.1:8321"
MAX_BYTES = 16 * 2**20
SCOPES = "undertow-scopes"
OPEN = ("/healthz", "/readyz")
"""Answered without a token, so that they say nothing of it."""


class ApiError(UndertowError):
    """The API gave no answer that can be shown.

    `kind` is away (nobody answers), refused (the token), problem (the API says what is wrong) or unreadable (the
    answer is not ours); the message is one sentence for people.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Connection:
    """A monitor's API at `base_url`; safe to share between threads."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        token: str = "",
        *,
        timeout_s: float = 5.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._shown = origin(base_url)
        self._veil = veil((token, base_url))
        self._timeout_s = timeout_s
        self.scopes: frozenset[str] | None = None
        """What the token may, as the last answer said; None where it did not say."""
        headers = {b"Authorization": f"Bearer {token}".encode()} if token else None
        self._http = httpx.Client(headers=headers, timeout=timeout_s, transport=transport, trust_env=False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def get(self, path: str, shape: type[T], params: Mapping[str, Any] | None = None) -> T:
        """The answer to a question, as `shape`. Raises ApiError."""
        return self.decode(path, shape, self.ask("GET", path, params=params))

    def decode(self, path: str, shape: type[T], body: bytes) -> T:
        """`body` as `shape`. Raises ApiError where it is something else."""
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(
                "unreadable", f"{self._shown}{path} does not answer like Undertow's API: {self._veil(str(error))}"
            ) from None

    def ask(self, method: str, path: str, **arguments: Any) -> bytes:
        """The body of an answer that is no error. Raises ApiError."""
        status, body = self.send(method, path, **arguments)
        if status in (401, 403):
            raise ApiError("refused", f"{self._shown} refuses the dashboard's token ({status}).")
        if status >= 300:
            raise ApiError("problem", f"{self._shown}{path} answers {status}: {self._veil(_problem(body))}")
        return body

    def send(self, method: str, path: str, **arguments: Any) -> tuple[int, bytes]:
        """Status and body. Raises ApiError where nobody answers, or too slowly or too much."""
        deadline = monotonic() + self._timeout_s
        body = bytearray()
        try:
            with self._http.stream(method, self.base_url + path, **arguments) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if monotonic() > deadline or len(body) > MAX_BYTES:
                        raise ApiError("away", f"{self._shown}{path} takes too long or sends too much.")
                if response.is_success and path not in OPEN:
                    said = response.headers.get(SCOPES)
                    self.scopes = None if said is None else frozenset(said.split())
                return response.status_code, bytes(body)
        except httpx.InvalidURL:
            raise ApiError("away", f"{self._shown} is not an address.") from None
        except httpx.HTTPError as error:
            raise ApiError("away", f"Nobody answers at {self._shown} ({type(error).__name__}).") from None


class _Problem(msgspec.Struct):
    """RFC 9457."""

    title: str = ""
    detail: str = ""


def _problem(body: bytes) -> str:
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "no reason given."
    return " ".join(part for part in (problem.title, problem.detail) if part)[:500] or "no reason given."
