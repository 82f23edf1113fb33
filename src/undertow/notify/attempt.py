"""One attempt to deliver a message over HTTP, and what the answer means. Nothing here sleeps or tries again."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from undertow.notify.egress import Egress, Refused

Outcome = Literal["sent", "retry", "throttled", "gone"]

_THROTTLING = (429, 502, 504)
_LONGEST_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt came to; `detail` is a short reason and holds neither URL nor secret.

    `wait_s` is what the receiver asked for in Retry-After; `answer` what it said, at most 4 KiB, for the eyes of
    whoever tests a channel: it is not logged, since a receiver may repeat what it was sent.
    """

    outcome: Outcome
    detail: str
    wait_s: float = 0.0
    answer: bytes = field(default=b"", repr=False, compare=False)


_FAULTS: Mapping[type[Exception], str] = {
    socket.gaierror: "unknown_host",
    ssl.SSLCertVerificationError: "certificate_not_trusted",
    ConnectionRefusedError: "connection_refused",
    http.client.RemoteDisconnected: "no_answer",
    http.client.BadStatusLine: "not_http",
    ConnectionResetError: "connection_reset",
}


def fault(error: Exception) -> str:
    """What kept a message from its receiver, as a reason: the name of the error where there is no better word."""
    return next((word for kind, word in _FAULTS.items() if isinstance(error, kind)), type(error).__name__)


def post(egress: Egress, url: str, body: bytes, headers: Mapping[str, str], now: float) -> Attempt:
    """One attempt to post JSON; it never raises for what a receiver or the network does."""
    told = {"content-type": "application/json", "user-agent": "undertow", **headers}
    try:
        response = egress.post(url, body, told)
    except Refused as refusal:
        return Attempt("retry", f"refused: {refusal}")
    except TimeoutError:
        return Attempt("retry", "timeout")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Attempt("retry", fault(error))
    return classify(response.status, response.retry_after, now, response.body)


def classify(status: int, retry_after: str | None, now: float, answer: bytes = b"") -> Attempt:
    """What an HTTP status means: only 2xx is received, 410 ends the subscription, redirects are failures."""
    detail = f"http_{status}"
    if 200 <= status < 300:
        return Attempt("sent", detail, answer=answer)
    if status == http.client.GONE:
        return Attempt("gone", detail, answer=answer)
    wait_s = _wait_s(retry_after, now)
    return Attempt("throttled" if status in _THROTTLING or wait_s else "retry", detail, wait_s, answer)


def _wait_s(retry_after: str | None, now: float) -> float:
    """Retry-After is seconds or an HTTP date (RFC 9110 10.2.3), in UTC if it names no zone; nonsense is no wait."""
    text = (retry_after or "").strip()
    try:
        seconds = float(text) if text.isdecimal() else _date(text).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)


def _date(text: str) -> datetime:
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)  # the asctime form, one of three, has no zone
