"""What people say of an incident: why they decide, and whether it was real."""

from typing import Any

import pytest

from undertow.config import WeightsConfig
from undertow.span import Target
from undertow.watch.attribution import Facts
from undertow.watch.events import Event
from undertow.watch.incident import Incidents
from undertow.watch.lifecycle import ended_by

T = 1_000_000.0
HERE = Target("g", "openai", "gpt-4o", None)


@pytest.fixture(name="book")
def _book() -> Incidents:
    """One incident that is open."""
    book = Incidents([], lambda *_: None, WeightsConfig())
    drift(book, T)
    return book


def drift(book: Incidents, at: float, kind: Any = "drift") -> None:
    """A fact about the length of the answers."""
    facts = {HERE: Facts(3600.0)}
    event = Event(kind, at, at, 1, "output_tokens", "down", 6.0)
    facts[HERE].add(event)
    book.apply(HERE, event, facts)


def only(book: Incidents) -> dict[str, Any]:
    """The incident that stands."""
    [document] = book.standing.values()
    return document


def test_a_decision_keeps_its_reason_and_its_verdict(book: Incidents) -> None:
    """Why stands in the history and is told to the trail; the verdict stands in the incident, with who said it."""
    told = book.close(only(book)["id"], T + 60, "acknowledged", "ada", "a load test", "false_alarm")
    assert told is not None
    assert (told.text, told.before and told.before["verdict"]) == ("a load test", None)
    assert told.incident["history"][-1]["text"] == "a load test"
    assert only(book)["verdict"] == {"verdict": "false_alarm", "by": "ada", "at": T + 60, "reason": "a load test"}


def test_a_decision_without_a_verdict_leaves_the_one_there_is(book: Incidents) -> None:
    """Who resolves an incident that was judged need not judge it again."""
    document = only(book)
    book.judge(document, "real", T + 60, "ada", "")
    told = book.close(document["id"], T + 90, "resolved", "bob")
    assert told is not None
    assert told.incident["verdict"]["by"] == "ada"


def test_a_verdict_changes_no_status_and_nobody_is_told(book: Incidents) -> None:
    """It is on record; the incident stands as it stood."""
    told = book.judge(only(book), "real", T + 60, "ada", "the provider said so")
    assert (told.transition, told.reason, told.text) == ("refreshed", "judged", "real: the provider said so")
    assert (only(book)["status"], only(book).get("history", [])) == ("open", [])


def test_what_is_over_is_judged_and_stays_over(book: Incidents) -> None:
    """A verdict after the end leaves the reason of the end, so that what comes back is still the same incident."""
    drift(book, T + 60, "recovered")
    assert book.standing == {}
    [ended] = book._ended
    told = book.judge(dict(ended), "real", T + 90, "ada", "")
    assert (told.incident["status"], ended_by(told.incident)) == ("resolved", "recovered")
    drift(book, T + 120)
    assert only(book)["verdict"]["verdict"] == "real"
    assert only(book)["history"][-1]["reason"] == "came_back"


def test_a_verdict_can_be_taken_back(book: Incidents) -> None:
    """The last one counts; the trail has both."""
    book.judge(only(book), "real", T + 60, "ada", "")
    told = book.judge(only(book), "false_alarm", T + 90, "bob", "it was us")
    assert told.incident["verdict"] == {"verdict": "false_alarm", "by": "bob", "at": T + 90, "reason": "it was us"}
    assert told.before is not None
    assert told.before["verdict"]["verdict"] == "real"
