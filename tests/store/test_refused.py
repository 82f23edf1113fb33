"""What a database that works refuses once: it is told from a database that died, and nothing of it is kept."""

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from undertow.batch import Batch
from undertow.config import StoreConfig
from undertow.errors import Refused, StoreError, TryAgain
from undertow.span import Span
from undertow.store import Store, db

T0 = 1_767_600_000.0
DAY_S = 86_400.0
Make = Callable[..., Span]
BatchOf = Callable[..., Batch]


@contextmanager
def _reading(store: Store) -> Iterator[None]:
    """A question that is under way as long as the block lasts."""
    with store._snapshot() as con:
        con.execute("SELECT count(*) FROM spans").fetchall()
        yield


@pytest.fixture(name="quick")
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undertow.store.store.PATIENCE_S", (0.01, 0.04))


@pytest.mark.usefixtures("quick")
def test_a_checkpoint_beside_a_reader_is_refused_and_nothing_is_lost(
    tmp_path: Path, make: Make, batch_of: BatchOf
) -> None:
    """Deletes are committed and counted; the refusal names its cause, and the checkpoint works when the reader ends."""
    path = tmp_path / "u.duckdb"
    with Store.open(path, config=StoreConfig(raw_retention_days=1), clock=lambda: T0) as store:
        store.ingest(batch_of([make(i) for i in range(20)]))
        with store.judgement() as judgement:
            judgement.advance(T0 + 100)
        with _reading(store):
            assert store.retain(T0 + 3 * DAY_S)["spans"] == 20
            with pytest.raises(Refused, match="questions were under way that began before the last commit") as refused:
                store.checkpoint()
            assert "disk" not in str(refused.value)
            assert store.broken is None
            assert store.ingest(batch_of([make(30)], 30)).stored == 1
        store.checkpoint()
        assert not path.with_name("u.duckdb.wal").exists()
        assert store.released(None, T0 + 100)["span_id"].to_pylist() == []
        assert store.ingestion()["totals"]["stored"] == 21


@pytest.mark.usefixtures("quick")
def test_patience_grows_with_each_refusal_and_starts_anew(tmp_path: Path, make: Make, batch_of: BatchOf) -> None:
    """A checkpoint that was refused waits twice as long the next time, up to a bound."""
    with Store.open(tmp_path / "u.duckdb", clock=None) as store:
        store.ingest(batch_of([make()]))
        waits = []
        with _reading(store):
            store.set_meta("a", "b")
            store.set_meta("a", "c")
            for _ in range(4):
                waits.append(store._patience_s)
                with pytest.raises(Refused):
                    store.checkpoint()
        store.checkpoint()
        assert [*waits, store._patience_s] == [0.01, 0.02, 0.04, 0.04, 0.01]


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (duckdb.FatalException("FATAL Error: database has been invalidated"), TryAgain, "disk has space"),
        (duckdb.IOException("IO Error: Could not write: No space left on device"), TryAgain, "disk has space"),
        (duckdb.TransactionException("Failed to commit: Could not write file"), TryAgain, "disk has space"),
        (duckdb.TransactionException("Transaction conflict: cannot update"), Refused, "refused a transaction"),
        (duckdb.TransactionException("Cannot CHECKPOINT: there are others"), Refused, "before the last commit"),
        (duckdb.InterruptException("INTERRUPT Error: Interrupted!"), Refused, "refused a transaction"),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"), Refused, "store.memory_limit"),
        (MemoryError(), Refused, "store.memory_limit"),
        (duckdb.IOException("Corrupt database file"), StoreError, "Corrupt"),
        (duckdb.BinderException("no such column"), StoreError, "no such column"),
    ],
)
def test_each_error_is_told_by_its_true_cause(error: duckdb.Error, kind: type[Exception], words: str) -> None:
    """Only a database that died, or a disk that takes nothing, asks for a new process."""
    told = db.explain(error, "u.duckdb")
    assert type(told) is kind
    assert words in str(told)


class Refusing:
    """A connection that refuses its `nth` statement."""

    def __init__(self, con: Any, nth: int, error: Exception) -> None:
        self._con, self.left, self._errors = con, nth, [error]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def execute(self, *args: Any) -> Any:
        """Run the statement, unless it is the one."""
        self.left -= 1
        if self.left == 0:
            raise self._errors.pop()  # its traceback would hold the rows
        return self._con.execute(*args)


