from typing import Any

import pytest

from undertow.config import WeightsConfig
from undertow.span import Target
from undertow.watch.routing import Routing
from undertow.watch.weights import Entry, etag, feed, lowering, recommendation

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


def entries(*incidents: dict[str, Any], targets: tuple[Target, ...] = (A, B, OTHER)) -> list[Entry]:
    """The feed right after the last of `incidents`, which became known in this order."""
    routing = Routing(CONFIG, lambda: dict.fromkeys(targets, 1.0))
    for n, one in enumerate(incidents, 1):
        routing.learn(one["opened_at"], incidents[:n])
    return list(routing.published.weights)


def test_an_open_provider_update_halves_the_weight() -> None:
    """The entry names target, cause, alert and since when; its own expiry is unset, so the feed's holds."""
    assert entries(incident(A)) == [
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


def test_an_incident_whose_evidence_was_demoted_moves_no_traffic() -> None:
    """Fixed prompts that are answered as ever speak against lowering a weight."""
    assert entries(incident(A, confirmation="demoted")) == []
    assert len(entries(incident(A, confirmation="confirmed"))) == 1


@pytest.mark.parametrize(
    "cause", ["declared_update", "infrastructure", "availability", "own_release", "unresolved", "traffic"]
)
def test_no_other_cause_lowers_a_weight(cause: str) -> None:
    """What is not the provider's doing, or may not be, moves no traffic, and recommends none."""
    assert entries(incident(A, cause=cause)) == []
    assert recommendation(cause, CONFIG) == {"action": "none", "multiplier": 1.0}


def test_the_operator_can_let_other_causes_lower_a_weight() -> None:
    """`weights.causes` is the whole list."""
    config = WeightsConfig(causes=["availability"])
    assert recommendation("availability", config) == {"action": "down_weight", "multiplier": 0.5}
    assert set(lowering([incident(A, cause="availability"), incident(B)], config)) == {A}


@pytest.mark.parametrize(("status", "lowered"), [("open", 1), ("acknowledged", 1), ("resolved", 0), ("accepted", 0)])
def test_only_a_standing_incident_lowers_a_weight(status: str, lowered: int) -> None:
    """To have seen an incident does not end it; to resolve or accept it does."""
    assert len(entries(incident(A, status=status))) == lowered


def test_two_incidents_of_a_target_are_one_entry() -> None:
    """Multipliers do not multiply; both alerts are named, since is the first."""
    (entry,) = entries(incident(A, 1.0), incident(A, 2.0))
    assert (entry["multiplier"], entry["since"], entry["alert_ids"]) == (0.5, 1.0, ["al_a1", "al_a2"])


def test_a_group_of_one_carries_its_multiplier() -> None:
    """Alone it does nothing, and it is there when a sibling comes."""
    assert [entry["multiplier"] for entry in entries(incident(A), targets=(A, OTHER))] == [0.5]


def test_a_target_without_gateway_or_deployment_has_an_entry() -> None:
    """Unknown parts of a target are null, in groups and in order."""
    unknown = Target(None, "openai", "gpt-4", None)
    assert [entry["multiplier"] for entry in entries(incident(unknown), targets=(unknown, A))] == [0.5]


def test_the_feed_renews_itself_and_says_its_mode() -> None:
    """Advisory and enforce serve the same entries; a fetch is good for ttl_s."""
    weights = entries(incident(A))
    told = feed(7, weights, CONFIG, 10.0)
    assert told == {"version": 7, "generated_at": 10.0, "expires_at": 610.0, "mode": "advisory", "weights": weights}
    enforced = feed(7, weights, WeightsConfig(mode="enforce"), 10.0)
    assert enforced == told | {"mode": "enforce"}


def test_the_etag_covers_everything_but_the_times() -> None:
    """Times may pass without a new ETag; nothing else may change without one."""
    (entry,) = entries(incident(A))
    base = etag(1, "advisory", [entry])
    assert base.startswith('"')
    for name in ("since", "expires_at"):
        assert etag(1, "advisory", [entry | {name: 99.0}]) == base
    changes = [etag(2, "advisory", [entry]), etag(1, "enforce", [entry]), etag(1, "advisory", [])]
    changes += [etag(1, "advisory", [entry | {name: "other"}]) for name in entry if name not in ("since", "expires_at")]
    assert base not in changes
    assert len(set(changes)) == len(changes)
