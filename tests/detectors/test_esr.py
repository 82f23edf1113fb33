"""The e-SR detector: what it computes, where it alarms, and that batches do not matter."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow_detectors import esr
from undertow_detectors.arrays import FloatArray
from undertow_detectors.blocks import Blocks
from undertow_detectors.esr import DIRECTIONS_BINARY, DIRECTIONS_NUMERIC, Alarm, State
from undertow_detectors.pit import uniforms

Advance = Callable[[State, FloatArray, FloatArray, float, Sequence[str]], tuple[State, list[Alarm]]]

THRESHOLD = math.log(50)
WAYS = ("up", "down", "spread")


def random(n: int, salt: str) -> FloatArray:
    """The same n numbers in (0, 1) with every version of numpy."""
    return uniforms([str(i) for i in range(n)], salt)


def numeric(u: FloatArray) -> FloatArray:
    """Bets on ranks without slack."""
    return esr.numeric_log_bets(u, u)


def one_by_one(log_bets: FloatArray, times: FloatArray, log_threshold: float) -> tuple[FloatArray, list[Alarm]]:
    """The definition, value by value, without logarithms."""
    k = log_bets.shape[1]
    m, cusum, since = np.zeros(k), np.zeros(k), np.full(k, np.nan)
    alarms = []
    for i, step in enumerate(log_bets):
        m = (m + 1) * np.exp(step)
        since = np.where(cusum == 0, times[i], since)
        cusum = np.maximum(0, cusum + step)
        if np.mean(m) >= math.exp(log_threshold):
            best = int(np.argmax(m))
            started = float(since[best]) if cusum[best] > 0 else float(times[i])
            alarms.append(Alarm(i, float(times[i]), math.log(np.mean(m)), best, WAYS[best], started))
            m, cusum = np.zeros(k), np.zeros(k)
    return m, alarms


def in_batches(
    advance: Advance, log_bets: FloatArray, times: FloatArray, cuts: Sequence[int], log_threshold: float
) -> tuple[State, list[Alarm]]:
    """Feed the rows in batches that end at `cuts`, alarms indexed over all of them."""
    state, alarms, begin = State.start(log_bets.shape[1]), [], 0
    for end in (*sorted(cuts), len(log_bets)):
        state, found = advance(state, log_bets[begin:end], times[begin:end], log_threshold, WAYS)
        alarms += [(begin + a.index, a) for a in found]
        begin = end
    return state, [Alarm(i, a.at, a.log_evidence, a.component, a.direction, a.since) for i, a in alarms]


def assert_same(one: list[Alarm], other: list[Alarm]) -> None:
    """Equal but for the rounding of the evidence."""

    def exact(alarms: list[Alarm]) -> list[tuple[object, ...]]:
        return [(a.index, a.at, a.component, a.direction, a.since) for a in alarms]

    assert exact(one) == exact(other)
    assert [a.log_evidence for a in one] == pytest.approx([a.log_evidence for a in other], abs=1e-9)


steps = st.integers(-70, 120).map(lambda i: 0.01 * i * (1 if i > 0 else math.sqrt(2)))  # none but 0 cancel each other
rows = st.lists(st.tuples(steps, steps, steps), min_size=1, max_size=200)


@given(rows)
def test_it_computes_the_definition(bets: list[tuple[float, ...]]) -> None:
    """Blocks and rows give the sums, alarms and change times of the recursion."""
    log_bets, times = np.array(bets), np.arange(len(bets)) + 0.5
    m, alarms = one_by_one(log_bets, times, THRESHOLD)
    state, found = esr.advance(State.start(3), log_bets, times, THRESHOLD, WAYS)
    assert_same(found, alarms)
    assert np.exp(state.log_m) == pytest.approx(m, rel=1e-9)


def test_whole_blocks_compute_it_too() -> None:
    """Long quiet stretches and threshold crossings anywhere in a block give the alarms of the recursion."""
    log_bets, times = numeric(random(20_000, "blocks") ** 0.93)[:, [1, 6, 10]], np.arange(20_000.0)
    m, alarms = one_by_one(log_bets, times, math.log(300))
    assert len(alarms) > 20
    for rows in (20_000, 4_097, 65, 64):
        state, found = in_batches(esr.advance, log_bets, times, range(0, 20_000, rows), math.log(300))
        assert_same(found, alarms)
        assert np.exp(state.log_m) == pytest.approx(m, rel=1e-9)


def test_a_bound_that_looks_at_the_ends_of_blocks_alone_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: evidence that peaks inside a block and falls again before its end must not be passed over."""
    log_bets = np.concatenate([np.full((326, 3), -0.1), np.full((4, 3), 1.6), np.full((320, 3), -0.9)])
    times = np.arange(650.0)
    _, alarms = one_by_one(log_bets, times, math.log(300))
    assert alarms
    assert_same(esr.advance(State.start(3), log_bets, times, math.log(300), WAYS)[1], alarms)
    evidence = Blocks.evidence
    monkeypatch.setattr(Blocks, "evidence", lambda self, log_m: (evidence(self, log_m)[0],) * 2)
    assert not esr.advance(State.start(3), log_bets, times, math.log(300), WAYS)[1]


