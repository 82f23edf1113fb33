"""When a change happened, from the bets; how often the interval holds it is in tests/calibration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_detectors import esr
from undertow_detectors.arrays import FloatArray
from undertow_detectors.changepoint import locate

ONSET = 1_000
TIMES = np.arange(2.0 * ONSET)


def bets_of(seed: int, power: float = 0.5) -> FloatArray:
    """The payoffs of the upward bet of stake 0.3 on ranks that rise at ONSET."""
    u = np.random.default_rng(seed).random(2 * ONSET)
    u[ONSET:] **= power
    return esr.numeric_log_bets(u, u)[:, 2]


def test_the_change_is_found_where_it_happened() -> None:
    """Over fifty streams the median error is a few values, neither early nor late."""
    errors = [locate(bets_of(seed), TIMES).row - ONSET for seed in range(50)]
    assert np.median(np.abs(errors)) <= 15
    assert abs(np.median(errors)) <= 5


def test_the_stake_of_the_bet_does_not_matter() -> None:
    """The stake is refitted, so any bet of one direction dates the change the same."""
    u = np.random.default_rng(1).random(2 * ONSET)
    u[ONSET:] **= 0.5
    rows = {locate(log_bets, TIMES).row for log_bets in esr.numeric_log_bets(u, u)[:, :4].T}
    assert max(rows) - min(rows) <= 10


def test_one_stake_for_all_would_be_late_on_a_small_change() -> None:
    """Negative control: a small change looked at with the stake for a large one seems to begin late."""
    log_bets = [np.log1p(2 * np.expm1(bets_of(seed, 0.8))) for seed in range(40)]
    late = [int(np.argmax(np.cumsum(bets[::-1])[::-1])) - ONSET for bets in log_bets]
    refitted = [locate(bets, TIMES).row - ONSET for bets in log_bets]
    assert np.mean(late) > np.mean(refitted) + 50


def test_a_wider_drop_gives_a_wider_interval() -> None:
    """Intervals are nested, and a drop of nothing is the gap before the estimate alone."""
    log_bets = bets_of(1)
    narrow, wide, none = (locate(log_bets, TIMES, drop) for drop in (2, 7, 0))
    assert wide.low <= narrow.low <= narrow.at <= narrow.high <= wide.high
    assert (none.low, none.high) == (none.at - 1, none.at)


def test_a_change_before_the_first_row_is_said_to_be_open() -> None:
    """When the rows do not reach back to before the change, that is told."""
    assert not locate(bets_of(3), TIMES).open_start
    assert locate(bets_of(3)[ONSET:], TIMES[ONSET:]).open_start


def test_one_value_is_its_own_change() -> None:
    """With a single observation there is only one place, and the change may be before it."""
    found = locate(np.array([-1.0]), np.array([5.0]))
    assert (found.row, found.low, found.at, found.high, found.open_start) == (0, 5.0, 5.0, 5.0, True)


def test_nothing_has_no_change() -> None:
    """An empty record is a mistake of the caller."""
    with pytest.raises(ValueError, match="no observation"):
        locate(np.empty(0), np.empty(0))


@given(st.lists(st.floats(-3, 5), min_size=1, max_size=60), st.floats(0, 10))
def test_any_payoffs_give_an_ordered_answer(log_bets: list[float], drop: float) -> None:
    """Ties, constants and rows that all win or all lose are dated without a warning."""
    found = locate(np.array(log_bets), np.arange(float(len(log_bets))), drop)
    assert found.low <= found.at <= found.high
