"""PagerDuty: Events API v2. One incident is one alert, by its `dedup_key`.

https://developer.pagerduty.com/docs/send-alert-event; the routing key joins the payload only on its way out. An event
may have 512 KB (https://developer.pagerduty.com/docs/events-api-v2-overview), of which the texts here take a few.
"""

import dataclasses
import hashlib
import http.client
from typing import Any

import msgspec

from undertow.channels import PagerDutyConfig
from undertow.notify.attempt import Attempt, post
from undertow.notify.egress import Egress
from undertow.notify.message import Outgoing, rfc3339
from undertow.notify.story import TEXTS, Story, cut, tell

DEDUP_LIMIT = 255
SUMMARY_LIMIT = 1024

_INVALID = f"http_{http.client.BAD_REQUEST:d}"
_SEVERITIES = {"critical": "critical", "warning": "warning", "info": "info"}


def payload(story: Story) -> dict[str, Any]:
    """The event without its routing key: trigger, acknowledge or resolve."""
    event: dict[str, Any] = {
        "event_action": _action(story),
        "dedup_key": dedup_key(story.alert_id),
        "client": "Undertow",
        "payload": {
            "summary": cut(f"{story.title}. {story.sentence}", SUMMARY_LIMIT),
            "source": "/".join(story.target.get(key, "-") for key in ("gateway", "provider", "model", "deployment")),
            "severity": _SEVERITIES.get(story.severity, "error"),
            "timestamp": rfc3339(story.told_at),
            "component": story.target.get("model", ""),
            "group": story.target.get("provider", ""),
            "class": story.cause or story.kind,
            "custom_details": dict(story.facts),
        },
    }
    if story.link:
        event |= {"client_url": story.link, "links": [{"href": story.link, "text": TEXTS["labels"]["link"]}]}
    return event


def _action(story: Story) -> str:
    """What it hears first is a trigger, whoever looks at the incident: PagerDuty drops what it has no alert of."""
    if story.over:
        return "resolve"
    return "acknowledge" if story.status == "acknowledged" and story.kind != "llm.drift.opened" else "trigger"


def dedup_key(alert_id: str) -> str:
    """The key of an incident; one too long is told by its hash."""
    return alert_id if len(alert_id) <= DEDUP_LIMIT else hashlib.sha256(alert_id.encode()).hexdigest()


def send(entry: Outgoing, receiver: PagerDutyConfig, egress: Egress, now: float) -> Attempt:
    """One attempt to deliver `entry`; it never raises for what PagerDuty or the network does.

    An event that it calls invalid (400) is given up, as PagerDuty asks: what follows of its incident need not wait.
    """
    key = receiver.routing_key.reveal() if receiver.routing_key else ""
    body = msgspec.json.encode({"routing_key": key, **payload(tell(entry.body))})
    attempt = post(egress, receiver.url, body, {}, now)
    return dataclasses.replace(attempt, outcome="gone") if attempt.detail == _INVALID else attempt
