"""The evidence of each signal over time: written by the judgement's transaction, read by the API."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from undertow.span import Target
from undertow.store.db import registered

TABLE = """
    CREATE TABLE evidence (
        "at" DOUBLE, gateway VARCHAR, provider VARCHAR, model VARCHAR, deployment VARCHAR, signal VARCHAR,
        log10_evidence DOUBLE, log10_threshold DOUBLE);"""
COLUMNS = ("at", "gateway", "provider", "model", "deployment", "signal", "log10_evidence", "log10_threshold")
_OF_TARGET = " AND ".join(f"{name} IS NOT DISTINCT FROM ${name}" for name in COLUMNS[1:5])


class Point(NamedTuple):
    """The largest evidence of a signal in the ten minutes from `at` (Unix s), and its threshold; powers of ten."""

    target: Target
    signal: str
    at: float
    log10_evidence: float
    log10_threshold: float


def add(con: duckdb.DuckDBPyConnection, points: Sequence[Point]) -> None:
    """Insert `points` inside the caller's transaction."""
    columns: dict[str, pa.Array] = {
        name: pa.array([getattr(p.target, name) for p in points], pa.string()) for name in COLUMNS[1:5]
    }
    columns["signal"] = pa.array([p.signal for p in points], pa.string())
    for name in ("at", "log10_evidence", "log10_threshold"):
        columns[name] = pa.array([getattr(p, name) for p in points], pa.float64())
    with registered(con, "traced", pa.table({name: columns[name] for name in COLUMNS})):
        con.execute("INSERT INTO evidence SELECT * FROM traced")


def points(
    con: duckdb.DuckDBPyConnection, target: Target, signal: str, start: float, end: float
) -> list[dict[str, Any]]:
    """`{"at", "log10_evidence", "log10_threshold"}` of a signal over [start, end), in order of time."""
    found = con.execute(
        f"""SELECT "at", max(log10_evidence), max_by(log10_threshold, log10_evidence) FROM evidence
            WHERE {_OF_TARGET} AND signal = $signal AND "at" >= $start AND "at" < $end
            GROUP BY "at" ORDER BY "at" """,  # noqa: S608
        target.as_dict() | {"signal": signal, "start": start, "end": end},
    ).fetchall()
    names = ("at", "log10_evidence", "log10_threshold")
    return [{"at": at} | {n: round(v, 2) for n, v in zip(names[1:], rest, strict=True)} for at, *rest in found]


def first(con: duckdb.DuckDBPyConnection, since: float) -> float | None:
    """When judging is known to have gone on for the first time at or after `since`."""
    ((at,),) = con.execute('SELECT min("at") FROM evidence WHERE "at" >= ?', [since]).fetchall()
    return at if at is None else float(at)
