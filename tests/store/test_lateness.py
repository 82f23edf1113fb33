"""Which spans are late: the rule, and that it does not see how arrivals were cut into batches."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.batch import Batch, Decoded, Origin
from undertow.clock import ManualClock
from undertow.span import Span
from undertow.store import Store
from undertow.store.lateness import Horizon, judge

T0 = 1_767_600_000.0
times = st.lists(st.integers(0, 400).map(lambda tenth: T0 + tenth / 2), max_size=40)
cuts = st.lists(st.integers(1, 7), min_size=1, max_size=12)


def by_hand(ended_at: list[float], before: Horizon) -> tuple[list[bool], float]:
    """The rule of CONTRACTS 2, span by span."""
    newest, flags = before.newest, []
    for time in ended_at:
        future = time > before.future
        flags.append(future or time <= max(newest - before.lateness_s, before.floor))
        newest = newest if future else max(newest, time)
    return flags, newest


def by_batch(ended_at: list[float], sizes: list[int], before: Horizon) -> list[bool]:
    """The flags when arrivals are cut into batches of `sizes`, over and over."""
    flags: list[bool] = []
    while len(flags) < len(ended_at):
        size = sizes[len(flags) % len(sizes)]
        late, newest = judge(np.array(ended_at[len(flags) : len(flags) + size]), before)
        before = before._replace(newest=newest)
        flags += late.tolist()
    return flags


@given(
    times,
    st.sampled_from([0.0, 10.0, 60.0]),
    st.sampled_from([-math.inf, T0 + 50]),
    st.sampled_from([math.inf, T0 + 150]),
)
def test_rule(ended_at: list[float], lateness_s: float, floor: float, future: float) -> None:
    """Late is at or before the running newest less the lateness, or the floor, or from the future."""
    before = Horizon(lateness_s, -math.inf, floor, future)
    late, newest = judge(np.array(ended_at), before)
    assert (late.tolist(), newest) == by_hand(ended_at, before)


@given(times, cuts)
def test_batches_do_not_matter(ended_at: list[float], sizes: list[int]) -> None:
    """The same spans are late however the arrivals are cut into batches."""
    before = Horizon(10.0)
    assert by_batch(ended_at, sizes, before) == by_hand(ended_at, before)[0]


def test_a_maximum_by_batch_is_caught() -> None:
    """The property tells a rule that compares with the newest of the whole batch from the right one."""

    def careless(ended_at: list[float]) -> list[bool]:
        return [time <= max(ended_at) - 10.0 for time in ended_at]

    arrivals = [T0, T0 + 100]
    assert careless(arrivals) != by_hand(arrivals, Horizon(10.0))[0]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 300)), max_size=30), cuts, cuts)
def test_store_is_the_same_for_any_batches(arrivals: list[tuple[int, int]], one: list[int], two: list[int]) -> None:
    """Rows, duplicates and late flags are the same for two ways to cut the same arrivals, repeated ids among them."""
    assert outcome(arrivals, one) == outcome(arrivals, two)


def outcome(arrivals: list[tuple[int, int]], sizes: list[int]) -> Any:
    """What a store makes of spans (id, seconds) in batches of `sizes`."""
    with Store.open(None, lateness_s=20.0, clock=None) as store:
        done = 0
        total = None
        while done < len(arrivals):
            batch = Batch()
            for offset, (name, at) in list(enumerate(arrivals))[done : done + sizes[done % len(sizes)]]:
                span = Span(span_id=str(name), started_at=T0 + at, provider="p", model="m")
                batch.add(Origin("t", 0, offset), Decoded("native", [span]))
            done += len(batch.messages)
            committed = store.ingest(batch)
            total = committed if total is None else total + committed
        judged = store.released(None, T0 + 10_000, columns=["span_id", "started_at"]).to_pylist()
        return total, judged, store.newest()


def test_nothing_is_judged_behind_what_was_released(
    store: Store, make: Callable[..., Span], batch_of: Callable[..., Batch]
) -> None:
    """What arrives at or before a released time is stored and counted late, although it is within the lateness."""
    store.ingest(batch_of([make(i) for i in range(10)]))
    assert store.released(None, T0 + 5).num_rows == 5
    done = store.ingest(batch_of([make(90, started_at=T0 + 3.5), make(91, started_at=T0 + 4.5)], 10))
    assert (done.stored, done.late) == (2, 1)
    assert store.released(T0 + 5, T0 + 5.5)["span_id"].to_pylist() == ["s91"]


def test_future_is_not_believed(make: Callable[..., Span], batch_of: Callable[..., Batch]) -> None:
    """A span that ended beyond the clock and the lateness is late, and the newest time stays where it was."""
    with Store.open(None, lateness_s=60.0, clock=ManualClock(T0 + 100)) as store:
        done = store.ingest(batch_of([make(0), make(1, started_at=T0 + 3600), make(2), make(3, started_at=T0 + 150)]))
        assert (done.stored, done.late) == (4, 1)
        assert store.newest() == T0 + 151
        assert store.targets()[0]["late"] == 1


def test_replay_believes_any_time(store: Store, make: Callable[..., Span], batch_of: Callable[..., Batch]) -> None:
    """Without a clock no span is from the future."""
    assert store.ingest(batch_of([make(0, started_at=2e11)])).late == 0


def test_newest_and_cursor_outlive_a_restart(
    tmp_path: Any, make: Callable[..., Span], batch_of: Callable[..., Batch]
) -> None:
    """After a start, lateness goes on from the newest committed time and from what was judged."""
    with Store.open(tmp_path / "u.duckdb", clock=None) as store:
        assert (store.newest(), store.cursor()) == (None, None)
        store.ingest(batch_of([make(100)]))
        with store.judgement() as judgement:
            judgement.advance(T0 + 70)
    with Store.open(tmp_path / "u.duckdb", clock=None) as store:
        assert (store.newest(), store.cursor()) == (T0 + 101, T0 + 70)
        done = store.ingest(batch_of([make(69), make(70), make(30)], 1))
        assert (done.stored, done.late) == (3, 2)


@pytest.mark.parametrize(("after", "names"), [(None, ["s0", "b", "a", "s2"]), (T0 + 1, ["b", "a", "s2"])])
def test_order_of_judgement(
    store: Store, make: Callable[..., Span], batch_of: Callable[..., Batch], after: float | None, names: list[str]
) -> None:
    """Released spans come by (ended_at, span_id), whatever the order of arrival, from after the lower bound."""
    spans = [make(2), make(0, span_id="b", started_at=T0 + 0.5), make(1, span_id="a", started_at=T0 + 1.0), make(0)]
    store.ingest(batch_of(spans))
    assert store.released(after, T0 + 3)["span_id"].to_pylist() == names


def test_released_of_one_target(store: Store, make: Callable[..., Span], batch_of: Callable[..., Batch]) -> None:
    """A target with unknown parts is itself and no other."""
    spans = [make(0), make(1, gateway="g"), make(2, deployment="d"), make(3)]
    store.ingest(batch_of(spans))
    found = store.released(None, T0 + 10, target=make(0).target, columns=["span_id"])
    assert found.to_pylist() == [{"span_id": "s0"}, {"span_id": "s3"}]
