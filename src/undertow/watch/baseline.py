"""The baseline: the first spans of a target, frozen once there are enough of them over enough time.

It is never rolled forward: a reference that follows the traffic absorbs the drift it should show.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from undertow.config import BaselineConfig
from undertow.watch import snapshot
from undertow.watch.frame import Frame, Names
from undertow.watch.signals import Signal
from undertow_detectors.pit import uniforms

MAX_ROWS = 50_000
MAX_PARTS = 16
"""So many frames are kept side by side: those of a span or two take more room than the spans in them."""
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """A frozen reference sample.

    `frame` holds at most MAX_ROWS of the `spans` that were collected from `start` to `end` (Unix seconds); `ok_spans`
    of them succeeded. `thinning` is spans over rows. The first baseline of a target has `number` 1, and each that a
    person accepts instead one more.
    """

    frame: Frame
    spans: int
    ok_spans: int
    start: float
    end: float
    number: int = 1

    @property
    def days(self) -> float:
        """How long was collected, in days."""
        return max(self.end - self.start, 1.0) / DAY_S

    @property
    def thinning(self) -> float:
        """How many collected spans each kept row stands for."""
        return self.spans / len(self.frame)


class Collector:
    """Gathers spans until the baseline is complete; a span's own time decides, never the clock or the batch."""

    def __init__(self, config: BaselineConfig) -> None:
        self._config = config
        self._parts: list[Frame] = []
        self.spans = 0
        self.ok_spans = 0
        self.start = float("nan")
        self.end = float("nan")

    def feed(self, frame: Frame) -> int:
        """Take spans up to the one that completes the baseline; returns how many were taken.

        Fewer than `len(frame)`, or equal with `complete` true, means that the baseline can be frozen.
        """
        if np.isnan(self.start):
            self.start = float(frame.at[0])
        enough = self.ok_spans + np.cumsum(frame.ok) >= self._config.min_spans
        enough &= frame.at - self.start >= self._config.min_hours * 3600
        taken = int(np.argmax(enough)) + 1 if enough.any() else len(frame)
        part = frame if taken == len(frame) else frame[:taken]
        self._parts.append(part)
        self.spans += taken
        self.ok_spans += int(part.ok.sum())
        self.end = float(part.at[-1])
        if sum(map(len, self._parts)) > 2 * MAX_ROWS:
            self._parts = [thin(Frame.concat(self._parts))]
        elif len(self._parts) > MAX_PARTS:
            self._parts = [Frame.concat(self._parts)]
        return taken

    def fork(self) -> "Collector":
        """Another that goes on from here."""
        made = copy(self)
        made._parts = list(self._parts)
        return made

    @property
    def complete(self) -> bool:
        """Whether both conditions are met."""
        return self.ok_spans >= self._config.min_spans and self.end - self.start >= self._config.min_hours * 3600

    def values(self, of: Iterable[Signal]) -> dict[str, int]:
        """How many values of numeric and binary signals are collected, by name."""
        return {
            signal.name: sum(
                int(np.sum(signal.takes_part(part) & ~np.isnan(np.asarray(signal.read(part), np.float64))))
                for part in self._parts
            )
            for signal in of
        }

    def freeze(self, number: int = 1) -> Baseline:
        """The baseline of everything taken so far."""
        return Baseline(thin(Frame.concat(self._parts)), self.spans, self.ok_spans, self.start, self.end, number)


def thin(frame: Frame) -> Frame:
    """At most MAX_ROWS rows: those with the smallest ranks, a uniform sample that no batch size changes."""
    if len(frame) <= MAX_ROWS:
        return frame
    keep = np.sort(np.argpartition(uniforms(frame.span_id.tolist(), "baseline"), MAX_ROWS)[:MAX_ROWS])
    return frame[keep]


def dump(baseline: Baseline) -> bytes:
    """The baseline as bytes; written once, when it is frozen."""
    values: dict[str, Any] = {k: getattr(baseline, k) for k in ("spans", "ok_spans", "start", "end", "number")}
    columns = {name: data for name, data in baseline.frame.columns().items() if name != "span_id"}
    values["columns"] = [(name, data.values if isinstance(data, Names) else None) for name, data in columns.items()]
    arrays = {str(i): data.codes if isinstance(data, Names) else data for i, data in enumerate(columns.values())}
    return snapshot.dump(values, arrays)


def load(blob: bytes) -> Baseline:
    """What `dump` was given, without the span ids."""
    values, arrays = snapshot.load(blob)
    columns: dict[str, Any] = {
        name: arrays[str(i)] if texts is None else Names(arrays[str(i)], tuple(texts))
        for i, (name, texts) in enumerate(values.pop("columns"))
    }
    columns["span_id"] = np.full(len(columns["at"]), "", object)
    return Baseline(Frame.of(columns), **values)
