"""The life of an incident: every reason, what it is told as, and what it leaves behind."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.config import DetectConfig, WeightsConfig
from undertow.span import Target
from undertow.watch.attribution import Facts
from undertow.watch.events import Event, Kind
from undertow.watch.incident import Incidents
from undertow.watch.lifecycle import RULES, SEVERITIES, STANDING, Reason, Told, ended_by, lowered, move

T = 1_000_000.0
HOUR_S = 3600.0
HERE = Target("g", "openai", "gpt-4o", "eu")
SIBLING = Target("g", "openai", "gpt-4o", "us")
COUSIN = Target("g", "openai", "gpt-4o-mini", None)
OTHER = Target("g", "anthropic", "claude", None)
STATUSES = ("", *STANDING, "resolved", "accepted")


class Book:
    """Incidents of a fleet that learns what it is told, and a list of all that was told."""

    def __init__(self, **detect: float) -> None:
        self.facts = {target: Facts(HOUR_S) for target in (HERE, SIBLING, COUSIN, OTHER)}
        self.incidents = Incidents([], lambda *_: None, WeightsConfig(), DetectConfig(**detect))  # type: ignore[arg-type]
        self.told: list[Told] = []

    def event(
        self, at: float, subject: str = "output_tokens", target: Target = HERE, kind: Kind = "drift", **more: Any
    ) -> None:
        """A fact that is known when it began."""
        event = replace(Event(kind, at, at, 1, subject, "down", 6.0), **more)
        self.facts[target].add(event)
        self.told += self.incidents.apply(target, event, self.facts)

    def heard(self) -> list[tuple[str, str]]:
        """Transition and reason of everything told since the last call."""
        told, self.told = self.told, []
        return [(one.transition, one.reason) for one in told]

    def one(self) -> dict[str, Any]:
        """The only incident that stands."""
        [document] = self.incidents.standing.values()
        return document


def test_a_timeline_of_every_reason() -> None:
    """One incident from its opening to its end, with everything that can happen to it on the way."""
    book = Book()
    book.event(T)
    assert book.heard() == [("opened", "drifted")]
    book.event(T + 60, "refusal")
    assert book.heard() == [("updated", "signal_joined")]
    book.event(T + 120, "input_tokens", kind="traffic")
    assert book.heard() == [("updated", "cause_reconsidered")]
    key = book.one()["id"]
    for reason in ("golden_agrees", "golden_disagrees"):
        book.told += filter(None, [book.incidents.weigh(key, reason, T + 150, "golden")])  # type: ignore[arg-type]
    assert book.heard() == [("updated", "golden_agrees"), ("updated", "golden_disagrees")]
    book.told += filter(None, [book.incidents.close(key, T + 180, "acknowledged", "ada")])
    assert book.heard() == [("updated", "acknowledged")]
    book.event(T + 7200, kind="recovered")
    assert book.heard() == [("refreshed", "signal_recovered")]
    book.event(T + 7260, "refusal", kind="recovered")
    assert book.heard() == [("resolved", "recovered")]
    book.event(T + 7200 + HOUR_S)
    assert book.heard() == [("updated", "came_back")]
    assert (book.one()["id"], book.one()["status"], book.one()["resolved_at"]) == (key, "open", None)
    book.told += filter(None, [book.incidents.close(key, T + 9e4, "accepted", "bob")])
    assert book.heard() == [("resolved", "accepted")]
    assert book.incidents.standing == {}


def test_what_was_declared_opens_with_a_reason_of_its_own() -> None:
    """A changed snapshot is information, and says that it was declared."""
    book = Book()
    book.event(T, "response_model", kind="declared", lane="identity", text="a to b")
    assert book.heard() == [("opened", "declared")]
    assert book.one()["severity"] == "info"


def test_a_signal_that_comes_back_while_its_incident_stands_has_not_recovered() -> None:
    """Of two signals the first is back, then gone again: the return of the second ends nothing."""
    book = Book()
    book.event(T)
    book.event(T + 60, "refusal")
    book.event(T + 7200, kind="recovered")
    book.event(T + 9000)
    book.event(T + 9600, "refusal", kind="recovered")
    assert [reason for _, reason in book.heard()][2:] == ["signal_recovered", "still_there", "signal_recovered"]
    book.event(T + 9900, kind="recovered")
    assert book.heard() == [("resolved", "recovered")]


def test_the_history_says_who_when_and_why() -> None:
    """What changes the state is written into the incident; refreshed numbers are not."""
    book = Book()
    book.event(T)
    book.event(T + 60, "refusal")
    book.incidents.close(book.one()["id"], T + 90, "acknowledged", "ada")
    assert [(h["at"], h["by"], h["status"], h["reason"]) for h in book.one()["history"]] == [
        (T + 60, "undertow", "open", "signal_joined"),
        (T + 90, "ada", "acknowledged", "acknowledged"),
    ]


@pytest.mark.parametrize("reason", RULES)
@pytest.mark.parametrize("status", STATUSES)
def test_a_reason_applies_to_its_statuses_alone(reason: Reason, status: str) -> None:
    """Every pair of status and reason either follows its rule or is refused, and then nothing is changed."""
    document: dict[str, Any] = {"status": status, "resolved_at": None} if status else {}
    was, rule = dict(document), RULES[reason]
    if status not in rule.of:
        with pytest.raises(ValueError, match=reason):
            move(document, reason, T)
        assert document == was
        return
    told = move(document, reason, T, by="ada")
    assert (told.transition, told.reason, told.by, told.at) == (rule.kind, reason, "ada", T)
    assert document["status"] == (rule.to or status)
    assert told.then == document
    assert (document["resolved_at"] == T) == (rule.kind == "resolved")


def test_every_reason_has_a_rule() -> None:
    """No reason is named that does nothing, and none does something that has no name."""
    assert set(get_args(Reason)) == set(RULES)


@given(st.lists(st.sampled_from(list(RULES)), max_size=30))
def test_any_sequence_keeps_the_state_consistent(reasons: list[Reason]) -> None:
    """Whatever is tried in whatever order, an incident is over exactly when it has an end."""
    document: dict[str, Any] = {}
    for at, reason in enumerate(reasons):
        if document.get("status", "") in RULES[reason].of:
            move(document, reason, T + at)
        assert (document.get("resolved_at") is not None) == (document.get("status") in ("resolved", "accepted"))


def test_a_message_tells_the_incident_as_it_was_then() -> None:
    """What happens later in a round does not change what was told before: an opening does not say resolved."""
    book = Book()
    book.event(T)
    book.event(T + 7200, kind="recovered")
    assert [told.then["status"] for told in book.told] == ["open", "resolved"]


@pytest.mark.parametrize(("pause_h", "reopens"), [(0.5, True), (5.9, True), (6.1, False)])
def test_what_comes_back_soon_is_the_same_incident(pause_h: float, reopens: bool) -> None:
    """Hysteresis: the same change within `detect.reopen_h` of its recovery reopens; later it is another incident."""
    book = Book()
    book.event(T)
    first = book.one()["id"]
    book.event(T + HOUR_S, kind="recovered")
    book.event(T + HOUR_S * (1 + pause_h))
    assert (book.one()["id"] == first) == reopens


@pytest.mark.parametrize("changed", [{"subject": "refusal"}, {"direction": "up"}, {"target": SIBLING}])
def test_another_change_does_not_reopen(changed: dict[str, Any]) -> None:
    """Another signal, another direction and another target open an incident of their own."""
    book = Book(group_window_h=0)
    book.event(T)
    first = book.one()["id"]
    book.event(T + HOUR_S, kind="recovered")
    book.event(T + HOUR_S + 60, **changed)
    assert book.one()["id"] != first


def test_what_a_person_resolved_is_not_reopened() -> None:
    """Somebody said that it is over: the same change again is news."""
    book = Book()
    book.event(T)
    first = book.one()["id"]
    book.incidents.close(first, T + 60, "resolved", "ada")
    book.event(T + 120)
    assert book.one()["id"] != first


def test_a_flapping_signal_is_one_incident_and_survives_a_restart() -> None:
    """Ended incidents come from the store after a restart, so that live and replay agree on what is reopened."""
    book = Book()
    book.event(T)
    first = book.one()["id"]
    book.event(T + HOUR_S, kind="recovered")
    kept = [told.then for told in book.told][-1]
    book.incidents = Incidents([kept], lambda *_: None, WeightsConfig(), DetectConfig())
    book.event(T + 2 * HOUR_S)
    assert book.one()["id"] == first


# Confirmed and demoted


def test_demoted_is_a_step_less_severe_and_recommends_nothing() -> None:
    """Fixed prompts that answer as ever speak against the provider; the cause stays what it is named."""
    book = Book()
    book.event(T)
    key = book.one()["id"]
    told = book.incidents.weigh(key, "golden_disagrees", T + 60, "golden", "12 of 12 prompts as before")
    assert told is not None
    assert (told.then["severity"], told.then["confirmation"]) == ("warning", "demoted")
    assert told.then["recommendation"]["action"] == "none"
    assert told.before is not None
    assert told.before["severity"] == "critical"
    assert book.incidents.weigh(key, "golden_disagrees", T + 90, "golden") is None
    book.incidents.weigh(key, "golden_agrees", T + 99, "golden")
    assert (book.one()["severity"], book.one()["recommendation"]["action"]) == ("critical", "down_weight")


def test_a_demoted_incident_stays_demoted_when_its_cause_is_seen_differently() -> None:
    """What the golden set said is not forgotten by the next rule of attribution."""
    book = Book()
    book.event(T)
    book.incidents.weigh(book.one()["id"], "golden_disagrees", T + 60, "golden")
    book.event(T + 120, "input_tokens", kind="traffic")
    assert (book.one()["cause"], book.one()["severity"]) == ("unresolved", "info")


@pytest.mark.parametrize("severity", SEVERITIES)
def test_nothing_is_less_than_information(severity: str) -> None:
    """One step down, and no further than info."""
    assert SEVERITIES.index(lowered(severity, "demoted")) == max(0, SEVERITIES.index(severity) - 1)
    assert lowered(severity, None) == lowered(severity, "confirmed") == severity


def test_siblings_that_see_the_same_confirm_each_other() -> None:
    """The same signal the same way at another deployment of the model is corroboration for both."""
    book = Book()
    book.event(T)
    book.event(T + 600, target=SIBLING)
    assert book.heard()[1:] == [("refreshed", "grouped"), ("opened", "drifted"), ("updated", "siblings_agree")]
    assert {one["confirmation"] for one in book.incidents.standing.values()} == {"confirmed"}


# One event of a provider


def groups(book: Book) -> set[Any]:
    """The groups of the standing incidents."""
    return {one["group"] for one in book.incidents.standing.values()}


def test_one_event_of_a_provider_is_one_group() -> None:
    """Targets of a provider that open within the window keep incidents of their own and share a group id."""
    book = Book()
    book.event(T)
    assert groups(book) == {None}
    book.event(T + 600, target=COUSIN)
    book.event(T + 1200, target=SIBLING)
    [group] = groups(book)
    assert group.startswith("grp_")
    assert len(book.incidents.standing) == 3


@pytest.mark.parametrize(
    "second",
    [
        {"target": OTHER, "at": T + 600},
        {"target": COUSIN, "at": T + HOUR_S + 1},
        {"target": COUSIN, "at": T + 600, "lane": "performance", "subject": "duration_s"},
        {"target": COUSIN, "at": T + 600, "lane": "identity", "kind": "declared", "subject": "response_model"},
    ],
)
def test_what_is_another_event_is_no_group(second: dict[str, Any]) -> None:
    """Another provider, a later hour, another lane and mere information stay alone."""
    book = Book()
    book.event(T)
    book.event(**second)
    assert groups(book) == {None}
    assert len(book.incidents.standing) == 2


def test_a_group_of_yesterday_takes_no_one_in() -> None:
    """An incident that is over leads nobody."""
    book = Book()
    book.event(T)
    book.incidents.close(book.one()["id"], T + 60, "resolved", "ada")
    book.event(T + 120, target=COUSIN)
    assert groups(book) == {None}


def test_how_an_incident_ended() -> None:
    """Incidents of older databases have no reason in their history; their status says it."""
    assert ended_by({"status": "open"}) == ""
    assert ended_by({"status": "accepted", "history": [{"by": "ada", "status": "accepted"}]}) == "accepted"
    assert ended_by({"status": "resolved"}) == "resolved"
