"""Weights for tenants that crowd: their arithmetic, and what they do to false alarms and to delays."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_detectors import crowding, esr
from undertow_detectors.arrays import FloatArray, IntArray
from undertow_detectors.crowding import WINDOWS, Reference, State, advance, counts, smaller
from undertow_detectors.pit import NumericReference, one_sided_ranks

TENANTS = 40
SHARES = 1 / np.arange(1, TENANTS + 1) / (1 / np.arange(1, TENANTS + 1)).sum()
CODES = st.lists(st.integers(-3, 5), min_size=1, max_size=60)


def asked(rng: np.random.Generator, n: int, burst: float = 0.0, one: int = 9) -> IntArray:
    """Who asks: few tenants often, many seldom, and one with a share of `burst` beside its own."""
    usual = rng.choice(TENANTS, n, p=SHARES)
    return np.where(rng.random(n) < burst, one, usual).astype(np.int64)


def plain_weight(baseline: list[int], before: list[int], code: int) -> float:
    """The definition, for one answer."""
    weight, half = 1.0, len(baseline) // 2
    for window in WINDOWS:
        mine = [Counter(baseline[max(0, j - window + 1) : j + 1])[c] for j, c in enumerate(baseline)]
        new = [m for m, c in list(zip(mine, baseline, strict=True))[half:] if c not in baseline[:half]]
        most = max([m for m, c in zip(mine, baseline, strict=True) if c == code] or [1, *new])
        usual = min(most, window * baseline.count(code) / len(baseline)) if code in baseline else most
        counted = Counter([*before, code][-window:])[code]
        if counted > most:
            weight = min(weight, usual * (window + 1 - counted) / (counted * (window + 1 - usual)))
    return weight


@given(CODES, st.integers(1, 8))
def test_counts_are_those_of_a_plain_loop(codes: list[int], window: int) -> None:
    """Each answer is counted with those of its tenant among the window that ends with it."""
    expected = [codes[max(0, i - window + 1) : i + 1].count(code) for i, code in enumerate(codes)]
    assert counts(np.array(codes), window).tolist() == expected


@given(CODES, CODES)
def test_weights_are_those_of_a_plain_loop(baseline: list[int], codes: list[int]) -> None:
    """The definition, answer by answer, for tenants that are known, new, and seen in the second half only."""
    _, weights = advance(Reference.fit(np.array(baseline)), State.start(np.array(baseline)), np.array(codes))
    expected = [plain_weight(baseline, baseline + codes[:i], code) for i, code in enumerate(codes)]
    assert weights == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.lists(st.integers(0, 700), max_size=4))
def test_weights_are_within_bounds_and_the_same_in_any_batches(seed: int, burst: float, cuts: list[int]) -> None:
    """In (0, 1], and to the last bit the same when cut anywhere and taken up again from bytes."""
    rng = np.random.default_rng(seed)
    baseline, codes = asked(rng, 800), asked(rng, 700, burst, one=int(rng.integers(0, 2 * TENANTS)))
    reference, state = Reference.fit(baseline), State.start(baseline)
    _, whole = advance(reference, state, codes)
    parts = []
    for part in np.split(codes, sorted(cuts)):
        state, some = advance(reference, State.from_bytes(state.to_bytes()), part)
        parts.append(some)
    assert ((whole > 0) & (whole <= 1)).all()
    assert np.array_equal(np.concatenate(parts), whole)


def test_the_answer_itself_has_no_part_in_its_weight() -> None:
    """A weight depends on the tenants up to its answer: other tenants afterwards change nothing before them."""
    rng = np.random.default_rng(1)
    baseline, codes = asked(rng, 2000), asked(rng, 1000, 0.4)
    other = np.concatenate([codes[:500], asked(rng, 500, 0.9)])
    reference, state = Reference.fit(baseline), State.start(baseline)
    assert np.array_equal(advance(reference, state, codes)[1][:500], advance(reference, state, other)[1][:500])


def test_a_tenant_within_its_habits_counts_in_full() -> None:
    """The baseline again weighs one throughout, and other answers of the same tenants one on nearly all."""
    rng = np.random.default_rng(1)
    baseline = asked(rng, 10_000)
    reference = Reference.fit(baseline)
    assert (advance(reference, State.start(baseline[:0]), baseline)[1] == 1).all()
    assert advance(reference, State.start(baseline), asked(rng, 10_000))[1].mean() > 0.98


def test_a_burst_counts_as_much_as_the_tenant_did_before() -> None:
    """At 40 or 90 % of the requests a tenant keeps its part of the weight, for the others' evidence is its measure."""
    rng = np.random.default_rng(1)
    baseline = asked(rng, 10_000)
    reference, state = Reference.fit(baseline), State.start(baseline)
    for burst in (0.4, 0.9):
        codes = asked(rng, 20_000, burst)
        _, weights = advance(reference, state, codes)
        settled = np.arange(len(codes)) >= max(WINDOWS)
        part = weights[settled & (codes == 9)].sum() / weights[settled].sum()
        assert part == pytest.approx((baseline == 9).mean(), rel=0.15)


