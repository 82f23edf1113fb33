"""The e-SR detector: Shiryaev-Roberts sums of e-values, mixed over several bets.

An e-value of one observation is a payoff e ≥ 0 whose mean is at most 1 as long as nothing changed. Each bet k keeps

    M_k ← (M_k + 1)·e_k,        M = mean over k of M_k,        alarm when M ≥ c.

M minus the number of observations is a supermartingale before the change, hence the expected number of observations
until a false alarm is at least c, at every sample size and whatever the dependence, provided that the mean of e_k given
the past stays at most 1 (Shin, Ramdas and Rinaldo, "E-detectors", arXiv 2203.03532, theorem 2.4).

Beside M_k runs the CUSUM of log e_k; where it last left zero is the maximum-likelihood estimate of the change time
(Page, Biometrika 41, 1954). Both go on by blocks of rows (`blocks`); only a block that may hold an alarm is gone
through row by row.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from undertow_detectors.arrays import BoolArray, FloatArray
from undertow_detectors.blocks import ROWS, Blocks

NAME = "esr"
VERSION = 1

STAKES = (0.05, 0.12, 0.3, 0.6)
ODDS_UP = (1.3, 1.8, 3.0, 6.0)
ODDS_DOWN = (0.75, 0.5, 0.25)
DIRECTIONS_NUMERIC = ("up",) * 4 + ("down",) * 4 + ("spread",) * 4
DIRECTIONS_BINARY = ("up",) * 4 + ("down",) * 3

_HEADER = struct.Struct("<BHQ")
_SMALLEST_CHUNK, _LARGEST_CHUNK = 64 * ROWS, 1024 * ROWS
_SHORTEST_BLOCK = 4
_SMALLEST_PAYOFF, _LARGEST_PAYOFF = 1e-4, 1e4


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What is known after `count` observations since the start or the last alarm; arrays are (k,), one entry a bet.

    `log_m` is log M_k; `since` the event time (Unix s) at which the bet's `cusum` last left zero, NaN at zero.
    """

    log_m: FloatArray
    cusum: FloatArray
    since: FloatArray
    count: int

    @classmethod
    def start(cls, k: int) -> "State":
        """Nothing seen yet, with `k` bets."""
        return cls(np.full(k, -np.inf), np.zeros(k), np.full(k, np.nan), 0)

    def to_bytes(self) -> bytes:
        """A versioned record of 11 + 24 k bytes."""
        arrays = np.concatenate([self.log_m, self.cusum, self.since]).astype("<f8")
        return _HEADER.pack(VERSION, len(self.log_m), self.count) + arrays.tobytes()

    @classmethod
    def from_bytes(cls, blob: bytes) -> "State":
        """Read what `to_bytes` wrote; ValueError when it is something else."""
        if len(blob) < _HEADER.size or blob[0] != VERSION:
            raise ValueError(f"an e-SR state starts with version {VERSION}; these {len(blob)} bytes do not")
        _, k, count = _HEADER.unpack_from(blob)
        if len(blob) != _HEADER.size + 24 * k:
            raise ValueError(f"an e-SR state of {k} bets has {_HEADER.size + 24 * k} bytes, not {len(blob)}")
        arrays = np.frombuffer(blob, "<f8", offset=_HEADER.size).astype(np.float64).reshape(3, k)
        return cls(arrays[0], arrays[1], arrays[2], count)


@dataclass(frozen=True, slots=True)
class Alarm:
    """The evidence reached the threshold at row `index` of the batch.

    `at` is that row's event time and `since` the estimated change time (Unix s); `log_evidence` is the natural
    logarithm of M, `component` the bet with the largest share in it, and `direction` what that bet is on.
    """

    index: int
    at: float
    log_evidence: float
    component: int
    direction: str
    since: float


def numeric_payoffs(u_plus: FloatArray, u_minus: FloatArray, up_only: bool = False) -> FloatArray:
    """Payoffs (n, 12) of bets on one-sided ranks (n,): e = 1 + λφ with four stakes λ for each φ.

    φ is 2·u_plus − 1 (up), 1 − 2·u_minus (down), and 1{u_plus > 0.9 or u_minus < 0.1} − 0.2 (spread); its mean is at
    most 0 when u_plus lies below and u_minus above a uniform variable. Nothing is bet on NaN. With `up_only` the first
    four are all.
    """
    up = 2 * u_plus - 1
    phis = (up,) if up_only else (up, 1 - 2 * u_minus, ((u_plus > 0.9) | (u_minus < 0.1)) - 0.2)
    payoffs = np.empty((len(u_plus), len(STAKES) * len(phis)))
    for i, phi in enumerate(phis):
        np.multiply.outer(phi, STAKES, out=payoffs[:, 4 * i : 4 * i + 4])
    payoffs += 1
    payoffs[np.isnan(u_plus)] = 1.0
    return payoffs


