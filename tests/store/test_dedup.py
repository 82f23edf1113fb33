"""Gateways retry their exports: which spans are recognised, and that forgetting ids changes nothing but speed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.batch import Batch, Decoded, Origin
from undertow.span import Span
from undertow.store import Store
from undertow.store.dedup import WINDOW_S, Recent, first_of_each

T0 = 1_767_600_000.0
Make = Callable[..., Span]
BatchOf = Callable[..., Batch]


def test_within_a_batch(store: Store, make: Make, batch_of: BatchOf) -> None:
    """The first of a repeated span is stored, the others are counted."""
    done = store.ingest(batch_of([make(1, output_tokens=5), make(2), make(1, output_tokens=6), make(1)]))
    assert (done.stored, done.duplicates) == (2, 2)
    assert store.released(None, T0 + 10)["output_tokens"].to_pylist() == [5, 100]


def test_across_batches(store: Store, make: Make, batch_of: BatchOf) -> None:
    """A span of an earlier batch is recognised, also among new ones."""
    store.ingest(batch_of([make(1), make(2)]))
    done = store.ingest(batch_of([make(2), make(3), make(1), make(3)], 2))
    assert (done.stored, done.duplicates) == (1, 3)


def test_across_a_restart(tmp_path: Path, make: Make, batch_of: BatchOf) -> None:
    """The ids are known again after a start."""
    for expected in (2, 0):
        with Store.open(tmp_path / "u.duckdb") as store:
            assert store.ingest(batch_of([make(1), make(2)])).stored == expected


@pytest.mark.parametrize(("apart_s", "stored"), [(0.0, 1), (WINDOW_S, 1), (WINDOW_S + 1, 2), (86400.0, 2)])
@pytest.mark.parametrize("together", [True, False])
def test_window(store: Store, make: Make, batch_of: BatchOf, apart_s: float, stored: int, together: bool) -> None:
    """One id is one span when the starts lie within the window, in one batch as in two."""
    spans = [make(0), make(0, started_at=T0 + apart_s)]
    for batch in [spans] if together else [spans[:1], spans[1:]]:
        store.ingest(batch_of(batch))
    assert store.targets()[0]["spans"] == stored


def test_arrival_late_by_a_day_is_still_recognised(store: Store, make: Make, batch_of: BatchOf) -> None:
    """The window is on the start, which a retry repeats, so the delay of the retry does not matter."""
    store.ingest(batch_of([make(0)]))
    store.ingest(batch_of([make(i) for i in range(86400, 86410)]))
    assert store.ingest(batch_of([make(0)])).duplicates == 1


def test_ids_that_were_forgotten_are_suspects() -> None:
    """Whatever the bounded set gave up is settled by the table; one that forgot silently fails here."""
    recent = Recent(limit=10)
    ids, started = [str(i) for i in range(50)], [T0 + i * WINDOW_S for i in range(50)]
    recent.add(ids, started)
    assert len(recent) == 10
    assert set(recent.suspects(ids, started)) == set(range(50))
    assert recent.suspects(["new"], [started[-1]]) == []
    assert recent.suspects(["new"], [started[0]]) == [0]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 60)), min_size=1, max_size=40),
    st.integers(1, 9),
    st.integers(1, 20),
)
def test_exact_whatever_is_remembered(arrivals: list[tuple[int, int]], size: int, limit: int) -> None:
    """A set of any size, and batches of any size, store what comparing each span with all before it would."""
    kept: list[tuple[int, float]] = []
    for name, step in arrivals:
        at = T0 + step * 17.0
        if all(other != name or abs(at - time) > WINDOW_S for other, time in kept):
            kept.append((name, at))
    with Store.open(None, clock=None) as store:
        store._memory.recent.limit = limit
        for start in range(0, len(arrivals), size):
            batch = Batch()
            for offset, (name, step) in list(enumerate(arrivals))[start : start + size]:
                span = Span(span_id=str(name), started_at=T0 + step * 17.0, provider="p", model="m")
                batch.add(Origin("t", 0, offset), Decoded("native", [span]))
            store.ingest(batch)
        assert store.targets()[0]["spans"] == len(kept)


def test_one_id_many_times_is_not_slow() -> None:
    """A sender that repeats one id over years costs no more than one that does not."""
    n = 20_000
    assert len(first_of_each(["x"] * n, [i * (WINDOW_S + 1) for i in range(n)], set())) == n


def test_rebuilt_within_the_limit(tmp_path: Path, make: Make, batch_of: BatchOf) -> None:
    """After a start the newest ids are remembered, as many as fit, and older spans are suspects."""
    with Store.open(tmp_path / "u.duckdb") as store:
        store.ingest(batch_of([make(i * 300) for i in range(20)]))
        recent = Recent.rebuilt(store._writer, limit=5)
    assert len(recent) == 5
    assert recent.suspects(["new"] * 20, [T0 + i * 300 for i in range(20)]) == list(range(15))
