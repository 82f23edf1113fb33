"""Questions to the database that change nothing."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from undertow.batch import Position
from undertow.columns import plain
from undertow.notify.message import Outgoing
from undertow.span import Target
from undertow.store import db, evidence, history, overview, read, sources, state, surroundings
from undertow.store.crowd import MOST_LISTED, NOBODY, Others


class Reader:
    """Answers each question from the last commit, on a connection of its own, so that it waits for no writer.

    Methods raise StoreError, or TryAgain after a fault such as a full disk.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self.name = name
        self._connection = connection

    @contextmanager
    def _read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with db.told(self.name), self._connection.cursor() as con:
            yield con

    @contextmanager
    def _snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """For several questions that must see the same commit."""
        with self._read() as con, db.transaction(con):
            yield con

    def newest(self) -> float | None:
        """When the newest span ended whose clock is believed."""
        return None

    def believed(self) -> float:
        """Up to when a span is believed to have ended."""
        return math.inf

    # ------------------------------------------------- what the program goes on from

    def offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of `topic`, as it was read last."""
        with self._read() as con:
            return sources.offsets(con, plain(topic))

    def positions(self, topic: str) -> dict[str, dict[int, Position]]:
        """How far each partition of `topic` was read, by the identity of the topic, that of the last commit last."""
        with self._read() as con:
            return sources.positions(con, plain(topic))

    def meta(self, key: str) -> str | None:
        """A value that the program keeps with the data, such as `group_instance_id`."""
        with self._read() as con:
            return state.meta(con, key)

    def states(self) -> dict[str, bytes]:
        """The state of every detector by its key."""
        with self._read() as con:
            return state.states(con)

    def due(self, now: float, limit: int) -> list[Outgoing]:
        """Messages to send now, in order within an incident."""
        with self._read() as con:
            return state.due(con, now, limit)

    def heard(self, incident_id: str) -> set[str]:
        """The channels that were told of an incident, or will be."""
        with self._read() as con:
            return state.heard(con, incident_id)

    # ------------------------------------------------------ targets and what they did

    def targets(self, others: Others = NOBODY, most: int = MOST_LISTED) -> list[dict[str, Any]]:
        """What has been seen: `{"target", "spans", "late", "first", "last", "names"}` for each target.

        `others` says which names are targets and which are watched together; of other names `most` are told apart.
        `last` is no later than a span is believed to have ended.
        """
        with self._read() as con:
            return read.targets(con, self.believed(), others, most)

    def first(self) -> float | None:
        """The first event time that was ever stored, in Unix seconds."""
        with self._read() as con:
            return read.first(con)

    def seen(self, target: Target) -> bool:
        """Whether a span of `target` was ever stored."""
        with self._read() as con:
            return read.seen(con, target)

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
            return read.ingestion(con) | {"newest": self.newest()}

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

    def fleet(self, until: float, window_s: float, others: Others = NOBODY, most: int = MOST_LISTED) -> dict[str, Any]:
        """Every target in the `window_s` before `until`, as /v1/fleet gives it; see `targets`."""
        with self._snapshot() as con:
            return overview.fleet(con, until, window_s, others, most)

    def cost(
        self, start: float, end: float, step_s: float, others: Others = NOBODY, most: int = MOST_LISTED
    ) -> dict[str, Any]:
        """What every target cost over time, as /v1/cost gives it; see `targets`."""
        with self._read() as con:
            return overview.cost(con, (start, end), step_s, others, most)

    def stored(self, until: float, window_s: float) -> list[dict[str, Any]]:
        """`{"at", "n"}`: how many spans were stored of each ten minutes of the `window_s` before `until`."""
        with self._read() as con:
            return list(overview.stored(con, until, window_s))

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
