"""One batch, one transaction: spans, rejects, counters, rollups, offsets and event time."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from undertow.batch import Batch, Committed
from undertow.config import StoreConfig
from undertow.errors import TryAgain
from undertow.store import counters, dedup, instrumentations, rolling, rollups, rows, sources
from undertow.store.counters import Counters, Key
from undertow.store.db import DATA_ERRORS, registered, transaction
from undertow.store.dedup import Recent
from undertow.store.lateness import Arrivals
from undertow.store.rolled import Rolls, Touched
from undertow.store.rows import Refusal, Row

Failpoint = Callable[[str], None]
"""Called with the name of the step that comes next; tests raise or exit in it."""

ROW_ERRORS = (ValueError, OverflowError, TypeError, pa.ArrowException, *DATA_ERRORS)
"""What is raised when the database cannot hold a row."""

_INSERT_SPANS = "INSERT INTO spans BY NAME SELECT * FROM arrivals"


@dataclass(slots=True)
class Memory:
    """What the writer knows without asking the database; changes only after a commit."""

    recent: Recent
    counters: Counters
    rolls: Rolls
    arrivals: Arrivals


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a commit did, and what the writer has to remember of it."""

    committed: Committed
    stored: pa.Table
    counts: Counter[Key]
    arrivals: Arrivals
    touched: Touched | None


@dataclass(frozen=True, slots=True)
class Ingest:
    """What stays the same from batch to batch."""

    con: duckdb.DuckDBPyConnection
    memory: Memory
    config: StoreConfig
    failpoint: Failpoint

    def run(self, batch: Batch, floor: float, received_at: float) -> Committed:
        """Commit `batch`, spans up to `floor` having been handed to the detectors.

        A span that no table can hold becomes a reject `store_refused`.
        """
        self.failpoint("before_begin")
        rejects = rows.refusals(batch)
        try:
            outcome = self._commit(batch, rows.complete(rows.table(batch)), rejects, floor, received_at)
        except ROW_ERRORS as error:
            if isinstance(error, MemoryError):  # one of Arrow's is both, and says nothing of the rows
                raise
            arrived = rows.rows(batch)
            refused = rows.culprits(arrived, self._accepts)
            if not refused:
                raise
            left_out = {id(row) for row in refused}
            arrived = [row for row in arrived if id(row) not in left_out]
            rejects += map(rows.refuse, refused)
            outcome = self._commit(batch, rows.of_rows(arrived), rejects, floor, received_at)
        try:
            self._remember(outcome)
        except MemoryError as error:  # what the writer knows lacks something that is committed
            raise TryAgain("there was no memory for the ids of a batch that is committed; start again") from error
        self.failpoint("after_commit")
        return outcome.committed

    def _accepts(self, part: Sequence[Row]) -> bool:
        """Whether the spans table would take `part`; leaves it as it was."""
        try:
            with registered(self.con, "arrivals", rows.of_rows(part)):
                self.con.execute("BEGIN")
                try:
                    self.con.execute(_INSERT_SPANS)
                finally:
                    self.con.execute("ROLLBACK")
        except ROW_ERRORS as error:
            if isinstance(error, MemoryError):
                raise
            return False
        return True

    def _commit(
        self, batch: Batch, spans: pa.Table, rejects: Sequence[Refusal], floor: float, received_at: float
    ) -> Outcome:
        with transaction(self.con):
            new = dedup.new_spans(self.con, self.memory.recent, spans)
            arrivals, late = self.memory.arrivals.judge(new, floor)
            touched = self._insert_spans(new.append_column("late", pa.array(late)))
            self._insert_rejects(rows.refusal_table(rejects, received_at, self.config))
            committed = Committed(
                stored=new.num_rows,
                duplicates=spans.num_rows - new.num_rows,
                rejected=len(rejects),
                skipped=sum(decoded.skipped.total() for _, decoded in batch.messages),
                late=int(np.count_nonzero(late)),
            )
            counts = self.memory.counters.bounded(counters.tally(batch, committed, new, rejects))
            counters.add(self.con, counts)
            instrumentations.add(self.con, batch, received_at)
            self.failpoint("after_rows")
            self._move(batch, arrivals)
            self.failpoint("before_commit")
        return Outcome(committed, new, counts, arrivals, touched)

    def _insert_spans(self, spans: pa.Table) -> Touched | None:
        if spans.num_rows == 0:
            return None
        with registered(self.con, "arrivals", spans):
            self.con.execute(_INSERT_SPANS)
            ended_at = spans["ended_at"].to_numpy()
            rollups.add(self.con, float(ended_at.min()), float(ended_at.max()))
            touched = self.memory.rolls.touched(ended_at)
            rolling.touch(self.con, touched, self.memory.rolls)
        return touched

    def _insert_rejects(self, rejects: pa.Table) -> None:
        if rejects.num_rows == 0:
            return
        with registered(self.con, "refused", rejects):
            self.con.execute("INSERT INTO rejects BY NAME SELECT * FROM refused")

    def _move(self, batch: Batch, arrivals: Arrivals) -> None:
        sources.move(self.con, batch)
        if arrivals is not self.memory.arrivals:
            arrivals.keep(self.con)

    def _remember(self, outcome: Outcome) -> None:
        stored = outcome.stored
        self.memory.recent.add(stored["span_id"].to_pylist(), stored["started_at"].to_pylist())
        self.memory.counters.remember(outcome.counts)
        self.memory.arrivals = outcome.arrivals
        if outcome.touched:
            self.memory.rolls.remember(outcome.touched)
