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
from undertow.columns import plain
from undertow.config import StoreConfig
from undertow.errors import StoreError, TryAgain, UndertowError
from undertow.notify.message import Outgoing
from undertow.span import Target
from undertow.store import db, evidence, history, overview, read, retention, rolling, schema, state, surroundings
from undertow.store.counters import Counters
from undertow.store.dedup import Recent
from undertow.store.ingest import Failpoint, Ingest, Memory
from undertow.store.lateness import Horizon
from undertow.store.meter import Meter
from undertow.store.rolled import Rolls
from undertow.store.state import Judgement, Recorded

LET_IN_S = 0.001
"""Rests that long before it takes the writer's lock again, which goes to whoever asks first."""


class Store:
    """Spans, rejects, offsets and verdicts in one DuckDB database.

    Writers take turns at one connection. A reader gets a connection of its own for each call and sees the last commit,
    so that neither waits for the other. Methods raise StoreError, or TryAgain after a fault such as a full disk; the
    TryAgain that a write met stays in `broken`, for the database has to be opened anew.
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
        self.name = name
        self.broken: TryAgain | None = None
        self._config = config
        self._lateness_s = lateness_s
        self._clock = clock
        self._failpoint = failpoint
        self._connection = connection
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

    @contextmanager
    def _read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with db.told(self.name), self._connection.cursor() as con:
            yield con

    @contextmanager
    def _snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """For several questions that must see the same commit."""
        with self._read() as con, db.transaction(con):
            yield con

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

    def offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of `topic` that was ever committed."""
        with self._read() as con:
            return read.offsets(con, plain(topic))

    def meta(self, key: str) -> str | None:
        """A value that the program keeps with the data, such as `group_instance_id`."""
        with self._read() as con:
            return state.meta(con, key)

    def set_meta(self, key: str, value: str) -> None:
        """Keep such a value."""
        with self._written() as con:
            state.put_meta(con, key, value)

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
    ) -> pa.Table:
        """The spans that are not late with after < ended_at <= until, ordered by (ended_at, span_id).

        Columns are those of the span and `ended_at`, or `columns` of them. Whatever arrives from now on at or before
        `until` is late.
        """
        with self._writing:
            self._floor = max(self._floor, until)
        with self._read() as con:
            return read.released(con, -math.inf if after is None else after, until, target, columns)

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

    def states(self) -> dict[str, bytes]:
        """The state of every detector by its key."""
        with self._read() as con:
            return state.states(con)

    # ------------------------------------------------------------------- reading

    def targets(self) -> list[dict[str, Any]]:
        """What has been seen: `{"target", "spans", "late", "first", "last"}` for each target."""
        with self._read() as con:
            return read.targets(con)

    def incidents(self, status: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Incidents, newest first."""
        with self._read() as con:
            return read.incidents(con, status, limit)

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        """One incident, or None."""
        with self._read() as con:
            return read.incident(con, incident_id)

    def alerts(self) -> dict[str, dict[str, Any]]:
        """What was told of each alert that is not over, by its key."""
        with self._read() as con:
            return read.alerts(con)

    def silences(self, after: float = -math.inf) -> list[dict[str, Any]]:
        """Silences that end after `after` (Unix seconds), the last to end first."""
        with self._read() as con:
            return read.silences(con, after)

    def audit(self, subject: str, limit: int = 1000) -> list[dict[str, Any]]:
        """The last `limit` things that happened to `subject`, such as an incident's id, in order."""
        with self._read() as con:
            return read.audit(con, subject, limit)

    def disabled(self) -> list[dict[str, Any]]:
        """`{"channel", "disabled_at", "detail"}` of each receiver that said it is gone."""
        with self._read() as con:
            return read.disabled(con)

    def notices(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Notices, newest first."""
        with self._read() as con:
            return read.notices(con, limit)

    def weight_changes(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Changes of weights, newest first."""
        with self._read() as con:
            return read.weight_changes(con, limit)

    def ingestion(self) -> dict[str, Any]:
        """Offsets and counts, as /v1/ingest gives them."""
        with self._read() as con:
            return read.ingestion(con)

    def rejects(self, reason: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Rejects, newest first."""
        with self._read() as con:
            return read.rejects(con, reason, limit)

    def series(
        self, target: Target, signal: str, start: float, end: float, step_s: float, route: str | None = None
    ) -> dict[str, Any]:
        """A signal over time, as /v1/series gives it; raises UsageError for an unknown signal."""
        with self._snapshot() as con:
            return history.series(con, target, signal, route, (start, end), step_s)

    def shares(
        self, target: Target, field: str, start: float, end: float, step_s: float, route: str | None = None
    ) -> dict[str, Any]:
        """The names of a field over time, as /v1/shares gives them; raises UsageError for an unknown field."""
        with self._snapshot() as con:
            return history.shares(con, target, field, route, (start, end), step_s)

    def distribution(
        self,
        target: Target,
        signal: str,
        before: tuple[float, float],
        after: tuple[float, float],
        route: str | None = None,
    ) -> dict[str, Any]:
        """Two stretches of time, as /v1/distribution gives them; raises UsageError for an unknown signal."""
        with self._snapshot() as con:
            return history.distribution(con, target, signal, route, before, after)

    def fleet(self, until: float, window_s: float) -> dict[str, Any]:
        """Every target in the `window_s` before `until`, as /v1/fleet gives it."""
        with self._snapshot() as con:
            return overview.fleet(con, until, window_s)

    def cost(self, start: float, end: float, step_s: float) -> dict[str, Any]:
        """What every target cost over time, as /v1/cost gives it."""
        with self._read() as con:
            return overview.cost(con, (start, end), step_s)

    def stored(self, until: float, window_s: float) -> list[dict[str, Any]]:
        """`{"at", "n"}`: how many spans were stored of each ten minutes of the `window_s` before `until`."""
        with self._read() as con:
            return list(overview.stored(con, until, window_s))

    def stored_per_s(self) -> float | None:
        """Spans stored a second over the last minute of the clock; None right after the start."""
        return self._meter.per_s()

    def evidence(self, target: Target, signal: str, start: float, end: float) -> list[dict[str, Any]]:
        """What the evidence of a signal was over [start, end), as /v1/evidence gives it."""
        with self._read() as con:
            return evidence.points(con, target, signal, start, end)

    def judged_since(self, start: float) -> float | None:
        """From when on judging is known to have gone on, at `start` or after it; None where it is not."""
        with self._read() as con:
            return evidence.first(con, start)

    def between(self, kind: surroundings.Kind, start: float, end: float) -> list[dict[str, Any]]:
        """The documents of a kind over [start, end) of event time, in order; see `store.surroundings`."""
        with self._read() as con:
            return surroundings.between(con, kind, start, end)

    def deliveries(self, alert: str) -> list[dict[str, Any]]:
        """What became of each message of an alert, in order."""
        with self._read() as con:
            return surroundings.deliveries(con, alert)

    def around(self, target: Target, before: float, after: float, most: int) -> tuple[float, float]:
        """From when on there are `most` spans until `before`, and until when there are `most` from `after` on."""
        with self._read() as con:
            return surroundings.around(con, target, before, after, most)

    # -------------------------------------------------------------------- outbox

    def due(self, now: float, limit: int) -> list[Outgoing]:
        """Messages to send now, in order within an incident."""
        with self._read() as con:
            return state.due(con, now, limit)

    def heard(self, incident_id: str) -> set[str]:
        """The channels that were told of an incident, or will be."""
        with self._read() as con:
            return state.heard(con, incident_id)

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
