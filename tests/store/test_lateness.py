"""Which spans are late: the rule, and that it does not see how arrivals were cut into batches."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.killing import Killed

from undertow.batch import Batch, Decoded, Origin
from undertow.clock import ManualClock
from undertow.eventtime import EventTime
from undertow.span import Span
from undertow.store import Store

T0 = 1_767_600_000.0
cuts = st.lists(st.integers(1, 7), min_size=1, max_size=12)


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


def test_the_future_is_held_and_shown_to_nobody(make: Callable[..., Span], batch_of: Callable[..., Batch]) -> None:
    """A span that ended beyond the clock is not late, moves neither event time nor what pages show, and waits."""
    clock = ManualClock(T0 + 100)
    with Store.open(None, lateness_s=60.0, clock=clock) as store:
        spans = [make(0), make(1), make(2, started_at=T0 + 86_400), make(3), make(4)]
        done = store.ingest(batch_of(spans))
        assert (done.stored, done.late) == (5, 0)
        assert store.event_time() == store.newest() == T0 + 5
        assert store.reached(clock(), 3600.0) == T0 + 5
        assert store.targets()[0]["last"] < T0 + 600


def test_two_spans_are_too_few_to_agree(
    store: Store, make: Callable[..., Span], batch_of: Callable[..., Batch]
) -> None:
    """Nothing is agreed on by two, of which either may be wrong; the end of a replay has all of them."""
    store.ingest(batch_of([make(0), make(1, started_at=2e11)]))
    assert (store.event_time(), store.reached(T0 + 10, 3600.0)) == (None, None)
    assert store.reached(math.inf, 3600.0) == 2e11 + 1
    assert store.ingest(batch_of([make(i) for i in range(2, 6)], 10)).late == 0
    assert store.event_time() == T0 + 6


def test_newest_and_cursor_outlive_a_restart(
    tmp_path: Any, make: Callable[..., Span], batch_of: Callable[..., Batch]
) -> None:
    """After a start, lateness goes on from the newest committed time and from what was judged."""
    with Store.open(tmp_path / "u.duckdb", clock=None) as store:
        assert (store.newest(), store.cursor()) == (None, None)
        store.ingest(batch_of([make(98), make(99), make(100)]))
        with store.judgement() as judgement:
            judgement.advance(T0 + 70)
    with Store.open(tmp_path / "u.duckdb", clock=None) as store:
        assert (store.newest(), store.cursor()) == (T0 + 101, T0 + 70)
        done = store.ingest(batch_of([make(69), make(70), make(30)], 3))
        assert (done.stored, done.late) == (3, 2)


STEPS = ("before_begin", "after_rows", "before_commit", "after_commit")


def spans_of_wrong_clocks(make: Callable[..., Span], share: float) -> list[Span]:
    """Spans of four targets: one is 150 s ahead, and of the others a share comes five minutes late."""
    rng = random.Random(5)
    spans = []
    for i in range(600):
        target, off = rng.randrange(4), rng.uniform(-20, 0)
        off += 150 if target == 1 else -300 if rng.random() < share else 0
        spans.append(make(i, span_id=f"k{i}", model=f"m{target}", started_at=T0 + 2 * i + off))
    return spans


def flags(store: Store) -> list[tuple[str, bool]]:
    """Which spans are late, as the table has them, and event time."""
    with store._read() as con:
        return con.execute("SELECT span_id, late FROM spans ORDER BY span_id").fetchall()


@pytest.mark.parametrize("forgets", [False, True])
def test_a_kill_changes_no_flag(
    tmp_path: Any, make: Callable[..., Span], batch_of: Callable[..., Batch], forgets: bool
) -> None:
    """Killed at every step, event time goes on as if nothing had been; a start that forgets the arrivals does not."""
    spans = spans_of_wrong_clocks(make, 0.2)
    pieces = [spans[at : at + 25] for at in range(0, 600, 25)]
    with Store.open(None, lateness_s=60.0, clock=None) as store:
        for number, piece in enumerate(pieces):
            store.ingest(batch_of(piece, 25 * number))
        expected, expected_time = flags(store), store.event_time()
    assert 0 < sum(late for _, late in expected) < 150
    for number, piece in enumerate(pieces):
        step = STEPS[number % len(STEPS)]

        def failpoint(name: str, step: str = step) -> None:
            if name == step:
                raise Killed

        with Store.open(tmp_path / "u.duckdb", clock=None, failpoint=failpoint) as store, pytest.raises(Killed):
            store.ingest(batch_of(piece, 25 * number))
        with Store.open(tmp_path / "u.duckdb", clock=None) as store:
            if forgets:
                store._memory.arrivals = replace(store._memory.arrivals, event_time=EventTime(60.0))
            store.ingest(batch_of(piece, 25 * number))
    with Store.open(tmp_path / "u.duckdb", clock=None) as store:
        assert ((flags(store), store.event_time()) == (expected, expected_time)) is not forgets


def test_whose_clock_is_wrong_is_told(store: Store, make: Callable[..., Span], batch_of: Callable[..., Batch]) -> None:
    """By its host where the log names one, else by its target, with how far and how many."""
    spans = spans_of_wrong_clocks(make, 0.02)
    store.ingest(batch_of(spans))
    told = store.lateness()
    (ahead,) = told["ahead"]
    assert (ahead["host"], ahead["target"]["model"]) == (None, "m1")
    assert 130 < ahead["ahead_s"] < 170
    assert ahead["spans"] == ahead["recent"] > 3
    assert 0 < told["late"]["spans"] < 150
    assert told["late"]["of"] == 600
    hosts = [replace_label(span, "h1" if span.model == "m1" else "h2") for span in spans]
    with Store.open(None, clock=None) as named:
        named.ingest(batch_of(hosts))
        assert [(one["host"], one["target"]) for one in named.lateness()["ahead"]] == [("h1", None)]


def replace_label(span: Span, host: str) -> Span:
    """The same span with the name of a host."""
    return msgspec.structs.replace(span, labels={"host.name": host})


def test_a_file_of_an_older_version_goes_on_from_what_its_spans_agree_on(
    tmp_path: Any, make: Callable[..., Span], batch_of: Callable[..., Batch]
) -> None:
    """A newest time that a single span had moved to tomorrow does not make everything late after the upgrade."""
    with Store.open(tmp_path / "u.duckdb", clock=None) as store:
        store.ingest(batch_of([make(i) for i in range(50)]))
        with store._written() as con:
            con.execute("DELETE FROM progress WHERE name IN ('bound', 'rest')")
            con.execute("UPDATE progress SET value = value + 86400 WHERE name = 'newest'")
    with Store.open(tmp_path / "u.duckdb", clock=None) as store:
        assert store.event_time() == T0 + 50
        assert store.ingest(batch_of([make(50)], 50)).late == 0


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
