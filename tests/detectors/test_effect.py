"""How large a change is, standardised to the later strata."""

import numpy as np
import pytest

from undertow_detectors.arrays import BoolArray, IntArray
from undertow_detectors.effect import mean_difference, rate_difference, ratio


def zeros(n: int) -> IntArray:
    """Everything in stratum 0."""
    return np.zeros(n, np.int64)


def hits(k: int, n: int) -> BoolArray:
    """k of n."""
    return np.arange(n) < k


def test_a_ratio_is_of_the_means() -> None:
    """One stratum: the plain ratio, with an interval around it."""
    effect = ratio(np.array([10.0, 12, 8]), zeros(3), np.array([20.0, 22, 18, 20]), zeros(4))
    assert effect is not None
    assert (effect.name, effect.value, effect.n_before, effect.n_after) == ("ratio", 2.0, 3, 4)
    assert effect.ci95[0] < 2 < effect.ci95[1]


def test_a_change_of_the_mix_is_no_effect() -> None:
    """When only the shares of the strata move, ratio and difference stay at none; without strata they would not."""
    rng = np.random.default_rng(3)
    before, after = np.arange(4_000) % 2, (np.arange(4_000) % 10 == 0).astype(np.int64)
    means, rates = np.array([100.0, 400.0]), np.array([0.02, 0.30])

    def sizes(strata: IntArray) -> np.ndarray:
        return rng.normal(means[strata], 10)

    x, y = sizes(before), sizes(after)
    standardised, crude = ratio(x, before, y, after), ratio(x, zeros(4_000), y, zeros(4_000))
    assert standardised is not None
    assert crude is not None
    assert standardised.value == pytest.approx(1, abs=0.01)
    assert crude.value < 0.6
    p, q = rng.random(4_000) < rates[before], rng.random(4_000) < rates[after]
    difference = rate_difference(p, before, q, after)
    assert difference is not None
    assert difference.ci95[0] < 0 < difference.ci95[1]


@pytest.mark.parametrize("draw", ["normal", "lognormal"])
def test_the_interval_of_a_ratio_covers(draw: str) -> None:
    """In about 95 of 100 repetitions the interval holds the true ratio, in uneven strata."""
    rng = np.random.default_rng(11)
    covered = []
    for _ in range(400):
        s, t = rng.integers(0, 8, 1_500), rng.integers(0, 4, 600)
        noise = rng.normal(10, 2, 2_100) if draw == "normal" else rng.lognormal(0, 0.8, 2_100)
        x, y = noise[:1_500] * (1 + s), 0.9 * noise[1_500:] * (1 + t)
        effect = ratio(x, s, y, t)
        covered.append(effect is not None and effect.ci95[0] <= 0.9 <= effect.ci95[1])
    assert 0.92 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize(
    ("after", "before", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_rate_differences_are_newcombes(
    after: tuple[int, int], before: tuple[int, int], low: float, high: float
) -> None:
    """The published examples of method 10 (Newcombe 1998, table II), zero counts among them."""
    effect = rate_difference(hits(*before), zeros(before[1]), hits(*after), zeros(after[1]))
    assert effect is not None
    assert effect.ci95 == pytest.approx((low, high), abs=1e-4)


def test_the_interval_of_a_difference_covers() -> None:
    """In about 95 of 100 repetitions the interval holds the true difference, in uneven strata with rare events."""
    rng = np.random.default_rng(12)
    covered = []
    for _ in range(400):
        s, t = rng.integers(0, 8, 2_000), rng.integers(0, 8, 700)
        x, y = rng.random(2_000) < 0.005 * (1 + s), rng.random(700) < 0.02 + 0.005 * (1 + t)
        effect = rate_difference(x, s, y, t)
        covered.append(effect is not None and effect.ci95[0] <= 0.02 <= effect.ci95[1])
    assert 0.92 <= np.mean(covered) <= 0.99


def test_strata_that_one_side_lacks_are_left_out() -> None:
    """Only what both sides have is compared, and the counts say so."""
    effect = ratio(np.array([10.0, 10, 99]), np.array([0, 0, 1]), np.array([20.0, 20, 7, 7]), np.array([0, 0, 2, 2]))
    assert effect is not None
    assert (effect.value, effect.n_before, effect.n_after) == (2.0, 2, 2)


def test_one_value_on_each_side_gives_a_number() -> None:
    """With nothing to estimate a spread from, the interval is the value; it is not NaN."""
    effect = ratio(np.array([4.0]), zeros(1), np.array([2.0]), zeros(1))
    assert effect is not None
    assert (effect.value, effect.ci95) == (0.5, (0.5, 0.5))


def test_what_cannot_be_compared_is_none() -> None:
    """No rows, no common stratum, or a mean of zero give no effect."""
    one, none = np.array([1.0]), np.empty(0)
    assert ratio(none, zeros(0), one, zeros(1)) is None
    assert ratio(one, zeros(1), one, zeros(1) + 1) is None
    assert ratio(0 * one, zeros(1), one, zeros(1)) is None
    assert rate_difference(hits(1, 1), zeros(1), hits(0, 0), zeros(0)) is None


def test_a_difference_of_means_is_in_the_unit_of_the_values() -> None:
    """Standardised to the later strata like the others, and None when nothing can be compared."""
    rng = np.random.default_rng(4)
    before, after = np.arange(3_000) % 2, (np.arange(3_000) % 10 == 0).astype(np.int64)
    x, y = (rng.normal(100.0 + 300 * strata, 10) for strata in (before, after))
    effect = mean_difference(x, before, y + 7, after)
    assert effect is not None
    assert effect.name == "mean_difference"
    assert effect.ci95[0] < 7 < effect.ci95[1]
    assert effect.ci95[1] - effect.ci95[0] < 2
    assert mean_difference(x, before, y, after + 2) is None


def test_the_interval_of_a_difference_of_means_covers() -> None:
    """About 95 of 100 intervals hold the true difference; one of half the width does not reach 80."""
    held = halved = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        effect = mean_difference(rng.exponential(5, 200), zeros(200), rng.exponential(6, 100), zeros(100))
        assert effect is not None
        half = (effect.ci95[1] - effect.ci95[0]) / 2
        held += abs(effect.value - 1) <= half
        halved += abs(effect.value - 1) <= half / 2
    assert held >= 0.92 * 300
    assert halved <= 0.8 * 300
