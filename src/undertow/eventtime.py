"""Event time: how far the sources of spans agree that time has come, whatever a single clock says.

A pure function of the arrivals in their order, so that a live monitor, a replay and a backfill come to the same, and so
that it does not matter how arrivals were cut into batches. src/undertow/store/README.md has the rule and its bounds.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median_low

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 16_384
"""Arrivals that are remembered: a burst of fewer from one source cannot make the others forgotten."""
OF_A_SOURCE = 32
"""The latest arrivals of a source that say what its clock shows."""
STEPS = 8
"""A source must make so many steps of its own before the silence of others counts; a leap is one step."""
LEAST = 3
"""Arrivals without which nothing is agreed on: of fewer, no majority can be against a wrong one."""
_AT_ONCE = 512
_RARE = None
"""Whose clock those arrivals show that come of sources of too few."""

Times = NDArray[np.float64]
Sources = NDArray[np.int64]


def _none() -> Times:
    return np.empty(0)


def _nobody() -> Sources:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class EventTime:
    """Event time after some arrivals; times in Unix seconds.

    `now` is how far it has come and `bound` how far ahead an arrival may lie and still move it. `rest` arrivals have to
    come before the bound is looked at again. `sources` and `times` are the latest arrivals, the newest last.
    """

    lateness_s: float
    now: float = -math.inf
    bound: float = -math.inf
    rest: int = 0
    sources: Sources = field(default_factory=_nobody)
    times: Times = field(default_factory=_none)

    def after(self, sources: Sources, times: Times) -> tuple["EventTime", Times]:
        """Event time after more arrivals, shape (n,), and what it was after each of them, shape (n,).

        An arrival up to the bound moves event time to itself at once. The first one beyond it has the bound looked at
        again, and those that were held move it as far as is agreed on; then a quarter of what was looked at has to come
        before the next look.
        """
        known, count = len(self.times), len(times)
        sources, times = np.concatenate((self.sources, sources)), np.concatenate((self.times, times))
        now, bound, look_at = self.now, self.bound, known + self.rest
        running = np.empty(count)
        at = known
        while at < known + count:
            until, looks = _first_beyond(times, at, min(at + _AT_ONCE, known + count), look_at, bound)
            believed = np.where(times[at:until] <= bound, times[at:until], -math.inf)
            running[at - known : until - known] = np.maximum(np.maximum.accumulate(believed), now)
            now = max(now, float(believed.max(initial=-math.inf)))
            at = until
            if not looks:
                continue
            found, seen = agreed(sources[: at + 1], times[: at + 1], self.lateness_s)
            bound = max(bound, found + self.lateness_s)
            window = times[at + 1 - seen : at + 1]
            held = float(window.max(initial=-math.inf, where=window <= found))
            now = max(now, held, float(times[at]) if times[at] <= bound else -math.inf)
            running[at - known] = now
            at += 1
            look_at = at + seen // 4
        rest = max(0, look_at - at)
        kept = slice(max(0, at - REMEMBERED), None)
        return EventTime(self.lateness_s, now, bound, rest, sources[kept], times[kept]), running

    def agreed(self) -> float:
        """What most sources show at this moment; minus infinity before LEAST arrivals."""
        return agreed(self.sources, self.times, self.lateness_s)[0]

    def newest(self, until: float) -> float:
        """The newest arrival up to `until`, or `now` where that is newer."""
        return max(self.now, float(self.times.max(initial=-math.inf, where=self.times <= until)))


def _first_beyond(times: Times, start: int, end: int, look_at: int, bound: float) -> tuple[int, bool]:
    """The first place from `start` on, and from `look_at` on, of a time beyond `bound`; `end` where there is none."""
    begin = max(start, look_at)
    beyond = times[begin:end] > bound
    place = int(beyond.argmax()) if len(beyond) else 0
    return (begin + place, True) if len(beyond) and beyond[place] else (end, False)


def agreed(sources: Sources, times: Times, lateness_s: float) -> tuple[float, int]:
    """What most sources show, and how many of the latest arrivals were looked at to say so.

    It looks back until one source's own clock has gone on by `lateness_s`: who was not heard in that time is silent.
    A leap of a clock counts for an eighth of it, so that a wrong clock cannot make all others silent by one arrival.
    Sources of fewer than LEAST arrivals count as one: names without end are no majority.
    """
    clocks: dict[int | None, _Clock] = {}
    often = _often(sources[-REMEMBERED:])
    unit = STEPS / lateness_s if lateness_s else math.inf
    seen = 0
    for source, time in _backwards(sources, times):
        seen += 1
        owner = source if source in often else _RARE
        clock = clocks.get(owner)
        if clock is None:
            clocks[owner] = _Clock(time)
            continue
        if len(clock.latest) < OF_A_SOURCE:
            clock.latest.append(time)
        if time < clock.lowest:
            step = (clock.lowest - time) * unit
            clock.lowest = time
            clock.steps += 1.0 if step > 1.0 else step
            if clock.steps >= STEPS:
                break
    if seen < LEAST:
        return -math.inf, seen
    return median_low(shown(clock.latest) for clock in clocks.values()), seen


def _often(sources: Sources) -> set[int]:
    """The sources of at least LEAST arrivals."""
    ordered = np.sort(sources)
    return set(ordered[LEAST - 1 :][ordered[LEAST - 1 :] == ordered[: 1 - LEAST]].tolist())


class _Clock:
    """What is seen of one source, going backwards: its latest times, the earliest so far, and the steps to there."""

    __slots__ = ("latest", "lowest", "steps")

    def __init__(self, time: float) -> None:
        self.latest, self.lowest, self.steps = [time], time, 0.0


def _backwards(sources: Sources, times: Times) -> Iterator[tuple[int, float]]:
    """The arrivals from the last to the first that is remembered."""
    end, first, size = len(times), max(0, len(times) - REMEMBERED), 64
    while end > first:
        start = max(first, end - size)
        yield from zip(sources[start:end][::-1].tolist(), times[start:end][::-1].tolist(), strict=True)
        end, size = start, size * 4


def shown(times: list[float]) -> float:
    """What the clock of a source shows, by its latest arrivals: three quarters of them may be ahead of it.

    That is their lower quartile, moved on by the usual distance of two arrivals for each that lies above it, so that a
    source that is in order shows its newest.
    """
    ordered = sorted(times)
    place = (len(ordered) - 1) // 4
    if len(ordered) <= LEAST:
        return ordered[place]
    usual = median_low([later - earlier for earlier, later in pairwise(ordered)])
    return min(ordered[place] + (len(ordered) - 1 - place) * usual, ordered[-1])
