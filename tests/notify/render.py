"""What each channel makes of the sample: the golden files. `python -m tests.notify.render` writes them anew."""

import json
from pathlib import Path
from typing import Any

from undertow.channels import EmailConfig
from undertow.notify import alertmanager, mail, pagerduty, slack, teams
from undertow.notify.sample import EVENTS, Event, sample
from undertow.notify.story import Story, tell

GOLDEN = Path(__file__).parent / "golden"
NOW = 1_763_635_321.25
DASHBOARD = "https://undertow.example.com"
CHANNELS = ("alertmanager", "email", "pagerduty", "slack", "teams")
EMAIL = EmailConfig(name="m", host="mail.example.com", sender="undertow@example.com", to=["oncall@example.com"])


def payload(channel: str, story: Story) -> Any:
    """What leaves, without secrets; of a mail its headers and lines."""
    match channel:
        case "alertmanager":
            return alertmanager.payload(story, NOW, 60.0, {"team": "ml"})
        case "email":
            message = mail.payload(story, "msg_1", EMAIL)
            return {"headers": dict(message.items()), "lines": message.get_content().splitlines()}
        case "pagerduty":
            return pagerduty.payload(story)
        case "slack":
            return slack.payload(story)
        case _:
            return teams.payload(story)


def rendered(channel: str, event: Event) -> str:
    """A golden file."""
    story = tell(sample(event, NOW, DASHBOARD)[1])
    return json.dumps(payload(channel, story), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for one in CHANNELS:
        for what in EVENTS:
            (GOLDEN / f"{one}-{what}.json").write_text(rendered(one, what), encoding="utf-8")
