"""Ten minutes and hours that are over, summed up: sketches that pages read instead of raw rows.

The sums are made from a snapshot while the writer goes on, and written in short transactions, of which the last lets
them be read, unless a span has come that they lack. A span that comes later makes its ten minutes be read off raw rows
until they are summed up anew.
"""

from collections.abc import Set
from typing import NamedTuple

import duckdb
import pyarrow as pa

from undertow.store.cells import EXPRESSIONS, TARGET
from undertow.store.db import registered
from undertow.store.plan import BUCKET_S, HOUR_S
from undertow.store.rolled import Rolls, Touched, hour_of

ROUTES = 50
"""Routes of a target that are kept apart in an hour; the rest is one cell with `more_routes`."""

NAMES = 20
"""Names of a field that are kept apart in a cell."""

AT_ONCE = 3
"""Ten minutes that are summed up at once."""

PIECE_BYTES = 2_000_000
"""Sketches that are written at once, as Arrow; the writer's lock is held for each piece, some 25 ms a megabyte."""

_KEYS = (*TARGET, "route")
_SAME = " AND ".join(f"spans.{key} IS NOT DISTINCT FROM crowd.{key}" for key in _KEYS)
_CROWD = f"""
    SELECT {", ".join(_KEYS)} FROM (
        SELECT {", ".join(_KEYS)}, count(*) AS n FROM SOURCE AS spans
        WHERE ended_at >= $from AND ended_at < $to AND route IS NOT NULL GROUP BY ALL)
    QUALIFY row_number() OVER (PARTITION BY {", ".join(TARGET)} ORDER BY n DESC, route) > {ROUTES}"""  # noqa: S608


def _kept(name: str, sql: str) -> str:
    """Of a category, the most frequent names."""
    if not name.endswith("_values"):
        return sql
    ranked = f"list_reverse_sort([{{'n': e.value, 'name': e.key}} for e in map_entries({sql})])[:{NAMES}]"
    return (
        f"CASE WHEN cardinality({sql}) <= {NAMES} THEN {sql} "
        f"ELSE map_from_entries([{{'k': r.name, 'v': r.n}} for r in {ranked}]) END"
    )


_SUMS = ", ".join(f"{_kept(name, sql)} AS {name}" for name, sql in EXPRESSIONS.items())
_CELLS = f"""
    WITH crowd AS ({_CROWD})
    SELECT CAST(floor(ended_at / $length) AS BIGINT) * $length AS bucket, {", ".join(TARGET)},
        CASE WHEN NOT more_routes THEN route END AS route, more_routes, {_SUMS}
    FROM (SELECT spans.*, crowd.provider IS NOT NULL AS more_routes FROM SOURCE AS spans LEFT JOIN crowd ON {_SAME}
        WHERE ended_at >= $from AND ended_at < $to
        AND CAST(floor(ended_at / {BUCKET_S}) AS BIGINT) * {BUCKET_S} IN (SELECT unnest($buckets)))
    GROUP BY ALL ORDER BY bucket, {", ".join(_KEYS)}"""  # noqa: S608


class Slice(NamedTuple):
    """What is rolled at once: `buckets`, ten minutes each of one hour, or where they are none the hour itself."""

    hour: int
    buckets: list[int]

    @property
    def hours(self) -> list[int]:
        """The hour, where that is what is rolled."""
        return [] if self.buckets else [self.hour]


def due(rolls: Rolls, before: float, put_off: Set[int]) -> Slice | None:
    """The oldest slice that is to be rolled, is over at `before` and not `put_off`; None where all is done.

    From here on `rolls` notices when a span of its hour is stored.
    """
    over = {bucket for bucket in rolls.open if bucket + BUCKET_S <= before}
    hours = {hour_of(bucket) for bucket in over} | {hour for hour in rolls.loose if hour + HOUR_S <= before}
    if not hours - put_off:
        return None
    hour = min(hours - put_off)
    rolls.under_way = {hour}
    return Slice(hour, sorted(bucket for bucket in over if hour_of(bucket) == hour)[:AT_ONCE])


