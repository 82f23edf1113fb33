"""One change that a pool and its members both show is one incident, and every member answers for it."""

from typing import Any

import numpy as np
import pytest

from undertow.config import BaselineConfig, DetectConfig, WeightsConfig
from undertow.span import Target
from undertow.watch import shares, strata
from undertow.watch.attribution import Facts
from undertow.watch.describe import describe
from undertow.watch.events import Event, Kind, Lane
from undertow.watch.frame import Names
from undertow.watch.incident import Incidents
from undertow.watch.lifecycle import Told
from undertow.watch.pool import ANY, Pool, named, subject
from undertow.watch.routing import Routing
from undertow.watch.target import TargetWatch

ONE, TWO, OTHER = (Target("gw", "openai", "gpt-4o", name) for name in ("one", "two", "other"))
POOL = Pool.of([TWO, ONE])
NEAR_S = 100.0


class Fleet:
    """A pool, its members and another target, whose events go to incidents without a store."""

    def __init__(self) -> None:
        self.facts = {target: Facts(NEAR_S) for target in (ONE, TWO, OTHER, POOL)}
        self.incidents = Incidents([], lambda *_: None, WeightsConfig())

    def event(self, target: Target, at: float, lane: Lane = "content", kind: Kind = "drift") -> list[Told]:
        """A signal of the lane went up."""
        event = Event(kind, at, at, int(at), f"{lane}_signal", "up", 9.0, lane=lane)
        self.facts[target].add(event)
        return self.incidents.apply(target, event, self.facts)

    @property
    def standing(self) -> list[dict[str, Any]]:
        """What stands, in the order of opening."""
        return list(self.incidents.standing.values())


@pytest.mark.parametrize(("first", "second", "whose"), [(POOL, ONE, "gw/one"), (ONE, POOL, "the pool")])
def test_a_pool_and_its_member_share_an_incident(first: Target, second: Target, whose: str) -> None:
    """Whichever alarms later is noted in the history of the other's incident, once, and nobody is told again."""
    fleet = Fleet()
    fleet.event(first, 1000.0)
    [told] = fleet.event(second, 1050.0)
    assert fleet.event(second, 1060.0) == []
    assert (told.transition, told.reason) == ("refreshed", "moved_too")
    [incident] = fleet.standing
    assert subject(incident) == first
    text = f"content_signal went up at {whose} too"
    assert incident["history"] == [
        {"at": 1050.0, "by": "undertow", "status": "open", "reason": "moved_too", "text": text}
    ]


@pytest.mark.parametrize(
    ("target", "at", "lane"), [(ONE, 2000.0, "content"), (ONE, 1050.0, "errors"), (OTHER, 1050.0, "content")]
)
def test_what_is_not_the_same_change_opens_its_own(target: Target, at: float, lane: Lane) -> None:
    """Another time, another lane or a target outside the pool is another incident."""
    fleet = Fleet()
    fleet.event(POOL, 1000.0)
    fleet.event(target, at, lane)
    assert [subject(incident) for incident in fleet.standing] == [POOL, target]


def test_what_members_declare_opens_nothing_on_the_pool() -> None:
    """A declared update is told by the targets themselves; at the pool it only explains."""
    fleet = Fleet()
    fleet.event(POOL, 990.0, "identity", "declared")
    assert fleet.standing == []
    fleet.event(POOL, 1000.0)
    assert [incident["cause"] for incident in fleet.standing] == ["declared_update"]


def test_a_member_is_no_control_of_its_pool() -> None:
    """That a member drifted too is no news from elsewhere; what a sibling outside did is."""
    fleet = Fleet()
    fleet.event(ONE, 900.0, "content")
    fleet.incidents.standing.clear()
    fleet.event(POOL, 950.0)
    assert fleet.standing[0]["why"] == ["traffic_quiet", "other_targets_quiet"]


