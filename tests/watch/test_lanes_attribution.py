"""What other lanes than content mean, and how their incidents keep apart."""

from typing import Any

import pytest

from undertow.config import WeightsConfig
from undertow.span import Target
from undertow.watch.attribution import Facts
from undertow.watch.events import Event, Lane
from undertow.watch.incident import Incidents

TARGET = Target("gw", "openai", "gpt-4o", None)
OTHER = Target("gw", "anthropic", "claude", None)
NEAR_S = 100.0


class Fleet:
    """Two targets whose events go to incidents without a store."""

    def __init__(self) -> None:
        self.facts = {TARGET: Facts(NEAR_S), OTHER: Facts(NEAR_S)}
        self.incidents = Incidents([], lambda *_: None, WeightsConfig())

    def drift(self, at: float, subject: str, lane: Lane, since: float | None = None) -> None:
        """A signal of TARGET moved."""
        event = Event("drift", at, at if since is None else since, int(at), subject, "up", 9.0, lane=lane)
        self.facts[TARGET].add(event)
        self.incidents.apply(TARGET, event, self.facts)

    @property
    def standing(self) -> list[dict[str, Any]]:
        """What stands, in the order of opening."""
        return list(self.incidents.standing.values())


@pytest.mark.parametrize(
    ("lane", "cause", "why"),
    [
        ("performance", "infrastructure", "performance_alone"),
        ("errors", "availability", "errors_rose"),
        ("cost", "unresolved", "price_changed"),
    ],
)
def test_a_lane_that_moves_alone_has_a_cause_of_its_own(lane: Lane, cause: str, why: str) -> None:
    """Only changed answers are blamed on the provider as an update."""
    fleet = Fleet()
    fleet.drift(1000.0, "x", lane)
    [incident] = fleet.standing
    assert (incident["lane"], incident["cause"]) == (lane, cause)
    assert incident["why"] == [why, "other_targets_quiet"]


def test_answers_that_change_with_the_speed_are_one_update() -> None:
    """A change of the answers within the same time takes the incident over."""
    fleet = Fleet()
    fleet.drift(1000.0, "ttft_s", "performance")
    fleet.drift(1050.0, "output_tokens", "content")
    [incident] = fleet.standing
    assert (incident["lane"], incident["cause"]) == ("content", "provider_update")
    fleet.drift(5000.0, "ttft_s", "performance", since=4000.0)
    assert len(fleet.standing) == 1, "still slow is no news"


def test_a_long_slowness_hides_no_update() -> None:
    """Answers that change long after the latency did are an incident of their own."""
    fleet = Fleet()
    fleet.drift(1000.0, "ttft_s", "performance")
    fleet.drift(9000.0, "output_tokens", "content", since=8900.0)
    assert [incident["cause"] for incident in fleet.standing] == ["infrastructure", "provider_update"]
