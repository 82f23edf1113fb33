from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.config import WeightsConfig
from undertow.span import Target
from undertow.watch.weights import entries, etag, feed, recommendation

A = Target("g", "openai", "gpt-4", "a")
B = Target("g", "openai", "gpt-4", "b")
OTHER = Target("g", "openai", "gpt-3.5", "a")
CONFIG = WeightsConfig()


def incident(target: Target, opened_at: float = 1.0, **changed: Any) -> dict[str, Any]:
    """An open provider_update of `target`."""
    return {
        "id": f"inc_{target.deployment}{opened_at:g}",
        "target": target.as_dict(),
        "cause": "provider_update",
        "status": "open",
        "opened_at": opened_at,
        **changed,
    }


def multipliers(*incidents: dict[str, Any], targets: tuple[Target, ...] = ()) -> dict[str | None, float]:
    """Multiplier by deployment."""
    found = entries(incidents, targets, CONFIG, 10.0)
    return {entry["target"]["deployment"]: entry["multiplier"] for entry in found}


def test_an_open_provider_update_halves_the_weight() -> None:
    """The entry names target, cause, alert and since when; its own expiry is unset, so the feed's holds."""
    assert entries([incident(A)], [A, B, OTHER], CONFIG, 10.0) == [
        {
            "target": A.as_dict(),
            "multiplier": 0.5,
            "floor": 0.05,
            "reason": "provider_update",
            "alert_ids": ["al_a1"],
            "since": 1.0,
            "expires_at": None,
            "step": 1,
        }
    ]


@pytest.mark.parametrize(
    "cause", ["declared_update", "infrastructure", "availability", "own_release", "unresolved", "traffic"]
)
def test_no_other_cause_lowers_a_weight(cause: str) -> None:
    """What is not the provider's doing, or may not be, moves no traffic, and recommends none."""
    assert multipliers(incident(A, cause=cause)) == {}
    assert recommendation(cause, CONFIG) == {"action": "none", "multiplier": 1.0}


@pytest.mark.parametrize(("status", "lowered"), [("open", 1), ("acknowledged", 1), ("resolved", 0), ("accepted", 0)])
def test_only_a_standing_incident_lowers_a_weight(status: str, lowered: int) -> None:
    """To have seen an incident does not end it; to resolve or accept it does."""
    assert len(multipliers(incident(A, status=status))) == lowered


def test_two_incidents_of_a_target_are_one_entry() -> None:
    """Multipliers do not multiply; both alerts are named, since is the first."""
    (entry,) = entries([incident(A, 2.0), incident(A, 1.0)], [A, B], CONFIG, 10.0)
    assert (entry["multiplier"], entry["since"], entry["alert_ids"]) == (0.5, 1.0, ["al_a1", "al_a2"])


def test_a_group_keeps_at_least_one_whole() -> None:
    """The target that was lowered last keeps 1: the traffic of the other has already gone there."""
    assert multipliers(incident(A, 1.0), incident(B, 2.0), targets=(A, B)) == {"a": 0.5, "b": 1.0}
    assert multipliers(incident(A, 2.0), incident(B, 1.0), targets=(A, B)) == {"a": 1.0, "b": 0.5}


def test_a_group_of_one_carries_its_multiplier() -> None:
    """Alone it does nothing, and it is there when a sibling comes."""
    assert multipliers(incident(A), targets=(A, OTHER)) == {"a": 0.5}


def test_the_floor_keeps_a_trickle() -> None:
    """A weight of zero would starve the detector that must see the recovery."""
    config = WeightsConfig(multiplier=0.0, floor=0.05)
    assert entries([incident(A)], [A], config, 10.0)[0]["multiplier"] == 0.05


@pytest.mark.parametrize(("now", "lowered"), [(19.9, 1), (20.0, 0)])
def test_an_entry_ends_with_its_own_expiry(now: float, lowered: int) -> None:
    """A recommendation that expires takes its entry with it."""
    expiring = incident(A, recommendation={"action": "down_weight", "multiplier": 0.5, "expires_at": 20.0})
    assert len(entries([expiring], [A], CONFIG, now)) == lowered


def test_a_target_without_gateway_or_deployment_has_an_entry() -> None:
    """Unknown parts of a target are null, in groups and in order."""
    unknown = Target(None, "openai", "gpt-4", None)
    assert multipliers(incident(unknown), targets=(unknown, A)) == {None: 0.5}


@given(st.lists(st.tuples(st.sampled_from([A, B, OTHER]), st.integers(0, 5)), max_size=12), st.randoms())
def test_the_feed_depends_on_incidents_and_not_on_their_order(found: list[tuple[Target, int]], rng: Any) -> None:
    """Every multiplier lies between floor and 1, no group of two is lowered whole, and order changes nothing."""
    incidents = [incident(target, float(at)) for target, at in found]
    shuffled = rng.sample(incidents, len(incidents))
    first, second = (entries(some, [A, B, OTHER], CONFIG, 10.0) for some in (incidents, shuffled))
    assert first == second
    assert all(CONFIG.floor <= entry["multiplier"] <= 1 for entry in first)
    lowered = {Target(**entry["target"]) for entry in first if entry["multiplier"] < 1}
    assert not {A, B} <= lowered


def test_the_feed_renews_itself_and_says_its_mode() -> None:
    """Advisory and enforce serve the same entries; a fetch is good for ttl_s."""
    weights = entries([incident(A)], [A, B], CONFIG, 10.0)
    told = feed(7, weights, CONFIG, 10.0)
    assert told == {"version": 7, "generated_at": 10.0, "expires_at": 610.0, "mode": "advisory", "weights": weights}
    enforced = feed(7, weights, WeightsConfig(mode="enforce"), 10.0)
    assert enforced == told | {"mode": "enforce"}


def test_the_etag_covers_everything_but_the_times() -> None:
    """Times may pass without a new ETag; nothing else may change without one."""
    (entry,) = entries([incident(A)], [A], CONFIG, 10.0)
    base = etag(1, "advisory", [entry])
    assert base.startswith('"')
    for name in ("since", "expires_at"):
        assert etag(1, "advisory", [entry | {name: 99.0}]) == base
    changes = [etag(2, "advisory", [entry]), etag(1, "enforce", [entry]), etag(1, "advisory", [])]
    changes += [etag(1, "advisory", [entry | {name: "other"}]) for name in entry if name not in ("since", "expires_at")]
    assert base not in changes
    assert len(set(changes)) == len(changes)
