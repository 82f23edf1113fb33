"""What detection decides and keeps: cursor, detector state, incidents, notices, and the outbox."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import duckdb
import msgspec
import pyarrow as pa

from undertow.notify.message import Outgoing
from undertow.store import evidence
from undertow.store.db import registered

SET_BACK_S = 60.0
"""A clock that is so much behind was set back."""

Document = dict[str, Any]
Recorded = Literal["delivered", "standing", "retry", "dead"]

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

_PUT_OUTGOING = f"""
    INSERT INTO outbox ({", ".join(_OUTGOING)}, state, changed_at)
    SELECT $1, $2, $3, greatest($4, (SELECT coalesce(max(sequence) + 1, $4) FROM outbox
        WHERE incident_id = $3 AND channel = $2)), $5, $6, $7, $8, $9, 'pending', $10
    ON CONFLICT DO NOTHING"""  # noqa: S608


_REVIVE = """
    UPDATE outbox SET state = 'pending', attempts = 0, next_attempt_at = $2, changed_at = $2
    WHERE channel = $1 AND state = 'dead' AND detail IN ('http_410', 'gone_before')
    AND NOT EXISTS (SELECT 1 FROM outbox AS later WHERE later.channel = outbox.channel
        AND later.incident_id = outbox.incident_id AND later.sequence > outbox.sequence)
    AND (NOT contains(body, '"resolved_at":') OR contains(body, '"resolved_at":null')
        OR EXISTS (SELECT 1 FROM outbox AS heard WHERE heard.channel = outbox.channel
            AND heard.incident_id = outbox.incident_id AND heard.state IN ('delivered', 'standing')))"""


class Judgement:
    """What one round of detection came to; the store commits all of it, in the order of the calls, or nothing.

    States, which nothing else refers to, come last, the last word on each key.
    """

    def __init__(self) -> None:
        self.until: float | None = None
        self._writes: list[tuple[str, list[Any]]] = []
        self._states: dict[str, bytes | None] = {}
        self._points: list[evidence.Point] = []

    def _write(self, sql: str, *values: Any) -> None:
        self._writes.append((sql, list(values)))

    def advance(self, until: float) -> None:
        """Spans that ended at or before `until` (Unix seconds) are judged; an earlier time changes nothing."""
        self.until = max(until, self.until if self.until is not None else -math.inf)

    def put_state(self, key: str, blob: bytes) -> None:
        """Keep the state of one detector."""
        self._states[key] = blob

    def delete_state(self, key: str) -> None:
        """Forget the state of one detector."""
        self._states[key] = None

    def put_incident(self, document: Document) -> None:
        """Insert the incident or replace the one with its `id`."""
        text = msgspec.json.encode(document).decode()
        row = (document["id"], document["status"], document["opened_at"], text)
        self._write("INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?)", *row)

    def put_alert(self, key: str, document: Document) -> None:
        """Keep what was told of an alert."""
        text = msgspec.json.encode(document).decode()
        self._write("INSERT OR REPLACE INTO alerts VALUES (?, ?)", key, text)

    def delete_alert(self, key: str) -> None:
        """Forget an alert that is over and told."""
        self._write("DELETE FROM alerts WHERE id = ?", key)

    def put_silence(self, document: Document) -> None:
        """Insert the silence or replace the one with its `id`."""
        text = msgspec.json.encode(document).decode()
        self._write("INSERT OR REPLACE INTO silences VALUES (?, ?, ?)", document["id"], document["ends_at"], text)

    def put_audit(
        self, subject: str, action: str, reason: str, by: str, *, at: float, recorded_at: float, text: str = ""
    ) -> None:
        """Write down who did what to `subject` and why: `at` as it happened, `recorded_at` by the clock."""
        row = (at, recorded_at, subject, action, reason, by, text)
        self._write("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", *row)

    def disable(self, channel: str, at: float, detail: str) -> None:
        """Send nothing to a receiver any more."""
        self._write("INSERT OR REPLACE INTO receivers VALUES (?, ?, ?)", channel, at, detail)

    def enable(self, channel: str, at: float) -> None:
        """Send to it again, first the last word on each alert that it does not know; what ended unheard stays so."""
        self._write("DELETE FROM receivers WHERE channel = ?", channel)
        self._write(_REVIVE, channel, at)

    def put_notice(self, document: Document) -> None:
        """Add a notice: kind, target, at (Unix seconds), text."""
        text = msgspec.json.encode(document).decode()
        self._write("INSERT INTO notices VALUES (?, ?, ?)", document["at"], document["kind"], text)

    def put_weight_change(self, document: Document) -> None:
        """Add a change of a weight to the audit trail: at (Unix seconds), target, before, after, reason, by."""
        text = msgspec.json.encode(document).decode()
        self._write("INSERT INTO weight_changes VALUES (?, ?)", document["at"], text)

    def put_evidence(self, points: Sequence[evidence.Point]) -> None:
        """Add what the evidence of signals was."""
        self._points += points

    def put_outgoing(self, entry: Outgoing) -> None:
        """Add a message to the outbox; one that is there already stays as it is.

        It goes behind what is there of its incident and channel, whatever its `sequence`: clocks are set back, and
        several transitions happen at once.
        """
        self._write(_PUT_OUTGOING, *(getattr(entry, name) for name in _OUTGOING), entry.created_at)

    def apply(self, con: duckdb.DuckDBPyConnection, cursor: float) -> float:
        """Write everything inside the caller's transaction; returns the cursor after it."""
        for sql, values in self._writes:
            con.execute(sql, values)
        _put_states(con, self._states)
        if self._points:
            evidence.add(con, self._points)
        moved = cursor if self.until is None else max(cursor, self.until)
        if moved > cursor:
            con.execute("INSERT OR REPLACE INTO progress VALUES ('cursor', ?)", [moved])
        return moved


