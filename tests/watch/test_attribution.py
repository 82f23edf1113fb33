"""Whose doing it is: each rule, and the order of the rules."""

from dataclasses import replace

import pytest

from undertow.config import WeightsConfig
from undertow.span import Target
from undertow.watch.attribution import TRAFFIC_MEMORY_S, Change, Facts, attribute
from undertow.watch.events import Event, Kind
from undertow.watch.incident import Incidents
from undertow.watch.sizing import Sizing
from undertow_detectors.effect import Effect

HERE = Target("g", "openai", "gpt-4o", None)
SIBLING = Target("g", "openai", "gpt-4o-mini", None)
OTHER = Target("g", "anthropic", "claude", None)
T = 1_000_000.0
NEAR_S = 3600.0


def event(kind: Kind, at: float = T, subject: str = "output_tokens") -> Event:
    """A fact known when it began."""
    return Event(kind, at, at, 1, subject, "down", 6.0)


def fleet(here: list[Event] = [], sibling: list[Event] | None = None, other: list[Event] | None = None) -> dict:  # noqa: B006
    """What is known of the target and, where given, of others."""
    known = {HERE: here, SIBLING: sibling, OTHER: other}
    return {target: Facts(NEAR_S, list(events)) for target, events in known.items() if events is not None}


@pytest.mark.parametrize(
    ("facts", "cause", "why"),
    [
        (fleet(), "provider_update", "no_other_targets"),
        (fleet(other=[]), "provider_update", "other_targets_quiet"),
        (fleet(sibling=[event("drift")]), "provider_update", "same_provider_moved"),
        (fleet(other=[event("drift")]), "unresolved", "other_providers_moved"),
        (fleet(other=[event("drift", T - 9 * NEAR_S)]), "provider_update", "other_targets_quiet"),
        (fleet([event("traffic")]), "unresolved", "traffic_moved"),
        (fleet([event("one_tenant")]), "unresolved", "one_tenant_moved"),
        (fleet([event("one_tenant"), event("traffic")]), "unresolved", "one_tenant_moved"),
        (fleet([event("one_tenant"), event("many_tenants", T + 30)]), "provider_update", "traffic_quiet"),
        (fleet([event("one_tenant", T - 1)]), "provider_update", "traffic_quiet"),
        (fleet([event("one_tenant"), event("declared")]), "declared_update", "output_tokens_changed"),
        (fleet([event("one_route")]), "unresolved", "one_route_moved"),
        (fleet([event("one_route"), event("many_routes", T + 30)]), "provider_update", "routes_agree"),
        (fleet([event("many_routes")]), "provider_update", "routes_agree"),
        (fleet([event("release", T, "gateway_version")]), "own_release", "gateway_version_changed"),
        (fleet([event("traffic", T - TRAFFIC_MEMORY_S - 1)]), "provider_update", "traffic_quiet"),
        (fleet([event("new_fingerprint", T, "system_fingerprint")]), "declared_update", "system_fingerprint_changed"),
        (fleet([event("declared", T, "response_model")]), "declared_update", "response_model_changed"),
        (fleet([event("declared", T - 2 * NEAR_S, "response_model")]), "provider_update", "traffic_quiet"),
        (fleet([event("release", T, "prompt_version")]), "own_release", "prompt_version_changed"),
        (fleet([event("release"), event("declared"), event("traffic")]), "own_release", "output_tokens_changed"),
        (fleet([event("declared"), event("traffic")]), "declared_update", "output_tokens_changed"),
    ],
)
def test_the_first_rule_that_speaks_decides(facts: dict, cause: str, why: str) -> None:
    """Own release, declared, one tenant, traffic, other providers, provider, each with its named reason."""
    said = attribute(Change(HERE, T, T + 60), facts)
    assert said.cause == cause
    assert why in said.why


def incidents() -> Incidents:
    """None standing, sizes unknown."""
    return Incidents([], lambda *_: None, WeightsConfig())


def test_a_second_signal_of_the_lane_joins_and_a_repeated_one_is_silent() -> None:
    """One change, one incident; the same signal again tells nothing new."""
    book, facts = incidents(), fleet()
    opened = book.apply(HERE, event("drift"), facts)
    joined = book.apply(HERE, event("drift", T + 60, "refusal"), facts)
    again = book.apply(HERE, event("drift", T + 120, "refusal"), facts)
    assert [t.transition for t in (*opened, *joined, *again)] == ["opened", "updated"]
    assert len(book.standing) == 1


def test_sizes_are_measured_again_when_there_is_twice_as_much_data() -> None:
    """A repeated alarm refreshes the effect, silently, once as many spans came as it was measured on."""
    effects = Effect("ratio", 0.5, (0.3, 0.8), 5000, 50), Effect("ratio", 0.7, (0.6, 0.8), 5000, 100)
    sizes = iter(Sizing(T, (T - 9, T + 9), effect, (), None) for effect in effects)
    book, facts = Incidents([], lambda *_: next(sizes), WeightsConfig()), fleet()
    [opened] = book.apply(HERE, event("drift"), facts)
    assert book.apply(HERE, replace(event("drift", T + 60), spans=40), facts) == []
    [refreshed] = book.apply(HERE, replace(event("drift", T + 90), spans=51), facts)
    assert refreshed.transition == "refreshed"
    assert opened.incident["signals"][0]["effect"]["value"] == 0.7


def test_a_declared_snapshot_is_info_until_answers_move() -> None:
    """A changed snapshot alone is an incident of severity info; content that moves with it makes it a warning."""
    book, facts = incidents(), fleet([event("declared", T, "response_model")])
    [opened] = book.apply(HERE, event("declared", T, "response_model"), facts)
    assert (opened.incident["severity"], opened.incident["lane"]) == ("info", "identity")
    [joined] = book.apply(HERE, event("drift", T + 60), facts)
    assert joined.incident is opened.incident
    assert (joined.incident["severity"], joined.incident["cause"]) == ("warning", "declared_update")


def test_what_is_learned_soon_after_changes_the_cause() -> None:
    """Traffic found to have moved shortly after the incident opened takes the blame from the provider."""
    book, facts = incidents(), fleet()
    [opened] = book.apply(HERE, event("drift"), facts)
    assert opened.incident["recommendation"]["action"] == "down_weight"
    moved = event("traffic", T + 600, "input_tokens")
    facts[HERE].add(moved)
    [updated] = book.apply(HERE, moved, facts)
    assert (updated.transition, updated.reason) == ("updated", "cause_reconsidered")
    assert updated.incident["cause"] == "unresolved"
    assert updated.incident["recommendation"]["multiplier"] == 1.0


def test_what_is_learned_long_after_does_not() -> None:
    """Traffic that moves a day later explains nothing about today."""
    book, facts = incidents(), fleet()
    book.apply(HERE, event("drift"), facts)
    late = event("traffic", T + 24 * NEAR_S, "input_tokens")
    facts[HERE].add(late)
    assert book.apply(HERE, late, facts) == []
