"""Standard Webhooks: a signed POST.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from undertow.config import WebhookConfig
from undertow.notify.attempt import Attempt, post
from undertow.notify.egress import Egress
from undertow.notify.message import Outgoing


def sign(entry: Outgoing, secrets: Sequence[str], now: float) -> dict[str, str]:
    """The headers of one attempt at `now`, signed with each secret, so that a receiver can change its own."""
    moment = datetime.fromtimestamp(int(now), UTC)
    signatures = (Webhook(secret).sign(entry.webhook_id, moment, entry.body) for secret in secrets)
    return {
        "webhook-id": entry.webhook_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(signatures),
    }


def send(entry: Outgoing, receiver: WebhookConfig, egress: Egress, now: float) -> Attempt:
    """One attempt to deliver `entry`; it never raises for what a receiver or the network does."""
    secrets = [one.reveal() for one in (receiver.secret, receiver.previous_secret) if one]
    return post(egress, receiver.url, entry.body.encode(), sign(entry, secrets, now), now)
