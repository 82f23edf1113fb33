"""What would be noticed, and how soon: the delay that an e-SR detector is expected to need for a given change.

After a change the log payoff of bet k is a random walk with mean μ and variance σ² a step. Its sum M_k is then close to
the diffusion dM = (1 + (μ + σ²/2)·M)·dt + σ·M·dB, whose expected time from m₀ to m₁ is an integral in two variables
(Karlin and Taylor, "A Second Course in Stochastic Processes", 1981, section 15.3). In z = log(M·σ²/2), with ν = 2μ/σ²,

    T = 2/σ² · ∫_{z₀}^{z₁} exp(−ν·z + exp(−z)) ∫_{−∞}^{z} exp(ν·y − exp(−y)) dy dz   ≈ (log c + log m − small) / μ.

The evidence is the mean over m bets, so one bet alone has to reach c·m, which is z₁; the delay is that of the best bet.
Before the change chance has left M_k at about z₀ = −log(1 + ν), where it neither lags nor leads. A change is never
noticed when no payoff is above 1 on the average, or when the false alarm at c comes first.

The conditions. The change comes at once and stays, the questions stay what they were, values come one by one at the
rate and in the shares of the strata of the reference, and the reference is taken for the truth (its slack and the
tolerance count, the bets being the detector's own). Single delays scatter by a third. Where most of a change is within
the slack, its delay depends on the luck of the reference and is good to a factor of three.
"""

from collections.abc import Callable

import numpy as np

from undertow_detectors.arrays import FloatArray

LEAST_CHANGE = 1e-3
"""Smaller changes are not looked for."""
_PRECISION = 1.01
_STEPS = 400
_REACH = 2.5
"""Below z₀ − _REACH the inner integrand is under exp(−12) of what it is at z₀."""
_LARGEST_NU = 20.0
"""A walk with less noise is taken to have so much; its delay hardly depends on it any more."""


def expected_delay(log_bets: FloatArray, weights: FloatArray, log_threshold: float, mixed: int | None = None) -> float:
    """Observations from a change to the alarm; infinite for never.

    `log_bets` (n, m) are log payoffs after the change, `weights` (n,) how often each row of them comes, adding up to 1;
    `log_threshold` is the natural logarithm of c, and `mixed` the number of bets in the mixture when it is not m.

    >>> bets = np.array([[0.1, -0.1], [-0.05, 0.04]])
    >>> round(expected_delay(bets, np.array([0.6, 0.4]), np.log(100_000)))
    212
    """
    growing = weights @ np.expm1(log_bets) > 0
    if not growing.any():
        return float("inf")
    mean = weights @ log_bets[:, growing]
    variance = weights @ (log_bets[:, growing] - mean) ** 2
    variance = np.maximum(variance, 2 * np.abs(mean) / _LARGEST_NU)
    log_level = log_threshold + np.log(mixed or log_bets.shape[1])
    delay = float(_first_passage(2 * mean / variance, variance, log_level).min())
    return max(1.0, delay) if delay < np.exp(log_threshold) else float("inf")


def _first_passage(nu: FloatArray, variance: FloatArray, log_level: float) -> FloatArray:
    """T of each bet, (m,), by the trapezoidal rule in logarithms."""
    start = -np.log1p(np.maximum(nu, 0.0))
    end = np.maximum(log_level + np.log(variance / 2), start)
    z, step = np.linspace(start - _REACH, end, _STEPS, retstep=True)
    inner = nu * z - np.exp(-z)
    summed = np.logaddexp.accumulate(inner)
    summed += np.log1p(-0.5 * np.exp(inner - summed))
    outer = np.where(z >= start, np.exp(summed - inner), 0.0)
    delays: FloatArray = 2 / variance * step**2 * outer.sum(axis=0)
    return delays


def smallest_change(delay: Callable[[float], float], within: float, largest: float) -> float | None:
    """The smallest change in (0, `largest`] whose `delay` is at most `within`, to 1 %; None when not even the largest.

    `delay` has to fall as the change grows; both are in observations, or both in days.

    >>> round(smallest_change(lambda change: 1 / change**2, within=400, largest=1.0), 2)
    0.05
    """
    if largest <= 0 or delay(largest) > within:
        return None
    low, high = min(LEAST_CHANGE, largest) / _PRECISION, largest
    while high > _PRECISION * low:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if delay(middle) <= within else (middle, high)
    return high


def scaled(values: FloatArray, factor: float, uniforms: FloatArray) -> FloatArray:
    """`values` (n,) times `factor`; whole numbers stay whole, rounded by `uniforms` (n,) so that the mean is kept.

    >>> scaled(np.array([10.0, 20.0]), 1.05, np.array([0.4, 0.9])).tolist()
    [11.0, 21.0]
    """
    product = values * factor
    if not np.array_equal(values, np.floor(values)):
        return product
    whole = np.floor(product)
    rounded: FloatArray = whole + (uniforms < product - whole)
    return rounded


def moved_rates(rates: FloatArray, shares: FloatArray, difference: float) -> FloatArray:
    """`rates` (n,) of strata after their mean, weighted with `shares` (n,), moved by `difference`.

    The same proportion of what went well goes wrong now, or of what went wrong well. ValueError when the mean would
    leave 0..1.

    >>> moved_rates(np.array([0.0, 0.2]), np.array([0.5, 0.5]), 0.09).round(2).tolist()
    [0.1, 0.28]
    """
    mean = float(rates @ shares)
    if not -1e-9 <= mean + difference <= 1 + 1e-9:
        raise ValueError(f"a rate of {mean} cannot change by {difference}")
    if difference > 0:
        return rates + (1 - rates) * min(1.0, difference / (1 - mean))
    return rates * max(0.0, 1 + difference / mean) if difference else rates
