"""Corners of the policy of the weights, each as a timeline on a clock that is passed in."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.watch.test_weights import OTHER, A, B, incident

from undertow.config import WeightsConfig
from undertow.errors import UsageError
from undertow.span import Target
from undertow.watch.override import Override
from undertow.watch.routing import Routing

CONFIG = WeightsConfig(mode="enforce", dwell_s=100.0, recovery_s=300.0)
C = Target("g", "openai", "gpt-4", "c")
OTHER_B = Target("g", "openai", "gpt-3.5", "b")
FLEET = {A: 1.0, B: 1.0, OTHER: 1.0, OTHER_B: 1.0}


def routing(config: WeightsConfig = CONFIG, rates: Mapping[Target, float] = FLEET) -> Routing:
    """A policy over two groups of two."""
    return Routing(config, lambda: rates)


def restarted(policy: Routing, at: float, config: WeightsConfig = CONFIG) -> Routing:
    """A new process at `at`, perhaps under another configuration."""
    again = Routing.restored(policy.dump(), config, lambda: FLEET)
    again.resume(at)
    return again


def moved(policy: Routing, rates: Mapping[Target, float] = FLEET) -> float:
    """The share of all traffic that is led away."""
    return sum((1 - policy.multiplier(one)) * rate for one, rate in rates.items()) / sum(rates.values())


def steps(policy: Routing) -> list[tuple[float, Any, float]]:
    """When which deployment came to which multiplier, since the last call."""
    return [(c["at"], c["target"]["deployment"], c["after"]) for c in policy.drain() if c["before"] != c["after"]]


def test_the_cap_holds_over_two_groups_that_go_at_once() -> None:
    """Each takes the step that there is room for; the one that has none says so and goes when the other is back."""
    policy = routing(WeightsConfig(mode="enforce", cap=0.2, dwell_s=100.0, recovery_s=300.0))
    policy.learn(0.0, [incident(A), incident(OTHER)])
    policy.advance(1e4)
    assert sorted(entry["reason"] for entry in policy.published.weights) == ["cap", "provider_update"]
    assert moved(policy) <= 0.2
    (first,) = [one for one in (A, OTHER) if policy.multiplier(one) < 1]
    second = OTHER if first == A else A
    policy.learn(2e4, [incident(second)])
    policy.advance(2e4 + 600.0)
    assert (policy.multiplier(first), policy.multiplier(second)) == (1.0, 0.5)


@given(
    st.lists(st.tuples(st.floats(0, 400), st.sets(st.sampled_from([*FLEET]))), max_size=12),
    st.dictionaries(st.sampled_from([*FLEET]), st.floats(0.1, 9), min_size=4, max_size=4),
    st.floats(0.05, 0.9),
)
def test_neither_the_cap_nor_a_whole_group_is_ever_passed(
    timeline: list[tuple[float, set[Target]]], rates: dict[Target, float], cap: float
) -> None:
    """Whatever drifts when, with whatever traffic."""
    policy, now = routing(WeightsConfig(cap=cap, dwell_s=100.0, recovery_s=300.0), rates), 0.0
    for wait, drifting in timeline:
        now += wait
        policy.learn(now, [incident(one) for one in sorted(drifting, key=str)])
        assert moved(policy, rates) <= cap + 1e-9
        for group in ((A, B), (OTHER, OTHER_B)):
            assert max(map(policy.multiplier, group)) == 1


def test_where_all_of_a_group_drift_one_keeps_its_weight() -> None:
    """Of three the last says why, for as long as it lasts."""
    policy = routing(rates=FLEET | {C: 1.0})
    policy.learn(0.0, [incident(A), incident(B), incident(C)])
    policy.advance(1e6)
    reasons = {entry["reason"]: entry["multiplier"] for entry in policy.published.weights}
    assert reasons == {"provider_update": 0.05, "last_of_group": 1.0}


def test_an_override_that_ends_during_a_dwell_begins_a_new_one() -> None:
    """The step that the override allowed is dwelt on in full; its end is no reason to go deeper at once."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.override(Override(A, 0.5, 50.0, 80.0, "kim"))
    policy.advance(1000.0)
    assert steps(policy) == [(0.0, "a", 0.5), (180.0, "a", 0.25), (280.0, "a", 0.05)]


def test_an_end_of_an_override_empties_no_group() -> None:
    """While one was held at 1 its sibling went down; back under the policy it is the last of its group."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.override(Override(A, 1.0, 10.0, 500.0, "kim"))
    policy.learn(20.0, [incident(A), incident(B)])
    policy.advance(1e5)
    assert (policy.multiplier(A), policy.multiplier(B)) == (1.0, 0.05)
    assert {entry["reason"] for entry in policy.published.weights} == {"last_of_group", "provider_update"}


def test_what_comes_back_in_the_middle_of_the_ramp_goes_down_from_there() -> None:
    """`came_back` on the way up: a whole dwell on the step it has reached, then down, and later up again in full."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.learn(250.0, [])
    policy.learn(600.0, [incident(A)])
    policy.advance(900.0)
    policy.learn(900.0, [])
    policy.advance(3000.0)
    down = [(0.0, "a", 0.5), (100.0, "a", 0.25), (200.0, "a", 0.05)]
    relapse = [(550.0, "a", 0.25), (700.0, "a", 0.05)]
    assert steps(policy) == [*down, *relapse, (1200.0, "a", 0.25), (1500.0, "a", 0.5), (1800.0, "a", 1.0)]