@given(rows, st.lists(st.integers(0, 200), max_size=6))
def test_batches_do_not_matter(bets: list[tuple[float, ...]], cuts: list[int]) -> None:
    """However the rows are cut into batches, alarms and state are the same."""
    log_bets, times = np.array(bets), np.arange(float(len(bets)))
    whole, alarms = in_batches(esr.advance, log_bets, times, [], THRESHOLD)
    parts, found = in_batches(esr.advance, log_bets, times, [min(c, len(bets)) for c in cuts], THRESHOLD)
    assert_same(found, alarms)
    assert parts.log_m == pytest.approx(whole.log_m, abs=1e-9)
    assert parts.cusum == pytest.approx(whole.cusum, abs=1e-9)
    assert parts.since == pytest.approx(whole.since, nan_ok=True)
    assert parts.count == whole.count


def test_long_streams_do_not_depend_on_batches_either() -> None:
    """Chunks inside a batch, and the state between batches through bytes, leave the alarms where they were."""
    log_bets, times = numeric(np.sqrt(random(60_000, "long")))[:, [2, 6, 10]], np.arange(60_000.0)

    def through_bytes(state: State, *rest: object) -> tuple[State, list[Alarm]]:
        return esr.advance(State.from_bytes(state.to_bytes()), *rest)  # type: ignore[arg-type]

    _, alarms = in_batches(esr.advance, log_bets, times, [], math.log(1e9))
    assert len(alarms) > 100
    assert_same(in_batches(through_bytes, log_bets, times, [1, 700, 9_000, 40_001], math.log(1e9))[1], alarms)


def test_a_detector_that_forgets_between_batches_is_caught() -> None:
    """Negative control: the comparison of batches sees a state that is dropped."""

    def forgetful(state: State, *rest: object) -> tuple[State, list[Alarm]]:
        return esr.advance(State.start(len(state.log_m)), *rest)  # type: ignore[arg-type]

    log_bets, times = numeric(np.sqrt(random(2_000, "long")))[:, [2, 6, 10]], np.arange(2_000.0)
    whole, parts = (in_batches(forgetful, log_bets, times, cuts, math.log(1e9))[1] for cuts in ([], [55, 1_111]))
    with pytest.raises(AssertionError):
        assert_same(parts, whole)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda u: u, []),
        (lambda u: u**0.8, [(1_300, "up")]),
        (lambda u: 1 - (1 - u) ** 0.8, [(1_353, "down")]),
        (lambda u: 0.5 + np.sign(u - 0.5) * np.abs(2 * u - 1) ** 0.6 / 2, [(1_144, "spread")]),
    ],
    ids=["nothing", "longer", "shorter", "wider"],
)
def test_numeric_alarms_stay_where_they_were(
    change: Callable[[FloatArray], FloatArray], expected: list[tuple[int, str]]
) -> None:
    """On a frozen stream that changes at row 1,000 the first alarm comes at one certain row, in one direction."""
    u = random(2_500, "frozen")
    u[1_000:] = change(u[1_000:])
    _, alarms = esr.advance(State.start(12), numeric(u), np.arange(2_500.0), math.log(20_000), DIRECTIONS_NUMERIC)
    assert [(a.index, a.direction) for a in alarms[:1]] == expected


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.02, []), (0.06, [(1_119, "up")]), (0.004, [(1_585, "down")])], ids=str
)
def test_binary_alarms_stay_where_they_were(rate: float, expected: list[tuple[int, str]]) -> None:
    """A rate of 2 % that changes at row 1,000 is found at one certain row, in one direction."""
    u = random(3_000, "frozen")
    x = u < np.where(np.arange(3_000) < 1_000, 0.02, rate)
    bets = esr.binary_log_bets(x, np.full(3_000, 0.021), np.full(3_000, 0.019))
    _, alarms = esr.advance(State.start(7), bets, np.arange(3_000.0), math.log(20_000), DIRECTIONS_BINARY)
    assert [(a.index, a.direction) for a in alarms[:1]] == expected


