"""Microsoft Teams: a Power Automate workflow ("when a Teams webhook request is received") with an Adaptive Card.

Office 365 connectors are retired. Text stands in `TextRun`s, which know no Markdown, so that no name can be a link; a
`fallbackText` would. Teams takes about 28 KB a message. https://adaptivecards.io/explorer/ and
https://learn.microsoft.com/connectors/teams/#known-issues-and-limitations-with-actions
"""

from typing import Any

import msgspec

from undertow.channels import TeamsConfig
from undertow.notify.attempt import Attempt, post
from undertow.notify.egress import Egress
from undertow.notify.message import Outgoing
from undertow.notify.story import TEXTS, Story, cut, tell

BYTES_LIMIT = 28_000
TEXT_LIMIT = 2000
VERSION = "1.2"
"""The first that knows `RichTextBlock`; a client that knows less shows nothing of a card."""

_COLORS = {"critical": "attention", "warning": "warning", "info": "accent"}


def payload(story: Story) -> dict[str, Any]:
    """The message with its one card."""
    color = "good" if story.over else _COLORS.get(story.severity, "default")
    title = {"type": "TextRun", "text": cut(story.title, TEXT_LIMIT), "weight": "bolder", "size": "medium"}
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "body": [
            _lines(title | {"color": color}),
            _lines(_run(story.sentence)),
            *(_lines(_run(f"{label}: ", weight="bolder"), _run(value)) for label, value in story.facts),
        ],
    }
    if story.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": TEXTS["labels"]["link"], "url": story.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _lines(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": cut(text, TEXT_LIMIT), **style}


def send(entry: Outgoing, receiver: TeamsConfig, egress: Egress, now: float) -> Attempt:
    """One attempt to deliver `entry`; it never raises for what Teams or the network does."""
    url = receiver.url.reveal() if receiver.url else ""
    return post(egress, url, msgspec.json.encode(payload(tell(entry.body))), {}, now)