@pytest.mark.parametrize("after", [[], [incident(A, status="accepted")], [incident(A, confirmation="demoted")]])
def test_what_ends_or_is_demoted_on_the_ladder_takes_no_further_step(after: list[dict[str, Any]]) -> None:
    """Accepted, resolved or spoken against by fixed prompts: it stays on its step, then comes up by the ramp."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.learn(150.0, after)
    assert [entry["reason"] for entry in policy.published.weights] == ["recovering"]
    policy.advance(1e4)
    assert steps(policy) == [(0.0, "a", 0.5), (100.0, "a", 0.25), (450.0, "a", 0.5), (750.0, "a", 1.0)]


def test_who_was_demoted_and_then_confirmed_is_lowered_again() -> None:
    """It dwells on its step before it goes deeper, as after any relapse."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.learn(50.0, [incident(A, confirmation="demoted")])
    policy.learn(60.0, [incident(A, confirmation="confirmed")])
    policy.advance(159.0)
    assert policy.multiplier(A) == 0.5
    policy.advance(160.0)
    assert policy.multiplier(A) == 0.25


def test_advice_that_becomes_obeyed_begins_with_the_first_step() -> None:
    """Nobody followed the ladder down, so that a start in `enforce` is no leap to the floor; detectors know of it."""
    advisory = WeightsConfig(dwell_s=100.0, recovery_s=300.0)
    policy = routing(advisory)
    policy.learn(0.0, [incident(A), incident(OTHER)])
    policy.advance(1000.0)
    policy.learn(1000.0, [incident(A)])
    assert policy.multiplier(A) == 0.05
    policy.drain()
    again = restarted(policy, 1010.0)
    assert (again.multiplier(A), again.multiplier(OTHER)) == (0.5, 1.0)
    assert again.published.version > policy.published.version
    assert again.explains(B, 1005.0, 1015.0)
    again.advance(1109.0)
    assert again.multiplier(A) == 0.5
    again.advance(1110.0)
    assert again.multiplier(A) == 0.25


def test_what_a_change_of_mode_leads_back_is_ours_too() -> None:
    """From `enforce` to `advisory` the traffic returns to where it was, and that is no mix shift."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    again = restarted(policy, 50.0, WeightsConfig(dwell_s=100.0, recovery_s=300.0))
    assert again.multiplier(A) == 0.5
    assert again.explains(A, 40.0, 60.0)


def test_what_a_stale_feed_leads_back_is_ours_too() -> None:
    """An hour away: consumers went back when the feed was stale, and obey again when it is there."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    again = restarted(policy, 3600.0)
    assert again.explains(A, 590.0, 610.0)
    assert again.explains(A, 3590.0, 3610.0)
    assert not again.explains(A, 620.0, 3590.0)
    assert not restarted(policy, 60.0).explains(A, 30.0, 3610.0)


def test_a_target_that_we_lowered_is_not_missed_sooner_than_it_is_asked() -> None:
    """Time counts by the weight that was obeyed in it; advice shortens nothing."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.advance(1000.0)
    assert policy.waited(A, 300.0, 1000.0) == pytest.approx(35.0)
    assert policy.waited(A, -50.0, 1000.0) == pytest.approx(50.0 + 50.0 + 25.0 + 40.0)
    assert policy.waited(B, 0.0, 1000.0) == 1000.0
    policy.override(Override(B, 1.0, 1000.0, 2000.0, "kim"))
    with pytest.raises(UsageError):
        policy.override(Override(B, 0.0, 1000.0, 2000.0, "kim"))
    advisory = routing(WeightsConfig())
    advisory.learn(0.0, [incident(A)])
    assert advisory.waited(A, 0.0, 1000.0) == 1000.0


@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_is_set_back_starts_each_wait_anew(restart: bool) -> None:
    """A machine that came up in another year and was put right does not keep its weights down until then."""
    policy = routing()
    policy.learn(1e9, [incident(A)])
    policy.follow(1e9)
    policy.learn(1e9, [])
    if restart:
        policy = restarted(policy, 1000.0)
    policy.follow(1000.0)
    policy.follow(1299.0)
    assert policy.multiplier(A) == 0.5
    policy.follow(1300.0)
    assert policy.multiplier(A) == 1.0


def test_an_override_in_place_of_another_is_on_record() -> None:
    """One that says the same until later is a decision of its own; said twice at once, it is one."""
    policy = routing()
    for until in (500.0, 900.0, 900.0):
        policy.override(Override(A, 0.5, 0.0, until, "kim"))
    assert [(c["by"], c["before"], c["after"]) for c in policy.drain()] == [("kim", 1.0, 0.5), ("kim", 0.5, 0.5)]
    assert policy.explains(A, 0.0, 1.0)