def test_the_change_time_is_near_the_change() -> None:
    """`since` is where the winning bet began to win, not where the alarm came."""
    u = random(2_000, "since")
    u[1_000:] **= 0.5
    _, alarms = esr.advance(State.start(12), numeric(u), np.arange(2_000) * 10.0, math.log(1e6), DIRECTIONS_NUMERIC)
    assert abs(alarms[0].since - 10_000) <= 500
    assert alarms[0].at > 10_500


def test_it_starts_anew_after_an_alarm() -> None:
    """A change that stays raises alarm after alarm in one batch, each with evidence of its own."""
    bets = np.full((100, 1), math.log(2))
    state, alarms = esr.advance(State.start(1), bets, np.arange(100.0), math.log(1000), ("up",))
    assert [a.index for a in alarms] == list(range(8, 99, 9))
    assert [a.log_evidence for a in alarms] == pytest.approx([math.log(1022)] * 11)
    assert [a.since for a in alarms] == [float(i) for i in range(0, 99, 9)]
    assert state.count == 1


@given(rows, st.integers(1, 200))
def test_the_trail_is_the_evidence_of_the_definition(bets: list[tuple[float, ...]], cut: int) -> None:
    """After each row, however they are cut, and anew behind an alarm; the alarms are those found without it."""
    payoffs, times = np.exp(np.array(bets)), np.arange(len(bets)) + 0.5
    wanted, m = [], np.zeros(3)
    for e in payoffs:
        m = (m + 1) * e
        wanted.append(float(m.mean()))
        m = np.zeros(3) if wanted[-1] >= math.exp(THRESHOLD) else m
    state, found = State.start(3), []
    for begin in range(0, len(bets), cut):
        given_rows = payoffs[begin : begin + cut], times[begin : begin + cut], THRESHOLD, WAYS
        without = esr.advance_payoffs(state, *given_rows)
        state, alarms, trail = esr.trace_payoffs(state, *given_rows)
        assert (state.to_bytes(), alarms) == (without[0].to_bytes(), without[1])
        found += trail.tolist()
    assert found == pytest.approx(wanted, rel=1e-9)


def test_the_trail_of_long_streams_ends_where_the_detector_does() -> None:
    """Whole blocks give every row its evidence, and each alarm that of its row."""
    u = random(5000, "trail")
    u[3000:] **= 0.7
    payoffs = esr.numeric_payoffs(u, u)
    state, alarms, trail = esr.trace_payoffs(State.start(12), payoffs, np.arange(5000.0), 12.0, DIRECTIONS_NUMERIC)
    assert alarms
    assert np.log(trail[[alarm.index for alarm in alarms]]) == pytest.approx([a.log_evidence for a in alarms])
    assert np.log(trail[-1]) == pytest.approx(esr.log_evidence(state))
    m = np.zeros(12)
    for e, evidence in zip(payoffs[: alarms[0].index], trail, strict=False):
        m = (m + 1) * e
        assert evidence == pytest.approx(m.mean(), rel=1e-9)


def test_nothing_seen_changes_nothing() -> None:
    """An empty batch leaves the state as it was."""
    state, alarms = esr.advance(State.start(12), np.empty((0, 12)), np.empty(0), 1.0, DIRECTIONS_NUMERIC)
    assert (state.count, alarms, esr.log_evidence(state)) == (0, [], -math.inf)


def test_one_value_is_enough_to_go_on() -> None:
    """A batch of one value keeps the evidence of one bet."""
    state, _ = esr.advance(State.start(1), np.array([[0.25]]), np.array([7.0]), 9.0, ("up",))
    assert esr.log_evidence(state) == pytest.approx(0.25)
    assert state.since.tolist() == [7.0]


