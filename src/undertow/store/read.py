"""What the API, the detectors and replay ask. Every parameter is bound."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from undertow.errors import UsageError
from undertow.outcome import EVIDENCE
from undertow.span import Target
from undertow.store import instrumentations, sources
from undertow.store.cells import OF_TARGET, TARGET
from undertow.store.crowd import LISTED, OF_OWN, Others, of_bucket
from undertow.store.schema import SPAN_COLUMNS

Row = dict[str, Any]

_COMPUTED = {"answered": f"({' OR '.join(f'{name} IS NOT NULL' for name in EVIDENCE)})"}
"""Columns of `released` that are no columns of the table."""


def rows(con: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any] | None = None) -> list[Row]:
    """The answer to a query, a dict for each row."""
    result = con.execute(sql, values)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def released(
    con: duckdb.DuckDBPyConnection,
    after: float,
    until: float,
    target: Target | None = None,
    columns: Sequence[str] | None = None,
    others: Others | None = None,
) -> pa.Table:
    """Spans to judge with after < ended_at <= until, in the order of judgement; all span columns unless `columns`.

    A column `answered` says whether anything shows that there was an answer.
    Those of `target`, which with `others` may stand for many names; and where there is no target those of its `own`.
    """
    names = list(columns or SPAN_COLUMNS)
    unknown = set(names) - {*SPAN_COLUMNS, *_COMPUTED}
    if unknown:
        raise UsageError(f"no such span columns: {', '.join(sorted(unknown))}")
    quoted = ", ".join(f"{_COMPUTED[name]} AS {name}" if name in _COMPUTED else f'"{name}"' for name in names)
    values: dict[str, Any] = {"after": after, "until": until}
    where = "NOT late AND ended_at > $after AND ended_at <= $until"
    if target is not None and others is not None:
        condition, more = of_bucket(target)
        where, values = f"{where} AND {condition}", values | more
    elif target is not None:
        where, values = f"{where} AND {OF_TARGET}", values | target.as_dict()
    elif others is not None:
        where = f"{where} AND {OF_OWN}"
    with others.known(con) if others else nullcontext():
        return con.execute(
            f"SELECT {quoted} FROM spans WHERE {where} ORDER BY ended_at, span_id",  # noqa: S608
            values,
        ).to_arrow_table()


def targets(con: duckdb.DuckDBPyConnection, believed: float, others: Others, most: int) -> list[Row]:
    """Every target ever seen, with its counts and its first and last event time in Unix seconds.

    Of spans that ended after `believed`, which a wrong clock says, `last` is ten minutes off at most.

    `served_model` counts its answers by what was said of the model that gave them: a `snapshot`, no more than the
    `alias` that was asked for, or nothing (`unknown`). Names that are not watched by themselves are one row a bucket,
    and so is what is more than `most` and not watched at all yet.
    """
    with others.known(con):
        found = rows(con, LISTED, {"most": most, "believed": believed})
    served = ("snapshot", "alias", "unknown")
    return [
        {"target": {name: row.pop(name) for name in TARGET}, "served_model": {name: row.pop(name) for name in served}}
        | row
        for row in found
    ]


def first(con: duckdb.DuckDBPyConnection) -> float | None:
    """The first event time ever seen, in Unix seconds."""
    found: float | None = con.execute("SELECT min(first) FROM rollups").fetchall()[0][0]
    return found


def seen(con: duckdb.DuckDBPyConnection, target: Target) -> bool:
    """Whether a span of `target` was ever stored."""
    return bool(con.execute(f"SELECT 1 FROM rollups WHERE {OF_TARGET} LIMIT 1", target.as_dict()).fetchall())  # noqa: S608


def documents(con: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any]) -> list[Row]:
    """The JSON documents in the first column of an answer."""
    return [msgspec.json.decode(row[0]) for row in con.execute(sql, values).fetchall()]


def incidents(con: duckdb.DuckDBPyConnection, status: str | None, limit: int) -> list[Row]:
    """Incidents, newest first; of one status where it is given."""
    return documents(
        con,
        """SELECT document FROM incidents WHERE $status IS NULL OR status = $status
           ORDER BY opened_at DESC, id LIMIT $limit""",
        {"status": status, "limit": limit},
    )


def incident(con: duckdb.DuckDBPyConnection, incident_id: str) -> Row | None:
    """One incident, or None."""
    found = documents(con, "SELECT document FROM incidents WHERE id = $id", {"id": incident_id})
    return found[0] if found else None


def alerts(con: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """What was told of each alert."""
    found = con.execute("SELECT id, document FROM alerts ORDER BY id").fetchall()
    return {key: msgspec.json.decode(text) for key, text in found}


def silences(con: duckdb.DuckDBPyConnection, after: float) -> list[Row]:
    """Silences that end after `after`, the last to end first."""
    sql = "SELECT document FROM silences WHERE ends_at > $after ORDER BY ends_at DESC, id"
    return documents(con, sql, {"after": after})


def audit(con: duckdb.DuckDBPyConnection, subject: str, limit: int) -> list[Row]:
    """Who did what to `subject`, in order."""
    return rows(
        con,
        """SELECT happened_at AS "at", recorded_at, action, reason, actor AS "by", text FROM (
            SELECT *, rowid FROM audit WHERE subject = $subject ORDER BY rowid DESC LIMIT $limit) ORDER BY rowid""",
        {"subject": subject, "limit": limit},
    )


def disabled(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Receivers that said that they are gone."""
    return rows(con, "SELECT channel, disabled_at, detail FROM receivers ORDER BY channel")


