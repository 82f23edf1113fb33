"""The store: the only owner of the DuckDB file, safe to use from any thread."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from undertow.batch import Batch, Committed
from undertow.clock import Clock, system_clock
from undertow.config import StoreConfig
from undertow.errors import StoreError, TryAgain, UndertowError
from undertow.span import Target
from undertow.store import db, read, retention, rolling, schema, state
from undertow.store.counters import Counters
from undertow.store.crowd import Others
from undertow.store.dedup import Recent
from undertow.store.ingest import Failpoint, Ingest, Memory
from undertow.store.lateness import Horizon
from undertow.store.meter import Meter
from undertow.store.reader import Reader
from undertow.store.rolled import Rolls
from undertow.store.state import Judgement, Recorded

LET_IN_S = 0.001
"""Rests that long before it takes the writer's lock again, which goes to whoever asks first."""


class Store(Reader):
    """Spans, rejects, offsets and verdicts in one DuckDB database.

    Questions are the Reader's; what writes is here, and takes turns at one connection. Methods raise StoreError, or
    TryAgain after a fault such as a full disk; the TryAgain that a write met stays in `broken`, for the database has to
    be opened anew.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        config: StoreConfig,
        lateness_s: float,
        clock: Clock | None,
        failpoint: Failpoint,
    ) -> None:
        super().__init__(connection, name)
        self.broken: TryAgain | None = None
        self._config = config
        self._lateness_s = lateness_s
        self._clock = clock
        self._failpoint = failpoint
        self._writer = connection.cursor()
        self._writing = threading.RLock()
        self._rolling = threading.RLock()
        self._put_off: set[int] = set()
        self._meter = Meter()
        schema.migrate(self._writer, name)
        self._memory = Memory(
            Recent.rebuilt(self._writer),
            Counters.read(self._writer),
            Rolls.read(self._writer),
            state.progress(self._writer, "newest"),
        )
        self._cursor = self._floor = state.progress(self._writer, "cursor")

    @classmethod
    def open(
        cls,
        path: str | Path | None,
        *,
        config: StoreConfig | None = None,
        lateness_s: float = 60.0,
        clock: Clock | None = system_clock,
        failpoint: Failpoint = lambda _: None,
    ) -> "Store":
        """Open or make the database at `path`; None keeps it in memory.

        Without a `clock`, as in replay, no span is from the future. `failpoint` is called at each step of a commit.
        Raises StoreError that names the file and what to do.
        """
        name = "the database in memory" if path is None else str(path)
        connection = db.connect(path)
        try:
            return cls(connection, name, config or StoreConfig(), lateness_s, clock, failpoint)
        except duckdb.Error as error:
            connection.close()
            raise StoreError(db.refusal(name, str(error))) from error
        except UndertowError:
            connection.close()
            raise

    def close(self) -> None:
        """Write everything into the file and let go of it."""
        with self._writing:
            self._writer.close()
            self._connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _writes(self) -> Iterator[None]:
        with self._writing:
            try:
                with db.told(self.name):
                    yield
            except TryAgain as error:
                self.broken = error
                raise

    @contextmanager
    def _written(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._writes(), db.transaction(self._writer):
            yield self._writer

    # ------------------------------------------------------------------ sources

    def ingest(self, batch: Batch) -> Committed:
        """Commit a batch: spans, rejects, counters, rollups and offsets together, or nothing of it."""
        with self._writes():
            now = self._clock() if self._clock else None
            horizon = Horizon(
                self._lateness_s,
                self._memory.newest,
                self._floor,
                math.inf if now is None else now + self._lateness_s,
            )
            received_at = system_clock() if now is None else now
            done = Ingest(self._writer, self._memory, self._config, self._failpoint).run(batch, horizon, received_at)
            self._meter.add(done.stored)
            return done

    def set_meta(self, key: str, value: str) -> None:
        """Keep such a value."""
        with self._written() as con:
            state.put_meta(con, key, value)

    def stored_per_s(self) -> float | None:
        """Spans stored a second over the last minute of the clock; None right after the start."""
        return self._meter.per_s()

    # ---------------------------------------------------------------- detection

    def newest(self) -> float | None:
        """The newest committed event time, in Unix seconds; spans from the future do not count."""
        return _known(self._memory.newest)

    def cursor(self) -> float | None:
        """The event time up to and including which spans were judged, in Unix seconds."""
        return _known(self._cursor)

    def released(
        self,
        after: float | None,
        until: float,
        target: Target | None = None,
        columns: Sequence[str] | None = None,
        others: Others | None = None,
    ) -> pa.Table:
        """The spans that are not late with after < ended_at <= until, ordered by (ended_at, span_id).

        Columns are those of the span and `ended_at`, or `columns` of them. With `others` a `target` stands for the
        names that are watched together as it, and none for all of the others' `own`. Whatever arrives from now on at or
        before `until` is late.
        """
        with self._writing:
            self._floor = max(self._floor, until)
        with self._read() as con:
            return read.released(con, -math.inf if after is None else after, until, target, columns, others)

    @contextmanager
    def judgement(self) -> Iterator[Judgement]:
        """Collect what a round of detection decides; the end of the block commits it, an exception drops it."""
        collected = Judgement()
        yield collected
        with self._writing:
            self._failpoint("before_judgement")
            with self._written() as con:
                moved = collected.apply(con, self._cursor)
                self._failpoint("before_judgement_commit")
            self._failpoint("after_judgement")
            self._cursor = moved
            self._floor = max(self._floor, moved)

    # -------------------------------------------------------------------- outbox

    def record_delivery(
        self,
        webhook_id: str,
        channel: str,
        outcome: Recorded,
        *,
        at: float,
        next_attempt_at: float | None = None,
        detail: str = "",
    ) -> None:
        """Count one attempt: `delivered`, `standing` until `next_attempt_at`, `retry` at that time, or `dead`."""
        self._failpoint("before_record")
        with self._written() as con:
            state.record_delivery(con, (webhook_id, channel), outcome, at, next_attempt_at, detail)
        self._failpoint("after_record")

    # -------------------------------------------------------------------- upkeep

    def roll(self) -> bool:
        """Sum up the oldest hour, or what is over of it, that has no current sketch; False where nothing is left to do.

        Ten minutes are over when the newest event time has passed them by the lateness that is allowed.
        """
        return self._roll(self._memory.newest - self._lateness_s)

    def _roll(self, before: float) -> bool:
        rolls = self._memory.rolls
        with self._rolling:
            with self._writing:
                part = rolling.due(rolls, before, self._put_off)
            if part is None:
                self._put_off.clear()
                return False
            with self._snapshot() as con:
                pieces = rolling.sums(con, part, rolls.gone)
            if not all(self._put(part, piece, i, len(pieces)) for i, piece in enumerate(pieces)):
                self._put_off.add(part.hour)  # the oldest hour must not keep later ones waiting
            return True

    def _put(self, part: rolling.Slice, piece: pa.Table, i: int, of: int) -> bool:
        """Write the i-th piece of a slice; False where a span has come meanwhile that it lacks."""
        if i:
            time.sleep(LET_IN_S)
        with self._writes():
            if part.hour not in self._memory.rolls.under_way:
                return False
            self._failpoint("before_roll")
            with db.transaction(self._writer) as con:
                if i == 0:
                    rolling.clear(con, part)
                rolling.write(con, part, piece)
                if i == of - 1:
                    rolling.finish(con, part)
                self._failpoint("before_roll_commit")
            self._failpoint("after_roll")
            if i == of - 1:
                self._memory.rolls.close(part.buckets, part.hours)
            return True

    def retain(self, now: float) -> dict[str, int]:
        """Delete what is older at `now` than the configuration keeps; how many rows of each kind.

        Raw rows go once they are summed up.
        """
        with self._rolling:
            while self._roll(now - self._config.raw_retention_days * retention.DAY_S):
                pass
            with self._writes():
                limits = retention.limits(self._config, now, self._memory.rolls)
                with db.transaction(self._writer) as con:
                    deleted = retention.retain(con, self._config, now, self._cursor, limits)
                self._memory.rolls.forget(limits.gone, limits.sketches)
                self._writer.execute("CHECKPOINT")
                return deleted


def _known(time_s: float) -> float | None:
    return None if time_s == -math.inf else time_s
