"""The fleet's promise, split over its streams."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_detectors.budget import log_thresholds

positive = st.floats(0.01, 1e6)


@given(positive, st.lists(st.tuples(positive, positive), min_size=1, max_size=30))
def test_expected_false_alarms_add_up_to_the_promise(days: float, streams: list[tuple[float, float]]) -> None:
    """Σ r_i / c_i is one in `interval_days`, whatever the rates and the weights."""
    rates, weights = np.array(streams).T
    thresholds = np.exp(log_thresholds(days, rates, weights))
    assert np.sum(rates / thresholds) == pytest.approx(1 / days)


def test_thresholds_that_ignore_the_number_of_streams_break_the_promise() -> None:
    """Negative control: each of ten streams with the whole budget spends it ten times."""
    alone = np.exp(log_thresholds(30, [1000.0]))[0]
    assert 10 * 1000 / alone == pytest.approx(10 / 30)


def test_a_heavier_stream_gets_the_lower_threshold() -> None:
    """Twice the weight halves c at the same rate."""
    first, second = log_thresholds(30, [5000, 5000], [2, 1])
    assert second - first == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("days", "rates", "weights", "told"),
    [
        (0, [1.0], None, "interval_days holds 0"),
        (30, [1.0, 0.0], None, r"rates_per_day holds 0\.0"),
        (30, [1.0], [-1.0], r"weights holds -1\.0"),
        (30, [math.nan], None, "rates_per_day holds nan"),
        (30, [1.0, 2.0], [1.0], "1 weights for 2 streams"),
    ],
)
def test_what_is_no_budget_is_refused(days: float, rates: list[float], weights: list[float] | None, told: str) -> None:
    """The message names what is wrong and its value."""
    with pytest.raises(ValueError, match=told):
        log_thresholds(days, rates, weights)
