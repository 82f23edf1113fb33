"""Other providers as controls: a change that they share at the same time is not one provider's doing.

What the users ask can change in ways that neither prompt sizes nor routes show. Then the answers of every provider move
together, and the difference between one target and its controls stays what it was (difference in differences).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from undertow.span import Target
from undertow.watch.events import Event
from undertow.watch.frame import Frame
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


def _shift(watch: TargetWatch, target: Target, event: Event, lookup: Lookup) -> Shift | None:
    stream = watch.stream(event.subject)
    frame = lookup(target, event.since, event.at) if stream else None
    return stream.shift(frame, event.subject, event.direction) if stream and frame is not None and len(frame) else None
