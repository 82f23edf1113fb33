"""What is judged of a target that stands for many: whether calls fail, and whether they are slow. No answers.

Whose calls these are changes all the time, and models differ in length, speed and reliability. So what counts must be
more than another mix can make: that FAILING of the calls failed and twice the odds of the baseline, or that SLOW of the
answers took more than twice as long as the slowest hundredth of the baseline did.
"""

from dataclasses import replace

import numpy as np

from undertow.watch.baseline import Baseline
from undertow.watch.frame import BoolArray, FloatArray, Frame, Names
from undertow.watch.signals import Signal
from undertow_detectors.rates import RateReference

FAILING = 0.15
SLOW = 0.25
SLOWEST, TIMES = 0.99, 2.0


def signals(baseline: Baseline) -> tuple[Signal, ...]:
    """The signals of such a target."""
    frame = baseline.frame
    failed = Signal("error", "errors", "binary", _failed, _every, _whole, rising_only=True)
    found = [replace(failed, tolerance=_tolerance(_failed(frame), FAILING))]
    times = frame.numbers("duration_s")[frame.ok]
    if not np.isnan(times).all():
        limit = TIMES * float(np.nanquantile(times, SLOWEST))

        def slow(one: Frame) -> FloatArray:
            took = one.numbers("duration_s")
            return np.where(np.isnan(took), np.nan, took > limit)

        tolerance = _tolerance(slow(frame)[frame.ok], SLOW)
        found.append(
            Signal("duration_s", "performance", "binary", slow, lambda f: f.ok, _whole, tolerance, rising_only=True)
        )
    return tuple(found)


def _failed(frame: Frame) -> FloatArray:
    return np.asarray(frame.names("outcome").recode({"ok": 0, "cancelled": 0}) < 0, np.float64)


def _every(frame: Frame) -> BoolArray:
    return np.ones(len(frame), np.bool_)


def _whole(frame: Frame) -> tuple[Names, FloatArray]:
    """One stratum: routes and prompts are those of many."""
    return Names(np.zeros(len(frame), np.int64), ("",)), np.full(len(frame), np.nan)


def _tolerance(x: FloatArray, least: float) -> float:
    """By how much the odds of an event may rise over the bound of the baseline `x` (n,): to a share of `least`.

    At least they may double.
    """
    known = x[~np.isnan(x)] == 1
    bound = float(RateReference.fit(known, np.zeros(len(known), np.int64), 1).upper[0]) if len(known) else least
    return max(1.0, least / (1 - least) * (1 - bound) / bound - 1) if bound < 1 else 1.0
