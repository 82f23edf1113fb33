"""Everything that is known of one target or pool: its baseline, its streams, its traffic and what it declares."""

import math
from copy import copy
from typing import Any

import numpy as np

from undertow.config import DetectConfig
from undertow.span import Target
from undertow.watch import crowd, signals, snapshot, week
from undertow.watch.attribution import NEAR_REQUESTS, TRAFFIC_MEMORY_S
from undertow.watch.baseline import DAY_S, Baseline, Collector
from undertow.watch.declared import DECLARATIONS, Declared
from undertow.watch.events import Event
from undertow.watch.frame import Frame
from undertow.watch.heads import NEVER_SEEN
from undertow.watch.homogeneity import report
from undertow.watch.pool import Pool
from undertow.watch.recovery import Recovery
from undertow.watch.roster import is_bucket
from undertow.watch.shares import Budget, of_signal
from undertow.watch.signals import Signal
from undertow.watch.stream import MIN_VALUES, Return, Stream
from undertow.watch.tenants import Tenants
from undertow.watch.trace import Peak
from undertow.watch.traffic import Ours, Traffic
from undertow_detectors import crowding, pit
from undertow_detectors.esr import Alarm

ROWS_AT_ONCE = 16_384
"""So many rows of bets stay in the processor's cache; the results are the same for any number."""