def test_many_new_tenants_are_no_crowd_and_one_is() -> None:
    """Newcomers count alone, each for itself: a thousand of them weigh one, a single one next to nothing."""
    baseline = asked(np.random.default_rng(1), 2000)
    reference, state = Reference.fit(baseline), State.start(baseline)
    assert (advance(reference, state, np.arange(1000, 2000))[1] == 1).all()
    assert advance(reference, state, np.full(1000, 1000))[1][-1] < 0.001


def test_names_that_are_never_repeated_are_no_crowd() -> None:
    """A label that is new with every session of five requests weighs one, in the baseline as later."""
    sessions = np.repeat(np.arange(2000), 5)
    reference = Reference.fit(sessions[:5000])
    assert (advance(reference, State.start(sessions[:5000]), sessions[5000:])[1] == 1).all()


def test_smaller_bets_are_the_mixture_with_one() -> None:
    """1 + w(e - 1), and to the last bit the bet itself where w is one."""
    bets = np.exp(np.random.default_rng(1).normal(size=(5, 3)))
    weights = np.array([1.0, 0.5, 1.0, 1e-9, 0.25])
    made = smaller(bets, weights)
    assert made == pytest.approx(1 + weights[:, None] * (bets - 1), abs=1e-12)
    assert np.array_equal(made[weights == 1], bets[weights == 1])
    assert smaller(bets, np.ones(5)) is bets


@pytest.mark.parametrize("blob", [b"", b"\x02\x00\x00\x00\x00", b"\x01\x02\x00\x00\x00" + b"\x00" * 8])
def test_a_foreign_state_is_refused(blob: bytes) -> None:
    """Nothing, another version, and a record that was cut."""
    with pytest.raises(ValueError, match="crowding state"):
        State.from_bytes(blob)


# what it does to alarms


@dataclass(frozen=True)
class Stream:
    """Lengths of answers, each tenant with its own; at ONSET one tenant bursts, or all answers change."""

    n_ref: int = 8000
    burst: float = 0.0
    one: int = 9
    length: float = 1.0
    change: float = 1.0
    rows: int = 2000

    def alarm(self, seed: int, weighed: bool) -> int | None:
        """Rows from the onset to the first alarm, at the threshold of 16 streams of 2,500 a day and 30 days."""
        rng = np.random.default_rng(seed)
        lengths = np.exp(rng.normal(0, 0.3, TENANTS))
        lengths[self.one] = self.length
        before, after = asked(rng, self.n_ref), asked(rng, self.rows, self.burst, self.one)
        reference = NumericReference.fit(self._answers(rng, lengths[before]), np.zeros(self.n_ref, np.int64), 1)
        x, u = self._answers(rng, lengths[after] * self.change), rng.random(self.rows)
        bets = esr.numeric_payoffs(*one_sided_ranks(reference, x, np.zeros(self.rows, np.int64), u))
        if weighed:
            bets = smaller(bets, advance(Reference.fit(before), State.start(before), after)[1])
        threshold = math.log(30 * 2500 * 16)
        _, alarms = esr.advance_payoffs(esr.State.start(12), bets, np.arange(float(self.rows)), threshold, ("",) * 12)
        return alarms[0].index if alarms else None

    @staticmethod
    def _answers(rng: np.random.Generator, lengths: FloatArray) -> FloatArray:
        return rng.lognormal(5, 0.45, len(lengths)) * lengths


BURSTS = (
    Stream(burst=0.1, length=0.3),
    Stream(burst=0.4, length=0.4),
    Stream(burst=0.4, length=0.2, n_ref=2000),
    Stream(burst=0.9, length=0.4),
    Stream(burst=0.5, length=0.5, one=0),
    Stream(burst=0.6, length=2.5),
)


@pytest.mark.parametrize("stream", BURSTS, ids=str)
def test_a_burst_raises_no_alarm_with_weights_and_one_without(stream: Stream) -> None:
    """At most one of 10 bursts alarms; without weights (negative control) at least 9 of 10 do."""
    alarmed = [sum(stream.alarm(seed, weighed) is not None for seed in range(10)) for weighed in (True, False)]
    assert alarmed[0] <= 1
    assert alarmed[1] >= 9


def test_one_window_alone_would_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: of bursts to 90 % at least 3 of 10 alarm while a window of 500 alone fills."""
    monkeypatch.setattr(crowding, "WINDOWS", (500,))
    assert sum(BURSTS[3].alarm(seed, weighed=True) is not None for seed in range(10)) >= 3


def test_a_change_of_all_answers_is_found_as_soon() -> None:
    """Answers a tenth shorter are found after at most 15 % more answers than without weights (median)."""
    found = [[Stream(change=0.9).alarm(seed, weighed) for seed in range(15)] for weighed in (True, False)]
    delays = [np.median([math.inf if delay is None else delay for delay in runs]) for runs in found]
    assert delays[0] <= 1.15 * delays[1]
    assert delays[1] < 1000
