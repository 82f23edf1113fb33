"""Prometheus Alertmanager: API v2, `POST /api/v2/alerts`. An alert that stands is posted again until it ends.

Labels are what an alert is known by, so they hold nothing that changes while it stands: no severity, no cause, no
number. `endsAt` lies four posts ahead, so that an alert whose monitor is gone ends by itself.
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from undertow.channels import IDENTITY_LABELS, AlertmanagerConfig
from undertow.notify.attempt import Attempt, post
from undertow.notify.egress import Egress
from undertow.notify.message import Outgoing, rfc3339
from undertow.notify.story import Story, cut, tell

VALUE_LIMIT = 2000
MISSED_POSTS = 4

_NAMES = {"llm.data.stale": "UndertowDataStale", "llm.data.late": "UndertowDataLate"}
_NAME = "UndertowDrift"


def payload(story: Story, now: float, repost_s: float, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The list of one alert, as it is at `now` (Unix seconds)."""
    identity = {"alertname": _NAMES.get(story.kind, _NAME), "alert_id": story.alert_id, **story.target}
    starts_at = min(story.began_at, now)
    ends_at = now + MISSED_POSTS * repost_s if story.ended_at is None else max(min(story.ended_at, now), starts_at)
    facts = {
        "title": story.title,
        "summary": story.sentence,
        "severity": story.severity,
        "cause": story.cause,
        "lane": story.lane,
    }
    alert: dict[str, Any] = {
        "labels": {**labels, **{name: identity[name] for name in IDENTITY_LABELS if identity.get(name)}},
        "annotations": {name: cut(value, VALUE_LIMIT) for name, value in facts.items() if value},
        "startsAt": rfc3339(starts_at),
        "endsAt": rfc3339(ends_at),
    }
    return [alert | ({"generatorURL": story.link} if story.link else {})]


def again_s(entry: Outgoing, receiver: AlertmanagerConfig) -> float | None:
    """In how many seconds `entry` is posted again, None where it tells of the end."""
    return None if tell(entry.body).over else receiver.repost_s


def send(entry: Outgoing, receiver: AlertmanagerConfig, egress: Egress, now: float) -> Attempt:
    """One attempt to deliver `entry`; it never raises for what Alertmanager or the network does."""
    body = msgspec.json.encode(payload(tell(entry.body), now, receiver.repost_s, receiver.labels))
    return post(egress, f"{receiver.url.rstrip('/')}/api/v2/alerts", body, _login(receiver), now)


def _login(receiver: AlertmanagerConfig) -> dict[str, str]:
    if receiver.token:
        return {"authorization": f"Bearer {receiver.token.reveal()}"}
    if receiver.username and receiver.password:
        pair = f"{receiver.username}:{receiver.password.reveal()}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}
