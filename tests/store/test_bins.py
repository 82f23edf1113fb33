"""Bins against numpy: each value within one percent, whole small numbers exactly, and sums of parts."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.store import bins
from undertow.store.bins import LEAST, NONE, POINTS, WIDTH, Bins

LEVELS = (0.0, 0.05, 0.5, 0.95, 0.99, 1.0)
NUMBERS = st.one_of(
    st.floats(-1e12, 1e12, allow_nan=False), st.floats(0, 10), st.integers(-100, 10_000).map(float), st.just(0.0)
)


def held(values: list[float], groups: list[int] | None = None) -> dict[int, Bins]:
    """The bins of `values`, by group, as the store makes them."""
    with duckdb.connect() as con:
        counted = f"SELECT g, histogram({bins.expression('v')}) AS m FROM arrived GROUP BY g"  # noqa: S608
        con.register("arrived", pa.table({"g": groups or [0] * len(values), "v": pa.array(values, pa.float64())}))
        cells = con.execute(counted).to_arrow_table()
    maps: Any = cells["m"].combine_chunks()
    return dict(bins.merged(cells["g"].to_numpy().astype(np.int64), maps))


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=60))
def test_quantiles_are_within_a_percent(values: list[float]) -> None:
    """Of the two values that a quantile lies between, whatever their sign and size."""
    found = bins.quantiles(held(values)[0], LEVELS)
    assert found is not None
    ordered = np.sort(values)
    for level, value in zip(LEVELS, found, strict=True):
        at = level * (len(values) - 1)
        near = ordered[[int(np.floor(at)), int(np.ceil(at))]]
        assert abs(value - np.quantile(values, level)) <= 1.001 * WIDTH * np.abs(near).max() + LEAST


@settings(deadline=None)
@given(st.lists(st.integers(0, 99), min_size=1, max_size=60))
def test_small_whole_numbers_are_exact(values: list[int]) -> None:
    """Each has a bin of its own."""
    found = bins.quantiles(held([float(value) for value in values])[0], LEVELS, whole=True)
    assert found == pytest.approx(np.quantile(values, LEVELS))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), NUMBERS), min_size=1, max_size=60))
def test_groups_add_up(pairs: list[tuple[int, float]]) -> None:
    """Merging by group gives each group its own values, and all of them together the sum."""
    found = held([value for _, value in pairs], [group for group, _ in pairs])
    assert {group: b.n for group, b in found.items()} == {
        group: sum(g == group for g, _ in pairs) for group, _ in pairs
    }
    together = held([value for _, value in pairs])[0]
    sums: dict[int, int] = {}
    for b in found.values():
        for place, count in zip(b.bins.tolist(), b.counts.tolist(), strict=True):
            sums[place] = sums.get(place, 0) + count
    assert sums == dict(zip(together.bins.tolist(), together.counts.tolist(), strict=True))


def test_many_groups_of_wide_bins_need_no_wide_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way for many groups gives what the way for few gives."""
    rng = np.random.default_rng(1)
    values, groups = rng.lognormal(0, 5, 2000).tolist(), rng.integers(0, 50, 2000).tolist()
    one = held(values, groups)
    monkeypatch.setattr(bins, "_DENSE", 0)
    other = held(values, groups)
    assert list(one) == list(other) == sorted(set(groups))
    assert all(np.array_equal(one[g].bins, other[g].bins) for g in one)
    assert all(np.array_equal(one[g].counts, other[g].counts) for g in one)


@pytest.mark.parametrize("value", [1e300, -1e300, float("inf"), 1e-300, -1e-300, 0.0, -0.0])
def test_no_number_is_too_large_or_too_small(value: float) -> None:
    """What fits no bin is in the last, and what is next to nothing in that of zero."""
    assert held([value])[0].n == 1


def test_a_curve_is_bounded_and_ends_at_one() -> None:
    """However many bins there are, it has at most a hundred points and rises in both."""
    values = np.random.default_rng(1).lognormal(0, 3, 5000)
    curve = bins.ecdf(held(values.tolist())[0])
    assert len(curve) <= POINTS
    assert curve == sorted(curve)
    assert curve[-1][1] == 1.0
    for value, share in curve:
        assert np.mean(values <= value) == pytest.approx(share, abs=1e-9)
    assert bins.ecdf(NONE) == []
