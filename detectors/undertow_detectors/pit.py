"""Randomised ranks of values among those of a frozen reference.

A value x of stratum s becomes its probability integral transform against that stratum's n_s reference values,

    u = (#{ref < x} + U·(#{ref = x} + 1)) / (n_s + 1),   U uniform on (0, 1),

which is exactly uniform when x and the reference are exchangeable, ties included (Vovk, Gammerman and Shafer,
"Algorithmic Learning in a Random World", 2005, section 2.6). Given one frozen reference it is uniform only up to the
reference's own error, which has to be allowed for. The mean of u in stratum s is one minus the average of F over n_s
reference values, an average of uniform variables, so it misses 1/2 by sqrt(1/(12 n_s)) (one standard deviation). A bet
averages over strata, and with n = Σ n_s and shares n_s/n the mean of u over all misses 1/2 by

    σ = sqrt(Σ (n_s/n)² / (12 n_s)) = sqrt(1/(12 n)).

Moving u by 2σ towards "no change" keeps the mean on the safe side for about 98 of 100 references in each direction. The
two tails of width 0.1 that the spread bet looks at hold 0.2 ± 0.4/sqrt(n); the same move takes 1.15/sqrt(n) from them
together, nearly three of their standard deviations. When the strata come in other shares w_s the error becomes
σ·sqrt(1 + χ²) with χ² = Σ (w_s − n_s/n)² / (n_s/n). Strata that come one after the other, such as hours of the day,
need sqrt(1/(12 n_s)) each (`strata_in_runs`). For strata that mix, this would hide small changes: with 36 of them in
10,000 rows no length that fell by 10 % was found within 5,000 requests; with the first σ all were, within 1,900.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from undertow_detectors.arrays import FloatArray, IntArray

SeedArray: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class NumericReference:
    """The reference values of every stratum: sorted inside a stratum, one stratum after the other.

    Stratum s owns `values[starts[s]:starts[s + 1]]`; `starts` has one entry more than there are strata.
    """

    values: FloatArray
    starts: IntArray

    @classmethod
    def fit(cls, values: FloatArray, strata: IntArray, n_strata: int) -> "NumericReference":
        """Freeze `values` (n,) with their strata (n,), integers from 0 to n_strata - 1. NaN is missing and left out."""
        known = ~np.isnan(values)
        values, strata = np.asarray(values, np.float64)[known], strata[known]
        order = np.lexsort((values, strata))
        starts = np.searchsorted(strata[order], np.arange(n_strata + 1))
        return cls(values[order], starts.astype(np.int64))

    @property
    def counts(self) -> IntArray:
        """How many values each stratum has, (n_strata,)."""
        return np.diff(self.starts)


def one_sided_ranks(
    reference: NumericReference,
    x: FloatArray,
    strata: IntArray,
    uniforms: FloatArray,
    tolerance: float = 0.0,
    slack_sigmas: float = 2.0,
    strata_in_runs: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Rank `x` (n,) in its strata (n,): u_plus is large only after an increase, u_minus small only after a decrease.

    u_plus is taken against ref·(1 + tolerance) and u_minus against ref/(1 + tolerance), so a relative change within
    `tolerance` (of values that are not negative) is no change; then both give way by `slack_sigmas` standard deviations
    of the reference's error. A missing value (NaN), and one whose stratum has no reference, ranks NaN: nothing is bet.
    """
    if tolerance < 0:
        raise ValueError(f"tolerance is {tolerance}; it must not be negative")
    ranks = np.full((2, len(x)), np.nan)
    for rows, ref in _by_stratum(reference, x, strata):
        slack = slack_sigmas / np.sqrt(12 * (len(ref) if strata_in_runs else len(reference.values)))
        plus = _rank(ref, x[rows] / (1 + tolerance), uniforms[rows])
        minus = _rank(ref, x[rows] * (1 + tolerance), uniforms[rows]) if tolerance else plus
        ranks[:, rows] = np.maximum(0.0, plus - slack), np.minimum(1.0, minus + slack)
    return ranks[0], ranks[1]


def seeds(span_ids: Sequence[str]) -> SeedArray:
    """What `uniforms` needs to know of each span, a CRC-32 of its id; to be computed once for all its signals."""
    return np.fromiter(map(zlib.crc32, map(str.encode, span_ids)), np.uint64, len(span_ids))


def uniforms(spans: Sequence[str] | SeedArray, salt: str) -> FloatArray:
    """One number in (0, 1) for each span, given by id or seed: a hash of it and of `salt`, the signal's name.

    It is the same whatever the batch. CRC-32 tells the ids apart and the SplitMix64 finaliser (Steele, Lea and Flood,
    OOPSLA 2014) makes it look random.

    >>> uniforms(["a", "b"], "refusal").round(4).tolist()
    [0.3943, 0.6196]
    """
    mixed = spans.copy() if isinstance(spans, np.ndarray) else seeds(spans)
    mixed += np.uint64(int.from_bytes(blake2b(salt.encode(), digest_size=8).digest()))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _rank(ref: FloatArray, x: FloatArray, uniform: FloatArray) -> FloatArray:
    below = np.searchsorted(ref, x, side="left")
    equal = np.searchsorted(ref, x, side="right") - below
    return (below + uniform * (equal + 1)) / (len(ref) + 1)


def _by_stratum(reference: NumericReference, x: FloatArray, strata: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Rows and reference of each stratum that has both; rows by value, as what is sorted is looked up much faster."""
    short = strata.astype(np.int16 if len(reference.starts) < 2**15 else np.int64)  # numpy sorts 16 bits by radix
    order = np.argsort(x)[: np.count_nonzero(~np.isnan(x))]
    order = order[np.argsort(short[order], kind="stable")]
    bounds = np.searchsorted(short[order], np.arange(len(reference.starts)))
    for s, (begin, end) in enumerate(pairwise(bounds)):
        ref = reference.values[reference.starts[s] : reference.starts[s + 1]]
        if end > begin and len(ref):
            yield order[begin:end], ref
