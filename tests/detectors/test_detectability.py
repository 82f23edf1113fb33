"""The delay that is told beforehand, against the delay of the detector itself in simulated traffic."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_detectors import esr
from undertow_detectors.arrays import BoolArray, FloatArray, IntArray
from undertow_detectors.detectability import expected_delay, moved_rates, scaled, smallest_change
from undertow_detectors.pit import NumericReference, one_sided_ranks
from undertow_detectors.rates import RateReference

STRATA, WARM_UP = 4, 2_000
LOG_THRESHOLD = math.log(300_000)
SHARES = np.full(STRATA, 1 / STRATA)


def first_alarm(log_bets: FloatArray) -> float:
    """Observations after the warm-up to the first alarm, inf when there is none."""
    n, k = log_bets.shape
    _, alarms = esr.advance(esr.State.start(k), log_bets, np.arange(float(n)), LOG_THRESHOLD, ("",) * k)
    return next((alarm.index + 1.0 - WARM_UP for alarm in alarms if alarm.index >= WARM_UP), math.inf)


@dataclass
class Lengths:
    """Skewed whole numbers in strata of their own level, and their frozen reference; a change is a proportion."""

    rng: np.random.Generator
    n_ref: int = 10_000

    def __post_init__(self) -> None:
        self.values, self.strata = self.draw(self.n_ref)
        self.reference = NumericReference.fit(self.values, self.strata, STRATA)

    def draw(self, n: int) -> tuple[FloatArray, IntArray]:
        strata = self.rng.integers(0, STRATA, n)
        return np.round(self.rng.lognormal(5 + 0.1 * strata, 0.7)), strata

    def bets(self, x: FloatArray, strata: IntArray, slack_sigmas: float = 2.0) -> FloatArray:
        u = self.rng.random(len(x))
        return esr.numeric_log_bets(*one_sided_ranks(self.reference, x, strata, u, slack_sigmas=slack_sigmas))

    def told(self, change: float, slack_sigmas: float = 2.0) -> float:
        x = scaled(self.values, 1 + change, self.rng.random(self.n_ref))
        weights = np.full(self.n_ref, 1 / self.n_ref)
        return expected_delay(self.bets(x, self.strata, slack_sigmas), weights, LOG_THRESHOLD)

    def happens(self, change: float, watched: int) -> float:
        x, strata = self.draw(WARM_UP + watched)
        x[WARM_UP:] = scaled(x[WARM_UP:], 1 + change, self.rng.random(watched))
        return first_alarm(self.bets(x, strata))


@dataclass
class Failures:
    """Failures at rates from 1 to 3 %, or `times` as often, and their frozen reference; a change is a difference."""

    rng: np.random.Generator
    times: float = 1.0
    n_ref: int = 10_000

    def __post_init__(self) -> None:
        self.rates = self.times * np.linspace(0.01, 0.03, STRATA)
        self.x, self.strata = self.draw(self.rates, self.n_ref)
        self.reference = RateReference.fit(self.x, self.strata, STRATA)

    def draw(self, rates: FloatArray, n: int) -> tuple[BoolArray, IntArray]:
        strata = self.rng.integers(0, STRATA, n)
        return self.rng.random(n) < rates[strata], strata

    def bets(self, x: BoolArray, strata: IntArray) -> FloatArray:
        return esr.binary_log_bets(x, self.reference.upper[strata], self.reference.lower[strata])

    def told(self, change: float) -> float:
        strata = np.arange(STRATA)
        counts = np.bincount(self.strata, minlength=STRATA)
        shares = counts / counts.sum()
        rates = moved_rates(np.bincount(self.strata, weights=self.x, minlength=STRATA) / counts, shares, change)
        both = np.concatenate([self.bets(np.full(STRATA, outcome), strata) for outcome in (True, False)])
        return expected_delay(both, np.concatenate([shares * rates, shares * (1 - rates)]), LOG_THRESHOLD)

    def happens(self, change: float, watched: int) -> float:
        quiet, before = self.draw(self.rates, WARM_UP)
        moved, after = self.draw(moved_rates(self.rates, SHARES, change), watched)
        return first_alarm(self.bets(np.concatenate([quiet, moved]), np.concatenate([before, after])))


def many_failures(rng: np.random.Generator) -> Failures:
    """Failures at rates from 10 to 30 %."""
    return Failures(rng, times=10)


Kind = Callable[[np.random.Generator], Lengths | Failures]
EFFECTS: list[tuple[Kind, float]] = [
    (Lengths, -0.3), (Lengths, -0.1), (Lengths, 0.1), (Lengths, 0.5),
    (Failures, 0.02), (Failures, 0.05), (many_failures, 0.1), (many_failures, -0.1),
]  # fmt: skip


def compared(kind: Kind, change: float, references: int = 24, runs: int = 3) -> tuple[float, float]:
    """The median of the delays told and of those that happened, each with references of their own."""
    told, happened = [], []
    for seed in range(references):
        stream = kind(np.random.default_rng(seed))
        told.append(stream.told(change))
        happened += [stream.happens(change, int(5 * told[-1])) for _ in range(runs)]
    return float(np.median(told)), float(np.median(happened))


@pytest.mark.parametrize(("kind", "change"), EFFECTS)
def test_the_delay_told_is_about_the_one_that_happens(kind: Kind, change: float) -> None:
    """The median delay of the detector itself is within 35 % of the one told beforehand."""
    told, happened = compared(kind, change)
    assert told == pytest.approx(happened, rel=0.35)


def test_without_the_slack_the_delay_told_would_be_wrong() -> None:
    """Negative control: a delay told for bets that do not give way to the reference's error is far too short."""
    streams = [Lengths(np.random.default_rng(seed), n_ref=2_000) for seed in range(12)]
    told = np.median([stream.told(-0.1, slack_sigmas=0) for stream in streams])
    happened = np.median([stream.happens(-0.1, 8_000) for stream in streams])
    assert told < 0.65 * happened


