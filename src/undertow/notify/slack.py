"""Slack: an incoming webhook with a text for notifications and blocks for the eye.

Limits (https://docs.slack.dev/reference/block-kit/blocks): 50 blocks, 150 characters a header, 3000 a section, ten
fields of 2000. Texts are `plain_text`, in which markup means nothing; only the link is `mrkdwn`.
"""

from typing import Any

import msgspec

from undertow.channels import SlackConfig
from undertow.notify.attempt import Attempt, post
from undertow.notify.egress import Egress
from undertow.notify.message import Outgoing
from undertow.notify.story import TEXTS, Story, cut, tell

PACE_S = 1.0
"""Slack takes one message a second of an incoming webhook (https://api.slack.com/apis/rate-limits): more gets 429."""
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
FIELD_LIMIT = 2000
FIELDS = 10

_MARKS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
_OVER = "🟢"


def payload(story: Story) -> dict[str, Any]:
    """The message: fallback text, header, sentence, facts, and a link where there is a dashboard."""
    mark = _OVER if story.over else _MARKS.get(story.severity, "")
    head = f"{mark} {story.title}".strip()
    fields = [_plain(f"{label}\n{value}", FIELD_LIMIT) for label, value in story.facts[:FIELDS]]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(head, HEADER_LIMIT)},
        {"type": "section", "text": _plain(story.sentence, SECTION_LIMIT)},
        {"type": "section", "fields": fields},
    ]
    if story.link:
        link = f"<{escape(story.link)}|{TEXTS['labels']['link']}>"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": link}]})
    return {"text": cut(escape(f"{head}. {story.sentence}"), SECTION_LIMIT), "blocks": blocks}


def escape(text: str) -> str:
    """`text` without Slack's three control characters, and so without mentions and links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": cut(text, limit), "emoji": False}


def send(entry: Outgoing, receiver: SlackConfig, egress: Egress, now: float) -> Attempt:
    """One attempt to deliver `entry`; it never raises for what Slack or the network does."""
    url = receiver.url.reveal() if receiver.url else ""
    return post(egress, url, msgspec.json.encode(payload(tell(entry.body))), {}, now)