def _put_states(con: duckdb.DuckDBPyConnection, states: Mapping[str, bytes | None]) -> None:
    """All of them in two statements: a statement for each would take longer than judging where targets are many."""
    deleted = [key for key, blob in states.items() if blob is None]
    if deleted:
        con.execute("DELETE FROM detector_state WHERE key IN (SELECT unnest($1))", [deleted])
    put = [(key, blob) for key, blob in states.items() if blob is not None]
    if put:
        states = pa.table({"key": [key for key, _ in put], "state": [blob for _, blob in put]})
        with registered(con, "put_states", states):
            con.execute("INSERT OR REPLACE INTO detector_state SELECT key, state FROM put_states")


def progress(con: duckdb.DuckDBPyConnection, name: str) -> float:
    """`newest` or `cursor` in Unix seconds; minus infinity before the first."""
    rows = con.execute("SELECT value FROM progress WHERE name = ?", [name]).fetchall()
    return rows[0][0] if rows else -math.inf


def states(con: duckdb.DuckDBPyConnection) -> dict[str, bytes]:
    """Every detector's state."""
    return dict(con.execute("SELECT key, state FROM detector_state ORDER BY key").fetchall())


def due(con: duckdb.DuckDBPyConnection, now: float, limit: int) -> list[Outgoing]:
    """Messages whose time has come, at most `limit` of a channel, so that one that takes none holds up no other.

    None comes before an earlier one of its incident and channel is settled.

    A standing one, which arrived and is sent again, has its time until a later one takes its place. What was written
    down at a time that has not come yet waits for none: the clock was set back.
    """
    rows = con.execute(
        f"""SELECT {", ".join(_OUTGOING)} FROM outbox
            WHERE state IN ('pending', 'standing') AND (next_attempt_at <= $now OR changed_at > $now + {SET_BACK_S})
            AND NOT EXISTS (
                SELECT 1 FROM outbox AS other
                WHERE other.incident_id = outbox.incident_id AND other.channel = outbox.channel
                AND CASE outbox.state WHEN 'pending' THEN other.state = 'pending' AND other.sequence < outbox.sequence
                    ELSE other.sequence > outbox.sequence END)
            QUALIFY row_number() OVER (PARTITION BY channel ORDER BY next_attempt_at, sequence, webhook_id) <= $limit
            ORDER BY next_attempt_at, sequence, webhook_id""",  # noqa: S608
        {"now": now, "limit": limit},
    ).fetchall()
    return [Outgoing(*row) for row in rows]


def heard(con: duckdb.DuckDBPyConnection, incident_id: str) -> set[str]:
    """The channels that were told of an incident, or will be."""
    rows = con.execute("SELECT DISTINCT channel FROM outbox WHERE incident_id = ?", [incident_id]).fetchall()
    return {row[0] for row in rows}


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
        """UPDATE outbox SET attempts = attempts + 1, changed_at = $at, detail = $detail,
           state = CASE WHEN $state = 'pending' AND state = 'standing' THEN state ELSE $state END,
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
