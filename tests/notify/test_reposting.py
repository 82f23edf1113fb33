"""Alertmanager through the outbox: an alert is posted again until its incident ends, across restarts and outages."""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.killing import Killed

from undertow.channels import AlertmanagerConfig
from undertow.clock import ManualClock
from undertow.config import AlertsConfig
from undertow.notify.outbox import Deliverer, plan
from undertow.store import Store

NOW = 1_763_635_321.0
REPOST_S = 60.0


@pytest.fixture(name="store")
def _store() -> Iterator[Store]:
    with Store.open(None) as store:
        yield store


@pytest.fixture(name="alerts")
def _alerts(receiver: Any) -> AlertsConfig:
    url = receiver.url.rsplit("/", 1)[0]
    return AlertsConfig(
        alertmanager=[AlertmanagerConfig(name="a", url=url, repost_s=REPOST_S)], allow_hosts=["127.0.0.1"]
    )


class Timeline:
    """Time that passes, second by second of interest, with a deliverer that can be restarted."""

    def __init__(self, store: Store, alerts: AlertsConfig, receiver: Any) -> None:
        self.clock = ManualClock(NOW)
        self._store, self._alerts, self._receiver = store, alerts, receiver
        self.restart()

    def restart(self) -> None:
        """A new process."""
        self.deliverer = Deliverer(self._store, self._alerts, self.clock, random.Random(1))

    def tell(self, kind: str, incident: dict[str, Any]) -> None:
        """A transition, now."""
        with self._store.judgement() as judgement:
            for entry in plan(f"llm.drift.{kind}", incident, self._alerts, self.clock()):
                judgement.put_outgoing(entry)

    def let(self, seconds: float, step_s: float = 10.0) -> list[dict[str, Any]]:
        """What arrives in the next seconds, with a round every `step_s`."""
        before = len(self._receiver.requests)
        for _ in range(round(seconds / step_s)):
            self.deliverer.step(self.clock())
            self.clock.advance(step_s)
        return [json.loads(body)[0] for _, body in self._receiver.requests[before:]]


@pytest.fixture(name="line")
def _line(store: Store, alerts: AlertsConfig, receiver: Any) -> Timeline:
    return Timeline(store, alerts, receiver)


def ended(incident: dict[str, Any], at: float) -> dict[str, Any]:
    """The incident, over."""
    return incident | {"status": "resolved", "resolved_at": at}


def test_an_alert_is_posted_every_minute_until_it_ends(line: Timeline, incident: dict[str, Any]) -> None:
    """Each post moves the time at which it would end by itself; the last one ends it, and nothing follows."""
    line.tell("opened", incident)
    posts = line.let(600)
    assert len(posts) == 10
    assert len({post["endsAt"] for post in posts}) == 10
    assert len({json.dumps(post["labels"]) for post in posts}) == 1
    line.tell("resolved", ended(incident, 2000.0))
    (last,) = line.let(600)
    assert last["endsAt"] == "1970-01-01T00:33:20.000Z"


def test_a_message_that_is_settled_when_it_arrives_is_forgotten(
    line: Timeline, incident: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: delivered once, as to other channels, an alert would end by itself at Alertmanager."""
    monkeypatch.setattr("undertow.notify.outbox.again_s", lambda *_: None)
    line.tell("opened", incident)
    assert len(line.let(600)) == 1


def test_a_restart_goes_on_posting(line: Timeline, incident: dict[str, Any]) -> None:
    """What stands is in the store, not in the process."""
    line.tell("opened", incident)
    assert len(line.let(120)) == 2
    line.restart()
    assert len(line.let(120)) == 2


def test_an_update_takes_the_place_of_what_stood(line: Timeline, incident: dict[str, Any]) -> None:
    """After an update only its numbers are posted, one post a minute as before, and at once the first time."""
    line.tell("opened", incident)
    line.let(60)
    line.tell("updated", incident | {"cause": "unresolved"})
    posts = line.let(300)
    assert {post["annotations"]["cause"] for post in posts} == {"unresolved"}
    assert len(posts) == 5


def test_an_hour_away_is_made_up_for_in_order(line: Timeline, incident: dict[str, Any], receiver: Any) -> None:
    """While Alertmanager is away it is asked once a minute at most; back again it hears of the incident in a minute."""
    receiver.answers = [receiver.says(503)] * 1000
    line.tell("opened", incident)
    assert len(line.let(3600)) <= 62
    receiver.answers = []
    assert len(line.let(60)) == 1
    other = incident | {"id": "inc_02"}
    receiver.answers = [receiver.says(503)] * 1000
    line.tell("opened", other)
    line.let(60)
    line.tell("resolved", ended(other, NOW))
    receiver.answers = []
    posts = [post for post in line.let(180) if post["labels"]["alert_id"] == "al_02"]
    assert [post["endsAt"] > post["startsAt"] for post in posts] == [True, True]
    assert posts[0]["endsAt"] > posts[1]["endsAt"]


def test_an_end_does_not_wait_for_a_post_that_failed(line: Timeline, incident: dict[str, Any], receiver: Any) -> None:
    """An alert that stood is not posted once more as standing when its incident is over."""
    line.tell("opened", incident)
    line.let(60)
    receiver.answers = [receiver.says(503)] * 3
    line.let(120)
    receiver.answers = []
    line.tell("resolved", ended(incident, 2000.0))
    (last,) = line.let(120)
    assert last["endsAt"] == "1970-01-01T00:33:20.000Z"


def test_a_day_of_failures_does_not_end_the_posting(line: Timeline, incident: dict[str, Any], receiver: Any) -> None:
    """An incident that stands is worth telling however long nobody listened."""
    receiver.answers = [receiver.says(500)] * 100_000
    line.tell("opened", incident)
    line.let(30 * REPOST_S, REPOST_S)
    receiver.answers = []
    assert len(line.let(2 * REPOST_S, REPOST_S)) == 2


@pytest.mark.parametrize("committed", [False, True])
def test_a_kill_between_post_and_record_goes_on_posting(
    committed: bool, line: Timeline, store: Store, incident: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after the record is committed: the next process posts again, and the end still ends it."""
    record = store.record_delivery

    def killed(*row: Any, **more: Any) -> None:
        if committed:
            record(*row, **more)
        raise Killed

    line.tell("opened", incident)
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(store, "record_delivery", killed)
        line.deliverer.step(line.clock())
    line.restart()
    assert len(line.let(180)) == (2 if committed else 3)
    line.tell("resolved", ended(incident, 2000.0))
    assert len(line.let(180)) == 1
