"""The evidence of one stream over time: its maximum in each ten minutes of event time.

A point is made when the first value of later ten minutes is judged. It depends on the order of the values alone, never
on how they were cut into batches.
"""

import math
from dataclasses import dataclass, field
from itertools import repeat
from typing import NamedTuple

import numpy as np

from undertow.watch.frame import FloatArray

STEP_S = 600.0


class Peak(NamedTuple):
    """The largest evidence of the ten minutes from `at` (Unix s), and the threshold then; powers of ten."""

    at: float
    log10_evidence: float
    log10_threshold: float


@dataclass(slots=True)
class Trace:
    """`now` are the ten minutes that are not over yet, `closed` those that nobody took yet."""

    now: Peak | None = None
    closed: list[Peak] = field(default_factory=list)

    def feed(self, at: FloatArray, evidence: FloatArray, log_threshold: float) -> None:
        """Take the evidence (n,), n ≥ 1, after values at event times `at` (n,); of the threshold the logarithm."""
        steps = np.floor(at / STEP_S)
        starts = np.flatnonzero(np.concatenate([[True], steps[1:] != steps[:-1]]))
        peaks = np.log10(np.maximum(1.0, np.maximum.reduceat(evidence, starts)))
        threshold = log_threshold / math.log(10)
        found = list(map(Peak, (steps[starts] * STEP_S).tolist(), peaks.tolist(), repeat(threshold)))
        if self.now is not None and self.now.at == found[0].at:
            found[0] = max(self.now, found[0], key=lambda one: one.log10_evidence)
        elif self.now is not None:
            self.closed.append(self.now)
        self.closed += found[:-1]
        self.now = found[-1]

    def fork(self) -> "Trace":
        """Another that goes on from here."""
        return Trace(self.now, [*self.closed])

    def drain(self) -> list[Peak]:
        """What is over and was not taken yet."""
        closed, self.closed = self.closed, []
        return closed
