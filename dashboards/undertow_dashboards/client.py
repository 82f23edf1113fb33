"""The API over HTTP, typed. Everything the dashboard knows comes through here.

A body that drips is given up after `timeout_s` in all, and one of more than 16 MiB at once. No redirect is followed,
which could carry the token elsewhere, and no proxy is asked.
"""

from collections.abc import Mapping
from functools import lru_cache
from time import monotonic
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from undertow.errors import UndertowError
from undertow_dashboards import shapes
from undertow_dashboards.shapes import Target

T = TypeVar("T")
Kind = Literal["away", "refused", "problem", "unreadable"]
Decision = Literal["acknowledge", "accept", "resolve"]
DEFAULT_URL = "http://127.0.0.1:8321"
MAX_BYTES = 16 * 2**20


class ApiError(UndertowError):
    """The API gave no answer that can be shown.

    `kind` is away (nobody answers), refused (the token), problem (the API says what is wrong) or unreadable (the
    answer is not ours); the message is one sentence for people.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Client:
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
        self._timeout_s = timeout_s
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(headers=headers, timeout=timeout_s, transport=transport, trust_env=False)

    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def targets(self) -> list[shapes.TargetState]:
        """The state of every target."""
        return self._get("/v1/targets", shapes.Targets).targets

    def memory(self, days: float) -> shapes.Memory:
        """The last days against every baseline that a target was judged by."""
        return self._get("/v1/memory", shapes.Memory, {"days": days})

    def detectability(self) -> shapes.Detectability:
        """What would be noticed on each signal, and how soon."""
        return self._get("/v1/detectability", shapes.Detectability)

    def incidents(self) -> list[shapes.Incident]:
        """Every incident, open and past, newest first."""
        found = self._get("/v1/incidents", shapes.Incidents).incidents
        return sorted(found, key=lambda incident: -(incident.opened_at or 0.0))

    def incident(self, incident_id: str) -> shapes.Incident:
        """One incident."""
        return self._get(f"/v1/incidents/{quote(incident_id, safe='')}", shapes.Incident)

    def decide(self, incident_id: str, decision: Decision, by: str) -> None:
        """Tell the monitor what a person decided about an incident."""
        path = f"/v1/incidents/{quote(incident_id, safe='')}/{decision}"
        self._ask("POST", path, content=msgspec.json.encode({"by": by}))

    def notices(self) -> list[shapes.Notice]:
        """What is worth knowing and is no incident, newest first."""
        return sorted(self._get("/v1/notices", shapes.Notices).notices, key=lambda n: -(n.at or 0.0))

    def series(self, target: Target, signal: str, start: float, end: float, step_s: float) -> shapes.Series:
        """A signal between two times (Unix seconds) in bins of `step_s`."""
        params = {**target.params(), "signal": signal, "start": start, "end": end, "step_s": step_s}
        return self._get("/v1/series", shapes.Series, params)

    def distribution(self, target: Target, signal: str) -> shapes.Distribution:
        """A signal in the baseline and now."""
        return self._get("/v1/distribution", shapes.Distribution, {**target.params(), "signal": signal})

    def ingestion(self) -> shapes.Ingestion:
        """What came in and how far behind the source is."""
        return self._get("/v1/ingest", shapes.Ingestion)

    def rejects(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest rejected messages, without their payload."""
        return self._get("/v1/rejects", shapes.Rejects, {"limit": limit}).rejects

    def readiness(self) -> shapes.Readiness:
        """Whether the monitor works, part by part; not ready is an answer, not an error."""
        return self._decode("/readyz", shapes.Readiness, self._send("GET", "/readyz")[1])

    def _get(self, path: str, shape: type[T], params: Mapping[str, Any] | None = None) -> T:
        return self._decode(path, shape, self._ask("GET", path, params=params))

    def _decode(self, path: str, shape: type[T], body: bytes) -> T:
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(
                "unreadable", f"{self.base_url}{path} does not answer like Undertow's API: {error}"
            ) from None

    def _ask(self, method: str, path: str, **arguments: Any) -> bytes:
        status, body = self._send(method, path, **arguments)
        if status in (401, 403):
            raise ApiError("refused", f"{self.base_url} refuses the dashboard's token ({status}).")
        if status >= 300:
            raise ApiError("problem", f"{self.base_url}{path} answers {status}: {_problem(body)}")
        return body

    def _send(self, method: str, path: str, **arguments: Any) -> tuple[int, bytes]:
        deadline = monotonic() + self._timeout_s
        body = bytearray()
        try:
            with self._http.stream(method, self.base_url + path, **arguments) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if monotonic() > deadline or len(body) > MAX_BYTES:
                        raise ApiError("away", f"{self.base_url}{path} takes too long or sends too much.")
                return response.status_code, bytes(body)
        except httpx.InvalidURL as error:
            raise ApiError("away", f"{self.base_url} is not an address: {error}.") from None
        except httpx.HTTPError as error:
            raise ApiError("away", f"Nobody answers at {self.base_url} ({type(error).__name__}).") from None


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


@lru_cache(maxsize=8)
def connect(base_url: str, token: str) -> Client:
    """The one client of this process for a monitor: connections are kept between page runs."""
    return Client(base_url, token)