@pytest.mark.parametrize(("what", "cause"), [("member gw/one", "unresolved"), ("input_tokens", "provider_update")])
def test_a_pool_does_not_forget_that_its_members_are_asked_otherwise(what: str, cause: str) -> None:
    """A month after the shares of the members moved nobody is blamed; that the prompts did is forgotten by then."""
    fleet = Fleet()
    fleet.facts[POOL].add(Event("traffic", 1000.0, 1000.0, 1, what, "up", lane="traffic"))
    fleet.event(POOL, 1000.0 + 30 * 86_400)
    assert [incident["cause"] for incident in fleet.standing] == [cause]


def test_an_incident_of_a_dissolved_pool_stands_until_somebody_decides() -> None:
    """Facts of other targets neither change it nor fail on it."""
    fleet = Fleet()
    fleet.event(POOL, 1000.0)
    del fleet.facts[POOL]
    fleet.event(OTHER, 1010.0)
    assert subject(fleet.standing[0]) == POOL


def test_a_pool_is_no_target_and_can_be_read_again() -> None:
    """Not even a deployment that is called as the pool is told equals it."""
    assert Target("gw", "openai", "gpt-4o", ANY) != POOL
    assert subject(named(POOL)) == POOL == Pool.of([ONE, TWO])
    assert subject(named(ONE)) == ONE
    assert Pool.of([ONE, Target("elsewhere", "openai", "gpt-4o", None)]).gateway is None


def test_an_update_of_a_pool_lowers_its_members() -> None:
    """All but one of a group that is lowered as a whole; a sibling outside keeps its weight, and so they all may."""
    fleet = Fleet()
    fleet.event(POOL, 1000.0)

    def lowered(*targets: Target) -> dict[str | None, float]:
        routing = Routing(WeightsConfig(), lambda: dict.fromkeys(targets, 1.0))
        routing.learn(1000.0, fleet.standing)
        return {entry["target"]["deployment"]: entry["multiplier"] for entry in routing.published.weights}

    assert lowered(ONE, TWO, OTHER) == {"one": 0.5, "two": 0.5}
    assert sorted(lowered(ONE, TWO).values()) == [0.5, 1.0]


def test_small_members_of_one_route_are_put_together_first() -> None:
    """A large member of a route is a group alone; only what is small even so shares one with other routes."""
    sizes = {"chat\x1fa\x1fbig": 600, "chat\x1fa\x1fs": 300, "chat\x1fa\x1ft": 250, "chat\x1fb\x1fs": 300}
    codes = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    groups = strata.fit(Names(codes, tuple(sizes)), np.full(len(codes), np.nan), 500).groups
    big, small, alike, rest = (groups.get(name) for name in sizes)
    assert small == alike == rest != big
    sizes["chat\x1fb\x1fs"] = 500
    codes = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    groups = strata.fit(Names(codes, tuple(sizes)), np.full(len(codes), np.nan), 500).groups
    big, small, alike, rest = (groups.get(name) for name in sizes)
    assert small == alike
    assert len({big, small, rest}) == 3


@pytest.mark.parametrize(
    ("answers", "quiet_s", "days", "text"),
    [
        (0, 0.0, None, "nothing judged yet"),
        (9, 0.0, None, "too few to say how long that takes"),
        (101, 0.0, 18.0, "about 18 days more at this rate"),
        (101, 172800.0, 36.0, "about 36 days more at this rate"),
        (961, 0.0, 0.779, "about 19 hours more"),
    ],
)
def test_says_how_long_the_baseline_still_takes(answers: int, quiet_s: float, days: float | None, text: str) -> None:
    """A target that collects tells the rest of its wait at its own rate, silence included, or that it is unknown."""
    watch = TargetWatch(ONE, DetectConfig(baseline=BaselineConfig(min_spans=1000)))
    collector = watch.collector
    collector.spans = collector.ok_spans = answers
    collector.start, collector.end = 0.0, 0.02 * max(0, answers - 1) * 86_400
    told = describe(watch, [], shares.Fleet.of(watch.config, [watch.target]), quiet_s)
    assert told["text"].endswith(text)
    assert told["baseline_days_left"] == (None if days is None else pytest.approx(days, rel=0.02))
