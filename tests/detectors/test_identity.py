"""Declared values: which is new, which has taken over."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_detectors.arrays import FloatArray
from undertow_detectors.identity import APPEARED, TOOK_OVER, Change, State, advance

BASELINE = np.array([0.9, 0.1])
OLD, OTHER, NEW = 0, 1, 2


def follow(codes: Sequence[int], cuts: Sequence[int] = (), shares: FloatArray = BASELINE) -> tuple[State, list[Change]]:
    """Feed codes at times 0, 1, 2, ... in batches that end at `cuts`; indexes count over all."""
    state, changes, begin = State.start(shares), [], 0
    times = np.arange(float(len(codes)))
    for end in (*sorted(cuts), len(codes)):
        state = State.from_bytes(state.to_bytes())
        state, found = advance(state, np.array(codes[begin:end], np.int64), times[begin:end])
        changes += [Change(c.kind, begin + c.index, c.at, c.since, c.old, c.new) for c in found]
        begin = end
    return state, changes


def test_a_new_value_appears_once() -> None:
    """The first call that carries an unseen value is the change, later ones are none."""
    _, changes = follow([OLD, OTHER, NEW, OLD, NEW])
    assert changes == [Change(APPEARED, 2, 2.0, 2.0, OLD, NEW)]


def test_a_new_value_takes_over_after_24_calls_in_a_row() -> None:
    """The takeover is dated to the first of them."""
    _, changes = follow([OLD] * 10 + [NEW] * 30)
    assert [c.kind for c in changes] == [APPEARED, TOOK_OVER]
    assert changes[1] == Change(TOOK_OVER, 33, 33.0, 10.0, OLD, NEW)


def test_a_known_value_can_take_over_too() -> None:
    """A minority of the baseline that becomes the rule has taken over, and can be taken over in turn."""
    _, changes = follow([OTHER] * 40 + [OLD] * 40)
    assert [(c.kind, c.old, c.new) for c in changes] == [(TOOK_OVER, OLD, OTHER), (TOOK_OVER, OTHER, OLD)]
    assert [c.since for c in changes] == [0.0, 40.0]


def test_half_of_the_calls_is_no_takeover() -> None:
    """A canary at half of the traffic appears, and does not take over, in a hundred thousand calls."""
    codes = np.where(np.random.default_rng(5).random(100_000) < 0.5, NEW, OLD).tolist()
    assert [c.kind for c in follow(codes)[1]] == [APPEARED]


def test_most_of_the_calls_is_a_takeover() -> None:
    """At 85 % it is found (negative control of the test above)."""
    codes = np.where(np.random.default_rng(5).random(2_000) < 0.85, NEW, OLD).tolist()
    assert [c.kind for c in follow(codes)[1]] == [APPEARED, TOOK_OVER]


def test_unknown_says_nothing() -> None:
    """Calls without a declared value neither count nor interrupt, and the index is that of the batch."""
    _, changes = follow([-1, OLD, -1] + [NEW, -1] * 24)
    assert [(c.kind, c.index) for c in changes] == [(APPEARED, 3), (TOOK_OVER, 49)]
    assert follow([-1] * 50)[1] == []


def test_a_baseline_without_values_is_taken_over_from_unknown() -> None:
    """When nothing was declared before, the first value that rules takes over from -1."""
    _, changes = follow([0] * 30, shares=np.zeros(0))
    assert [(c.kind, c.old, c.new) for c in changes] == [(APPEARED, -1, 0), (TOOK_OVER, -1, 0)]


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.integers(1, 40)), min_size=1, max_size=8),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_batches_of_declared_values_do_not_matter(runs: list[tuple[int, int]], cuts: list[int]) -> None:
    """Runs of values give the same changes however they are cut, with the state stored in between."""
    codes = [code for code, n in runs for _ in range(n)]
    whole, changes = follow(codes)
    parts, found = follow(codes, [min(c, len(codes)) for c in cuts])
    assert found == changes
    assert (parts.current, parts.seen.tolist()) == (whole.current, whole.seen.tolist())
    assert parts.cusum == pytest.approx(whole.cusum, abs=1e-9)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_identity_are_refused(blob: bytes) -> None:
    """Whatever they hold, they are a ValueError."""
    with pytest.raises(ValueError, match="identity state"):
        State.from_bytes(b"\x00" + blob)
    with pytest.raises(ValueError, match="identity state"):
        State.from_bytes(State.start(BASELINE).to_bytes() + blob + b"x")