def notices(con: duckdb.DuckDBPyConnection, limit: int) -> list[Row]:
    """Notices, newest first."""
    return documents(
        con, "SELECT document FROM notices ORDER BY noticed_at DESC, rowid DESC LIMIT $limit", {"limit": limit}
    )


def weight_changes(con: duckdb.DuckDBPyConnection, limit: int) -> list[Row]:
    """Changes of weights, newest first."""
    sql = "SELECT document FROM weight_changes ORDER BY changed_at DESC, rowid DESC LIMIT $limit"
    return documents(con, sql, {"limit": limit})


def ingestion(con: duckdb.DuckDBPyConnection) -> Row:
    """Offsets, and counts since the database was made. `read` is stored + duplicates + rejected + skipped.

    `replaced` are offsets in topics that went and came again as others.
    """
    counts: dict[str, dict[str, int]] = {}
    for kind, name, count in con.execute("SELECT kind, name, count FROM counters ORDER BY count DESC, name").fetchall():
        counts.setdefault(kind, {})[name] = count
    total = counts.get("total", {})
    totals = {name: total.get(name, 0) for name in ("stored", "duplicates", "rejected", "skipped", "late")}
    read = sum(totals.values()) - totals["late"]
    return sources.listed(con) | {
        "totals": {"read": read} | totals,
        "rejects": _listed(counts, "rejects", "reason"),
        "skipped": _listed(counts, "skipped", "reason"),
        "unknown_keys": _listed(counts, "unknown_keys", "name"),
        "coerced": _listed(counts, "coerced", "name"),
        "derived": _listed(counts, "derived", "name"),
        "repaired": _listed(counts, "repaired", "name"),
        "unknown_outcomes": _listed(counts, "unknown_outcomes", "name"),
        "formats": _listed(counts, "formats", "name"),
        "instrumentations": instrumentations.listed(con),
    }


def _listed(counts: Mapping[str, Mapping[str, int]], kind: str, key: str) -> list[Row]:
    return [{key: name, "count": count} for name, count in counts.get(kind, {}).items()]


def rejects(con: duckdb.DuckDBPyConnection, reason: str | None, limit: int) -> list[Row]:
    """What could not be decoded, newest first, without the payload."""
    return rows(
        con,
        """SELECT received_at, reason, detail, topic, "partition", "offset", "index", format, sha256, length
           FROM rejects WHERE $reason IS NULL OR reason = $reason
           ORDER BY received_at DESC, rowid DESC LIMIT $limit""",
        {"reason": reason, "limit": limit},
    )