def sums(con: duckdb.DuckDBPyConnection, part: Slice, gone: float) -> list[pa.Table]:
    """The sketches of a slice in pieces, at least one, as the caller's transaction sees its rows.

    Raw rows before `gone` may be deleted; an hour from then is the sum of its ten minutes.
    """
    if part.buckets:
        return _pieces(_cells(con, "spans", part.hour, part.buckets, BUCKET_S))
    if part.hour < gone:
        every = "SELECT * REPLACE ($hour AS bucket) FROM sketches WHERE bucket >= $hour AND bucket < $end"
        return _pieces(con.execute(every, {"hour": part.hour, "end": part.hour + HOUR_S}).to_arrow_table())
    return _pieces(_cells(con, "spans", part.hour, list(range(part.hour, part.hour + HOUR_S, BUCKET_S)), HOUR_S))


def _pieces(found: pa.Table) -> list[pa.Table]:
    rows = max(1, found.num_rows * PIECE_BYTES // max(1, found.nbytes))
    return [found.slice(begin, rows) for begin in range(0, max(1, found.num_rows), rows)]


def _cells(con: duckdb.DuckDBPyConnection, source: str, hour: int, buckets: list[int], length: int) -> pa.Table:
    values = {"from": hour, "to": hour + HOUR_S, "buckets": buckets, "length": length}
    return con.execute(_CELLS.replace("SOURCE", source), values).to_arrow_table()


def clear(con: duckdb.DuckDBPyConnection, part: Slice) -> None:
    """Delete what there is of a slice; part of the caller's transaction."""
    if not part.buckets:
        con.execute("DELETE FROM sketches_hour WHERE bucket = ?", [part.hour])
        return
    con.execute(
        "DELETE FROM sketches WHERE bucket >= $hour AND bucket < $end AND bucket IN (SELECT unnest($buckets))",
        {"hour": part.hour, "end": part.hour + HOUR_S, "buckets": part.buckets},
    )


def write(con: duckdb.DuckDBPyConnection, part: Slice, piece: pa.Table) -> None:
    """Insert sketches, which nobody reads before `finish`; part of the caller's transaction."""
    _insert(con, "sketches" if part.buckets else "sketches_hour", piece)


def finish(con: duckdb.DuckDBPyConnection, part: Slice) -> None:
    """Let the sketches be read; part of the caller's transaction."""
    if part.buckets:
        con.execute("UPDATE buckets SET rolled = true WHERE bucket IN (SELECT unnest($1))", [part.buckets])
    else:
        con.execute("INSERT INTO hours VALUES (?)", [part.hour])


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    with registered(con, "sums", rows):
        con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM sums")  # noqa: S608


def touch(con: duckdb.DuckDBPyConnection, touched: Touched, rolls: Rolls) -> None:
    """Note what the rows registered as `arrivals` mean for sketches; part of the caller's transaction."""
    if touched.new:
        con.execute("INSERT INTO buckets SELECT unnest($1), false", [sorted(touched.new)])
    if touched.reopened:
        con.execute("UPDATE buckets SET rolled = false WHERE bucket IN (SELECT unnest($1))", [sorted(touched.reopened)])
    if touched.hours:
        con.execute("DELETE FROM hours WHERE bucket IN (SELECT unnest($1))", [sorted(touched.hours)])
    for hour in sorted({hour_of(bucket) for bucket in touched.added}):
        buckets = sorted(bucket for bucket in touched.added if hour_of(bucket) == hour)
        _insert(con, "sketches", _cells(con, "arrivals", hour, buckets, BUCKET_S))
        if hour in rolls.hours - touched.hours:
            _insert(con, "sketches_hour", _cells(con, "arrivals", hour, buckets, HOUR_S))