class TargetWatch:
    """Judges the spans of one target in order.

    `spans` counts all of them, of every status. Until `baseline`, the target's `number`th, is frozen they are
    collected from `collected_from` on. `doubts` says of which signals it is not homogeneous, and how; `unlike` are the
    kinds of day (`week`) that it may be unlike. Of a pool only the answers are judged, by a baseline that it is given;
    of a target that stands for many what `crowd` says. `heard` is when the last span ended (Unix s), NaN for never.
    """

    def __init__(
        self, target: Target, config: DetectConfig, collected_from: float = -math.inf, number: int = 1
    ) -> None:
        self.target = target
        self.config = config
        self.collected_from = collected_from
        self.number = number
        self.spans = 0
        self.heard = math.nan
        self.collector = Collector(config.baseline)
        self.baseline: Baseline | None = None
        self.streams: list[Stream] = []
        self.doubts: dict[str, str] = {}
        self.declared: list[Declared] = []
        self.traffic: Traffic | None = None
        self.tenants: Tenants | None = None
        self.unlike: tuple[int, ...] = ()

    @property
    def near_s(self) -> float:
        """How long NEAR_REQUESTS take at the rate of the baseline, in seconds; 0 before there is one."""
        return NEAR_REQUESTS / self.baseline.spans * self.baseline.days * DAY_S if self.baseline else 0.0

    def feed(self, frame: Frame, shared: Budget, ours: Ours = lambda *_: False) -> list[Event]:
        """Judge a frame; what became known, in order of time. Traffic that is `ours` moved because our weights did."""
        events: list[Event] = []
        self.heard = float(frame.at[-1])
        if self.baseline is None:
            taken = self.collector.feed(frame)
            self.spans += taken
            if not self.collector.complete:
                return events
            frame = frame[taken:]
            events += self.begin(self.collector.freeze(self.number))
        for begin in range(0, len(frame), ROWS_AT_ONCE):
            part = frame[begin : begin + ROWS_AT_ONCE]
            events += self._judge(part, shared, ours)
            self.spans += len(part)
        return sorted(events, key=lambda event: event.at)

    def adopt(self, baseline: Baseline) -> None:
        """Judge by `baseline` from now on."""
        self.baseline = baseline
        if is_bucket(self.target):
            self.streams = [Stream.learn(signal, baseline) for signal in crowd.signals(baseline)]
            return
        watched = [(s, self.config.signal(s.name)) for s in signals.of(baseline.frame)]
        learned = [Stream.learn(s, baseline, c.tolerance) for s, c in watched if c.enabled and self._judges(s)]
        self.streams = [s for s in learned if len(s.before) or s.signal in signals.CONTENT]
        self.doubts = {stream.signal.name: text for stream in self.streams if (text := report(stream))}
        self.declared = [Declared(d, d.read(baseline.frame)) for d in DECLARATIONS]
        self.traffic = Traffic(self.config.baseline, baseline)
        self.tenants = Tenants.learn(baseline.frame)
        self.unlike = week.unlike(baseline.frame.at, MIN_VALUES)

    def stream(self, subject: str) -> Stream | None:
        """The stream that tells of `subject`: a signal, or a class of one."""
        return next((stream for stream in self.streams if stream.head(subject)), None)

    def share(self, shared: Budget, stream: Stream) -> Budget:
        """What one of its streams may spend of the share of a target."""
        judged = [one.signal.name for one in self.streams if one.sufficient]
        return of_signal(shared, self.config, stream.signal.name, judged)

    def begin(self, baseline: Baseline) -> list[Event]:
        """Judge by `baseline`, which was just frozen; what is wrong with it."""
        self.adopt(baseline)
        return [
            Event("baseline", baseline.end, baseline.start, self.spans, signal, text=text)
            for signal, text in self.doubts.items()
        ]

    def _judges(self, signal: Signal) -> bool:
        return signal.lane == "content" or not isinstance(self.target, Pool)

    def _judge(self, frame: Frame, shared: Budget, ours: Ours) -> list[Event]:
        events = [e for one in self.declared for e in one.feed(frame, self.spans)]
        seeds = pit.seeds(frame.span_id.tolist())
        unsettled = np.zeros(len(frame), np.bool_)
        if self.traffic is not None:
            before = self.traffic.moved_at
            moved = self.traffic.feed(frame, self.spans, shared.split(len(signals.CONTENT)), seeds, ours)
            events += moved
            unlike = np.isin(week.kind(frame.at), self.unlike)
            for at in (before, *(event.at for event in moved if event.kind == "traffic")):
                unsettled |= (frame.at > at) & (unlike | (frame.at <= at + TRAFFIC_MEMORY_S))
        weights = self.tenants.weigh(frame) if self.tenants else None
        for stream in self.streams:
            found = stream.feed(frame, self.share(shared, stream), unsettled, seeds, weights)
            events += (_told(stream, one, self.spans + row + 1, frame[row : row + 1]) for row, one in found)
        return events

    def fork(self) -> "TargetWatch":
        """Another that goes on from here; what is never changed in place is shared."""
        made = copy(self)
        made.collector, made.tenants = self.collector.fork(), copy(self.tenants)
        made.streams = [stream.fork() for stream in self.streams]
        made.declared = [declared.fork() for declared in self.declared]
        made.traffic = self.traffic.fork() if self.traffic else None
        return made

    @property
    def collecting_from(self) -> float | None:
        """Since when spans are collected, for a baseline or for the traffic to be known anew; None: they are not."""
        if self.baseline is None:
            return self.collected_from
        return self.traffic.collecting_from if self.traffic else None

    def collect(self, frame: Frame) -> None:
        """Take spans again that were being collected when the state was saved."""
        if self.traffic:
            self.traffic.collect(frame)
        else:
            self.collector.feed(frame)

    def dump(self) -> bytes:
        """What changes from span to span; small."""
        values: dict[str, Any] = {"spans": self.spans, "collected_from": self.collected_from, "number": self.number}
        values["heard"] = self.heard
        if self.baseline is not None:
            values["streams"] = {s.signal.name: s.state.to_bytes().hex() for s in self.streams}
            values["recovering"] = {
                s.signal.name: {subject: one.dump() for subject, one in s.recovering.items()}
                for s in self.streams if s.recovering
            }  # fmt: skip
            values["traces"] = {s.signal.name: s.trace.now for s in self.streams if s.trace.now}
            values["declared"] = {d.declaration.field: d.dump() for d in self.declared}
        if self.traffic is not None:
            values["traffic"] = self.traffic.dump()
        if self.tenants is not None:
            values["tenants"] = self.tenants.state.to_bytes().hex()
        return snapshot.dump(values, {})

    def restore(self, blob: bytes, learned: Baseline | None) -> None:
        """Go on from where `dump` was taken; baseline and the traffic's `learned` one are saved beside it."""
        values, _ = snapshot.load(blob)
        self.spans, self.collected_from = values["spans"], values["collected_from"]
        self.number, self.heard = values.get("number", 1), values.get("heard", math.nan)
        for stream in self.streams:
            if stream.signal.name in values["streams"]:
                stream.state = type(stream.state).from_bytes(bytes.fromhex(values["streams"][stream.signal.name]))
            if traced := values.get("traces", {}).get(stream.signal.name):
                stream.trace.now = Peak(*traced)
            recovering = values.get("recovering", {}).get(stream.signal.name, {})
            stream.recovering = {subject: Recovery.load(one) for subject, one in recovering.items()}
        for declared in self.declared:
            if declared.declaration.field in values["declared"]:
                declared.restore(values["declared"][declared.declaration.field])
        if self.traffic is not None:
            self.traffic.restore(values["traffic"], learned)
        if self.tenants is not None and "tenants" in values:
            self.tenants.state = crowding.State.from_bytes(bytes.fromhex(values["tenants"]))


def _told(stream: Stream, found: Alarm | Return, spans: int, row: Frame) -> Event:
    """What a stream found, at the target's span number `spans`, which is `row`."""
    lane = stream.signal.lane
    if isinstance(found, Return):
        at, since = found.found.at, found.found.since
        return Event("recovered", at, since, spans, found.subject, found.direction, lane=lane)
    since = found.at if np.isnan(found.since) else found.since
    evidence = found.log_evidence / math.log(10)
    subject, text = stream.subject(found), ""
    if lane == "errors" and subject.endswith(NEVER_SEEN):
        outcome = row.names("outcome")
        text = f"such as {outcome.values[outcome.codes[0]]}"
    return Event("drift", found.at, since, spans, subject, found.direction, evidence, text, lane)
