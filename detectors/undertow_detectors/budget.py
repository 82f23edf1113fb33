"""One promise for the whole fleet, at most one false alarm in X days, split over its streams.

Stream i delivers r_i observations a day, and its detector's expected run length to a false alarm is at least c_i of
its own observations. With weights w_i that sum to 1,

    c_i = X·r_i / w_i     ⇒     expected false alarms a day ≤ Σ r_i / c_i = Σ w_i / X = 1 / X,

by adding up expectations (a union bound), however the streams depend on each other. It holds as long as each
detector's own bound does and no stream delivers more than its r_i; a stream that grows beyond it spends its share of
the budget faster in the same proportion. No false discovery rate is promised: no procedure with finite run length has
one over an infinite horizon (Dandapanthula and Ramdas, arXiv 2501.04130).
"""

from collections.abc import Sequence

import numpy as np

from undertow_detectors.arrays import FloatArray


def log_thresholds(
    interval_days: float, rates_per_day: Sequence[float], weights: Sequence[float] | None = None
) -> FloatArray:
    """Natural logarithms of c_i, one for each stream x signal; `weights` are scaled to sum to 1, equal when None.

    ValueError when the interval, a rate or a weight is not a positive number.

    >>> np.exp(log_thresholds(30, [1000, 5000])).round().tolist()
    [60000.0, 300000.0]
    """
    rates = np.asarray(rates_per_day, np.float64)
    shares = np.ones(len(rates)) if weights is None else np.asarray(weights, np.float64)
    if len(shares) != len(rates):
        raise ValueError(f"{len(shares)} weights for {len(rates)} streams; there must be one for each")
    for name, numbers in (("interval_days", np.array([interval_days])), ("rates_per_day", rates), ("weights", shares)):
        if not (np.isfinite(numbers) & (numbers > 0)).all():
            raise ValueError(f"{name} holds {numbers.min()}; every number must be positive and finite")
    thresholds: FloatArray = np.log(interval_days) + np.log(rates) - np.log(shares / shares.sum())
    return thresholds
