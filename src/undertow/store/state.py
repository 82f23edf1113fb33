"""What detection decides and keeps: cursor, detector state, incidents, notices, and the outbox."""

import math
from typing import Any, Literal

import duckdb
import msgspec

from undertow.notify.message import Outgoing

Document = dict[str, Any]
Recorded = Literal["delivered", "retry", "dead"]

_OUTGOING = (
    "webhook_id",
    "channel",
    "incident_id",
    "sequence",
    "kind",
    "body",
    "created_at",
    "attempts",
    "next_attempt_at",
)


class Judgement:
    """What one round of detection came to; the store commits all of it, in the order of the calls, or nothing."""

    def __init__(self) -> None:
        self.until: float | None = None
        self._writes: list[tuple[str, list[Any]]] = []

    def _write(self, sql: str, *values: Any) -> None:
        self._writes.append((sql, list(values)))

    def advance(self, until: float) -> None:
        """Spans that ended at or before `until` (Unix seconds) are judged; an earlier time changes nothing."""
        self.until = max(until, self.until if self.until is not None else -math.inf)

    def put_state(self, key: str, blob: bytes) -> None:
        """Keep the state of one detector."""
        self._write("INSERT OR REPLACE INTO detector_state VALUES (?, ?)", key, blob)

    def delete_state(self, key: str) -> None:
        """Forget the state of one detector."""
        self._write("DELETE FROM detector_state WHERE key = ?", key)

    def put_incident(self, document: Document) -> None:
        """Insert the incident or replace the one with its `id`."""
        text = msgspec.json.encode(document).decode()
        row = (document["id"], document["status"], document["opened_at"], text)
        self._write("INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?)", *row)

    def put_notice(self, document: Document) -> None:
        """Add a notice: kind, target, at (Unix seconds), text."""
        text = msgspec.json.encode(document).decode()
        self._write("INSERT INTO notices VALUES (?, ?, ?)", document["at"], document["kind"], text)

    def put_outgoing(self, entry: Outgoing) -> None:
        """Add a message to the outbox; one that is there already stays as it is."""
        values = [getattr(entry, name) for name in _OUTGOING]
        self._write(
            f"""INSERT INTO outbox ({", ".join(_OUTGOING)}, state, changed_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?) ON CONFLICT DO NOTHING""",  # noqa: S608
            *values,
            entry.created_at,
        )

    def apply(self, con: duckdb.DuckDBPyConnection, cursor: float) -> float:
        """Write everything inside the caller's transaction; returns the cursor after it."""
        for sql, values in self._writes:
            con.execute(sql, values)
        moved = cursor if self.until is None else max(cursor, self.until)
        if moved > cursor:
            con.execute("INSERT OR REPLACE INTO progress VALUES ('cursor', ?)", [moved])
        return moved


def progress(con: duckdb.DuckDBPyConnection, name: str) -> float:
    """`newest` or `cursor` in Unix seconds; minus infinity before the first."""
    rows = con.execute("SELECT value FROM progress WHERE name = ?", [name]).fetchall()
    return rows[0][0] if rows else -math.inf


def states(con: duckdb.DuckDBPyConnection) -> dict[str, bytes]:
    """Every detector's state."""
    return dict(con.execute("SELECT key, state FROM detector_state ORDER BY key").fetchall())


def due(con: duckdb.DuckDBPyConnection, now: float, limit: int) -> list[Outgoing]:
    """Pending messages whose time has come, none before an earlier one of its incident and channel is settled."""
    rows = con.execute(
        f"""SELECT {", ".join(_OUTGOING)} FROM outbox
            WHERE state = 'pending' AND next_attempt_at <= $now AND NOT EXISTS (
                SELECT 1 FROM outbox AS earlier
                WHERE earlier.state = 'pending' AND earlier.incident_id = outbox.incident_id
                AND earlier.channel = outbox.channel AND earlier.sequence < outbox.sequence)
            ORDER BY next_attempt_at, sequence, webhook_id LIMIT $limit""",  # noqa: S608
        {"now": now, "limit": limit},
    ).fetchall()
    return [Outgoing(*row) for row in rows]


def record_delivery(
    con: duckdb.DuckDBPyConnection,
    key: tuple[str, str],
    outcome: Recorded,
    at: float,
    next_attempt_at: float | None,
    detail: str,
) -> None:
    """Count one attempt at the message with `key` (webhook_id, channel)."""
    con.execute(
        """UPDATE outbox SET attempts = attempts + 1, state = $state, changed_at = $at, detail = $detail,
           next_attempt_at = coalesce($next, next_attempt_at) WHERE webhook_id = $id AND channel = $channel""",
        {
            "state": "pending" if outcome == "retry" else outcome,
            "at": at,
            "detail": detail,
            "next": next_attempt_at,
            "id": key[0],
            "channel": key[1],
        },
    )


def put_meta(con: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Keep one value of the program's own."""
    con.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, value])


def meta(con: duckdb.DuckDBPyConnection, key: str) -> str | None:
    """The value kept under `key`."""
    rows = con.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchall()
    return rows[0][0] if rows else None
