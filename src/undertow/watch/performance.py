"""The performance lane: how fast a target answers, beyond what the time of day and its load explain.

Latency follows the day, so it is taken relative to a curve of the baseline's day; weekdays and weekends have one each
where the baseline shows two days of both. And it is not independent from request to request: for half an hour
everything is a little slower, and then it is not. A detector that takes such a half hour for many witnesses alarms on
it. So a slowness counts only beyond SWAYS times `level_sway`, measured where the baseline has the same half hour on two
days, and never under LEAST_TOLERANCE.
"""

import numpy as np

from undertow.watch import week
from undertow.watch.frame import FloatArray, Frame, IntArray, Names

DAY_S = 86_400.0
MIN_TOKENS = 16
"""Under so many output tokens the time per token is not told (CONTRACTS 1)."""
HARMONICS = 3
LEAST_TOLERANCE = 0.08
SWAYS = 3.0
SLOT_S = 1800.0
MIN_SLOT_VALUES = 20
MIN_SLOTS = 40
"""Half hours of the day that must be known to draw the curve of a day."""
MIN_PAIRS = 8
UNKNOWN_SWAY = 0.15
"""Assumed of a baseline too short or too thin to measure it."""


def by_time_of_day(frame: Frame) -> tuple[Names, FloatArray]:
    """Operation, and the time of day (UTC) in seconds."""
    operations: dict[str, int] = {}
    for name in frame.group.values:
        operations.setdefault(name.split("\x1f")[0], len(operations))
    code = np.array([operations[name.split("\x1f")[0]] for name in frame.group.values] + [-1], np.int64)
    return Names(code[frame.group.codes], tuple(operations)), frame.at % DAY_S


def by_output(frame: Frame) -> tuple[Names, FloatArray]:
    """Operation, and the size of the answer, for which a call that is not streamed waits."""
    return by_time_of_day(frame)[0], frame.output_tokens


def day_curve(at: FloatArray, x: FloatArray) -> FloatArray:
    """Coefficients of the logarithm of `x` (n,) over the day, least squares, for one kind of day or both, (1 or 2, 7).

    Zeros where not all of the day is known.
    """
    known = x > 0
    at, logs = at[known], np.log(x[known])
    kinds = week.kind(at)
    if all(_repeated(at[kinds == kind]) for kind in (week.WEEKDAY, week.WEEKEND)):
        return np.stack([_fit(at[kinds == kind], logs[kinds == kind]) for kind in (week.WEEKDAY, week.WEEKEND)])
    return _fit(at, logs)[None]


def _repeated(at: FloatArray) -> bool:
    """Whether most half hours of the day are there on two days or more, or the curve would take one for the rule."""
    slots = np.unique(at // SLOT_S)
    _, days = np.unique(slots % (DAY_S / SLOT_S), return_counts=True)
    return int(np.sum(days >= 2)) >= MIN_SLOTS


def _fit(at: FloatArray, logs: FloatArray) -> FloatArray:
    if len(np.unique(at % DAY_S // SLOT_S)) < MIN_SLOTS:
        return np.zeros(2 * HARMONICS + 1)
    waves = _waves(at)
    normal, moments = np.einsum("ij,ik->jk", waves, waves), np.einsum("ij,i->j", waves, logs)  # small: no threads
    return np.asarray(np.linalg.solve(normal, moments), np.float64)


def relative(at: FloatArray, x: FloatArray, curve: FloatArray) -> FloatArray:
    """`x` (n,) as multiples of what the curve says for its time of day."""
    kind = week.kind(at) if len(curve) > 1 else np.zeros(len(at), np.int64)
    multiple: FloatArray = x / np.exp((_waves(at) * curve[kind]).sum(axis=1))
    return multiple


def _waves(at: FloatArray) -> FloatArray:
    angle = np.multiply.outer(2 * np.pi / DAY_S * at, np.arange(1, HARMONICS + 1))
    return np.concatenate([np.ones((len(at), 1)), np.sin(angle), np.cos(angle)], axis=1)


def tolerance(at: FloatArray, x: FloatArray) -> float:
    """The relative change that the load explains, of positive values `x` (n,) at times `at` (n,) in order."""
    explained = float(np.expm1(SWAYS * level_sway(at, x)))
    return max(LEAST_TOLERANCE, explained)


def level_sway(at: FloatArray, x: FloatArray) -> float:
    """Standard deviation of log half-hour medians from the same half hour a day before, their own noise taken off.

    The noise of a median is told by its even and odd values: the square of half their difference, on average.
    """
    known = x > 0
    slots, level, noise = _slot_medians(at[known], np.log(x[known]))
    here, before = _a_day_apart(slots)
    if len(here) < MIN_PAIRS:
        return UNKNOWN_SWAY
    squares = (level[here] - level[before]) ** 2 - noise[here] - noise[before]
    return float(np.sqrt(max(0.0, float(np.mean(squares)))))


def _slot_medians(at: FloatArray, logs: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Number, median and variance of the median of each slot with enough values."""
    slot = (at // SLOT_S).astype(np.int64)
    numbers, starts, counts = np.unique(slot, return_index=True, return_counts=True)
    full = counts >= MIN_SLOT_VALUES
    parts = [logs[start : start + n] for start, n in zip(starts[full], counts[full], strict=True)]
    level = np.array([np.median(part) for part in parts])
    noise = np.array([(np.median(part[::2]) - np.median(part[1::2])) ** 2 / 4 for part in parts])
    return numbers[full], level, noise


def _a_day_apart(slots: IntArray) -> tuple[IntArray, IntArray]:
    """Positions of slots whose slot of the day before is there too, and of that one."""
    _, here, before = np.intersect1d(slots, slots + round(DAY_S / SLOT_S), return_indices=True)
    return here, before
