"""One signal of one target against its frozen reference."""

import math
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import numpy as np

from undertow.watch import mix, owners, performance, recovery
from undertow.watch.baseline import Baseline
from undertow.watch.frame import UNNAMED, BoolArray, FloatArray, Frame, IntArray, Names
from undertow.watch.heads import Head, Number, class_heads, rate_head
from undertow.watch.recovery import Recovery, Returned
from undertow.watch.shares import Budget
from undertow.watch.signals import Signal
from undertow.watch.strata import Strata, fit
from undertow.watch.trace import Trace
from undertow_detectors import crowding, effect, esr, pit
from undertow_detectors.pit import SeedArray

MIN_VALUES = 500
"""A signal or a stratum with fewer values of its own is insufficient (CONTRACTS 2, "Who takes part")."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A move of one signal over a given time: `size` in mean rank or rate, `error` its standard deviation."""

    size: float
    error: float


@dataclass(frozen=True, slots=True)
class Return:
    """`subject`, which went `direction`, is back to its reference."""

    subject: str
    direction: str
    found: Returned


@dataclass(slots=True)
class Stream:
    """An e-SR detector (Shin, Ramdas and Rinaldo, arXiv 2203.03532), its strata and its reference.

    `before` and `before_strata` are the reference values and their strata. Values of a categorical signal are codes
    into `classes`, -1 for one that is not among them; latencies are multiples of `curve`, numbers of a pool of the
    `levels` of its members: how much larger theirs are than their siblings' on the same routes. `shares` are how much
    of the reference each member of a pool has, and `usual` is the stratum with most of it. `recovering` holds what
    alarmed, by subject, until it is back, and `trace` the evidence over time. A stream with fewer than MIN_VALUES of
    them is insufficient, which is a state of its own and not "ok"; it raises no alarm.
    """

    signal: Signal
    classes: dict[str, int]
    curve: FloatArray | None = None
    levels: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(init=False, default_factory=dict)
    usual: int = field(init=False, default=-1)
    strata: Strata = field(init=False)
    before: FloatArray = field(init=False)
    before_strata: IntArray = field(init=False)
    per_day: float = field(init=False)
    heads: Sequence[Head] = field(init=False)
    state: esr.State = field(init=False)
    recovering: dict[str, Recovery] = field(init=False, default_factory=dict)
    trace: Trace = field(init=False, default_factory=Trace)

    @staticmethod
    def learn(signal: Signal, baseline: Baseline, tolerance: float = 0.0) -> "Stream":
        """The stream for `signal`, its reference taken from the baseline."""
        made = Stream(signal, _classes(signal, baseline.frame))
        known = ~np.isnan(made.values(baseline.frame))
        rows = baseline.frame[known]
        timed = signal.lane == "performance" and signal.kind == "numeric"
        if timed:
            made.curve = performance.day_curve(rows.at, made.values(rows))
        elif signal.kind == "numeric":
            made.levels = owners.levels(rows.group, made.values(rows))
        x = made.values(rows)
        conditions = signal.conditions(rows)
        strata = fit(*conditions, MIN_VALUES)
        stratum = strata.assign(*conditions)
        made.usual = int(np.argmax(np.bincount(stratum[stratum >= 0]))) if np.any(stratum >= 0) else -1
        stratum = made.placed_unnamed(rows, stratum)
        inside = stratum >= 0
        made.per_day = max(1, len(x)) * baseline.thinning / baseline.days
        tolerance = max(tolerance, signal.tolerance)
        if timed:
            tolerance = max(tolerance, performance.tolerance(rows.at, x))
        made.strata, made.before, made.before_strata = strata, x[inside], stratum[inside]
        made.shares = owners.shares(rows.group[inside])
        made.heads = _heads(made, tolerance)
        made.state = esr.State.start(len(made.directions))
        return made

    def fork(self) -> "Stream":
        """Another that goes on from here."""
        made = copy(self)
        made.recovering, made.trace = dict(self.recovering), self.trace.fork()
        return made

    @property
    def sufficient(self) -> bool:
        """Whether the reference is large enough to judge by."""
        return len(self.before) >= MIN_VALUES

    @property
    def directions(self) -> tuple[str, ...]:
        """What each bet of the mixture bets on."""
        return tuple(way for head in self.heads for way in head.directions)

    def head(self, subject: str) -> Head | None:
        """What watches `subject`: the signal itself, or one class of it."""
        return next((head for head in self.heads if head.subject == subject), None)

    def feed(
        self, frame: Frame, shared: Budget, unsettled: BoolArray | None = None, seeds: SeedArray | None = None,
        weights: FloatArray | None = None,
    ) -> list[tuple[int, esr.Alarm | Return]]:  # fmt: skip
        """Judge a frame; alarms and returns, each with the row that showed it.

        `unsettled` (n,) marks rows after the traffic moved, on which a change of content must be larger to count.
        `seeds` (n,) are those of the span ids, where they are known already. `weights` (n,) say how much each answer
        counts, None that all count in full; content alone is weighed.
        """
        if not self.sufficient:
            return []
        x, stratum, taking_part = self.known(frame)
        rows = np.flatnonzero(taking_part)
        if not len(rows):
            return []
        content, at = self.signal.lane == "content", frame.at[rows]
        careful = unsettled[rows] if content and unsettled is not None else np.zeros(len(rows), np.bool_)
        seeds = pit.seeds(frame.span_id[rows].tolist()) if seeds is None else seeds[rows]
        bets = [head.payoffs(x, stratum, seeds, careful) for head in self.heads]
        threshold = shared.log_threshold(self.per_day)
        payoffs = bets[0] if len(bets) == 1 else np.concatenate(bets, axis=1)
        if weights is not None and content:
            payoffs = crowding.smaller(payoffs, weights[rows])
        self.state, alarms, evidence = esr.trace_payoffs(self.state, payoffs, at, threshold, self.directions)
        self.trace.feed(at, evidence, threshold)
        members = owners.members(frame.group[rows]) if self.shares else []
        returns = self._returns(x, stratum, seeds, at, alarms, threshold, members)
        found: list[tuple[int, esr.Alarm | Return]] = [(alarm.index, alarm) for alarm in alarms]
        found += ((one.found.index, one) for one in returns)
        return [(int(rows[index]), one) for index, one in sorted(found, key=lambda each: each[0])]

    def _returns(
        self, x: FloatArray, stratum: IntArray, seeds: SeedArray, at: FloatArray, alarms: Sequence[esr.Alarm],
        log_threshold: float, members: Sequence[str],
    ) -> Iterator[Return]:  # fmt: skip
        """What alarmed before, or does now, and came back. Of a pool, `members` (n,) say whose each value is."""
        first = 0
        for head in self.heads:
            own = [alarm for alarm in alarms if self.subject(alarm) == head.subject]
            bounds = [0, *(alarm.index + 1 for alarm in own), len(x)]
            for i, (begin, end) in enumerate(pairwise(bounds)):
                if i:
                    self._expect(head, own[i - 1].component - first)
                now = self.recovering.get(head.subject)
                if now is None or begin == end:
                    continue
                given = x[begin:end], stratum[begin:end], seeds[begin:end], now.direction
                y, bets = head.off(*given), partial(head.back, *given)
                weights = None
                if self.shares:
                    heard, weights = mix.comparable(self.shares, now.heard, members[begin:end])
                    now = replace(now, heard=heard)
                self.recovering[head.subject], found = recovery.advance(
                    now, y, bets, at[begin:end], log_threshold, weights
                )
                if found:
                    del self.recovering[head.subject]
                    yield Return(head.subject, now.direction, replace(found, index=begin + found.index))
            first += len(head.directions)

    def _expect(self, head: Head, bet: int) -> None:
        """Watch for the return of what the bet won on, unless that is done already."""
        now = self.recovering.get(head.subject)
        if now is None or now.direction != head.directions[bet]:
            self.recovering[head.subject] = head.returning(bet)

    def subject(self, alarm: esr.Alarm) -> str:
        """What the winning bet of an alarm was about."""
        subjects = [head.subject for head in self.heads for _ in head.directions]
        return subjects[alarm.component]

    def shift(self, frame: Frame, subject: str, direction: str) -> Shift | None:
        """How far `subject` moved in `direction` on all of `frame`; None where nothing can be compared."""
        moved = self.moves(frame, subject, direction)
        if moved is None:
            return None
        moves, _ = moved
        return Shift(float(np.mean(moves)), float(np.std(moves)) / math.sqrt(len(moves)))

    def moves(
        self, frame: Frame, subject: str, direction: str, seeds: SeedArray | None = None
    ) -> tuple[FloatArray, BoolArray] | None:
        """How far each value of `subject` is off in `direction`, and which rows have one; None where none has.

        `seeds` (n,) stand for the span ids of a baseline, which are not saved with it.
        """
        x, stratum, rows = self.known(frame)
        head = self.head(subject)
        if head is None or not self.sufficient or not len(x):
            return None
        seeds = pit.seeds(frame.span_id[rows].tolist()) if seeds is None else seeds[rows]
        moves = head.moves(x, stratum, seeds, direction)
        return -moves if direction == "down" else moves, rows

    def change(self, after: Frame, subject: str = "") -> effect.Effect | None:
        """How large the change of `subject`, or of the first head, is on the spans `after` it."""
        x, stratum, _ = self.known(after)
        head = self.head(subject) or self.heads[0]
        return head.change(self.before, self.before_strata, x, stratum)

    def known(self, frame: Frame) -> tuple[FloatArray, IntArray, BoolArray]:
        """Values and strata of the spans that take part, and which spans these are, (n,)."""
        x, stratum = self.placed(frame)
        rows = ~np.isnan(x) & (stratum >= 0)
        return x[rows], stratum[rows], rows

    def placed(self, frame: Frame) -> tuple[FloatArray, IntArray]:
        """(n,) values and strata; NaN and -1 where a span has none."""
        return self.values(frame), self.placed_unnamed(frame, self.strata.assign(*self.signal.conditions(frame)))

    def placed_unnamed(self, frame: Frame, stratum: IntArray) -> IntArray:
        """Put failures that name neither target nor a known route where most answers are: one outage is one rate."""
        return np.where((stratum < 0) & (frame.numbers(UNNAMED) == 1), self.usual, stratum)

    def values(self, frame: Frame) -> FloatArray:
        """(n,) values, NaN where the span takes no part."""
        column = self.signal.read(frame)
        if isinstance(column, Names):
            column = np.where(column.codes < 0, np.nan, column.recode(self.classes))
        elif self.curve is not None:
            column = performance.relative(frame.at, column, self.curve)
        elif self.levels:
            column = column / owners.each(frame.group, self.levels)
        return np.where(self.signal.takes_part(frame), column, np.nan)

    @property
    def log10_evidence(self) -> float:
        """Evidence now, as a power of ten; 0 at the start."""
        return max(0.0, esr.log_evidence(self.state) / math.log(10))


def _classes(signal: Signal, frame: Frame) -> dict[str, int]:
    column = signal.read(frame)
    return {value: code for code, value in enumerate(sorted(set(column.values)))} if isinstance(column, Names) else {}


def _heads(stream: Stream, tolerance: float) -> tuple[Head, ...]:
    signal, x, strata, n_strata = stream.signal, stream.before, stream.before_strata, stream.strata.count
    if signal.kind == "numeric":
        reference = pit.NumericReference.fit(x, strata, n_strata)
        ways = esr.DIRECTIONS_NUMERIC[: esr.DIRECTIONS_NUMERIC.count("up") if signal.rising_only else None]
        return (Number(signal.name, reference, tolerance, signal.lane == "performance", ways),)
    if signal.kind == "binary":
        return (rate_head(signal.name, 1, x == 1, strata, n_strata, tolerance, signal.rising_only),)
    values = list(stream.classes)
    return class_heads(signal.name, values, x, strata, n_strata, tolerance, signal.rising_only, signal.apart)
