"""How large a change is, since when, where, and what it costs a day: measured on the spans around it.

The change is dated anew from the spans before and after it (`undertow_detectors.changepoint`), with an interval that
covers. Effects are of everything since then, standardised to the strata of the later traffic. All of it comes from data
that an alarm selected, so it looks larger than it is; the more data came since, the less so.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from undertow.span import Target
from undertow.watch.baseline import Baseline
from undertow.watch.events import Event
from undertow.watch.frame import FloatArray, Frame, IntArray, Lookup
from undertow.watch.signals import by_question
from undertow.watch.strata import Strata, fit
from undertow.watch.stream import MIN_VALUES, Stream
from undertow.watch.target import TargetWatch
from undertow_detectors import changepoint, effect, pit
from undertow_detectors.effect import Effect

MOST_STRATA = 12
SELECTED = "measured on spans that an alarm selected, so it looks larger than it is; less so as more come"
LEAST_ROWS = 30
"""A stratum with fewer values after the change is not told by itself."""

REACHES = (1, 4, 16)
"""How far before the estimate the spans are looked at, in multiples of `Facts.near_s`, until they reach far enough."""

Values = Callable[[Frame], FloatArray]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """The effect in one stratum: a route, or several small ones, and a range of input sizes, in words."""

    route: str
    input_size: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Cost:
    """How much more is spent a day than before, at the baseline's rate of answers; intervals are of 95 %."""

    tokens_per_day: float | None
    tokens_ci95: Interval | None
    usd_per_day: float | None
    usd_ci95: Interval | None


@dataclass(frozen=True, slots=True)
class Sizing:
    """What is known of a change.

    `change_point` is the event time of the first span after it and `interval` a 95 % interval for it (Unix s). Both are
    None where the signal's detector cannot be asked, the interval also where the spans do not reach back far enough.
    """

    change_point: float | None
    interval: Interval | None
    effect: Effect | None
    parts: tuple[Part, ...]
    cost: Cost | None

    def of_signal(self) -> dict[str, Any]:
        """What a signal of an incident tells (CONTRACTS 2)."""
        return {
            "effect": told(self.effect) if self.effect else None,
            "strata": [{"route": p.route, "input_size": p.input_size} | told(p.effect) for p in self.parts],
            "change_point": self.change_point,
            "change_point_interval": list(self.interval) if self.interval else None,
        }

    def of_incident(self) -> dict[str, Any] | None:
        """The incident's `cost`."""
        if self.cost is None:
            return None
        return {
            "tokens_per_day": _rounded(self.cost.tokens_per_day),
            "tokens_ci95": _rounded_ends(self.cost.tokens_ci95),
            "usd_per_day": _rounded(self.cost.usd_per_day),
            "usd_ci95": _rounded_ends(self.cost.usd_ci95),
            "note": SELECTED,
        }


def measure(watch: TargetWatch, event: Event, since: float, near_s: float, lookup: Lookup) -> Sizing | None:
    """Measure the change that `event` tells of, on the spans until then; `since` is the estimate of it so far.

    None where the signal is not one that can be measured, or its spans are gone.
    """
    stream = watch.stream(event.subject)
    if stream is None or watch.baseline is None:
        return None
    around = _around(watch.target, stream, event, (since, near_s), lookup)
    if around is None:
        return None
    frame, found = around
    after = frame[frame.at >= (found.at if found else since)]
    return Sizing(
        found.at if found else None,
        (found.low, found.high) if found and not found.open_start else None,
        stream.change(after, event.subject),
        tuple(_parts(stream, event.subject, after)),
        _cost(watch.baseline, after),
    )


def _around(
    target: Target, stream: Stream, event: Event, estimate: tuple[float, float], lookup: Lookup
) -> tuple[Frame, changepoint.ChangeTime | None] | None:
    """The spans around a change, from far enough before it to date it, and its date."""
    (since, near_s), seen = estimate, None
    for reach in REACHES:
        frame = lookup(target, since - reach * near_s, event.at)
        if frame is None:
            break
        seen = frame, _dated(stream, frame, event)
        if seen[1] is None or not seen[1].open_start:
            break
    return seen


