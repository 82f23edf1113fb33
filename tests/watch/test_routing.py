"""The policy of the weights on a clock that is passed in."""

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
EVEN = {A: 1.0, B: 1.0, OTHER: 2.0}


def routing(config: WeightsConfig = CONFIG, rates: Mapping[Target, float] = EVEN) -> Routing:
    """A policy over two siblings and a target of another model that has as much traffic as both."""
    return Routing(config, lambda: rates)


def changes(policy: Routing) -> list[tuple[Any, ...]]:
    """What was written down since the last time: when, which deployment, to what, why."""
    return [(c["at"], c["target"]["deployment"], c["after"], c["reason"]) for c in policy.drain()]


def test_it_goes_down_the_ladder_and_up_again_more_slowly() -> None:
    """The first step comes at once, each next one after the dwell; each step up after the longer calm."""
    policy = routing()
    policy.learn(10.0, [incident(A)])
    policy.advance(1000.0)
    policy.learn(1000.0, [])
    policy.advance(5000.0)
    assert changes(policy) == [
        (10.0, "a", 0.5, "provider_update"),
        (110.0, "a", 0.25, "provider_update"),
        (210.0, "a", 0.05, "provider_update"),
        (1000.0, "a", 0.05, "recovering"),
        (1300.0, "a", 0.25, "recovering"),
        (1600.0, "a", 0.5, "recovering"),
        (1900.0, "a", 1.0, "recovered"),
    ]
    assert policy.published.weights == ()


def test_a_relapse_dwells_before_it_goes_deeper() -> None:
    """What came back while the weight was still low waits a whole dwell again, and then goes down, not up."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.learn(50.0, [])
    policy.learn(340.0, [incident(A)])
    policy.advance(439.0)
    assert policy.multiplier(A) == 0.5
    policy.advance(440.0)
    assert policy.multiplier(A) == 0.25


def test_someone_who_looks_at_it_holds_the_step() -> None:
    """An acknowledged incident keeps its weight where it is, neither down nor up."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.learn(10.0, [incident(A, status="acknowledged")])
    policy.advance(1e6)
    assert policy.multiplier(A) == 0.5


def test_nothing_goes_below_the_floor() -> None:
    """A weight of zero would starve the detector that must see the recovery."""
    policy = routing(WeightsConfig(ladder=[0.5, 0.0], floor=0.1))
    policy.learn(0.0, [incident(A)])
    policy.advance(1e6)
    assert policy.multiplier(A) == 0.1


def test_the_last_of_a_group_keeps_its_weight_until_a_sibling_is_back() -> None:
    """It is told why it keeps 1, and goes down once the other has all of its own."""
    policy = routing()
    policy.learn(0.0, [incident(B)])
    policy.learn(1.0, [incident(B), incident(A)])
    entries = {one["target"]["deployment"]: (one["multiplier"], one["reason"]) for one in policy.published.weights}
    assert entries == {"a": (1.0, "last_of_group"), "b": (0.5, "provider_update")}
    policy.learn(2.0, [incident(A)])
    policy.advance(302.0)
    assert (policy.multiplier(A), policy.multiplier(B)) == (0.5, 1.0)


def test_no_more_than_the_cap_is_moved_at_once() -> None:
    """A step that would move more than the cap of all traffic waits, says so, and is taken when there is room."""
    rates = {A: 8.0, B: 2.0, OTHER: 0.0}
    policy = routing(WeightsConfig(cap=0.45, dwell_s=100.0, recovery_s=300.0), rates)
    policy.learn(0.0, [incident(A)])
    policy.advance(1e6)
    assert policy.multiplier(A) == 0.5
    small = routing(WeightsConfig(cap=0.2), rates)
    small.learn(0.0, [incident(A)])
    assert [(one["multiplier"], one["reason"]) for one in small.published.weights] == [(1.0, "cap")]


def test_a_target_alone_in_its_group_moves_nothing() -> None:
    """Its multiplier is relative, so that the cap does not count it."""
    policy = routing(WeightsConfig(cap=0.1))
    policy.learn(0.0, [incident(OTHER)])
    assert policy.multiplier(OTHER) == 0.5


