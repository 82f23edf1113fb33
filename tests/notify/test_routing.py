from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.channels import Lane as Configured
from undertow.channels import Routing, SlackConfig
from undertow.config import AlertsConfig, Secret
from undertow.notify.outbox import plan
from undertow.notify.routing import decide
from undertow.store import Store
from undertow.watch.events import Lane

STRATA = [{"route": "chat, search"}, {"route": "summary"}]


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({}, "told"),
        ({"min_severity": "critical"}, "told"),
        ({"severities": ["warning"]}, "other_severity"),
        ({"severities": ["info", "critical"]}, "told"),
        ({"providers": ["openai"]}, "told"),
        ({"providers": ["azure.*", "open??"]}, "told"),
        ({"providers": ["anthropic"]}, "other_provider"),
        ({"providers": ["open"]}, "other_provider"),
        ({"models": ["gpt-*"]}, "told"),
        ({"models": ["GPT-*"]}, "other_model"),
        ({"lanes": ["content"]}, "told"),
        ({"lanes": ["errors", "cost"]}, "other_lane"),
        ({"routes": ["chat"]}, "told"),
        ({"routes": ["sum*"]}, "told"),
        ({"routes": ["billing"]}, "other_route"),
        ({"providers": ["openai"], "models": ["gpt-3"]}, "other_model"),
    ],
)
def test_each_filter_says_what_it_kept_back(filters: dict[str, Any], told: str, incident: dict[str, Any]) -> None:
    """Values are exact or patterns, all filters must pass, and the one that does not gives the reason."""
    signal = incident["signals"][0] | {"strata": STRATA}
    assert decide(incident | {"signals": [signal]}, Routing(**filters)) == told


@pytest.mark.parametrize("strata", [[], [{"route": "a, b, c and 2 more"}]])
def test_a_change_on_routes_that_are_not_known_is_told(strata: list[Any], incident: dict[str, Any]) -> None:
    """One message too many is better than a change that nobody hears of."""
    signal = incident["signals"][0] | {"strata": strata}
    assert decide(incident | {"signals": [signal]}, Routing(routes=["billing"])) == "told"


def test_who_heard_hears_the_end_whatever_became_of_it(incident: dict[str, Any]) -> None:
    """An incident that left a channel's filters two transitions ago is still ended there."""
    alerts = AlertsConfig(slack=[SlackConfig(name="s", url=Secret("https://x.example/"), lanes=["errors"])])
    assert plan("llm.drift.resolved", incident, alerts, 0.0) == []
    told = plan("llm.drift.resolved", incident, alerts, 0.0, heard={"slack:s"})
    assert [entry.channel for entry in told] == ["slack:s"]


def test_the_store_knows_who_heard(incident: dict[str, Any]) -> None:
    """Delivered or not: who has a message of an incident will hear of it, others and other incidents apart."""
    alerts = AlertsConfig(
        slack=[
            SlackConfig(name="a", url=Secret("https://x.example/")),
            SlackConfig(name="b", url=Secret("https://x.example/"), lanes=["errors"]),
        ]
    )
    with Store.open(None) as store:
        with store.judgement() as judgement:
            for entry in plan("llm.drift.opened", incident, alerts, 0.0):
                judgement.put_outgoing(entry)
        assert store.heard(incident["id"]) == {"slack:a"}
        assert store.heard("inc_other") == set()


@given(st.dictionaries(st.sampled_from(["gateway", "provider", "model"]), st.text()), st.text(min_size=1))
def test_no_name_and_no_pattern_makes_a_decision_fail(target: dict[str, str], pattern: str) -> None:
    """Names of logs and patterns of people meet without a surprise."""
    rule = Routing(providers=[pattern], models=[pattern], routes=[pattern])
    decide({"target": target, "severity": "critical"}, rule)


def test_the_lanes_that_can_be_named_are_those_there_are() -> None:
    """The configuration knows every lane of the detection, and one for missing data."""
    assert set(get_args(Configured)) == {*get_args(Lane), "data"}


@pytest.mark.parametrize("unknown", [None, ""])
def test_a_silent_topic_is_told_to_every_provider(unknown: Any, incident: dict[str, Any]) -> None:
    """What is of no single provider passes the filters of all."""
    told = incident | {"target": {"gateway": None, "provider": unknown, "model": unknown, "deployment": None}}
    assert decide(told, Routing(providers=["openai"], models=["gpt-*"])) == "told"
