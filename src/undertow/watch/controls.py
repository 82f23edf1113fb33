"""Controls: what other providers share, or what only one tenant's answers show, is not this provider's doing.

What the users ask can change in ways that neither prompt sizes nor routes show. Then the answers of every provider move
together, and the difference between one target and its controls stays what it was (difference in differences). Where
one customer changed what it asks, the other customers of the same target are the controls.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from undertow.span import Target
from undertow.watch.events import Event
from undertow.watch.frame import SEPARATOR, TENANT, FloatArray, Frame, Lookup, Names
from undertow.watch.pool import order
from undertow.watch.stream import Shift
from undertow.watch.target import TargetWatch

Verdict = Literal["shared", "own", "undecided", "no_controls"]

SIGMAS = 2.0
"""A control moved, or did not, when its mean is so many standard errors off; by chance, one in forty is."""
EXPLAINED = 1 / 3
"""Controls explain a change that is at most three times theirs: models answer the same users differently."""
MOST_CONTROLS = 40
"""So many targets are asked, those with the largest baselines: each is a question to the store."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the controls share a change, and which of them do."""

    verdict: Verdict
    moved: tuple[Target, ...] = ()


def compare(target: Target, event: Event, fleet: Mapping[Target, TargetWatch], lookup: Lookup) -> Comparison:
    """Did the targets of other providers move as `event` says, in the same time? Half of those asked decide."""
    own = _shift(fleet[target], target, event, lookup)
    others = _asked(event, {other: watch for other, watch in fleet.items() if other.provider != target.provider})
    shifts = {other: shift for other in others if (shift := _shift(fleet[other], other, event, lookup))}
    if own is None or not shifts:
        return Comparison("no_controls")
    share = EXPLAINED * own.size
    moved = tuple(t for t, s in shifts.items() if s.size >= share and s.size >= SIGMAS * s.error)
    quiet = [t for t, s in shifts.items() if s.size + SIGMAS * s.error < share]
    if 2 * len(moved) >= len(shifts):
        return Comparison("shared", moved)
    return Comparison("own" if 2 * len(quiet) > len(shifts) else "undecided")


def _asked(event: Event, fleet: Mapping[Target, TargetWatch]) -> list[Target]:
    """The targets of `fleet` that can tell whether they moved; of many those with the largest baselines."""
    known = [(other, watch) for other, watch in fleet.items() if watch.stream(event.subject)]
    if len(known) > MOST_CONTROLS:
        known.sort(key=lambda one: (-one[1].baseline.spans if one[1].baseline else 0, order(one[0])))
    return [other for other, _ in known[:MOST_CONTROLS]]


def by_tenant(watch: TargetWatch, event: Event, frame: Frame | None) -> Event | None:
    """Does one tenant account for what `event` says of the spans since? None where that cannot be told.

    Nor can it where no span says who asked. It is the tenant without which, in the baseline as since the change, least
    of the shift is left. `many_tenants`: the others moved by EXPLAINED of the whole shift, surely. `one_tenant`: they
    did not, and surely moved by less than all of it. To ask that they surely moved by less than EXPLAINED would say too
    little: an alarm picks a time in which they happen to go along, on simulated traffic by up to half of the shift of a
    single tenant.
    """
    stream = watch.stream(event.subject)
    if stream is None or watch.baseline is None or frame is None or not frame.names(TENANT).values:
        return None
    frames, seeds = (watch.baseline.frame, frame), (np.arange(len(watch.baseline.frame), dtype=np.uint64), None)
    moved = [stream.moves(one, event.subject, event.direction, s) for one, s in zip(frames, seeds, strict=True)]
    sides = [_Side(m[0], one.names(TENANT)[m[1]]) for one, m in zip(frames, moved, strict=True) if m]
    return _split(event, *sides) if len(sides) == 2 else None


def by_route(watch: TargetWatch, event: Event, frame: Frame | None) -> Event | None:
    """Does one route account for what `event` says of the spans since? A provider that changed shows on more than one.

    `many_routes`: those but the one that moved most moved by EXPLAINED of the whole shift, surely. `one_route`: surely
    by less. None where that cannot be told, or one route alone has values.
    """
    stream = watch.stream(event.subject)
    moved = stream.moves(frame, event.subject, event.direction) if stream and frame is not None else None
    if frame is None or moved is None:
        return None
    moves, routes = moved[0], frame.group[moved[1]]
    one = int(np.argmax(np.bincount(routes.codes, moves)))
    rest, share = moves[routes.codes != one], EXPLAINED * float(np.mean(moves))
    if not len(rest):
        return None
    left, doubt = float(np.mean(rest)), SIGMAS * float(max(np.std(moves), np.std(rest))) / math.sqrt(len(rest))
    if left - doubt >= share:
        return replace(event, kind="many_routes")
    if left + doubt >= share:
        return None
    text = f"{event.subject} went {event.direction} on {routes.values[one].replace(SEPARATOR, ' ').strip()} alone"
    return replace(event, kind="one_route", text=text)


@dataclass(frozen=True, slots=True)
class _Side:
    """Moves before or after a change, and who asked; a tenant's usual answers are no part of what changed."""

    moves: FloatArray
    asked: Names

    def without(self, index: Mapping[str, int]) -> FloatArray:
        """(tenants,) mean moves without each of them, NaN where nothing is left."""
        codes = self.asked.recode(dict(index))
        known, n = codes >= 0, len(index)
        left = len(self.moves) - np.bincount(codes[known], minlength=n)
        sums = self.moves.sum() - np.bincount(codes[known], self.moves[known], n)
        return np.where(left > 0, sums / np.maximum(left, 1), np.nan)

    def rest(self, tenant: str) -> FloatArray:
        """The moves without those of one tenant."""
        return self.moves[self.asked.recode({tenant: 0}) < 0]


def _split(event: Event, before: _Side, after: _Side) -> Event | None:
    present = np.unique(after.asked.codes[after.asked.codes >= 0])
    index = {after.asked.values[code]: i for i, code in enumerate(present)}
    whole = float(np.mean(after.moves) - np.mean(before.moves))
    lefts = after.without(index) - before.without(index)
    if np.isnan(lefts).all() or not (before.asked.codes >= 0).any():
        return None
    left, one = float(np.nanmin(lefts)), list(index)[int(np.nanargmin(lefts))]
    rest, variance = [side.rest(one) for side in (before, after)], max(np.var(side.moves) for side in (before, after))
    doubt = SIGMAS * math.sqrt(sum(variance / len(moves) for moves in rest))
    if left - doubt >= EXPLAINED * whole:
        return replace(event, kind="many_tenants")
    if left + doubt >= whole:
        return None
    asked = f'the tenant "{one}", who asked for {1 - len(rest[1]) / len(after.moves):.0%} of the answers'
    return replace(event, kind="one_tenant", text=f"{event.subject} went {event.direction} with {asked}")


def _shift(watch: TargetWatch, target: Target, event: Event, lookup: Lookup) -> Shift | None:
    stream = watch.stream(event.subject)
    frame = lookup(target, event.since, event.at) if stream else None
    return stream.shift(frame, event.subject, event.direction) if stream and frame is not None and len(frame) else None
