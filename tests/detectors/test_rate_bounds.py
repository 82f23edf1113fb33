"""Bounds that the rates of a reference stay within."""

import math

import numpy as np
import pytest
from scipy import stats

from undertow_detectors import esr
from undertow_detectors.arrays import FloatArray
from undertow_detectors.rates import RateReference


def outcomes(hits: list[int], rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """So many hits in so many rows of each stratum."""
    x = np.concatenate([np.arange(n) < k for k, n in zip(hits, rows, strict=True)])
    return x, np.repeat(np.arange(len(rows)), rows)


def test_no_failure_at_all_leaves_room_for_some() -> None:
    """Zero hits in 996 rows bound the rate by 0.4 %, a little more than the exact bound at two sigmas."""
    reference = RateReference.fit(*outcomes([0], [996]), 1)
    assert reference.upper[0] == pytest.approx(0.004)
    assert reference.upper[0] > stats.beta.ppf(stats.norm.cdf(2), 1, 996)
    assert reference.lower[0] == 0


def test_a_first_failure_is_no_proof() -> None:
    """After a reference without failures, one failure pays at most the largest odds ratio, six."""
    reference = RateReference.fit(*outcomes([0, 0], [500, 500]), 2)
    bets = esr.binary_log_bets(np.array([True]), reference.upper[:1], reference.lower[:1])
    assert np.exp(bets.max()) <= 6


def test_the_bounds_of_one_stratum_are_wilsons() -> None:
    """With one stratum the bounds are those of the score interval at two sigmas."""
    reference = RateReference.fit(*outcomes([30], [1_000]), 1)
    level = 2 * stats.norm.cdf(2) - 1
    expected = stats.binomtest(30, 1_000).proportion_ci(level, "wilson")
    assert (reference.lower[0], reference.upper[0]) == pytest.approx((expected.low, expected.high))


def test_the_bounds_cover_the_true_rate() -> None:
    """Over references in twenty strata the mean bound lies above the mean rate in 97 of 100 at least."""
    rng = np.random.default_rng(7)
    strata = np.arange(2_000) % 20
    rates = np.linspace(0.002, 0.04, 20)
    bounds = [RateReference.fit(rng.random(2_000) < rates[strata], strata, 20).upper.mean() for _ in range(600)]
    assert np.mean(np.array(bounds) > rates.mean()) > 0.965


def test_without_slack_they_do_not() -> None:
    """Negative control: the rate as it was seen lies below the true one about every other time."""
    rng = np.random.default_rng(7)
    zeros = np.zeros(2_000, np.int64)
    above = [RateReference.fit(rng.random(2_000) < 0.02, zeros, 1, slack_sigmas=0).upper[0] > 0.02 for _ in range(300)]
    assert np.mean(above) < 0.6


def test_shrinking_never_narrows() -> None:
    """A small stratum with a rate of its own keeps it inside, and one without hits borrows from the others."""
    reference = RateReference.fit(*outcomes([60, 0, 100], [60, 60, 5_000]), 3)
    pooled = 160 / 5_120
    assert reference.upper[0] == 1
    assert reference.rate[0] == pytest.approx((60 + 20 * pooled) / 80)
    assert reference.upper[1] > reference.rate[1] == pytest.approx(20 * pooled / 80)
    assert reference.lower[1] == 0


def test_tolerance_is_in_odds() -> None:
    """A tolerance of a half multiplies the odds of the upper bound by 1.5 and divides those of the lower."""

    def odds(rate: FloatArray) -> FloatArray:
        return rate / (1 - rate)

    x, strata = outcomes([200], [1_000])
    plain, tolerant = RateReference.fit(x, strata, 1), RateReference.fit(x, strata, 1, tolerance=0.5)
    assert odds(tolerant.upper) == pytest.approx(1.5 * odds(plain.upper))
    assert odds(tolerant.lower) == pytest.approx(odds(plain.lower) / 1.5)


def test_a_negative_tolerance_of_rates_is_refused() -> None:
    """The message names the parameter and its value."""
    with pytest.raises(ValueError, match="tolerance is -1"):
        RateReference.fit(*outcomes([1], [9]), 1, tolerance=-1)


def test_strata_in_runs_have_wider_bounds() -> None:
    """Strata that do not mix get slack each, which is more."""
    x, strata = outcomes([20] * 4, [500] * 4)
    pooled, runs = (RateReference.fit(x, strata, 4, strata_in_runs=flag) for flag in (False, True))
    assert (runs.upper > pooled.upper).all()
    assert (runs.lower < pooled.lower).all()


def test_a_stratum_without_rows_has_no_bounds() -> None:
    """Nothing can be said, and so nothing is bet, where the reference has no rows."""
    reference = RateReference.fit(*outcomes([1, 0], [9, 0]), 2)
    assert math.isnan(reference.upper[1])
    assert math.isnan(reference.lower[1])
    assert reference.counts.tolist() == [9, 0]
    empty = RateReference.fit(np.zeros(0, np.bool_), np.zeros(0, np.int64), 1)
    assert math.isnan(empty.upper[0])


def test_a_signal_that_always_fails_has_bounds() -> None:
    """A rate of 1 is bounded by 1 above and by Wilson's bound below."""
    reference = RateReference.fit(*outcomes([996], [996]), 1)
    assert reference.upper[0] == 1
    assert reference.lower[0] == pytest.approx(0.996)
