"""Simulated streams judged step by step, so that pictures can show what the detectors saw."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from undertow.batch import Batch, Decoded, Origin
from undertow.config import Config
from undertow.span import Span, Target
from undertow.store import Store
from undertow.watch import sizing
from undertow.watch.events import Event, Kind
from undertow.watch.frame import COLUMNS, FloatArray, Frame, by_target
from undertow.watch.shares import Budget
from undertow.watch.stream import Stream
from undertow.watch.target import TargetWatch
from undertow_collectors.scenarios import GPT_4O, Endpoint, Scenario
from undertow_collectors.simulate import EPOCH, traffic
from undertow_detectors import esr

HOUR_S, DAY_S = 3600.0, 86_400.0
ONSET = EPOCH + 3.5 * DAY_S
"""When every planted change comes: Thursday, 12:00 UTC."""
LOG10 = math.log(10)

Path: TypeAlias = list[tuple[float, float]]
"""Times (Unix s) and values."""

More: TypeAlias = Callable[[TargetWatch], Sequence[Stream]]
"""Streams beside those that a baseline brings."""


@dataclass(slots=True)
class Recording:
    """The spans of one target, what judged them, what became known, and the evidence (log10) along the way."""

    frame: Frame
    watch: TargetWatch
    shared: Budget
    events: list[Event] = field(default_factory=list)
    evidence: dict[str, Path] = field(default_factory=dict)

    def stream(self, subject: str) -> Stream:
        """What watches `subject`."""
        return next(s for s in self.watch.streams if s.signal.name == subject)

    def threshold(self, subject: str) -> float:
        """log10 of the evidence that is an alarm of the stream."""
        stream = self.stream(subject)
        return self.watch.share(self.shared, stream).log_threshold(stream.per_day) / LOG10

    def first(self, kind: Kind, subject: str) -> Event:
        """The first event of its kind, `subject` with or without a class."""
        return next(e for e in self.events if e.kind == kind and e.subject.partition("=")[0] == subject)

    def interval(self, alarm: Event) -> tuple[float, float]:
        """Where the change may have been, as an incident tells it."""

        def between(_: Target, since: float, until: float) -> Frame:
            return self.frame[(self.frame.at > since) & (self.frame.at <= until)]

        size = sizing.measure(self.watch, alarm, alarm.since, self.watch.near_s, between)
        if size is None or size.interval is None:
            raise ValueError(f"{alarm.subject} has no interval; simulate another seed")
        return size.interval

    def until_alarm(self, alarm: Event) -> Path:
        """The evidence up to an alarm, which is its last point; afterwards it starts anew."""
        path = self.evidence[alarm.subject.partition("=")[0]]
        return [(at, y) for at, y in path if at < alarm.at] + [(alarm.at, alarm.log10_evidence)]


def simulated(scenario: Scenario, days: float, then: Endpoint = GPT_4O) -> list[Span]:
    """Traffic at one endpoint with a change at ONSET, after which the endpoint is `then`; 3,000 calls a day."""

    def of(endpoint: Endpoint) -> Iterable[Span]:
        return traffic(scenario, 1, days=days, onset_days=(ONSET - EPOCH) / DAY_S, per_day=3000, fleet=[endpoint])

    if then == GPT_4O:
        return list(of(GPT_4O))
    return [b if a.started_at >= ONSET else a for a, b in zip(of(GPT_4O), of(then), strict=True)]


def record(spans: Sequence[Span], begin: float, more: More = lambda _: (), step_s: float = 900.0) -> Recording:
    """Judge `spans` as configured by default, from `begin` on looking at the evidence every `step_s` seconds."""
    config = Config().detect
    store = Store.open(None, lateness_s=config.lateness_s, clock=None)
    batch = Batch()
    for offset, span in enumerate(spans):
        batch.add(Origin("t", 0, offset), Decoded("native", [span]))
    store.ingest(batch)
    [(target, frame)] = by_target(store.released(None, spans[-1].ended_at, columns=COLUMNS))
    store.close()
    made = Recording(frame, TargetWatch(target, config), Budget(config.false_alarm_interval_days, 1))
    _judge(made, more, [*np.arange(frame.at[0], begin, DAY_S / 4), *np.arange(begin, frame.at[-1], step_s), math.inf])
    return made


def _judge(made: Recording, more: More, steps: Sequence[float]) -> None:
    at, watch = made.frame.at, made.watch
    apart: Sequence[Stream] = ()
    for step, end in pairwise(steps):
        part = made.frame[np.searchsorted(at, step) : np.searchsorted(at, end)]
        if len(part):
            made.events += watch.feed(part, made.shared)
        if watch.baseline is None:
            continue
        apart = apart or more(watch)
        for stream in apart if len(part) else ():
            found = [
                one for _, one in stream.feed(part, watch.share(made.shared, stream)) if isinstance(one, esr.Alarm)
            ]
            made.events += (_drift(stream.signal.name, alarm) for alarm in found)
        for name, value in _evidence(watch, apart):
            made.evidence.setdefault(name, []).append((float(min(end, at[-1])), value))


def _drift(subject: str, alarm: esr.Alarm) -> Event:
    return Event("drift", alarm.at, alarm.since, 0, subject, alarm.direction, alarm.log_evidence / LOG10)


def _evidence(watch: TargetWatch, apart: Sequence[Stream]) -> Iterator[tuple[str, float]]:
    yield from ((stream.signal.name, stream.log10_evidence) for stream in (*watch.streams, *apart))
    if watch.traffic:
        yield "traffic", max(0.0, esr.log_evidence(watch.traffic.state) / LOG10)
    for declared in watch.declared:
        yield declared.declaration.field, float(declared.state.cusum.max(initial=0.0)) / LOG10


def binned(at: FloatArray, x: FloatArray, width_s: float, least: int = 5, of: str = "median") -> Path:
    """Median or mean of known `x` (n,) in bins of `width_s` with at least so many values, at the middle of each."""
    known = ~np.isnan(x)
    slots = np.floor(at[known] / width_s)
    numbers, counts = np.unique(slots, return_counts=True)
    told = np.mean if of == "mean" else np.median
    return [
        (float((n + 0.5) * width_s), float(told(x[known][slots == n])))
        for n, count in zip(numbers, counts, strict=True) if count >= least
    ]  # fmt: skip


def rolling_median(at: FloatArray, x: FloatArray, values: int, every: int) -> Path:
    """Median of the last `values` known values, at every so manieth."""
    at, x = at[~np.isnan(x)], x[~np.isnan(x)]
    return [(float(at[i]), float(np.median(x[i - values + 1 : i + 1]))) for i in range(values - 1, len(x), every)]
