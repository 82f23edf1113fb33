"""What looks like a change of the provider and is the user's own: one route alone, a release of other software."""

from collections.abc import Callable
from typing import Any

import pytest

from undertow.span import Span
from undertow_collectors.scenarios import CLAUDE_SONNET, DAY_S, GPT_4O, SCENARIOS
from undertow_collectors.simulate import EPOCH, traffic

ONSET = EPOCH + 3 * DAY_S


def log(scenario: str = "none", seed: int = 1) -> list[Span]:
    """Four days of two providers; a change comes after three."""
    return list(traffic(SCENARIOS[scenario], seed, per_day=2500, fleet=(GPT_4O, CLAUDE_SONNET)))


def shorten(spans: list[Span], *routes: str) -> list[Span]:
    """Answers of gpt-4o on these routes are two thirds as long after the onset."""
    for span in spans:
        if span.model == GPT_4O.model and span.route in routes and span.ended_at > ONSET and span.output_tokens:
            span.output_tokens = round(span.output_tokens * 0.67)
    return spans


@pytest.mark.parametrize("seed", [1, 2])
def test_a_change_of_one_route_alone_is_not_blamed_on_the_provider(monitor: Callable[..., Any], seed: int) -> None:
    """A prompt that was changed without a version: found, and told as unresolved."""
    (incident,) = monitor().finish(shorten(log(seed=seed), "support")).store.incidents()
    assert (incident["cause"], incident["why"][0]) == ("unresolved", "one_route_moved")


def test_a_change_of_two_routes_is(monitor: Callable[..., Any]) -> None:
    """More than one route says the same of the provider."""
    (incident,) = monitor().finish(shorten(log(), "support", "summarise")).store.incidents()
    assert incident["cause"] == "provider_update"


def test_routes_that_agree_are_named(monitor: Callable[..., Any]) -> None:
    """A silent update that shows on every route says so."""
    (incident,) = monitor().finish(log("silent-update")).store.incidents()
    assert incident["cause"] == "provider_update"
    assert "routes_agree" in incident["why"]


@pytest.mark.parametrize("label", ["gateway_version", "app_version", "sdk_version"])
def test_another_version_of_the_users_software_is_their_own_release(monitor: Callable[..., Any], label: str) -> None:
    """A label that changed with the answers explains them."""
    spans = shorten(log(), "support", "extract", "summarise")
    for span in spans:
        span.labels = {label: "1.1" if span.ended_at > ONSET and span.model == GPT_4O.model else "1.0"}
    run = monitor().finish(spans)
    (incident,) = run.store.incidents()
    assert (incident["cause"], incident["why"]) == ("own_release", [f"{label}_changed"])
    assert {n["kind"] for n in run.store.notices()} == {f"new_{label}"}
