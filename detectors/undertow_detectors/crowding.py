"""How much an answer counts when one tenant asks for far more of them than it did in the baseline.

Inside a stratum a payoff e is fair over the tenants of the baseline together, Σ p_t·m_t ≤ 1 with p_t the share of
tenant t and m_t = E[e | asked by t, the past]; of one tenant alone nothing is known. With other shares q_t the mean
Σ q_t·m_t has no bound. So the bet is made smaller, e' = 1 + w·(e − 1), by a weight w in (0, 1] that depends on who asks
and on who asked before, never on the answer:

    E[e' | past] = 1 + Σ q_t·w_t·(m_t − 1).

1. Where every tenant's payoffs are fair, m_t ≤ 1, this is at most 1 for all weights.
2. Where they are fair together only, let one tenant's share grow from p to q while the others keep their proportions,
   q_t = p_t·(1 − q)/(1 − p). With the ratio of odds w = p·(1 − q) / (q·(1 − p)) for this tenant and 1 for the others,

       E[e' | past] = 1 + (1 − q)/(1 − p) · Σ p_t·(m_t − 1) ≤ 1.

   The ratio of shares, p/q, would leave (q − p)/(1 − p)·p·(m − 1), as much as all other evidence when q is near 1.

q is not known. It is counted in the last 100 answers, which tell soon, and in the last 500, which tell a small excess;
the smaller weight holds. Up to the count of its own busiest window in the baseline a tenant's weight is 1, so that
chance and habit cost no evidence. A tenant that the baseline does not know has, for both p and the busiest window, the
busiest window of a tenant that came in its second half and was not in its first (counted, for tenants come in runs, and
Good's estimate from those seen once counts on independent draws), and at least one answer.

Not promised: fairness while a window fills (answers asked before the excess shows count in full), or when several
tenants crowd at once, or inside one stratum only, or when a tenant asks for something else at its old share.
"""

import struct
from dataclasses import dataclass

import numpy as np

from undertow_detectors.arrays import FloatArray, IntArray

NAME = "crowding"
VERSION = 1
WINDOWS = (100, 500)
"""Measured over 2,000 to 8,000 baseline answers of 40 tenants: with 500 alone up to 55 of 100 bursts to 90 % of the
requests alarm while the window fills, with 100 alone 30 of 100 to 40 % of a tenant that had 23 %, with both at most 1.
"""
_HEADER = struct.Struct("<BI")


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Who asked in the baseline: `tenants` (k,) are sorted codes; the last column of the others is a newcomer's.

    `expected` (windows, k + 1) is how many answers of each window are a tenant's on the average, `busiest`
    (windows, k + 1) how many at most were.
    """

    tenants: IntArray
    expected: FloatArray
    busiest: IntArray

    @classmethod
    def fit(cls, codes: IntArray) -> "Reference":
        """Freeze the tenants of the baseline's answers, (n,) codes in the order in which they were given."""
        tenants, member = np.unique(codes, return_inverse=True)
        shares = np.bincount(member, minlength=len(tenants)) / max(1, len(codes))
        half = len(codes) // 2
        came = np.isin(codes[half:], codes[:half], invert=True)
        busiest = np.ones((len(WINDOWS), len(tenants) + 1), np.int64)
        for most, window in zip(busiest, WINDOWS, strict=True):
            counted = counts(codes, window)
            np.maximum.at(most, member, counted)
            most[-1] = counted[half:][came].max(initial=1)
        expected = busiest.astype(np.float64)
        expected[:, :-1] = np.minimum(expected[:, :-1], np.multiply.outer(WINDOWS, shares))
        return cls(tenants, expected, busiest)

    def column(self, codes: IntArray) -> IntArray:
        """(n,) the column of each tenant in `expected` and `busiest`."""
        place = np.minimum(np.searchsorted(self.tenants, codes), max(0, len(self.tenants) - 1))
        known = self.tenants[place] == codes if len(self.tenants) else np.zeros(len(codes), np.bool_)
        return np.where(known, place, len(self.tenants)).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """`recent`, the tenants of the answers just before, as many as the longest window needs."""

    recent: IntArray

    @classmethod
    def start(cls, codes: IntArray) -> "State":
        """After the answers `codes` (n,)."""
        return cls(codes[-(max(WINDOWS) - 1) :])

    def to_bytes(self) -> bytes:
        """A versioned record of 5 bytes and 8 an answer."""
        return _HEADER.pack(VERSION, len(self.recent)) + self.recent.astype("<i8").tobytes()

    @classmethod
    def from_bytes(cls, blob: bytes) -> "State":
        """Read what `to_bytes` wrote; ValueError when it is something else."""
        if len(blob) < _HEADER.size or blob[0] != VERSION:
            raise ValueError(f"a crowding state starts with version {VERSION}; these {len(blob)} bytes do not")
        _, n = _HEADER.unpack_from(blob)
        if len(blob) != _HEADER.size + 8 * n:
            raise ValueError(f"a crowding state of {n} answers has {_HEADER.size + 8 * n} bytes, not {len(blob)}")
        return cls(np.frombuffer(blob, "<i8", offset=_HEADER.size).astype(np.int64))


def advance(reference: Reference, state: State, codes: IntArray) -> tuple[State, FloatArray]:
    """The weight of each of the answers asked by `codes` (n,), in order, and the state after them.

    Cutting the answers into other batches changes nothing, to the last bit.

    >>> reference = Reference.fit(np.arange(2000) % 40)
    >>> _, weights = advance(reference, State.start(np.arange(2000) % 40), np.full(5, 7))
    >>> weights.round(2).tolist()
    [1.0, 0.62, 0.49, 0.4, 0.34]
    """
    every = np.concatenate([state.recent, codes])
    column = reference.column(codes)
    weights = np.ones(len(codes))
    for window, expected, busiest in zip(WINDOWS, reference.expected, reference.busiest, strict=True):
        counted = counts(every, window)[len(state.recent) :]
        usual = expected[column]
        odds = usual * (window + 1 - counted) / (counted * (window + 1 - usual))
        weights = np.where(counted > busiest[column], np.minimum(weights, odds), weights)
    return State.start(every), weights


def counts(codes: IntArray, window: int) -> IntArray:
    """(n,) how many of the `window` answers up to and including each were asked by the same tenant.

    >>> counts(np.array([4, 4, 9, 4, 4]), 3).tolist()
    [1, 2, 1, 2, 2]
    """
    n = len(codes)
    _, member = np.unique(codes, return_inverse=True)
    place = member * (n + window) + np.arange(n)  # tenants lie further apart than a window is long
    order = np.argsort(place)
    oldest = np.searchsorted(place[order], place[order] - window, side="right")
    counted = np.empty(n, np.int64)
    counted[order] = np.arange(n) - oldest + 1
    return counted


def smaller(payoffs: FloatArray, weights: FloatArray) -> FloatArray:
    """1 + w·(e − 1), for (n, k) payoffs e and (n,) weights w; exactly e where w is 1."""
    less = weights < 1
    if not less.any():
        return payoffs
    made = payoffs.copy()
    made[less] = 1 + weights[less, None] * (payoffs[less] - 1)
    return made