ERRORS = (
    duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data"),
    duckdb.TransactionException("Transaction conflict"),
    MemoryError(),
    pa.lib.ArrowMemoryError("malloc of size 8 failed"),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("nth", range(1, 9))
def test_a_refused_commit_keeps_nothing_and_can_be_asked_again(
    nth: int, error: Exception, make: Make, batch_of: BatchOf
) -> None:
    """Whichever statement is refused: no row, no reject, no offset; the same store takes the same batch."""
    batch = batch_of([make(i) for i in range(10)])
    with Store.open(None, clock=None) as store:
        refusing = Refusing(store._writer, nth, error)
        store._writer = refusing  # type: ignore[assignment]
        with pytest.raises(Refused):
            store.ingest(batch)
        assert refusing.left <= 0, "never came to refuse"
        assert (store.broken, store.offsets("t"), store.rejects(), store.newest()) == (None, {}, [], None)
        assert store.released(None, math.inf).num_rows == 0
        assert store.ingest(batch).stored == 10
        assert store.ingestion()["totals"]["stored"] == 10


def _held(make: Make, batch_of: BatchOf, kept: list[BaseException] | None = None) -> int:
    """Bytes that Arrow still holds after a batch was refused once its rows were registered."""
    batch = batch_of([make(i, model="m" * 1000) for i in range(2000)])
    with Store.open(None, clock=None) as store:
        before = pa.total_allocated_bytes()
        store._writer = Refusing(store._writer, 4, MemoryError())  # type: ignore[assignment]
        try:
            store.ingest(batch)
        except Refused as error:
            if kept is not None:
                kept.append(error)
        gc.collect()
        return pa.total_allocated_bytes() - before


def test_rows_of_a_refused_batch_are_let_go(make: Make, batch_of: BatchOf) -> None:
    """Arrow holds nothing afterwards. Negative control: who keeps the refusal with its traceback keeps the rows."""
    assert _held(make, batch_of) < 100_000
    assert _held(make, batch_of, []) > 1_000_000


def test_memory_that_runs_out_after_the_commit_asks_for_a_new_process(
    make: Make, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the writer remembers would lack ids that are stored; read anew, they are recognised."""
    path = tmp_path / "u.duckdb"
    with Store.open(path, clock=None) as store, monkeypatch.context() as patch:
        patch.setattr(store._memory.recent, "add", Refusing(None, 1, MemoryError()).execute)
        with pytest.raises(TryAgain):
            store.ingest(batch_of([make()]))
        assert store.broken is not None
    with Store.open(path, clock=None) as store:
        assert store.ingest(batch_of([make()], 1)).duplicates == 1


def test_a_limit_too_small_to_open_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    """The mistake names the setting and has none of DuckDB's own advice, which nobody can follow here."""
    with pytest.raises(StoreError, match=r"store\.memory_limit") as caught:
        Store.open(tmp_path / "u.duckdb", config=StoreConfig(memory_limit="1MB"), clock=None)
    assert "\n" not in str(caught.value)


def test_a_question_past_the_memory_limit_is_refused_and_the_next_is_answered(make: Make, batch_of: BatchOf) -> None:
    """store.memory_limit bounds the database; what does not fit is refused, and reading and writing go on."""
    with Store.open(None, config=StoreConfig(memory_limit="64MiB"), clock=None) as store:
        with pytest.raises(Refused, match=r"store\.memory_limit"), store._read() as con:
            con.execute("SELECT list(repeat('x', 100) || i) FROM range(2000000) AS r(i)").fetchall()
        assert store.ingest(batch_of([make()])).stored == 1
        assert store.ingestion()["totals"]["stored"] == 1


def test_a_file_that_needs_more_memory_than_it_may_have_is_not_called_damaged() -> None:
    """The message names the setting."""
    assert "raise store.memory_limit" in db.refusal("u.duckdb", "Out of Memory Error: could not allocate")
    assert "disk is full" in db.refusal("u.duckdb", "IO Error: No space left on device")
