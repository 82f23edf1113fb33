"""Silences, one event over several targets, and the repeat interval, through `undertow serve` over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks import Webhook
from tests.served import Inbox, changed, lines, spans

MODELS = ["model-0", "model-1", "model-2"]
OTHER = "anthropic"
SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
REPEAT_S = 1.0
CONFIG = """\
[alerts]
allow_hosts = ["127.0.0.1"]
repeat_interval_h = {repeat_h}
[[alerts.webhook]]
url = "{url}/hook"
secret = "{secret}"
"""

Ask = Callable[..., Any]


class Event:
    """A monitor whose provider changed under several models at once, while another provider stayed as it was."""

    def __init__(self, life: Any, inbox: Inbox) -> None:
        self.life, self._inbox = life, inbox

    def silence(self, **wanted: Any) -> str:
        """The id of a new silence."""
        made = self.life.post("/v1/silences", {"by": "ada", "comment": "they know", **wanted})
        return str(made["id"])

    def happens(self) -> list[dict[str, Any]]:
        """The incidents of the event."""
        some = [*changed(MODELS), *spans("model-9", range(1500), provider=OTHER)]
        assert self.life.post("/v1/spans", lines(sorted(some, key=lambda span: float(str(span["started_at"])))))
        self.life.until(lambda: len(self.incidents()) == len(MODELS))
        return self.incidents()

    def incidents(self) -> list[dict[str, Any]]:
        """All of them."""
        return list(self.life.get("/v1/incidents")["incidents"])

    def told(self) -> list[dict[str, Any]]:
        """What verified, of incidents, each message once."""
        posts = list(self._inbox.posts)
        verified = {post.headers["webhook-id"]: Webhook(SECRET).verify(post.body, post.headers) for post in posts}
        return [one for one in verified.values() if one["type"].startswith("llm.drift.")]

    def trail(self, incident_id: str) -> list[tuple[str, str]]:
        """What is on record of an incident's alert."""
        trail = self.life.get(f"/v1/incidents/{incident_id}")["trail"]
        return [(one["action"], one["reason"]) for one in trail if one["action"] in ("held_back", "told")]


@pytest.fixture(name="event")
def _event(live: Any, inbox: Inbox, configure: Callable[..., None]) -> Event:
    text = CONFIG.format(url=inbox.url, secret=SECRET, repeat_h=REPEAT_S / 3600)
    configure(text, group_window_h=1.0, lateness_s=1.0)
    return Event(live(), inbox)


def leader(incidents: list[dict[str, Any]]) -> str:
    """The incident whose alert tells of the group; all are in one."""
    [group] = {one["group"] for one in incidents}
    assert {one["target"]["provider"] for one in incidents} == {"openai"}
    return str(group.replace("grp_", "inc_"))


def test_a_silence_that_is_ended_lets_one_message_out(event: Event) -> None:
    """Held back while it lasts, then told once for all targets, then again after each interval until somebody looks."""
    silence = event.silence(matchers={"provider": "openai"}, for_s=3600)
    first = leader(event.happens())
    assert event.told() == []
    assert {action for action, _ in event.trail(first)} == {"held_back"}
    assert event.life.client.delete(f"/v1/silences/{silence}").json()["ended_by"] == "api"
    event.life.until(lambda: len(event.told()) >= 3)
    opened, *repeats = event.told()
    assert (opened["type"], opened["data"]["reason"]) == ("llm.drift.opened", "silence_ended")
    assert sorted(one["target"]["model"] for one in opened["data"]["targets"]) == MODELS
    assert {(one["type"], one["data"]["reason"]) for one in repeats} == {("llm.drift.updated", "repeated")}
    assert {one["data"]["alert_id"] for one in repeats} == {opened["data"]["alert_id"]}
    assert [entry for entry in event.trail(first) if entry[0] == "told"][:2] == [
        ("told", "silence_ended"),
        ("told", "repeated"),
    ]
    for one in event.incidents():
        event.life.post(f"/v1/incidents/{one['id']}/acknowledge")
    event.life.until(lambda: event.told()[-1]["data"]["reason"] == "acknowledged")


def test_a_silence_ends_by_itself(event: Event) -> None:
    """Without anybody's doing, at its end; another provider's silence holds nothing back."""
    event.silence(matchers={"provider": OTHER}, for_s=3600)
    event.silence(matchers={"model": "model-*"}, for_s=12)
    leader(event.happens())
    event.life.until(event.told)
    assert event.told()[0]["data"]["reason"] == "silence_ended"
    [standing] = event.life.get("/v1/silences")["silences"]
    assert standing["matchers"] == {"provider": OTHER}
