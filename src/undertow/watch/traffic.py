"""The traffic lane: did what is asked change? It explains alarms and raises notices; it never blames a provider.

Input sizes are ranked within the time of day, route shares are watched one against the rest, weekdays and weekends
each against their own where both are known. After it moved, the lane learns a reference of its own anew: content keeps
its frozen baseline, but the traffic of last month is no reason to doubt a change of today. What moved on a Saturday
says nothing of Monday, so of the other kind of day it keeps what it knew.
"""

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from undertow.config import BaselineConfig
from undertow.watch import week
from undertow.watch.baseline import DAY_S, Baseline, Collector
from undertow.watch.events import MEMBER, Event
from undertow.watch.frame import BoolArray, FloatArray, Frame, IntArray, Names
from undertow.watch.shares import Budget
from undertow.watch.strata import aspects
from undertow.watch.stream import MIN_VALUES
from undertow_detectors import esr, pit, rates
from undertow_detectors.pit import SeedArray

EXTRA_SLACK = 0.02
SHARE_TOLERANCE = 0.15
MAX_BLOCKS = 12
MAX_ROUTES = 8

Ours = Callable[[float, float], bool]
"""Whether our own weights explain that traffic moved between two times, in Unix seconds."""


@dataclass(slots=True)
class Reference:
    """Traffic as it was: input sizes by block of the day, and the share of each route in each block.

    `blocks` is how many a day has; of weekdays and of weekends, where both are known. In a pool each member is a route
    too.
    """

    blocks: tuple[int, ...]
    routes: tuple[str, ...]
    sizes: pit.NumericReference
    shares: list[rates.RateReference]
    per_day: float

    @staticmethod
    def learn(baseline: Baseline, apart: bool) -> "Reference":
        """Blocks as short as MIN_VALUES spans allow, and the most frequent routes; kinds of day `apart` where known."""
        frame = baseline.frame
        both = apart and len(week.known(frame.at, MIN_VALUES)) == 2
        rows = np.bincount(week.kind(frame.at)) if both else [len(frame)]
        blocks = tuple(int(np.clip(n // MIN_VALUES, 1, MAX_BLOCKS)) for n in rows)
        block = _block(frame.at, blocks)
        routes = tuple(route for aspect in aspects(frame.group) for route in _common(aspect))
        total = sum(blocks)
        shares = [
            rates.RateReference.fit(of, block, total, tolerance=SHARE_TOLERANCE, strata_in_runs=True)
            for of in _taken(frame.group, routes)
        ]
        known = ~np.isnan(frame.input_tokens)
        sizes = pit.NumericReference.fit(frame.input_tokens[known], block[known], total)
        return Reference(blocks, routes, sizes, shares, baseline.spans / baseline.days)

    @property
    def directions(self) -> tuple[str, ...]:
        """What each bet is on: sizes first, then each route."""
        shares = (f"{way} {_label(route)}" for route in self.routes for way in esr.DIRECTIONS_BINARY)
        return (*(f"{way} input_tokens" for way in esr.DIRECTIONS_NUMERIC), *shares)

    def payoffs(self, frame: Frame, seeds: SeedArray) -> FloatArray:
        """(n, 12 + 7 routes) payoffs of bets against this traffic."""
        block = _block(frame.at, self.blocks)
        u = pit.uniforms(seeds, "traffic")
        plus, minus = pit.one_sided_ranks(self.sizes, frame.input_tokens, block, u, strata_in_runs=True)
        bets = [esr.numeric_payoffs(np.maximum(0, plus - EXTRA_SLACK), np.minimum(1, minus + EXTRA_SLACK))]
        for of, share in zip(_taken(frame.group, self.routes), self.shares, strict=True):
            bets.append(esr.binary_payoffs(of, share.upper[block], share.lower[block]))
        return np.concatenate(bets, axis=1)


class Traffic:
    """Watches the traffic of one target.

    `learned` is the baseline of its own that replaced the target's after the traffic moved, None until then;
    `collecting_from` is when it began to collect the next one, None while it watches. `moved_at` is when the traffic
    was last found to have moved, NaN for never.
    """

    def __init__(self, config: BaselineConfig, baseline: Baseline) -> None:
        self._config = config
        self.learned: Baseline | None = None
        self.collecting_from: float | None = None
        self.moved_at = math.nan
        self._collector = Collector(config)
        self._known = baseline
        self._watch(Reference.learn(baseline, apart=week.whole(baseline.frame.at)))

    def _learn(self, learned: Baseline) -> None:
        self.learned = self._known = learned
        self._watch(Reference.learn(learned, apart=True))

    def _watch(self, reference: Reference) -> None:
        self.reference = reference
        self.state = esr.State.start(len(reference.directions))
        self.collecting_from = None

    def feed(
        self, frame: Frame, judged: int, shared: Budget, seeds: SeedArray | None = None, ours: Ours = lambda *_: False
    ) -> list[Event]:
        """Judge a frame; `judged` spans came before it. `seeds` (n,) are those of the ids, where known already.

        What is `ours` is told as `rerouted`, and no reason for caution: nobody asks otherwise than before.
        """
        seeds = pit.seeds(frame.span_id.tolist()) if seeds is None else seeds
        events: list[Event] = []
        begin = 0
        while begin < len(frame):
            rest = frame[begin:]
            if self.collecting_from is not None:
                begin += self.collect(rest)
                continue
            alarm = self._judge(rest, shared, seeds[begin:])
            if alarm is None:
                break
            begin += alarm.index + 1
            event = _moved(alarm, judged + begin)
            if ours(event.since, event.at):
                event = replace(event, kind="rerouted", text=f"{event.text}: weights were changed")
            else:
                self.moved_at = alarm.at
            events.append(event)
            self.collecting_from, self._collector = alarm.at, Collector(self._config)
        return events

    def collect(self, frame: Frame) -> int:
        """Gather spans for the next reference; returns how many were taken before it was complete."""
        taken = self._collector.feed(frame)
        if self._collector.complete:
            self._learn(_renewed(self._known, self._collector.freeze()))
        return taken

    def _judge(self, frame: Frame, shared: Budget, seeds: SeedArray) -> esr.Alarm | None:
        threshold = shared.log_threshold(self.reference.per_day)
        bets = self.reference.payoffs(frame, seeds)
        self.state, alarms = esr.advance_payoffs(self.state, bets, frame.at, threshold, self.reference.directions)
        return alarms[0] if alarms else None

    def fork(self) -> "Traffic":
        """Another that goes on from here."""
        made = copy(self)
        made._collector = self._collector.fork()
        return made

    def dump(self) -> dict[str, Any]:
        """JSON from which `restore` goes on."""
        return {
            "moved_at": self.moved_at,
            "collecting_from": self.collecting_from,
            "state": self.state.to_bytes().hex(),
        }

    def restore(self, dumped: dict[str, Any], learned: Baseline | None) -> None:
        """Go on from where `dump` was taken; `learned` was saved beside it. What was being collected is fed again."""
        if learned is not None:
            self._learn(learned)
        self.moved_at, self.collecting_from = dumped["moved_at"], dumped["collecting_from"]
        self.state = esr.State.from_bytes(bytes.fromhex(dumped["state"]))


def _moved(alarm: esr.Alarm, spans: int) -> Event:
    way, _, subject = alarm.direction.partition(" ")
    told = {"up": "went up", "down": "went down", "spread": "spread out"}[way]
    what = "the size of the prompts" if subject == "input_tokens" else f"the share of {subject}"
    since = alarm.at if np.isnan(alarm.since) else alarm.since
    evidence = alarm.log_evidence / np.log(10)
    return Event("traffic", alarm.at, since, spans, subject, way, evidence, f"{what} {told}", "traffic")


def _common(group: Names) -> list[str]:
    """The most frequent values."""
    codes, counts = np.unique(group.codes, return_counts=True)
    return sorted(group.values[code] for code in codes[np.argsort(-counts, kind="stable")][:MAX_ROUTES])


def _taken(group: Names, routes: tuple[str, ...]) -> list[BoolArray]:
    """Which spans took each route."""
    taken = [aspect.recode({route: i for i, route in enumerate(routes)}) for aspect in aspects(group)]
    return [reduce(np.logical_or, [codes == i for codes in taken]) for i in range(len(routes))]


def _block(at: FloatArray, blocks: tuple[int, ...]) -> IntArray:
    kind = week.kind(at) if len(blocks) > 1 else np.zeros(len(at), np.int64)
    in_day: IntArray = np.array(blocks, np.int64)[kind]
    block: IntArray = np.minimum((at % DAY_S / DAY_S * in_day).astype(np.int64), in_day - 1)
    block += np.cumsum([0, *blocks])[kind]
    return block


def _renewed(old: Baseline, new: Baseline) -> Baseline:
    """`new`, with what `old` knew of a kind of day that `new` does not know; at the rate of the busier one."""
    fresh = week.known(new.frame.at, MIN_VALUES)
    missing = [kind for kind in week.known(old.frame.at, MIN_VALUES) if kind not in fresh]
    if not fresh or not missing:
        return new
    kept = np.isin(week.kind(old.frame.at), missing)
    moved = ~np.isin(week.kind(new.frame.at), missing)
    busier = max(old, new, key=lambda one: one.spans / one.days)
    return replace(busier, frame=Frame.concat([old.frame[kept], new.frame[moved]]))


def _label(group: str) -> str:
    operation, _, route = group.partition("\x1f")
    if not operation:
        return MEMBER + route.removeprefix("\x1f")
    return f"route {route}" if route else f"operation {operation}"
