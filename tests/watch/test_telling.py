"""What receivers are told of an incident's life, through silences, maintenance, groups and repeats, on a clock."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.killing import Killed, killing
from tests.watch.broken import SendsApart

from undertow.channels import SlackConfig
from undertow.config import AlertsConfig, DetectConfig, MaintenanceConfig, Secret, WebhookConfig, WeightsConfig
from undertow.span import Target
from undertow.store import Store
from undertow.watch.attribution import Facts
from undertow.watch.events import Event, Kind
from undertow.watch.incident import Incidents
from undertow.watch.lifecycle import Reason
from undertow.watch.teller import Teller

NOW = 1_763_635_321.0
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
HERE, SIBLING = Target("g", "openai", "gpt-4o", "eu"), Target("g", "openai", "gpt-4o", "us")
FLEET = [HERE, SIBLING, *(Target("g", "openai", f"model-{n}", None) for n in range(30))]
URL = Secret("https://hooks.slack.com/services/T0/B0/x")
SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class Desk:
    """A store, the incidents of a fleet, and what the one receiver would get."""

    def __init__(self, store: Store, **alerts: Any) -> None:
        receiver = WebhookConfig(url="https://a.example/hook", secret=Secret(SECRET), min_severity="info")
        self.store, self.now = store, NOW
        self.facts = {target: Facts(HOUR_S) for target in FLEET}
        self.incidents = Incidents([], lambda *_: None, WeightsConfig(), DetectConfig())
        self.teller = Teller(store, AlertsConfig(webhook=[receiver], **alerts))

    def event(self, target: Target = HERE, kind: Kind = "drift", subject: str = "output_tokens") -> None:
        """A fact that is known at once."""
        event = Event(kind, self.now, self.now, 1, subject, "down", 6.0)
        self.facts[target].add(event)
        self._commit(self.incidents.apply(target, event, self.facts))

    def close(self, status: str, target: Target = HERE) -> None:
        """A person decides about the incident of a target."""
        [document] = self.incidents.of(target)
        self._commit([self.incidents.close(document["id"], self.now, status, "ada")])

    def silence(self, for_s: float, **matchers: str) -> None:
        """Nobody is told for so long."""
        name = f"sil_{len(self.store.silences(self.now)) + 1}"
        document = {"id": name, "starts_at": self.now, "ends_at": self.now + for_s, "by": "ada"}
        with self.store.judgement() as transaction:
            transaction.put_silence(document | {"matchers": matchers})

    def wait(self, seconds: float, step_s: float = MINUTE_S) -> None:
        """Let time pass, with a look at what is due in every step."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step_s)
            self.teller.remind(self.incidents.standing, self.now)

    def heard(self) -> list[tuple[str, str]]:
        """Type and reason of everything sent since the last call, in order."""
        return [(one["type"].removeprefix("llm.drift."), one["data"]["reason"]) for one in self.bodies()]

    def golden(self, reason: Reason) -> None:
        """Fixed prompts speak for or against the one incident that stands."""
        [key] = self.incidents.standing
        self._commit([self.incidents.weigh(key, reason, self.now, "golden")])

    def arrived(self) -> list[tuple[str, str]]:
        """Channel and type of everything sent since the last call, in order."""
        told = []
        while found := self.store.due(1e12, 1):
            told.append((found[0].channel, found[0].kind.removeprefix("llm.drift.")))
            self.store.record_delivery(found[0].webhook_id, found[0].channel, "delivered", at=self.now)
        return told

    def bodies(self) -> list[dict[str, Any]]:
        """Everything sent since the last call, in order, one row of the outbox after the other."""
        told = []
        while found := self.store.due(1e12, 1):
            told.append(json.loads(found[0].body))
            self.store.record_delivery(found[0].webhook_id, found[0].channel, "delivered", at=self.now)
        return told

    def _commit(self, told: Any) -> None:
        with self.store.judgement() as transaction:
            for one in told:
                transaction.put_incident(one.incident)
            self.teller.tell(told, self.incidents.standing, transaction, self.now)


@pytest.fixture(name="store")
def _store() -> Iterator[Store]:
    with Store.open(None, clock=None) as store:
        yield store


@pytest.fixture(name="desk")
def _desk(store: Store) -> Desk:
    return Desk(store)


def test_every_transition_is_told_once_and_recorded(desk: Desk) -> None:
    """Opened, joined, acknowledged and recovered each send one message; the trail has them with who did it."""
    desk.event()
    desk.event(subject="refusal")
    desk.close("acknowledged")
    desk.event(kind="recovered")
    desk.event(kind="recovered", subject="refusal")
    assert desk.heard() == [
        ("opened", "drifted"),
        ("updated", "signal_joined"),
        ("updated", "acknowledged"),
        ("resolved", "recovered"),
    ]
    key = desk.store.incidents()[0]["id"]
    trail = [(one["action"], one["reason"], one["by"]) for one in desk.store.audit(key)]
    assert [one for one in trail if one[0] != "told"] == [
        ("opened", "drifted", "undertow"),
        ("updated", "signal_joined", "undertow"),
        ("updated", "acknowledged", "ada"),
        ("refreshed", "signal_recovered", "undertow"),
        ("resolved", "recovered", "undertow"),
    ]
    assert desk.store.alerts() == {}