def binary_payoffs(x: BoolArray, upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Payoffs (n, 7) of likelihood-ratio bets on outcomes `x` (n,) whose rate was within [lower, upper], both (n,).

    A bet on odds multiplied by r against the rate p pays r^x / (1 − p + r·p). Its mean at a true rate t is
    (1 + t·(r − 1)) / (1 + p·(r − 1)), at most 1 for every t ≤ p = upper when r > 1 and every t ≥ p = lower when r < 1.
    Nothing is bet where the bounds are NaN.
    """
    up, down = np.array(ODDS_UP), np.array(ODDS_DOWN)
    payoffs = np.empty((len(x), 7))
    np.multiply.outer(upper, up - 1, out=payoffs[:, :4])
    np.multiply.outer(lower, down - 1, out=payoffs[:, 4:])
    np.reciprocal(1 + payoffs, out=payoffs)
    payoffs[x] *= np.concatenate([up, down])
    payoffs[np.isnan(upper)] = 1.0
    return payoffs


def numeric_log_bets(u_plus: FloatArray, u_minus: FloatArray) -> FloatArray:
    """Logarithms of `numeric_payoffs`."""
    return np.log(numeric_payoffs(u_plus, u_minus))


def binary_log_bets(x: BoolArray, upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Logarithms of `binary_payoffs`."""
    return np.log(binary_payoffs(x, upper, lower))


def log_evidence(state: State) -> float:
    """Natural logarithm of M, the mean of M_k; minus infinity before the first observation."""
    return float(_log_mean(state.log_m))


def advance(
    state: State, log_bets: FloatArray, times: FloatArray, log_threshold: float, directions: Sequence[str]
) -> tuple[State, list[Alarm]]:
    """`advance_payoffs`, given the logarithms of the payoffs."""
    return advance_payoffs(state, np.exp(log_bets), times, log_threshold, directions)


def advance_payoffs(
    state: State, payoffs: FloatArray, times: FloatArray, log_threshold: float, directions: Sequence[str]
) -> tuple[State, list[Alarm]]:
    """Take `payoffs` (n, k) observed at `times` (n,), in order; return the new state and every alarm on the way.

    After an alarm the detector starts anew with the next observation. Splitting the observations into other batches
    changes nothing but rounding. ValueError for a payoff that is not within 0.0001 and 10,000; missing values must have
    been left out.

    >>> ranks = np.random.default_rng(1).random(3000)
    >>> ranks[1000:] **= 0.8
    >>> bets = numeric_payoffs(ranks, ranks)
    >>> _, alarms = advance_payoffs(State.start(12), bets, np.arange(3000.0), np.log(20_000), DIRECTIONS_NUMERIC)
    >>> [(alarm.index, alarm.direction) for alarm in alarms[:1]]
    [(1134, 'up')]
    """
    return _advance(state, payoffs, times, log_threshold, directions, None)


def trace_payoffs(
    state: State, payoffs: FloatArray, times: FloatArray, log_threshold: float, directions: Sequence[str]
) -> tuple[State, list[Alarm], FloatArray]:
    """`advance_payoffs`, and the evidence M (n,) after each observation; the next starts anew after an alarm.

    >>> payoffs = np.array([[1.0], [2.0], [0.5]])
    >>> trace_payoffs(State.start(1), payoffs, np.arange(3.0), 9.0, ("up",))[2].round(3).tolist()
    [1.0, 4.0, 2.5]
    """
    trail: list[FloatArray] = []
    state, alarms = _advance(state, payoffs, times, log_threshold, directions, trail)
    return state, alarms, np.concatenate(trail) if trail else np.empty(0)


def _advance(
    state: State,
    payoffs: FloatArray,
    times: FloatArray,
    log_threshold: float,
    directions: Sequence[str],
    trail: list[FloatArray] | None,
) -> tuple[State, list[Alarm]]:
    """Where there is a `trail`, the evidence is appended to it."""
    low, high = payoffs.min(initial=1.0), payoffs.max(initial=1.0)
    if not (low >= _SMALLEST_PAYOFF and high <= _LARGEST_PAYOFF):  # nor when they are NaN
        raise ValueError(f"payoffs from {low} to {high}; they must be within 0.0001 and 10000, without missing values")
    alarms: list[Alarm] = []
    begin, size = 0, _SMALLEST_CHUNK
    while begin < len(payoffs):
        rows = slice(begin, begin + size)
        state, quiet = _skip_quiet(state, payoffs[rows], times[rows], log_threshold, trail)
        rows = slice(begin + quiet, begin + quiet + ROWS)
        state, alarm = _row_by_row(state, payoffs[rows], times[rows], log_threshold, directions, trail)
        begin, size = rows.stop, min(2 * size, _LARGEST_CHUNK)
        if alarm is not None:
            alarms.append(replace(alarm, index=rows.start + alarm.index))
            begin, size = alarms[-1].index + 1, _SMALLEST_CHUNK
    return state, alarms


def _skip_quiet(
    state: State, payoffs: FloatArray, times: FloatArray, log_threshold: float, trail: list[FloatArray] | None
) -> tuple[State, int]:
    """Go over the leading whole blocks that can hold no alarm; the state after them, and how many rows they have."""
    length = min(ROWS, math.isqrt(len(payoffs)) // 2)  # few rows to go through, and few blocks to join
    if length < _SHORTEST_BLOCK:
        return state, 0
    blocks = Blocks.of(payoffs, length)
    log_m, bounds = blocks.evidence(state.log_m)
    quiet = _first_crossing(bounds, log_threshold)
    if trail is not None:
        trail.append(blocks.trail(state.log_m, log_m, quiet))
    return _after(state, blocks, log_m, times, quiet), quiet * length


def _row_by_row(
    state: State,
    payoffs: FloatArray,
    times: FloatArray,
    log_threshold: float,
    directions: Sequence[str],
    trail: list[FloatArray] | None,
) -> tuple[State, Alarm | None]:
    """Go to the end, or to the first alarm, after which the state is a fresh one."""
    if not len(payoffs):
        return state, None
    rows = Blocks.of(payoffs, 1)
    log_m, _ = rows.evidence(state.log_m)
    index = _first_crossing(log_m, log_threshold)
    if trail is not None:
        trail.append(rows.trail(state.log_m, log_m, min(index + 1, len(rows))))
    if index == len(rows):
        return _after(state, rows, log_m, times, index), None
    at_alarm = _after(state, rows, log_m, times, index + 1)
    winner = int(np.argmax(at_alarm.log_m))
    at, since = float(times[index]), float(at_alarm.since[winner])
    alarm = Alarm(index, at, log_evidence(at_alarm), winner, directions[winner], at if np.isnan(since) else since)
    return State.start(len(at_alarm.log_m)), alarm


def _first_crossing(log_m: FloatArray, log_threshold: float) -> int:
    """The first row of `log_m` (n, k) whose mean reaches the threshold, n when none does."""
    if log_m.max() < log_threshold:  # a mean is no larger than its largest part
        return len(log_m)
    crossed = _log_mean(log_m) >= log_threshold
    return int(np.argmax(crossed)) if crossed.any() else len(log_m)


def _after(state: State, blocks: Blocks, log_m: FloatArray, times: FloatArray, n: int) -> State:
    """The state after the first `n` blocks: `log_m` of the last, and the CUSUM max(0, C + log e) with its start."""
    if n == 0:
        return state
    rows = n * blocks.rows
    end, low, lowest_row = blocks.walk(n)
    low = low + state.cusum
    left_zero = np.append(times[:rows], np.nan)[np.where(low <= 0, lowest_row + 1, 0)]
    since = np.where((low > 0) & ~np.isnan(state.since), state.since, left_zero)
    return State(log_m[n - 1], end + state.cusum - np.minimum(low, 0.0), since, state.count + rows)


def _log_mean(log_m: FloatArray) -> FloatArray:
    total: FloatArray = np.logaddexp.reduce(log_m, axis=-1) - np.log(log_m.shape[-1])
    return total
