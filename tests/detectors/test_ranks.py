"""Ranks among the values of a reference."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from undertow_detectors.arrays import FloatArray, IntArray
from undertow_detectors.pit import NumericReference, one_sided_ranks, seeds, uniforms

RNG_SEED = 20260105


def zeros(n: int) -> IntArray:
    """Everything in stratum 0."""
    return np.zeros(n, np.int64)


def fit(values: list[float]) -> NumericReference:
    """A reference of one stratum."""
    return NumericReference.fit(np.array(values, np.float64), zeros(len(values)), 1)


def rank(reference: NumericReference, x: list[float], uniform: float = 0.5, **options: float) -> FloatArray:
    """u_plus and u_minus of `x`, (2, n), without slack unless asked for."""
    n, options = len(x), {"slack_sigmas": 0.0, **options}
    return np.array(one_sided_ranks(reference, np.array(x, float), zeros(n), np.full(n, uniform), **options))


def test_the_rank_is_the_formula() -> None:
    """u counts the smaller values and a random part of the equal ones and of x itself."""
    reference = fit([3, 1, 2, 2, 9])
    assert rank(reference, [2.0], uniform=0.25)[0].tolist() == [(1 + 0.25 * 3) / 6]
    assert rank(reference, [0.0, 100.0], uniform=0.0)[0].tolist() == [0.0, 5 / 6]


def test_strata_are_ranked_apart() -> None:
    """Each value is compared with the reference of its own stratum, in the order given."""
    reference = NumericReference.fit(np.array([10.0, 1.0, 20.0, 2.0]), np.array([1, 0, 1, 0]), 3)
    assert reference.counts.tolist() == [2, 2, 0]
    u, _ = one_sided_ranks(
        reference, np.array([15.0, 15.0, 15.0]), np.array([1, 0, 2]), np.full(3, 0.5), slack_sigmas=0
    )
    np.testing.assert_allclose(u, [1.5 / 3, 2.5 / 3, math.nan])


def test_missing_values_rank_as_missing() -> None:
    """NaN takes no part in a reference and has no rank of its own."""
    reference = fit([1, math.nan, 2])
    assert reference.counts.tolist() == [2]
    assert np.isnan(rank(reference, [math.nan])).all()


def test_no_reference_at_all_ranks_nothing() -> None:
    """An empty reference gives missing ranks, not a division by zero."""
    assert np.isnan(rank(fit([]), [1.0])).all()


def test_one_reference_value_is_enough_for_a_rank() -> None:
    """With n = 1 the rank is one of two halves, and the slack swallows it."""
    assert rank(fit([5]), [4.0, 6.0])[0].tolist() == [0.25, 0.75]
    assert rank(fit([5]), [6.0], slack_sigmas=2.0)[0, 0] < 0.5


@pytest.mark.parametrize(
    "values",
    [[7.0] * 400, [1.0, 2.0] * 200, np.random.default_rng(RNG_SEED).pareto(0.5, 400).round(1).tolist()],
    ids=["constant", "two values", "heavy tail with ties"],
)
def test_ranks_are_uniform_whatever_the_values(values: list[float]) -> None:
    """Over references and values drawn alike, ranks are uniform: constants, ties and heavy tails included."""
    rng = np.random.default_rng(RNG_SEED)
    ranks = []
    for _ in range(400):
        shuffled = rng.permutation(values)
        ranks.append(rank(fit(shuffled[1:].tolist()), [shuffled[0]], uniform=rng.random())[0, 0])
    assert stats.kstest(ranks, "uniform").pvalue > 0.001


def test_ranks_without_the_random_part_are_not_uniform() -> None:
    """Negative control: ties ranked in the middle are seen to be no uniform ranks."""
    ranks = rank(fit([7.0] * 400), [7.0] * 400, uniform=0.5)[0]
    assert stats.kstest(ranks, "uniform").pvalue < 1e-9


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40), st.integers(-60, 60), st.floats(0, 1))
def test_ranks_do_not_depend_on_units(values: list[int], x: int, uniform: float) -> None:
    """An increasing transformation of reference and value alike leaves the rank as it was."""
    plain = rank(fit([float(v) for v in values]), [float(x)], uniform)
    curved = rank(fit([math.exp(v / 20) for v in values]), [math.exp(x / 20)], uniform)
    assert plain == pytest.approx(curved)


def test_a_change_within_tolerance_is_no_change() -> None:
    """Values 5 % up look like no increase against a tolerance of 10 %, but are one against none."""
    rng = np.random.default_rng(RNG_SEED)
    reference = fit(rng.lognormal(5, 0.1, 4_000).tolist())
    longer = (1.05 * rng.lognormal(5, 0.1, 4_000)).tolist()
    assert rank(reference, longer, tolerance=0.1)[0].mean() < 0.5
    assert rank(reference, longer, tolerance=0.1)[1].mean() > 0.5
    assert rank(reference, longer)[0].mean() > 0.6


def test_a_negative_tolerance_is_refused() -> None:
    """The message names the parameter and its value."""
    with pytest.raises(ValueError, match=r"tolerance is -0\.1"):
        rank(fit([1]), [1.0], tolerance=-0.1)


def mean_errors(n: int, references: int, strata: int, shares: FloatArray) -> FloatArray:
    """How far the mean rank of fresh values misses 1/2 for each of many references, in units of sqrt(1/(12 n))."""
    rng = np.random.default_rng(RNG_SEED)
    grid = (np.arange(200) + 0.5) / 200
    x, s = np.tile(grid, strata), np.repeat(np.arange(strata), len(grid))
    errors = []
    for _ in range(references):
        reference = NumericReference.fit(rng.random(n), np.arange(n) % strata, strata)
        u, _ = one_sided_ranks(reference, x, s, np.full(len(x), 0.5), slack_sigmas=0)
        errors.append(shares @ u.reshape(strata, -1).mean(axis=1) - 0.5)
    return np.array(errors) * math.sqrt(12 * n)


def test_two_sigmas_cover_the_error_of_the_reference() -> None:
    """Over references in ten strata the mean rank misses by one sigma of the whole reference; two cover 98 of 100."""
    errors = mean_errors(500, 600, 10, np.full(10, 0.1))
    assert errors.std() == pytest.approx(1.0, abs=0.1)
    assert np.mean(errors <= 2) == pytest.approx(0.977, abs=0.02)


def test_one_half_sigma_does_not_cover_it() -> None:
    """Negative control: with less slack a third of all references would look like a change."""
    assert np.mean(mean_errors(500, 600, 10, np.full(10, 0.1)) > 0.5) > 0.25


def test_another_mix_of_strata_widens_the_error_as_stated() -> None:
    """With shares that differ by chi-square from the reference's the error grows by sqrt(1 + chi-square)."""
    shares = np.array([0.28] + [0.08] * 9)
    chi_square = np.sum((shares - 0.1) ** 2 / 0.1)
    errors = mean_errors(500, 600, 10, shares)
    assert errors.std() == pytest.approx(math.sqrt(1 + chi_square), rel=0.1)


