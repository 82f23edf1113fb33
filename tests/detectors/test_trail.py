import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow_detectors import esr, trail


def one_by_one(log_m: np.ndarray, payoffs: np.ndarray) -> list[float]:
    """The definition: M ← (M + 1)·e, and the mean over the bets."""
    m, means = np.exp(log_m), []
    for e in payoffs:
        m = (m + 1) * e
        means.append(float(m.mean()))
    return means


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3000), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_is_the_evidence_of_the_definition_for_any_number_of_rows(n: int, k: int, seed: int) -> None:
    """Rows taken by blocks give what rows taken one by one do, from any evidence before."""
    rng = np.random.default_rng(seed)
    payoffs, before = np.exp(rng.normal(-0.02, 0.2, (n, k))), rng.normal(0, 3, k)
    assert trail.evidence(before, payoffs) == pytest.approx(one_by_one(before, payoffs), rel=1e-9)


def test_survives_the_most_extreme_payoffs() -> None:
    """A block of the largest payoffs that a detector takes, or of the smallest, is no NaN."""
    for payoff in (1e-4, 1e4):
        found = trail.evidence(np.full(3, -np.inf), np.full((60, 3), payoff))
        assert not np.isnan(found).any()


def test_ends_where_the_detector_does() -> None:
    """After the last row it is what the detector's own state says."""
    rng = np.random.default_rng(3)
    u = rng.random(5000)
    payoffs, start = esr.numeric_payoffs(u, u), esr.State.start(12)
    state, alarms = esr.advance_payoffs(start, payoffs, np.arange(5000.0), np.log(1e9), esr.DIRECTIONS_NUMERIC)
    assert alarms == []
    assert np.log(trail.evidence(start.log_m, payoffs)[-1]) == pytest.approx(esr.log_evidence(state), rel=1e-9)
