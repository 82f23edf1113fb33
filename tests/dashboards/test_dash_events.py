"""One event of a provider at several targets: seen as one, decided for each or for all."""

import time
from typing import Any

import pytest

from .answers import incident_details
from .conftest import Open
from .fixtures import FakeApi, incident, target
from .test_dash_pages import texts

MODELS = ("gpt-4o", "gpt-4o-mini", "o3-mini")
TOLD = "One event at `openai`, seen at 3 targets: one alert, a decision for each."


@pytest.fixture(name="event")
def _event(api: FakeApi) -> list[dict[str, Any]]:
    now = time.time()
    found = [incident(target(m), now=now, id=f"inc_0{i}", group="grp_01") for i, m in enumerate(MODELS, 1)]
    alone = incident(target("mistral-large", "mistral_ai"), now=now, id="inc_09")
    api.answers["/v1/incidents"] = {"incidents": [*found, alone]}
    api.answers["/v1/incidents/inc_01"] = found[0] | incident_details(now)
    return found


def decide(open_page: Open, *, everywhere: bool) -> Any:
    """Acknowledge the first of them."""
    app = open_page("incident", id="inc_01")
    app.text_input(key="name decide inc_01").input("Ada")
    app.text_input(key="reason decide inc_01").input("the provider knows")
    if everywhere:
        app.checkbox(key="event inc_01").check()
    return next(b for b in app.button if b.label == "Decide").click().run()


def test_the_fleet_has_one_card_for_an_event(event: list[dict[str, Any]], open_page: Open) -> None:
    """Three targets of one event do not fill the screen, and each can be opened."""
    app = open_page()
    assert len(app.subheader) == 2
    assert TOLD in texts(app)
    linked = {link.proto.query_string for link in app.get("page_link")}
    assert {f"id={one['id']}" for one in event} <= linked


@pytest.mark.usefixtures("event")
@pytest.mark.parametrize("query", [{}, {"id": "inc_01"}])
def test_the_incidents_say_that_they_belong_together(open_page: Open, query: dict[str, str]) -> None:
    """In the list and on the page of one of them."""
    app = open_page("incident", **query)
    assert TOLD in texts(app) + str([one.label for one in app.expander])


@pytest.mark.usefixtures("event")
@pytest.mark.parametrize(("everywhere", "decided"), [(False, [1]), (True, [2, 3, 1])])
def test_a_decision_is_for_one_unless_it_is_said_to_be_for_all(
    api: FakeApi, open_page: Open, everywhere: bool, decided: list[int]
) -> None:
    """The box is empty at first."""
    decide(open_page, everywhere=everywhere)
    assert [path for path, _ in api.posted] == [f"/v1/incidents/inc_0{i}/acknowledge" for i in decided]


@pytest.mark.usefixtures("event")
def test_one_that_is_refused_keeps_no_other_from_being_decided(api: FakeApi, open_page: Open) -> None:
    """Somebody else was faster with one of them: the others are decided, and the refusal is told."""
    api.status["/v1/incidents/inc_02/acknowledge"] = 409
    app = decide(open_page, everywhere=True)
    assert "The monitor did not take it" in texts(app)
    assert len(api.posted) == 3


def test_what_is_alone_is_told_alone(open_page: Open) -> None:
    """Without a group nothing is said about events."""
    app = open_page("incident", id="inc_01")
    assert "One event" not in texts(app)
    assert not app.checkbox
