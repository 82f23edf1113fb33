"""Standard Webhooks: a signed POST, and what the answer means.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from standardwebhooks import Webhook

from undertow.config import WebhookConfig
from undertow.notify.egress import Egress, Refused
from undertow.notify.message import Outgoing

Outcome = Literal["sent", "retry", "throttled", "gone"]

_THROTTLING = (429, 502, 504)
_LONGEST_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt came to; `detail` is a short reason and holds neither URL nor secret.

    `wait_s` is what the receiver asked for in Retry-After.
    """

    outcome: Outcome
    detail: str
    wait_s: float = 0.0


def sign(entry: Outgoing, secrets: Sequence[str], now: float) -> dict[str, str]:
    """The headers of one attempt at `now`, signed with each secret, so that a receiver can change its own."""
    moment = datetime.fromtimestamp(int(now), UTC)
    signatures = (Webhook(secret).sign(entry.webhook_id, moment, entry.body) for secret in secrets)
    return {
        "content-type": "application/json",
        "user-agent": "undertow",
        "webhook-id": entry.webhook_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(signatures),
    }


def send(entry: Outgoing, receiver: WebhookConfig, egress: Egress, now: float) -> Attempt:
    """One attempt to deliver `entry`; it never raises for what a receiver or the network does."""
    secrets = [one.reveal() for one in (receiver.secret, receiver.previous_secret) if one]
    try:
        response = egress.post(receiver.url, entry.body.encode(), sign(entry, secrets, now))
    except Refused as refusal:
        return Attempt("retry", f"refused: {refusal}")
    except TimeoutError:
        return Attempt("retry", "timeout")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Attempt("retry", type(error).__name__)
    return classify(response.status, response.retry_after, now)


def classify(status: int, retry_after: str | None, now: float) -> Attempt:
    """What an HTTP status means: only 2xx is received, 410 ends the subscription, redirects are failures."""
    detail = f"http_{status}"
    if 200 <= status < 300:
        return Attempt("sent", detail)
    if status == http.client.GONE:
        return Attempt("gone", detail)
    wait_s = _wait_s(retry_after, now)
    return Attempt("throttled" if status in _THROTTLING or wait_s else "retry", detail, wait_s)


def _wait_s(retry_after: str | None, now: float) -> float:
    """Retry-After is seconds or an HTTP date (RFC 9110 10.2.3); nonsense is no wait."""
    text = (retry_after or "").strip()
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)
