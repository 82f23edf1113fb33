"""The bound on false alarms, simulated: how often it is above the truth, and what an estimate would do."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from undertow.watch.budget import GUARANTEED, told, upper95

INTERVAL_DAYS = 30.0


def incident(lane: str = "content", verdict: str | None = None) -> dict[str, Any]:
    """One on record."""
    said = {"verdict": verdict, "by": "ada", "at": 1.0, "reason": ""}
    return {"lane": lane, "verdict": said if verdict else None}


@pytest.mark.parametrize("count", [0, 1, 2, 10, 300])
def test_the_bound_is_the_exact_one(count: int) -> None:
    """It is the quantile of the gamma distribution that Garwood's bound is known to be."""
    assert upper95(count) == pytest.approx(stats.chi2.ppf(0.95, 2 * (count + 1)) / 2, rel=1e-9)


@pytest.mark.parametrize("a_period", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("observed_days", [20.0, 90.0])
def test_the_bound_is_above_the_truth_in_95_of_100_windows(a_period: float, observed_days: float) -> None:
    """False alarms that come at random, at any rate and over any time: at least 95 % of the bounds hold."""
    rng = np.random.default_rng(11)
    counts = rng.poisson(a_period * observed_days / INTERVAL_DAYS, 4000)
    bounds = {
        n: told([incident(verdict="false_alarm")] * n, 90, observed_days, INTERVAL_DAYS)["upper95"] for n in set(counts)
    }
    assert np.mean([bounds[n] >= a_period for n in counts]) >= 0.94


def test_a_bound_that_is_an_estimate_would_be_noticed() -> None:
    """Negative control: what came, taken for the truth, is below it far more often than once in twenty."""
    counts = np.random.default_rng(11).poisson(3.0, 4000)
    assert np.mean(counts >= 3.0) < 0.7


def test_the_guarantee_is_of_its_lanes_alone() -> None:
    """Other lanes are listed apart, and say so."""
    found = told([incident(), incident("performance", "false_alarm")], 90, 90, INTERVAL_DAYS)
    assert (found["incidents"], found["false_alarms"], found["unjudged"]) == (1, 0, 1)
    assert {lane: one["guaranteed"] for lane, one in found["by_lane"].items()} == {
        "content": True,
        "performance": False,
    }
    assert set(GUARANTEED) == {"content", "golden"}


def test_what_nobody_judged_is_in_the_worst_case_alone() -> None:
    """The bound takes unjudged ones for real, its worst case for false; both are told."""
    found = told([incident(), incident(verdict="real")], 90, 90, INTERVAL_DAYS)
    assert found["upper95"] == pytest.approx(upper95(0) / 3, abs=1e-3)
    assert found["upper95_with_unjudged"] == pytest.approx(upper95(1) / 3, abs=1e-3)