# Repeats


def test_a_standing_incident_is_sent_again(desk: Desk) -> None:
    """Once every `alerts.repeat_interval_h`, measured from what was last told, until somebody has seen it."""
    desk.event()
    desk.wait(DAY_S - MINUTE_S, 600)
    assert desk.heard() == [("opened", "drifted")]
    desk.event(subject="refusal")
    desk.wait(DAY_S - MINUTE_S, 600)
    assert desk.heard() == [("updated", "signal_joined")]
    desk.wait(2 * MINUTE_S)
    assert desk.heard() == [("updated", "repeated")]
    desk.wait(2 * DAY_S, 600)
    assert desk.heard() == [("updated", "repeated")] * 2
    desk.close("acknowledged")
    desk.wait(3 * DAY_S, 600)
    assert desk.heard() == [("updated", "acknowledged")]


def test_no_interval_is_no_repeat(store: Store) -> None:
    """0 turns it off."""
    desk = Desk(store, repeat_interval_h=0)
    desk.event()
    desk.wait(9 * DAY_S, HOUR_S)
    assert desk.heard() == [("opened", "drifted")]


def test_a_repeat_has_an_id_of_its_own(desk: Desk) -> None:
    """A receiver that drops ids that it has seen does not drop a repeat."""
    desk.event()
    first = desk.store.due(1e12, 1)[0]
    desk.store.record_delivery(first.webhook_id, first.channel, "delivered", at=NOW)
    desk.wait(DAY_S + MINUTE_S, 600)
    [again] = desk.store.due(1e12, 1)
    assert again.webhook_id != first.webhook_id
    assert again.incident_id == first.incident_id


# Silences


def test_a_silence_suppresses_sending_and_not_recording(desk: Desk) -> None:
    """What happens in a silence is on record at once, with what kept it quiet, and is told when the silence ends."""
    desk.silence(HOUR_S, provider="openai")
    desk.event()
    key = desk.store.incidents()[0]["id"]
    assert desk.heard() == []
    assert [one["action"] for one in desk.store.audit(key)] == ["opened", "held_back"]
    assert desk.store.audit(key)[-1]["text"] == "silence sil_1"
    desk.wait(HOUR_S - 1)
    assert desk.heard() == []
    desk.wait(MINUTE_S)
    assert desk.heard() == [("opened", "silence_ended")]


def test_what_came_and_went_in_a_silence_is_never_told(desk: Desk) -> None:
    """Nobody heard of it, so nobody needs to hear that it is over; the trail says that nobody was told, and why."""
    desk.silence(HOUR_S)
    desk.event()
    desk.event(kind="recovered")
    desk.wait(2 * HOUR_S)
    assert desk.heard() == []
    assert desk.store.alerts() == {}
    [document] = desk.store.incidents()
    assert document["status"] == "resolved"
    trail = [(one["action"], one["reason"], one["text"]) for one in desk.store.audit(document["id"])]
    assert trail[-1] == ("never_told", "recovered", "silence sil_1")


def test_an_end_in_a_silence_is_told_at_once(desk: Desk) -> None:
    """Who was told that it stands holds the alert open; the end wakes nobody, and is not told again afterwards."""
    desk.event()
    desk.silence(HOUR_S)
    desk.event(subject="refusal")
    desk.event(kind="recovered")
    assert desk.heard() == [("opened", "drifted")]
    desk.event(kind="recovered", subject="refusal")
    assert desk.heard() == [("resolved", "recovered")]
    assert desk.store.alerts() == {}
    desk.wait(2 * HOUR_S)
    assert desk.heard() == []


def test_what_flaps_in_a_silence_tells_one_end(desk: Desk) -> None:
    """Once receivers believe that it is over, what comes back and goes is the silence's again; what stays is opened."""
    desk.event()
    desk.silence(HOUR_S)
    for _ in range(3):
        desk.event(kind="recovered")
        desk.event()
    assert desk.heard() == [("opened", "drifted"), ("resolved", "recovered")]
    desk.wait(2 * HOUR_S)
    assert desk.heard() == [("opened", "silence_ended")]
    desk.event(kind="recovered")
    assert desk.heard() == [("resolved", "recovered")]