def _dated(stream: Stream, frame: Frame, event: Event) -> changepoint.ChangeTime | None:
    """The change time by the bet on the event's direction that the spans speak most for."""
    x, stratum, rows = stream.known(frame)
    head = stream.head(event.subject)
    if head is None or not len(x):
        return None
    bets = head.plain_bets(x, stratum, pit.seeds(frame.span_id[rows].tolist()))
    choices = [k for k, name in enumerate(head.directions) if name == event.direction]
    if not choices:
        return None
    gain = np.cumsum(bets[::-1, choices], axis=0).max(axis=0)
    return changepoint.locate(bets[:, choices[int(np.argmax(gain))]], frame.at[rows])


def _parts(stream: Stream, subject: str, after: Frame) -> Iterator[Part]:
    """The strata with the most values after the change, largest first; only those that are routes and input sizes."""
    if stream.signal.conditions is not by_question:
        return
    x, stratum, _ = stream.known(after)
    counts = np.bincount(stratum, minlength=stream.strata.count)
    labels = list(_labels(stream.strata))
    for s in np.argsort(-counts, kind="stable")[:MOST_STRATA]:
        inside = stratum == s
        if counts[s] >= LEAST_ROWS and (of := _effect(stream, subject, x[inside], int(s))):
            route, input_size = labels[s]
            yield Part(route, input_size, of)


def _effect(stream: Stream, subject: str, after: FloatArray, s: int) -> Effect | None:
    before = stream.before[stream.before_strata == s]
    one, other = np.zeros(len(before), np.int64), np.zeros(len(after), np.int64)
    head = stream.head(subject)
    return head.change(before, one, after, other) if head else None


def _labels(strata: Strata) -> Iterator[tuple[str, str]]:
    """Route and input size of each stratum, in words."""
    for group, edges in enumerate(strata.edges):
        names = sorted({_route(name) or "no route" for name, g in strata.groups.items() if g == group})
        route = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        ends = [f"{edge:,.0f}" for edge in edges]
        yield from ((route, text) for text in _ranges(ends))


def _route(group: str) -> str:
    """Of operation, route and, in a pool, member."""
    return group.split("\x1f")[:2][-1]


def _ranges(ends: list[str]) -> Iterator[str]:
    if not ends:
        yield "any input size"
        return
    yield f"under {ends[0]} input tokens"
    yield from (f"{low} to {high} input tokens" for low, high in pairwise(ends))
    yield f"{ends[-1]} input tokens or more"


def _cost(baseline: Baseline, after: Frame) -> Cost | None:
    """Answers of the same route and input size are compared."""
    strata = fit(baseline.frame.group, baseline.frame.input_tokens, MIN_VALUES)
    tokens = _per_day(lambda f: np.where(f.content, f.output_tokens, np.nan), strata, baseline, after)
    usd = _per_day(lambda f: np.where(f.content, f.numbers("cost_usd"), np.nan), strata, baseline, after)
    return Cost(*(tokens or (None, None)), *(usd or (None, None))) if tokens or usd else None


def _per_day(
    values: Values, strata: Strata, baseline: Baseline, after: Frame
) -> tuple[float, tuple[float, float]] | None:
    """How much more of a quantity a day, at equal strata and at the baseline's rate of spans that have one."""
    (x, of_x), (y, of_y) = (_known(values(f), strata, f) for f in (baseline.frame, after))
    more = effect.mean_difference(x, of_x, y, of_y)
    if more is None:
        return None
    rate = len(x) * baseline.thinning / baseline.days
    return more.value * rate, (more.ci95[0] * rate, more.ci95[1] * rate)


def _known(x: FloatArray, strata: Strata, frame: Frame) -> tuple[FloatArray, IntArray]:
    stratum = strata.assign(frame.group, frame.input_tokens)
    rows = ~np.isnan(x) & (stratum >= 0)
    return x[rows], stratum[rows]


def told(of: Effect) -> dict[str, Any]:
    """An effect as documents tell it."""
    return {
        "name": of.name,
        "value": _rounded(of.value),
        "ci95": _rounded_ends(of.ci95),
        "n_before": of.n_before,
        "n_after": of.n_after,
    }


def _rounded(x: float | None) -> float | None:
    """Four decimals or, below 1, four digits."""
    return x if x is None else round(x, 4 - (math.floor(math.log10(abs(x))) if 0 < abs(x) < 1 else 0))


def _rounded_ends(ends: Interval | None) -> list[float | None] | None:
    return [_rounded(end) for end in ends] if ends else None
