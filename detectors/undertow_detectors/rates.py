"""Bounds that a true rate stays within, stratum by stratum, from a frozen reference.

Stratum s has k_s hits in n_s rows, all strata K in N. With the rate shrunk toward the pooled one by 20 pseudo-rows,

    p_s   = (k_s + 20·K/N) / (n_s + 20),
    upper = max(p_s, k_s/n_s) + wilson⁺(K, N) − K/N,       lower = min(p_s, k_s/n_s) + wilson⁻(K, N) − K/N,

so that shrinking never narrows, and a stratum whose rate really differs is not mistaken for a change. Wilson's bound
(JASA 22, 1927) at two standard deviations,

    wilson±(K, N) = (K + z²/2 ± z·sqrt(K(N−K)/N + z²/4)) / (N + z²),

is right at zero hits, where rate ± 2σ is empty: it is then z²/(N + z²), a little above the exact bound 3.8/N.

The slack is that of the pooled rate because a bet averages over strata: as long as these keep their shares n_s/N, the
mean of the bounds misses the mean of the true rates by the error of K/N alone; `pit` says what other shares do to it.
Strata that come one after the other need slack each, wilson±(p_s·n_s, n_s) − p_s (`strata_in_runs`), which for strata
that mix would hide a rise from 1 % to 3 % for ever behind the noise of 40 strata.
"""

from dataclasses import dataclass

import numpy as np

from undertow_detectors.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class RateReference:
    """For each stratum, all (n_strata,): the bounds of its rate, the shrunk rate, and the rows behind it.

    Bounds and rate are NaN in a stratum without rows; nothing is bet there.
    """

    upper: FloatArray
    lower: FloatArray
    rate: FloatArray
    counts: IntArray

    @classmethod
    def fit(
        cls,
        x: BoolArray,
        strata: IntArray,
        n_strata: int,
        pseudo_rows: float = 20,
        slack_sigmas: float = 2.0,
        tolerance: float = 0.0,
        strata_in_runs: bool = False,
    ) -> "RateReference":
        """Freeze outcomes `x` (n,) with their strata (n,), integers from 0 to n_strata - 1.

        `tolerance` widens the bounds by that relative change of the odds.

        >>> never_failed = RateReference.fit(np.zeros(996, bool), np.zeros(996, int), 1)
        >>> never_failed.lower.round(4).tolist(), never_failed.upper.round(4).tolist()
        ([0.0], [0.004])
        """
        if tolerance < 0:
            raise ValueError(f"tolerance is {tolerance}; it must not be negative")
        counts = np.bincount(strata, minlength=n_strata).astype(np.int64)
        rows = np.where(counts, counts, np.nan)
        hits = np.bincount(strata, weights=x, minlength=n_strata)
        pooled = np.full(n_strata, np.mean(x) if len(x) else np.nan)
        shrunk = (hits + pseudo_rows * pooled) / (rows + pseudo_rows)
        rate, n = (shrunk, rows) if strata_in_runs else (pooled, np.full(n_strata, float(len(x))))
        upper = np.fmax(shrunk, hits / rows) + _slack(rate, n, slack_sigmas)
        lower = np.fmin(shrunk, hits / rows) + _slack(rate, n, -slack_sigmas)
        upper, lower = np.clip(upper, 0.0, 1.0), np.clip(lower, 0.0, 1.0)
        return cls(scale_odds(upper, 1 + tolerance), scale_odds(lower, 1 / (1 + tolerance)), shrunk, counts)


def _slack(rate: FloatArray, rows: FloatArray, sigmas: float) -> FloatArray:
    """Wilson's bound less the rate: positive for positive `sigmas`."""
    spread = np.sqrt(rows * rate * (1 - rate) + sigmas**2 / 4)
    slack: FloatArray = (rows * rate + sigmas**2 / 2 + sigmas * spread) / (rows + sigmas**2) - rate
    return slack


def scale_odds(rate: FloatArray, factor: float | FloatArray) -> FloatArray:
    """The rates whose odds are `factor` times those of `rate`, within 0 and 1."""
    scaled: FloatArray = factor * rate / (1 + (factor - 1) * rate)
    return scaled