def test_who_never_heard_of_it_hears_no_end(store: Store) -> None:
    """A pager whose filters it came to fit in a silence alone is told nothing of it, while the chat is told the end."""
    desk = Desk(store)
    pager = SlackConfig(name="pager", url=URL, min_severity="critical")
    chat = SlackConfig(name="chat", url=URL, min_severity="warning")
    desk.teller = Teller(store, AlertsConfig(slack=[pager, chat]))
    desk.silence(MINUTE_S)
    desk.event()
    desk.golden("golden_disagrees")
    desk.wait(2 * MINUTE_S)
    assert desk.arrived() == [("slack:chat", "opened")]
    desk.silence(HOUR_S)
    desk.golden("golden_agrees")
    desk.close("resolved")
    assert desk.arrived() == [("slack:chat", "resolved")]


def test_an_end_decided_with_its_opening_is_told(desk: Desk) -> None:
    """A catch-up that finds both in one round sends both."""
    told = []
    for kind in ("drift", "recovered"):
        event = Event(kind, desk.now, desk.now, 1, "output_tokens", "down", 6.0)  # type: ignore[arg-type]
        told += desk.incidents.apply(HERE, event, desk.facts)
    desk._commit(told)
    assert desk.heard() == [("opened", "drifted"), ("resolved", "recovered")]


def test_a_silence_of_something_else_silences_nothing(desk: Desk) -> None:
    """Matchers must all fit."""
    desk.silence(HOUR_S, provider="openai", model="claude*")
    desk.event()
    assert desk.heard() == [("opened", "drifted")]


def test_a_silenced_incident_is_not_repeated(desk: Desk) -> None:
    """The repeat comes when the silence is over."""
    desk.event()
    desk.silence(2 * DAY_S)
    desk.wait(2 * DAY_S - MINUTE_S, 600)
    assert desk.heard() == [("opened", "drifted")]
    desk.wait(HOUR_S)
    assert desk.heard() == [("updated", "repeated")]


def test_maintenance_is_a_silence_of_the_configuration(store: Store) -> None:
    """In its window nobody is told; the audit trail names it."""
    window = MaintenanceConfig(name="upgrade", begins="2025-11-20T10:00:00Z", ends="2025-11-20T12:00:00Z")
    desk = Desk(store, maintenance=[window])
    assert window.active(NOW)
    desk.event()
    assert store.audit(store.incidents()[0]["id"])[-1]["text"] == "maintenance upgrade"
    desk.wait(2 * HOUR_S)
    assert desk.heard() == [("opened", "silence_ended")]


# Groups


def test_an_event_of_a_provider_is_one_alert_that_lists_its_targets(desk: Desk) -> None:
    """Thirty targets in ten minutes are a few messages of one alert, and the last of them lists all."""
    for target in FLEET[1:]:
        desk.event(target)
        desk.wait(20)
    desk.wait(10 * MINUTE_S)
    bodies = desk.bodies()
    assert 3 <= len(bodies) <= 5
    assert [one["type"] for one in bodies] == ["llm.drift.opened", *["llm.drift.updated"] * (len(bodies) - 1)]
    assert len({one["data"]["alert_id"] for one in bodies}) == len({one["data"]["fingerprint"] for one in bodies}) == 1
    assert (len(bodies[-1]["data"]["targets"]), bodies[-1]["data"]["targets_total"]) == (20, 31)
    assert len(desk.store.incidents()) == 31


def test_a_clock_that_is_set_back_holds_no_target_of_a_group_back(desk: Desk) -> None:
    """A sibling waits for the others of its event for five minutes, not for the hour by which the clock was wrong."""
    desk.event()
    desk.event(SIBLING)
    desk.now -= HOUR_S
    desk.wait(MINUTE_S)
    assert [kind for kind, _ in desk.heard()] == ["opened", "updated"]


def test_a_group_is_over_with_the_last_of_it(desk: Desk) -> None:
    """The alert stands while any of its incidents does, also when the first of them ends first."""
    desk.event()
    desk.event(SIBLING)
    desk.heard()
    desk.close("resolved")
    desk.wait(HOUR_S)
    [first] = desk.bodies()
    assert (first["type"], first["data"]["status"]) == ("llm.drift.updated", "open")
    assert {one["status"] for one in first["data"]["targets"]} == {"open", "resolved"}
    desk.close("resolved", SIBLING)
    [last] = desk.bodies()
    assert (last["type"], last["data"]["status"], last["data"]["reason"]) == (
        "llm.drift.resolved",
        "resolved",
        "resolved",
    )
    assert last["data"]["alert_id"] == first["data"]["alert_id"]
    assert desk.store.alerts() == {}


def test_a_group_is_quiet_where_all_of_it_is(desk: Desk) -> None:
    """A silence of one model does not hide that others moved too."""
    desk.silence(HOUR_S, model="gpt-4o")
    desk.event()
    desk.event(SIBLING)
    assert desk.heard() == []
    desk.event(FLEET[5])
    assert desk.heard() == [("opened", "drifted")]