def test_long_losses_neither_overflow_nor_delay() -> None:
    """After a hundred thousand lost bets the evidence is as ready for a change as at the start."""
    losing = np.full((100_000, 1), -0.9)
    state, _ = esr.advance(State.start(1), losing, np.arange(100_000.0), 20.0, ("up",))
    assert state.log_m[0] == pytest.approx(-math.log(math.exp(0.9) - 1))
    _, alarms = esr.advance(state, np.full((30, 1), 1.0), np.arange(30.0), 20.0, ("up",))
    assert alarms[0].index <= 20


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_payoff_that_is_no_number_is_refused(bad: float) -> None:
    """NaN or infinity in the bets is a mistake of the caller, told at once."""
    with pytest.raises(ValueError, match="missing values"):
        esr.advance(State.start(1), np.array([[0.1], [bad]]), np.arange(2.0), 1.0, ("up",))


def test_state_survives_bytes() -> None:
    """What is stored is what comes back, in 299 bytes for twelve bets."""
    state, _ = esr.advance(State.start(12), numeric(random(99, "bytes")), np.arange(99.0), 50.0, DIRECTIONS_NUMERIC)
    blob = state.to_bytes()
    back = State.from_bytes(blob)
    assert len(blob) == 299
    for name in ("log_m", "cusum", "since"):
        np.testing.assert_array_equal(getattr(back, name), getattr(state, name))
    assert back.count == 99


@settings(max_examples=50)
@given(st.binary(max_size=100))
def test_other_bytes_are_refused(blob: bytes) -> None:
    """Bytes that are no state are a ValueError, whatever they hold."""
    with pytest.raises(ValueError, match="state"):
        State.from_bytes(b"\x02" + blob)
    with pytest.raises(ValueError, match="state"):
        State.from_bytes(State.start(3).to_bytes() + blob + b"x")


def test_payoffs_of_any_permitted_size_stay_in_range() -> None:
    """Blocks of the smallest and the largest payoffs there may be neither overflow nor vanish."""
    for step in (math.log(1e-4), math.log(1e4)):
        bets = np.full((200, 1), np.exp(step)).clip(1e-4, 1e4)
        state, alarms = esr.advance_payoffs(State.start(1), bets, np.arange(200.0), 1e4, ("up",))
        assert not alarms
        assert state.log_m[0] == pytest.approx(max(200 * step, step), rel=1e-4)


def test_a_numeric_bet_is_fair_on_uniform_ranks() -> None:
    """Every payoff has mean 1 on uniform ranks, and less once they give way by the slack."""
    u = (np.arange(100_000) + 0.5) / 100_000
    assert np.exp(numeric(u)).mean(axis=0) == pytest.approx(np.ones(12), abs=1e-9)
    given_way = np.exp(esr.numeric_log_bets(np.maximum(0, u - 0.01), np.minimum(1, u + 0.01)))
    assert (given_way.mean(axis=0) < 0.9995).all()


@given(st.floats(0.001, 0.999), st.floats(0, 1))
def test_a_binary_bet_is_fair_within_its_bounds(bound: float, share: float) -> None:
    """Mean payoffs are at most 1 for any rate inside the bounds, and above 1 outside (else nothing would be found)."""
    payoff = np.exp(esr.binary_log_bets(np.array([True, False]), np.full(2, bound), np.full(2, bound)))

    def mean(rate: float) -> FloatArray:
        return rate * payoff[0] + (1 - rate) * payoff[1]

    lower, higher = bound * share, bound + (1 - bound) * share
    assert (mean(lower)[:4] <= 1 + 1e-12).all()
    assert (mean(higher)[4:] <= 1 + 1e-12).all()
    assert (mean(1.0)[:4] > 1).all()
    assert (mean(0.0)[4:] > 1).all()


def test_nothing_is_bet_without_a_reference() -> None:
    """NaN ranks and NaN bounds pay 1, so they move no evidence either way."""
    nan = np.full(2, math.nan)
    assert not esr.numeric_log_bets(nan, nan).any()
    assert not esr.binary_log_bets(np.array([True, False]), nan, nan).any()
