"""`llm.weights.changed`: the feed, pushed to every receiver of webhooks when a weight changes."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from undertow.config import AlertsConfig
from undertow.notify.message import BODY_LIMIT_BYTES, Outgoing, encode
from undertow.notify.routing import channel

KIND = "llm.weights.changed"
ORDERED_AS = "weights"
"""In place of an incident's id: all messages of the feed are one sequence."""


def announce(
    feed: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], alerts: AlertsConfig, now: float
) -> list[Outgoing]:
    """One message for each receiver, whatever severity it asks for, since a router that misses one is wrong.

    `data` is the body of `GET /v1/weights` with the `changes` that led to it. Pure: changes decided again after a crash
    at the same time give the same ids.
    """
    if not alerts.webhook:
        return []
    text = body(feed, changes, now)
    webhook_id = "msg_" + hashlib.sha256(text.encode()).hexdigest()[:32]
    sequence = int(feed["version"])
    return [
        Outgoing(webhook_id, channel(receiver), ORDERED_AS, sequence, KIND, text, now, 0, now)
        for receiver in alerts.webhook
    ]


def body(feed: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], now: float) -> str:
    """The message as JSON of less than 20 kB; one too long leaves out changes, then weights, and says `truncated`."""
    short = {**feed, "changes": [], "truncated": True}
    texts = (encode(KIND, now, data) for data in ({**feed, "changes": list(changes)}, short, {**short, "weights": []}))
    return next(text for text in texts if len(text) < BODY_LIMIT_BYTES).decode()