def test_an_override_holds_until_its_end() -> None:
    """A person's word beats the policy, carries its end and its author, and gives way to the policy's first step."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    policy.advance(300.0)
    policy.drain()
    policy.override(Override(A, 1.0, 300.0, 900.0, "kim", "they called"))
    (entry,) = policy.published.weights
    assert (entry["multiplier"], entry["reason"], entry["expires_at"]) == (1.0, "override", 900.0)
    policy.advance(899.0)
    assert policy.multiplier(A) == 1.0
    assert [c["by"] for c in policy.drain()] == ["kim"]
    policy.advance(900.0)
    assert changes(policy)[-1] == (900.0, "a", 0.5, "provider_update")


def test_an_override_can_be_withdrawn() -> None:
    """By its id; what is back to normal is gone from the feed, and the author is kept."""
    policy = routing()
    made = Override(A, 0.2, 0.0, 900.0, "kim")
    policy.override(made)
    assert policy.overrides() == [made]
    assert policy.withdraw("ov_other", "lee", 5.0) is None
    assert policy.withdraw(made.id, "lee", 5.0) == made
    assert (policy.published.weights, policy.overrides()) == ((), [])
    assert [(c["after"], c["reason"], c["by"]) for c in policy.drain()] == [
        (0.2, "override", "kim"),
        (1.0, "override_ended", "lee"),
    ]


def test_an_override_may_not_empty_a_group() -> None:
    """Of two targets one keeps 1, whoever lowers them."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    with pytest.raises(UsageError, match="put back to 1"):
        policy.override(Override(B, 0.5, 1.0, 900.0, "kim"))
    assert policy.multiplier(B) == 1.0


def test_after_a_pause_steps_dwell_anew() -> None:
    """While nobody answered, consumers went back to their own weights: no step was served in that time."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    again = Routing.restored(policy.dump(), CONFIG, lambda: EVEN)
    again.resume(5000.0)
    again.advance(5099.0)
    assert again.multiplier(A) == 0.5
    again.advance(5100.0)
    assert again.multiplier(A) == 0.25


def test_another_mode_is_another_version() -> None:
    """Who remembers a version never sees it again with other content."""
    policy = routing()
    policy.learn(0.0, [incident(A)])
    same, other = (Routing.restored(policy.dump(), one).published for one in (CONFIG, WeightsConfig()))
    assert same == policy.published
    assert (other.version, other.weights) == (same.version + 1, same.weights)
    assert other.etag != same.etag


def test_changes_that_consumers_obeyed_explain_traffic_of_the_group() -> None:
    """In enforce, for the target, its siblings and pools of them, while it can be the reason; in advisory never."""
    policy, advisory = routing(), routing(WeightsConfig(mode="advisory"))
    for one in (policy, advisory):
        one.learn(50.0, [incident(A)])
    assert policy.explains(A, 0.0, 60.0)
    assert policy.explains(B, 50.0, 60.0)
    assert not policy.explains(OTHER, 0.0, 60.0)
    assert not policy.explains(A, 51.0, 60.0)
    assert not policy.explains(A, 0.0, 49.0)
    assert not advisory.explains(A, 0.0, 60.0)


STEPS = st.tuples(st.floats(0, 500), st.sets(st.sampled_from([A, B, OTHER])), st.sampled_from([A, B, None]))


@given(st.lists(STEPS, max_size=10), st.lists(st.floats(0, 6000), max_size=10))
def test_it_depends_on_what_happened_and_not_on_how_often_it_was_asked(
    steps: list[tuple[float, set[Target], Target | None]], asked: list[float]
) -> None:
    """Whatever happens, asking in between changes nothing, no group is lowered whole, and a restart goes on the same.

    Every multiplier is 1, of the ladder, or of an override.
    """
    plain, nosy = routing(), routing()
    found: list[Any] = []
    now = 0.0
    for wait, moved, overridden in steps:
        for at in sorted(one for one in asked if now < one < now + wait):
            nosy.advance(at)
            nosy = Routing.restored(_kept(nosy, found), CONFIG, lambda: EVEN)
        now += wait
        for policy in (plain, nosy):
            policy.learn(now, [incident(target) for target in sorted(moved, key=str)])
            if overridden:
                try:
                    policy.override(Override(overridden, 0.3, now, now + 200, "kim"))
                except UsageError:
                    assert policy.multiplier(A if overridden == B else B) < 1
            assert max(policy.multiplier(A), policy.multiplier(B)) == 1
            assert {policy.multiplier(one) for one in EVEN} <= {1.0, 0.5, 0.25, 0.05, 0.3}
    assert plain.published == nosy.published
    assert plain.drain() == found + nosy.drain()


def _kept(policy: Routing, found: list[Any]) -> bytes:
    found += policy.drain()
    return policy.dump()
