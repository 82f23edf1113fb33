"""Has it come back? After an alarm a signal is also watched for its return, by the same kind of test the other way.

The hypothesis is that at least half of the change is still there. How large the change is at least follows from the bet
that raised the alarm, and then from the values after it, which no alarm selected: as long as the lower bound of their
mean, SIGMAS standard errors under it, grows, `size` grows with it. With y how far a value is off the baseline in the
direction of the change, the bets of a head (`Head.back`) on the next value pay at most 1 on the average when the mean
of y is size/2 or more, because `size` is known before that value. While the hypothesis holds, their Shiryaev-Roberts
sum therefore reaches c after c values or later, on the average (`undertow_detectors.esr`): what is still there is taken
for gone no sooner than what is not there is taken for a change.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from undertow.watch.frame import FloatArray
from undertow.watch.mix import NOBODY, Heard
from undertow_detectors import crowding, esr

SIGMAS = 3.0
LEAST_VALUES = 20

Bets = Callable[[FloatArray], FloatArray]
"""(n,) sizes to (n, k) payoffs."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """The way back of one signal that went `direction`: `count`, `total` and `squares` of y, and the bets' `state`.

    `heard` is of whom, in a pool.
    """

    direction: str
    size: float
    state: esr.State
    count: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    heard: Heard = NOBODY

    def dump(self) -> dict[str, Any]:
        """JSON from which `load` goes on."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {"state": self.state.to_bytes().hex(), "heard": asdict(self.heard)}

    @staticmethod
    def load(dumped: dict[str, Any]) -> "Recovery":
        """Go on from where `dump` was taken."""
        state, heard = esr.State.from_bytes(bytes.fromhex(dumped["state"])), Heard(**dumped.get("heard", {}))
        return Recovery(**dumped | {"state": state, "heard": heard})


@dataclass(frozen=True, slots=True)
class Returned:
    """It is back, as row `index` shows; `at` is that row's event time and `since` the estimate of when (Unix s)."""

    index: int
    at: float
    since: float


def advance(
    recovery: Recovery, y: FloatArray, bets: Bets, times: FloatArray, log_threshold: float,
    weights: FloatArray | None = None,
) -> tuple[Recovery, Returned | None]:  # fmt: skip
    """Take values `y` (n,), n ≥ 1, positive where the change went, at `times` (n,); up to the return.

    `weights` (n,) in 0 to 1 say how much each counts, None that all count in full.
    """
    w = np.ones(len(y)) if weights is None else weights
    count = _running(recovery.count, w)
    total, squares = _running(recovery.total, w * y), _running(recovery.squares, w * y**2)
    known = np.maximum(count, 1.0)
    mean = total / known
    error = np.sqrt(np.maximum(squares / known - mean**2, 0.0) / known)
    surely = np.where(count >= LEAST_VALUES, mean - SIGMAS * error, 0.0)
    size = np.maximum.accumulate(np.concatenate([[recovery.size], surely]))
    state, alarms = esr.advance_payoffs(
        recovery.state, crowding.smaller(bets(size[:-1]), w), times, log_threshold, ("",) * len(recovery.state.log_m)
    )
    if alarms:
        return recovery, Returned(alarms[0].index, alarms[0].at, alarms[0].since)
    sums = float(count[-1]), float(total[-1]), float(squares[-1])
    return Recovery(recovery.direction, float(size[-1]), state, *sums, recovery.heard), None


def _running(before: float, x: FloatArray) -> FloatArray:
    """Sums that do not depend on how `x` was cut."""
    sums: FloatArray = np.cumsum(np.concatenate([[before], x]))[1:]
    return sums
