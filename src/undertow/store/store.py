"""The store: the only owner of the DuckDB file, safe to use from any thread."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from undertow.batch import Batch, Committed
from undertow.clock import Clock, system_clock
from undertow.config import StoreConfig
from undertow.errors import Refused, StoreError, TryAgain, UndertowError
from undertow.span import Target
from undertow.store import db, read, retention, rolling, schema, state
from undertow.store.counters import Counters
from undertow.store.crowd import Others
from undertow.store.dedup import Recent
from undertow.store.ingest import Failpoint, Ingest, Memory
from undertow.store.lateness import Arrivals, known
from undertow.store.meter import Meter
from undertow.store.reader import Reader
from undertow.store.rolled import Rolls
from undertow.store.state import Judgement, Recorded

LET_IN_S = 0.001
"""Rests that long before it takes the writer's lock again, which goes to whoever asks first."""

CHECKPOINT_PAUSE_S = 0.01
PATIENCE_S = (0.1, 5.0)
"""How long a checkpoint waits for readers, with the writer's lock: at first, and at most after refusals."""


class Store(Reader):
    """Spans, rejects, offsets and verdicts in one DuckDB database.

    Questions are the Reader's; what writes is here, and takes turns at one connection. Methods raise StoreError,
    Refused where the same may be asked again, or TryAgain after a fault such as a full disk; the TryAgain that a write
    met stays in `broken`, for the database has to be opened anew.
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
        self._patience_s = PATIENCE_S[0]
        schema.migrate(self._writer, name)
        self._memory = Memory(
            Recent.rebuilt(self._writer),
            Counters.read(self._writer),
            Rolls.read(self._writer),
            Arrivals.read(self._writer, lateness_s),
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

        Without a `clock`, as in replay, nothing is known but what sources agree on. `failpoint` is called at each step
        of a commit. Raises StoreError that names the file and what to do.
        """
        name = "the database in memory" if path is None else str(path)
        config = config or StoreConfig()
        connection = db.connect(path, config.memory_limit)
        try:
            return cls(connection, name, config, lateness_s, clock, failpoint)
        except (duckdb.Error, MemoryError) as error:
            connection.close()
            raise StoreError(db.refusal(name, str(error) or "Out of Memory")) from error
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
            received_at = self._clock() if self._clock else system_clock()
            ingest = Ingest(self._writer, self._memory, self._config, self._failpoint)
            done = ingest.run(batch, self._floor, received_at)
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
        """When the newest span ended whose clock is believed, in Unix seconds: for people, not for verdicts."""
        return known(max(self._memory.arrivals.event_time.newest(self._plausible()), self._cursor))

    def event_time(self) -> float | None:
        """How far the sources of spans agree that time has come, in Unix seconds."""
        return known(self._memory.arrivals.event_time.now)

    def reached(self, until: float, beyond_s: float) -> float | None:
        """The newest event time up to `until` that is at most `beyond_s` ahead of what sources agree on now."""
        return self._memory.arrivals.reached(until, beyond_s)

    def believed(self) -> float:
        """Up to when a span is believed to have ended: by the clock, where there is one, or as sources agree."""
        found = max(self._memory.arrivals.event_time.now, self._cursor, self._plausible())
        return math.inf if found == -math.inf else found

    def _plausible(self) -> float:
        return self._clock() + self._lateness_s if self._clock else -math.inf

    def lateness(self) -> dict[str, Any]:
        """How many of the latest arrivals came late, whose clock is ahead, and event time, as /v1/ingest gives them."""
        return self._memory.arrivals.as_dict()

    def cursor(self) -> float | None:
        """The event time up to and including which spans were judged, in Unix seconds."""
        return known(self._cursor)

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

        Ten minutes are over when event time has passed them by the lateness that is allowed.
        """
        return self._roll(self._memory.arrivals.event_time.now - self._lateness_s)

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

        Raw rows go once they are summed up. Their room in the file is free after the next checkpoint.
        """
        with self._rolling:
            while self._roll(now - self._config.raw_retention_days * retention.DAY_S):
                pass
            with self._writes():
                limits = retention.limits(self._config, now, self._memory.rolls)
                with db.transaction(self._writer) as con:
                    deleted = retention.retain(con, self._config, now, self._cursor, limits)
                self._memory.rolls.forget(limits.gone, limits.sketches)
                return deleted

    def checkpoint(self) -> None:
        """Write the log into the file, and free the room of what was deleted.

        Raises Refused where questions that began before the last commit took too long; the next call waits twice as
        long for them, while nobody writes. FORCE CHECKPOINT would make new questions wait, too.
        """
        with self._writes():
            deadline = time.monotonic() + self._patience_s
            while (refused := self._checkpoint_refused()) and time.monotonic() < deadline:
                time.sleep(CHECKPOINT_PAUSE_S)
            self._patience_s = min(2 * self._patience_s, PATIENCE_S[1]) if refused else PATIENCE_S[0]
            if refused:
                raise refused

    def _checkpoint_refused(self) -> Refused | None:
        try:
            with db.told(self.name):
                self._writer.execute("CHECKPOINT")
        except Refused as error:
            return error
        return None