@pytest.mark.parametrize(("kind", "largest"), [(Lengths, 9.0), (Failures, 0.9)])
def test_what_is_smaller_than_the_smallest_is_mostly_missed(kind: Kind, largest: float) -> None:
    """Of the smallest change to be noticed within 2,000 requests, half mostly is not, and half as much again is."""
    streams = [kind(np.random.default_rng(seed)) for seed in range(24)]
    smallest = [smallest_change(stream.told, 2_000, largest) or 0.0 for stream in streams]

    def share_noticed(factor: float) -> float:
        delays = [one.happens(factor * change, 2_000) for one, change in zip(streams, smallest, strict=True)]
        return float(np.mean(np.isfinite(delays)))

    assert share_noticed(0.5) < 0.2
    assert 0.3 < share_noticed(1.0) < 0.9
    assert share_noticed(1.5) > 0.9


def test_steady_gains_need_the_threshold_over_the_gain() -> None:
    """Without noise the delay is about (log c + log μ)/μ, the closed form of a geometric sum."""
    gain = 0.02
    told = expected_delay(np.full((1, 1), gain), np.ones(1), LOG_THRESHOLD)
    assert told == pytest.approx((LOG_THRESHOLD + math.log(gain)) / gain, rel=0.1)


def test_a_mixture_of_more_bets_takes_longer() -> None:
    """Bets that win nothing dilute the evidence of the one that does."""
    bets, weights = np.array([[0.1], [-0.05]]), np.array([0.6, 0.4])
    alone, among = (expected_delay(bets, weights, LOG_THRESHOLD, mixed) for mixed in (None, 20))
    assert alone < among < 2 * alone


@pytest.mark.parametrize("bets", [np.zeros((1, 3)), np.full((1, 2), -0.1), np.full((1, 2), 1e-9)])
def test_what_does_not_grow_is_never_noticed(bets: FloatArray) -> None:
    """No bet above 1 on the average, or one so slow that a false alarm comes first: never."""
    assert expected_delay(bets, np.ones(1), LOG_THRESHOLD) == math.inf


@given(st.floats(1e-3, 1.0), st.floats(0.1, 3.0))
def test_the_smallest_change_is_the_smallest(threshold: float, largest: float) -> None:
    """What is found is noticed in time and, to 1 %, nothing smaller is; None where not even the largest is."""
    found = smallest_change(lambda change: 1.0 if change >= threshold else 2.0, 1.0, largest)
    assert (found is None) == (largest < threshold)
    assert found is None or threshold <= found <= max(1.011 * threshold, 1e-3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0, 1))
def test_a_rate_moves_by_what_was_asked(rates: list[float], to: float) -> None:
    """The mean over the strata moves to what was asked, and no stratum leaves 0..1."""
    before, shares = np.array(rates), np.full(len(rates), 1 / len(rates))
    after = moved_rates(before, shares, to - float(before @ shares))
    assert after @ shares == pytest.approx(to, abs=1e-6)
    assert ((after >= 0) & (after <= 1)).all()


def test_a_rate_that_cannot_move_so_far_is_refused() -> None:
    """A mistake is told with its values."""
    with pytest.raises(ValueError, match=r"0\.9 cannot change by 0\.2"):
        moved_rates(np.array([0.9]), np.ones(1), 0.2)


def test_whole_numbers_stay_whole_and_keep_their_mean() -> None:
    """Answers of 1.03 tokens do not exist, and would rank above every answer of one token."""
    rng = np.random.default_rng(1)
    longer = scaled(np.full(100_000, 7.0), 1.03, rng.random(100_000))
    assert set(longer) == {7.0, 8.0}
    assert longer.mean() == pytest.approx(7.21, abs=0.01)
    assert scaled(np.array([0.5]), 1.1, np.zeros(1)) == pytest.approx(0.55)
