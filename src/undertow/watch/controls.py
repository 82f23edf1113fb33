"""Controls: what other providers share, or what only one tenant's answers show, is not this provider's doing.

What the users ask can change in ways that neither prompt sizes nor routes show. Then the answers of every provider move
together, and the difference between one target and its controls stays what it was (difference in differences). Where
one customer changed what it asks, the other customers of the same target are the controls.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from undertow.span import Target
from undertow.watch.events import Event
from undertow.watch.frame import SEPARATOR, TENANT, FloatArray, Frame, Names
from undertow.watch.stream import Shift
from undertow.watch.target import TargetWatch

Lookup = Callable[[Target, float, float], Frame | None]
"""(target, since, until) to its judged spans with since < ended_at <= until."""

Verdict = Literal["shared", "own", "undecided", "no_controls"]

SIGMAS = 2.0
"""A control moved, or did not, when its mean is so many standard errors off; by chance, one in forty is."""
EXPLAINED = 1 / 3
"""Controls explain a change that is at most three times theirs: models answer the same users differently."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the controls share a change, and which of them do."""

    verdict: Verdict
    moved: tuple[Target, ...] = ()


def compare(target: Target, event: Event, fleet: Mapping[Target, TargetWatch], lookup: Lookup) -> Comparison:
    """Did the targets of other providers move as `event` says, in the same time? Half of those asked decide."""
    own = _shift(fleet[target], target, event, lookup)
    others = [other for other in fleet if other.provider != target.provider]
    shifts = {other: shift for other in others if (shift := _shift(fleet[other], other, event, lookup))}
    if own is None or not shifts:
        return Comparison("no_controls")
    share = EXPLAINED * own.size
    moved = tuple(t for t, s in shifts.items() if s.size >= share and s.size >= SIGMAS * s.error)
    quiet = [t for t, s in shifts.items() if s.size + SIGMAS * s.error < share]
    if 2 * len(moved) >= len(shifts):
        return Comparison("shared", moved)
    return Comparison("own" if 2 * len(quiet) > len(shifts) else "undecided")


def by_tenant(watch: TargetWatch, event: Event, lookup: Lookup) -> Event | None:
    """Does one tenant account for what `event` says? None where that cannot be told, or no span says who asked.

    It is the tenant whose answers moved most together. `many_tenants`: the others moved by EXPLAINED of the whole
    shift, surely. `one_tenant`: they did not, and surely moved by less than all of it. To ask that they move by less
    than EXPLAINED, surely, would say too little: an alarm picks a time in which they happen to go along, on simulated
    traffic by a quarter to a half of the shift of a single tenant.
    """
    stream = watch.stream(event.subject)
    frame = lookup(watch.target, event.since, event.at) if stream else None
    if stream is None or frame is None or not (names := frame.names(TENANT)).values:
        return None
    moved = stream.moves(frame, event.subject, event.direction)
    return _split(event, moved[0], names[moved[1]]) if moved else None


def by_route(watch: TargetWatch, event: Event, lookup: Lookup) -> Event | None:
    """Does one route account for what `event` says? A provider that changed shows on more than one.

    `many_routes`: those but the one that moved most moved by EXPLAINED of the whole shift, surely. `one_route`: surely
    by less. None where that cannot be told, or one route alone has values.
    """
    stream = watch.stream(event.subject)
    frame = lookup(watch.target, event.since, event.at) if stream else None
    moved = stream.moves(frame, event.subject, event.direction) if stream and frame is not None else None
    if frame is None or moved is None:
        return None
    one, rest, whole = _apart(moved[0], frame.group[moved[1]])
    if not 0 < len(rest) < len(moved[0]):
        return None
    left, doubt = float(np.mean(rest)), SIGMAS * _error(moved[0], rest)
    if left - doubt >= EXPLAINED * whole:
        return replace(event, kind="many_routes")
    if left + doubt >= EXPLAINED * whole:
        return None
    text = f"{event.subject} went {event.direction} on {one.replace(SEPARATOR, ' ').strip()} alone"
    return replace(event, kind="one_route", text=text)


def _apart(moves: FloatArray, names: Names) -> tuple[str, FloatArray, float]:
    """Who moved most together, the moves of all others, and the mean of all."""
    known = names.codes >= 0
    one = int(np.argmax(np.bincount(names.codes[known], moves[known], len(names.values))))
    return names.values[one], moves[names.codes != one], float(np.mean(moves))


def _error(moves: FloatArray, rest: FloatArray) -> float:
    """Standard error of the mean of `rest`, by the spread of both: a few of them may look alike by chance."""
    return float(max(np.std(moves), np.std(rest))) / math.sqrt(len(rest))


def _split(event: Event, moves: FloatArray, names: Names) -> Event | None:
    one, rest, whole = _apart(moves, names)
    if not 0 < len(rest) < len(moves):
        return None
    left, doubt = float(np.mean(rest)), SIGMAS * _error(moves, rest)
    if left - doubt >= EXPLAINED * whole:
        return replace(event, kind="many_tenants")
    if left + doubt >= whole:
        return None
    asked = f'the tenant "{one}", who asked for {1 - len(rest) / len(moves):.0%} of the answers'
    return replace(event, kind="one_tenant", text=f"{event.subject} went {event.direction} with {asked}")


def _shift(watch: TargetWatch, target: Target, event: Event, lookup: Lookup) -> Shift | None:
    stream = watch.stream(event.subject)
    frame = lookup(target, event.since, event.at) if stream else None
    return stream.shift(frame, event.subject, event.direction) if stream and frame is not None and len(frame) else None
