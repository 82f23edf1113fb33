"""Whose doing is it? Rules in a fixed order, each with a name that reports and alerts carry (detection.md 4.3).

A rule looks at facts that became known until now: what the target itself declared, how its traffic moved, and what the
other targets did at the time. The first rule that speaks decides.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from undertow.span import Target
from undertow.watch import week
from undertow.watch.events import MEMBER, Event, Kind, Lane
from undertow.watch.pool import akin

Cause = Literal["provider_update", "declared_update", "infrastructure", "availability", "own_release", "unresolved"]

NEAR_REQUESTS = 2000
"""A release or a declared change this many requests before a change explains it: estimates of small changes are late by
up to a thousand requests (detection.md, Change-time estimate)."""
TRAFFIC_MEMORY_S = 7 * 86_400.0
"""For so long a change of the traffic can be what moves the answers."""
KEPT_FACTS = 64
ALONE: Mapping[Lane, tuple[Cause, str]] = {
    "performance": ("infrastructure", "performance_alone"),
    "errors": ("availability", "errors_rose"),
    "cost": ("unresolved", "price_changed"),
}
"""What a lane means when no answers changed with it."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """A cause and the named reasons for it, the deciding ones first."""

    cause: Cause
    why: tuple[str, ...]


@dataclass(slots=True)
class Facts:
    """What is known of one target.

    `near_s` is NEAR_REQUESTS as a time, at the target's own rate; `unlike` the kinds of day (`week`) that its baseline
    may be unlike.
    """

    near_s: float = math.inf
    events: list[Event] = field(default_factory=list)
    unlike: tuple[int, ...] = ()

    def add(self, event: Event) -> None:
        """Remember an event; of each kind the oldest are forgotten, so that many alarms push out no declaration."""
        alike = [one for one in self.events if one.kind == event.kind]
        forgotten = alike[0] if len(alike) >= KEPT_FACTS else None
        self.events = [*(one for one in self.events if one is not forgotten), event]

    def known(self, kinds: tuple[str, ...], since: float, until: float) -> list[Event]:
        """Events of these kinds that began or became known between two times."""
        return [e for e in self.events if e.kind in kinds and e.at >= since and e.since <= until]


@dataclass(frozen=True, slots=True)
class Change:
    """A change to explain: on which target, from about when, known when (Unix seconds), in which lane."""

    target: Target
    since: float
    at: float
    lane: Lane = "content"


Rule = Callable[[Change, Mapping[Target, Facts]], Attribution | None]


def own_release(change: Change, fleet: Mapping[Target, Facts]) -> Attribution | None:
    """The user changed the prompt, or the software around it, at about that time."""
    facts = fleet[change.target]
    released = facts.known(("release",), change.since - facts.near_s, change.at)
    why = dict.fromkeys(f"{event.subject}_changed" for event in released)
    return Attribution("own_release", tuple(why)) if why else None


def declared(change: Change, fleet: Mapping[Target, Facts]) -> Attribution | None:
    """The provider said that it changed."""
    facts = fleet[change.target]
    said = facts.known(("declared", "new_snapshot", "new_fingerprint"), change.since - facts.near_s, change.at)
    why = dict.fromkeys(f"{event.subject}_changed" for event in said)
    return Attribution("declared_update", tuple(why)) if why else None


def lane_alone(change: Change, fleet: Mapping[Target, Facts]) -> Attribution | None:
    """The answers stayed as they were: slower is infrastructure, failing is availability, dearer is said as such."""
    if change.lane not in ALONE:
        return None
    cause, why = ALONE[change.lane]
    return Attribution(cause, (why, _control(change, fleet)))


def one_tenant_moved(change: Change, fleet: Mapping[Target, Facts]) -> Attribution | None:
    """One customer accounts for it, by what it asks or how much; nothing says so of the others' answers."""
    return _one_moved("one_tenant", "many_tenants", change, fleet)


def one_route_moved(change: Change, fleet: Mapping[Target, Facts]) -> Attribution | None:
    """A provider that changed shows on more than one route; your own change of one shows there alone."""
    return _one_moved("one_route", "many_routes", change, fleet)


def traffic_moved(change: Change, fleet: Mapping[Target, Facts]) -> Attribution | None:
    """What is asked changed too: passive data cannot tell which of the two moved the answers.

    On days that the baseline may be unlike, traffic that moved once is what it was then, however long ago. Which member
    of a pool is asked how much is part of its frozen baseline, so that a change of it is not forgotten either.
    """
    facts = fleet[change.target]
    strange = np.isin(week.kind(np.array([change.since, change.at])), facts.unlike).any()
    moved = facts.known(("traffic",), -math.inf if strange else change.since - TRAFFIC_MEMORY_S, math.inf)
    moved += (e for e in facts.events if e.kind == "traffic" and e.subject.startswith(MEMBER))
    return Attribution("unresolved", ("traffic_moved", "run_golden_set")) if moved else None


def other_providers_moved(change: Change, fleet: Mapping[Target, Facts]) -> Attribution | None:
    """Targets of other providers changed at the same time, so something that they share did: the users."""
    near_s = fleet[change.target].near_s
    for target, facts in fleet.items():
        if target.provider != change.target.provider and _drifted(facts, change, near_s):
            return Attribution("unresolved", ("other_providers_moved", "run_golden_set"))
    return None


def provider(change: Change, fleet: Mapping[Target, Facts]) -> Attribution:
    """Nothing else explains it; says which controls were there to be asked."""
    routes = ("routes_agree",) if fleet[change.target].known(("many_routes",), change.since, change.at) else ()
    return Attribution("provider_update", ("traffic_quiet", _control(change, fleet), *routes))


RULES: tuple[Rule, ...] = (
    own_release, declared, lane_alone, one_tenant_moved, one_route_moved, traffic_moved, other_providers_moved,
    provider,
)  # fmt: skip


def attribute(change: Change, fleet: Mapping[Target, Facts]) -> Attribution:
    """The first rule that speaks; the last one always does."""
    return next(said for rule in RULES if (said := rule(change, fleet)))


def _one_moved(one: Kind, many: Kind, change: Change, fleet: Mapping[Target, Facts]) -> Attribution | None:
    """One of them accounts for the change, by all that is known since."""
    known = fleet[change.target].known((one, many), change.since, change.at)
    alone = known and all(event.kind == one for event in known)
    return Attribution("unresolved", (f"{one}_moved", "run_golden_set")) if alone else None


def _control(change: Change, fleet: Mapping[Target, Facts]) -> str:
    near_s = fleet[change.target].near_s
    others = {target: facts for target, facts in fleet.items() if not akin(target, change.target)}
    siblings = any(t.provider == change.target.provider and _drifted(f, change, near_s) for t, f in others.items())
    return "same_provider_moved" if siblings else "other_targets_quiet" if others else "no_other_targets"


def _drifted(facts: Facts, change: Change, near_s: float) -> bool:
    known = facts.known(("drift", "users"), change.since - near_s, change.at + near_s)
    return any(event.lane == change.lane for event in known)
