"""What would be noticed on each stream, and how soon, from its own volume and noise. Operators tune by it."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from undertow.watch.frame import FloatArray
from undertow.watch.heads import Number, Rate
from undertow.watch.pool import named
from undertow.watch.shares import Budget, Fleet
from undertow.watch.stream import Stream
from undertow.watch.target import TargetWatch
from undertow_detectors import pit
from undertow_detectors.detectability import expected_delay, moved_rates, scaled, smallest_change

RELATIVE_CHANGES = (-0.2, -0.1, -0.05, 0.05, 0.1, 0.2)
"""Changes of a number that a delay is told for, as proportions of what it was."""
RATE_CHANGES = (0.01, 0.02, 0.05)
"""Changes of a rate, in proportion: one, two and five points."""
TENFOLD, NEARLY_NOTHING = 9.0, 0.95
MAX_ROWS = 4000
_GOLDEN = (math.sqrt(5) - 1) / 2
"""Its multiples lie evenly in 0..1, so that rounding adds no noise."""

Document = dict[str, Any]
Law = Callable[[float], tuple[FloatArray, FloatArray]]
"""From a change to the log payoffs (n, k) of the bets after it, and how often each row of them comes (n,)."""

Days = Callable[[float], float]
"""From a change to the days until it is noticed."""


class Detectability:
    """What would be noticed; works it out once for each baseline and budget, from which alone it follows."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[TargetWatch, tuple[Budget, list[Stream], list[Document]]] = WeakKeyDictionary()

    def told(self, watches: Sequence[TargetWatch], fleet: Fleet) -> Document:
        """Each signal of each target that has a baseline, as `GET /v1/detectability` tells them."""
        rows = [row for watch in watches for row in self._rows(watch, fleet.share(watch.target))]
        return {"false_alarm_interval_days": fleet.config.false_alarm_interval_days, "signals": rows}

    def _rows(self, watch: TargetWatch, shared: Budget) -> list[Document]:
        budget, streams, rows = self._known.get(watch, (None, None, []))
        if budget != shared or streams is not watch.streams:
            streams = watch.streams
            rows = [named(watch.target) | row for s in streams for row in _rows(s, watch.share(shared, s))]
            self._known[watch] = (shared, streams, rows)
        return rows


def _rows(stream: Stream, shared: Budget) -> Iterator[Document]:
    if not stream.sufficient:
        nothing = dict.fromkeys(("level", "per_day", "within_day", "within_week"))
        kind = "numeric" if stream.signal.kind == "numeric" else "binary"
        yield _named(stream, stream.signal.name, kind) | nothing | {"expected_delay": []}
        return
    for head in stream.heads:
        if isinstance(head, Number):
            yield _named(stream, head.subject, "numeric") | _number(stream, head, shared)
        elif isinstance(head, Rate):
            yield _named(stream, head.subject, "binary") | _event(stream, head, shared)


def _named(stream: Stream, subject: str, kind: str) -> Document:
    return {"signal": subject, "lane": stream.signal.lane, "kind": kind, "baseline_values": len(stream.before)}


def _number(stream: Stream, head: Number, shared: Budget) -> Document:
    """Changes are proportions of `level`, the baseline's mean."""
    days = _days(stream, _of_values(stream, head), shared)
    return _told(stream, float(np.mean(stream.before)), days, TENFOLD, NEARLY_NOTHING, RELATIVE_CHANGES)


def _event(stream: Stream, head: Rate, shared: Budget) -> Document:
    """Changes are differences from `level`, the baseline's rate."""
    days, level = _days(stream, _of_rates(stream, head), shared), float(np.mean(stream.before == head.code))
    return _told(stream, level, days, 1 - level, level, [c for c in RATE_CHANGES if level + c <= 1])


def _days(stream: Stream, law: Law, shared: Budget) -> Days:
    threshold, bets = shared.log_threshold(stream.per_day), len(stream.directions)
    return lambda change: expected_delay(*law(change), threshold, bets) / stream.per_day


def _told(stream: Stream, level: float, days: Days, up: float, down: float, changes: Sequence[float]) -> Document:
    return {
        "level": level,
        "per_day": stream.per_day,
        "within_day": _smallest(days, 1.0, up, down),
        "within_week": _smallest(days, 7.0, up, down),
        "expected_delay": list(_delays(days, changes, stream.per_day)),
    }


def _smallest(days: Days, within: float, up: float, down: float) -> Document:
    smallest = {
        "up": smallest_change(days, within, up),
        "down": smallest_change(lambda change: days(-change), within, down),
    }
    return {way: None if change is None else float(f"{change:.3g}") for way, change in smallest.items()}


def _delays(days: Days, changes: Sequence[float], per_day: float) -> Iterator[Document]:
    for change in changes:
        delay = days(change)
        known = math.isfinite(delay)
        yield {
            "change": change,
            "requests": round(delay * per_day) if known else None,
            "days": float(f"{delay:.3g}") if known else None,
        }


def _of_values(stream: Stream, head: Number) -> Law:
    """The baseline's own values, each larger or smaller by a factor; at most MAX_ROWS, evenly from every stratum."""
    order = np.lexsort((stream.before, stream.before_strata))
    chosen = order[np.linspace(0, len(order) - 1, min(len(order), MAX_ROWS)).astype(np.int64)]
    values, strata = stream.before[chosen], stream.before_strata[chosen]
    even: FloatArray = np.fmod(np.arange(len(values)) * _GOLDEN, 1.0)
    weights, seeds, settled = (
        np.full(len(values), 1 / len(values)),
        _seeds(len(values)),
        np.zeros(len(values), np.bool_),
    )

    def law(change: float) -> tuple[FloatArray, FloatArray]:
        return np.log(head.payoffs(scaled(values, 1 + change, even), strata, seeds, settled)), weights

    return law


def _of_rates(stream: Stream, head: Rate) -> Law:
    """Both outcomes in every stratum, as often as its rate says after the change."""
    strata = np.arange(stream.strata.count)
    counts = np.bincount(stream.before_strata, minlength=len(strata)).astype(np.float64)
    hits = np.bincount(stream.before_strata, weights=stream.before == head.code, minlength=len(strata))
    shares, rates = counts / counts.sum(), hits / np.maximum(counts, 1)
    seeds, settled = _seeds(len(strata)), np.zeros(len(strata), np.bool_)
    outcomes = [np.full(len(strata), x) for x in (head.code, np.nan)]
    log_bets = np.log(np.concatenate([head.payoffs(x, strata, seeds, settled) for x in outcomes]))

    def law(change: float) -> tuple[FloatArray, FloatArray]:
        moved = moved_rates(rates, shares, change)
        return log_bets, np.concatenate([shares * moved, shares * (1 - moved)])

    return law


def _seeds(n: int) -> pit.SeedArray:
    return pit.seeds([str(i) for i in range(n)])