def test_strata_in_runs_get_slack_each() -> None:
    """Slack is that of the stratum when strata do not mix, and larger by the square root of their number."""
    reference = NumericReference.fit(np.arange(400.0), np.arange(400) % 4, 4)
    x, s, u = np.array([200.0]), zeros(1), np.array([0.5])
    plain, pooled, runs = (
        one_sided_ranks(reference, x, s, u, slack_sigmas=sigmas, strata_in_runs=in_runs)[0][0]
        for sigmas, in_runs in ((0.0, False), (2.0, False), (2.0, True))
    )
    assert plain - pooled == pytest.approx(2 / math.sqrt(12 * 400))
    assert plain - runs == pytest.approx(2 / math.sqrt(12 * 100))


def test_uniforms_come_from_the_span_alone() -> None:
    """The number of a span is the same in any batch, and another for another signal."""
    ids = [f"{i:016x}" for i in range(1_000)]
    whole = uniforms(ids, "refusal")
    np.testing.assert_array_equal(np.concatenate([uniforms(ids[:7], "refusal"), uniforms(ids[7:], "refusal")]), whole)
    assert not np.isin(uniforms(ids, "parse_fail"), whole).any()
    assert uniforms(["a"], "refusal")[0] == 0.3943309819357708


def test_seeds_stand_for_the_ids() -> None:
    """What is hashed once serves every signal, and stays as it was."""
    ids = ["a", "b", "a"]
    hashed = seeds(ids)
    for salt in ("refusal", "output_tokens"):
        np.testing.assert_array_equal(uniforms(hashed, salt), uniforms(ids, salt))
    np.testing.assert_array_equal(hashed, seeds(ids))


def test_rows_may_come_in_any_order() -> None:
    """A value's rank does not depend on where in the batch it stands."""
    rng = np.random.default_rng(RNG_SEED)
    reference = NumericReference.fit(rng.integers(0, 50, 900).astype(float), rng.integers(0, 7, 900), 7)
    x, s, u = rng.integers(-5, 60, 500).astype(float), rng.integers(-1, 8, 500), rng.random(500)
    x[::17] = math.nan
    order = rng.permutation(500)
    whole = np.array(one_sided_ranks(reference, x, s, u, tolerance=0.1))
    np.testing.assert_array_equal(
        np.array(one_sided_ranks(reference, x[order], s[order], u[order], tolerance=0.1)), whole[:, order]
    )
    np.testing.assert_array_equal(np.isnan(whole[0]), np.isnan(x) | (s < 0) | (s > 6))


def test_uniforms_look_uniform_and_independent() -> None:
    """Over consecutive ids, and between signals, nothing departs from independent uniform numbers."""
    ids = [f"trace-{i}" for i in range(20_000)]
    one, other = uniforms(ids, "output_tokens"), uniforms(ids, "refusal")
    assert stats.kstest(one, "uniform").pvalue > 0.001
    assert stats.kstest((one - other) % 1, "uniform").pvalue > 0.001
    assert abs(stats.pearsonr(one[:-1], one[1:]).statistic) < 0.025
    assert 0 < one.min() < one.max() < 1


def test_no_span_has_no_uniform() -> None:
    """An empty batch gives an empty array."""
    assert uniforms([], "refusal").shape == (0,)
