"""How large a change is, in natural units, on the traffic of after the change.

Means are standardised to the strata of the later values (direct standardisation): with w_s the later share of stratum
s, the earlier value is Σ w_s·(earlier mean of s). A mere change of the mix of strata is then no effect. Strata that one
side lacks are left out of both. The interval of a ratio is the delta method on its logarithm, that of a difference of
means is normal; that of a rate difference is Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, method
10), from Wilson intervals at the effective number of rows 1/Σ(w_s²/n_s), so it is right at zero counts too. A change
that was selected by an alarm looks larger than it is.
"""

from dataclasses import dataclass

import numpy as np

from undertow_detectors.arrays import BoolArray, FloatArray, IntArray

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Effect:
    """The size of a change with its 95 % interval; the counts are of the rows compared.

    `name` is `ratio`, `rate_difference` (in proportion, not percent) or `mean_difference` (in the values' unit).
    """

    name: str
    value: float
    ci95: tuple[float, float]
    n_before: int
    n_after: int


@dataclass(frozen=True, slots=True)
class _Side:
    counts: FloatArray
    sums: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, values: FloatArray, strata: IntArray, n_strata: int) -> "_Side":
        def total(of: FloatArray | None) -> FloatArray:
            return np.bincount(strata, weights=of, minlength=n_strata).astype(np.float64)

        return cls(total(None), total(values), total(values**2))

    def of_strata(self, shared: BoolArray) -> "_Side":
        return _Side(self.counts[shared], self.sums[shared], self.squares[shared])

    @property
    def means(self) -> FloatArray:
        return self.sums / self.counts

    @property
    def rows(self) -> int:
        return int(self.counts.sum())

    def variance_of_mean(self, shares: FloatArray) -> float:
        """Variance of Σ shares·means; the variance inside strata is pooled, so that n_s = 1 is no obstacle."""
        within = float(np.sum(np.maximum(0.0, self.squares - self.sums * self.means)))
        freedom = max(1.0, float(np.sum(self.counts - 1)))
        return within / freedom * float(np.sum(shares**2 / self.counts))


def ratio(before: FloatArray, before_strata: IntArray, after: FloatArray, after_strata: IntArray) -> Effect | None:
    """Ratio of the mean after to the mean before, of values that are not negative (n,) and their strata (n,).

    None when no stratum has values on both sides or a mean is 0.

    >>> before, after = np.array([100.0, 110, 90, 400]), np.array([90.0, 80, 100, 360, 350, 370])
    >>> ratio(before, np.array([0, 0, 0, 1]), after, np.array([0, 0, 0, 1, 1, 1])).value
    0.9
    """
    sides = _comparable(before, before_strata, after, after_strata)
    if sides is None:
        return None
    old, new, shares = sides
    old_mean, new_mean = float(shares @ old.means), float(shares @ new.means)
    if old_mean <= 0 or new_mean <= 0:
        return None
    variance = old.variance_of_mean(shares) / old_mean**2 + new.variance_of_mean(shares) / new_mean**2
    value, factor = new_mean / old_mean, float(np.exp(Z95 * np.sqrt(variance)))
    return Effect("ratio", value, (value / factor, value * factor), old.rows, new.rows)


def mean_difference(
    before: FloatArray, before_strata: IntArray, after: FloatArray, after_strata: IntArray
) -> Effect | None:
    """Mean after less mean before, of values (n,) and their strata (n,); None when no stratum has both.

    >>> before, after = np.array([10.0, 12, 8]), np.array([20.0, 22, 18])
    >>> mean_difference(before, np.zeros(3, int), after, np.zeros(3, int)).value
    10.0
    """
    sides = _comparable(before, before_strata, after, after_strata)
    if sides is None:
        return None
    old, new, shares = sides
    value = float(shares @ (new.means - old.means))
    half = Z95 * float(np.sqrt(old.variance_of_mean(shares) + new.variance_of_mean(shares)))
    return Effect("mean_difference", value, (value - half, value + half), old.rows, new.rows)


def rate_difference(
    before: BoolArray, before_strata: IntArray, after: BoolArray, after_strata: IntArray
) -> Effect | None:
    """Rate after less rate before, in proportion, of outcomes (n,) and their strata (n,).

    None when no stratum has rows on both sides.

    >>> one_in_ten, two_in_ten = np.arange(500) % 10 < 1, np.arange(500) % 10 < 2
    >>> effect = rate_difference(one_in_ten, np.zeros(500, int), two_in_ten, np.zeros(500, int))
    >>> round(effect.value, 3), [round(end, 3) for end in effect.ci95]
    (0.1, [0.056, 0.144])
    """
    sides = _comparable(before.astype(np.float64), before_strata, after.astype(np.float64), after_strata)
    if sides is None:
        return None
    old, new, shares = sides
    p, p_low, p_high = _wilson(old, shares)
    q, q_low, q_high = _wilson(new, shares)
    difference = q - p
    low = difference - float(np.hypot(q - q_low, p_high - p))
    high = difference + float(np.hypot(q_high - q, p - p_low))
    return Effect("rate_difference", difference, (low, high), old.rows, new.rows)


def _comparable(
    before: FloatArray, before_strata: IntArray, after: FloatArray, after_strata: IntArray
) -> tuple[_Side, _Side, FloatArray] | None:
    """Both sides on the strata they share, and the later shares of these; None when they share none."""
    if not len(before) or not len(after):
        return None
    n_strata = 1 + int(max(before_strata.max(), after_strata.max()))
    old, new = _Side.of(before, before_strata, n_strata), _Side.of(after, after_strata, n_strata)
    shared = (old.counts > 0) & (new.counts > 0)
    if not shared.any():
        return None
    old, new = old.of_strata(shared), new.of_strata(shared)
    return old, new, new.counts / new.counts.sum()


def _wilson(side: _Side, shares: FloatArray) -> tuple[float, float, float]:
    """The standardised rate and its Wilson interval."""
    rate, rows = float(shares @ side.means), 1 / float(np.sum(shares**2 / side.counts))
    centre = (rate + Z95**2 / (2 * rows)) / (1 + Z95**2 / rows)
    half = Z95 / (1 + Z95**2 / rows) * float(np.sqrt(max(0.0, rate * (1 - rate)) / rows + Z95**2 / (4 * rows**2)))
    return rate, max(0.0, centre - half), min(1.0, centre + half)