# A kill at every point


STEPS = ["before_judgement", "before_judgement_commit", "after_judgement"]
STORY: tuple[tuple[Target, Kind, str], ...] = (
    (HERE, "drift", "output_tokens"),
    (HERE, "drift", "refusal"),
    (HERE, "recovered", "output_tokens"),
    (HERE, "recovered", "refusal"),
)


def played(path: Path, step: str, nth: int, kind: type[Teller]) -> list[str]:
    """Play STORY, killed once at the nth `step`, and go on with a new process; what was sent."""
    pending = list(STORY)
    for failpoint in (killing(step, nth + 1), lambda _: None):
        with Store.open(path, clock=None, failpoint=failpoint) as store:
            desk = Desk(store)
            desk.teller = kind(store, desk.teller._alerts)
            desk.incidents = Incidents(store.incidents(), lambda *_: None, WeightsConfig(), DetectConfig())
            try:
                while pending:
                    cursor = store.cursor()
                    done = 0 if cursor is None else round((cursor - NOW) / HOUR_S)
                    pending = list(STORY)[done:]
                    if pending:
                        _step(desk, pending[0], done)
            except Killed:
                continue
            return [one["type"] for one in desk.bodies()]
    raise AssertionError("killed twice")


def _step(desk: Desk, what: tuple[Target, Kind, str], done: int) -> None:
    """Judge one fact: cursor, incident and messages in one transaction, as the watcher does."""
    target, kind, subject = what
    at = NOW + HOUR_S * (done + 1)
    event = Event(kind, at, at, 1, subject, "down", 6.0)
    desk.facts[target].add(event)
    told = desk.incidents.apply(target, event, desk.facts)
    with desk.store.judgement() as transaction:
        transaction.advance(at)
        for one in told:
            transaction.put_incident(one.incident)
        desk.teller.tell(told, desk.incidents.standing, transaction, at)
    if isinstance(desk.teller, SendsApart):
        desk.teller.afterwards()


EVERYTHING = ["llm.drift.opened", "llm.drift.updated", "llm.drift.resolved"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", range(4))
def test_a_kill_between_decide_and_store_loses_no_message(tmp_path: Path, step: str, nth: int) -> None:
    """At each step of each transaction: after a restart every transition is in the outbox, once and in order."""
    assert played(tmp_path / "u.duckdb", step, nth, Teller) == EVERYTHING


def test_messages_in_a_transaction_of_their_own_would_be_lost(tmp_path: Path) -> None:
    """Negative control: with the incident committed first, a kill before the messages loses one."""
    lost = [played(tmp_path / f"{nth}.duckdb", "before_judgement", nth, SendsApart) != EVERYTHING for nth in range(8)]
    assert any(lost)


def test_replay_and_live_record_the_same(desk: Desk) -> None:
    """What is recorded does not depend on receivers: without any, incidents and their trail are the same."""
    desk.event()
    desk.event(kind="recovered")
    with Store.open(None, clock=None) as other:
        alone = Desk(other)
        alone.teller = Teller(other, AlertsConfig())
        alone.event()
        alone.event(kind="recovered")
        assert other.incidents() == desk.store.incidents()
        key = other.incidents()[0]["id"]
        kinds = [[o["action"] for o in s.audit(key) if o["action"] != "told"] for s in (other, desk.store)]
        assert kinds[0] == kinds[1]


def test_a_pager_that_was_not_called_hears_nothing_of_what_became_a_trifle(store: Store) -> None:
    """An incident that was severe in a silence alone, and is spoken against when that ends, calls nobody."""
    desk = Desk(store)
    desk.teller = Teller(store, AlertsConfig(slack=[SlackConfig(name="pager", url=URL, min_severity="critical")]))
    desk.silence(MINUTE_S)
    desk.event()
    desk.now += MINUTE_S
    desk.golden("golden_disagrees")
    desk.wait(HOUR_S)
    assert desk.arrived() == []


def test_a_pager_that_was_called_hears_the_end_of_what_became_a_trifle(store: Store) -> None:
    """An incident that left a channel's filters one transition before its end is still ended there."""
    desk = Desk(store)
    desk.teller = Teller(store, AlertsConfig(slack=[SlackConfig(name="pager", url=URL, min_severity="critical")]))
    desk.event()
    [document] = desk.incidents.of(HERE)
    assert document["severity"] == "critical"
    desk._commit([desk.incidents.weigh(document["id"], "golden_disagrees", desk.now, "undertow")])
    assert document["severity"] != "critical"
    desk.close("resolved")
    assert [transition for transition, _ in desk.heard()] == ["opened", "updated", "resolved"]
