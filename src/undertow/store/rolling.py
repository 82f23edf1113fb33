"""Ten minutes and hours that are over, summed up: sketches that pages read instead of raw rows.

The sums are made from a snapshot while the writer goes on, and written in one short transaction unless a span has come
that they lack. A span that comes later makes its ten minutes be read off raw rows until they are summed up anew.
"""

from collections.abc import Set
from typing import NamedTuple

import duckdb
import pyarrow as pa

from undertow.store.cells import EXPRESSIONS, TARGET
from undertow.store.plan import BUCKET_S, HOUR_S
from undertow.store.rolled import Rolls, Touched, hour_of

ROUTES = 50
"""Routes of a target that are kept apart in an hour; the rest is one cell with `more_routes`."""

NAMES = 20
"""Names of a field that are kept apart in a cell."""

AT_ONCE = 3
"""Ten minutes that are rolled at once, which bounds for how long the writer's lock is held."""

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
    GROUP BY ALL ORDER BY ALL"""  # noqa: S608


class Slice(NamedTuple):
    """What is rolled at once: ten minutes of one hour, and that hour itself where it is over (`whole`)."""

    hour: int
    buckets: list[int]
    whole: bool

    @property
    def hours(self) -> list[int]:
        """The hour, where it is rolled too."""
        return [self.hour] if self.whole else []


class Sums(NamedTuple):
    """The sketches of a slice; the hour has none of its own where its raw rows are gone."""

    buckets: pa.Table
    hour: pa.Table | None


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
    buckets = sorted(bucket for bucket in over if hour_of(bucket) == hour)
    return Slice(hour, buckets[:AT_ONCE], hour + HOUR_S <= before and len(buckets) <= AT_ONCE)


def sums(con: duckdb.DuckDBPyConnection, part: Slice, gone: float) -> Sums:
    """The sketches of a slice, as the caller's transaction sees its rows; those before `gone` may be deleted."""
    buckets = _cells(con, "spans", part, part.buckets, BUCKET_S)
    if not part.whole or part.hour < gone:
        return Sums(buckets, None)
    every = list(range(part.hour, part.hour + HOUR_S, BUCKET_S))
    return Sums(buckets, _cells(con, "spans", part, every, HOUR_S))


def _cells(con: duckdb.DuckDBPyConnection, source: str, part: Slice, buckets: list[int], length: int) -> pa.Table:
    values = {"from": part.hour, "to": part.hour + HOUR_S, "buckets": buckets, "length": length}
    return con.execute(_CELLS.replace("SOURCE", source), values).to_arrow_table()


def write(con: duckdb.DuckDBPyConnection, part: Slice, found: Sums) -> None:
    """Put the sketches in the place of older ones; part of the caller's transaction."""
    hour = {"hour": part.hour, "end": part.hour + HOUR_S}
    con.execute(
        "DELETE FROM sketches WHERE bucket >= $hour AND bucket < $end AND bucket IN (SELECT unnest($buckets))",
        hour | {"buckets": part.buckets},
    )
    _insert(con, "sketches", found.buckets)
    con.execute("UPDATE buckets SET rolled = true WHERE bucket IN (SELECT unnest($1))", [part.buckets])
    if not part.whole:
        return
    con.execute("DELETE FROM sketches_hour WHERE bucket = ?", [part.hour])
    if found.hour is None:
        con.execute(
            "INSERT INTO sketches_hour BY NAME SELECT * REPLACE ($hour AS bucket) FROM sketches "
            "WHERE bucket >= $hour AND bucket < $end",
            hour,
        )
    else:
        _insert(con, "sketches_hour", found.hour)
    con.execute("INSERT INTO hours VALUES (?)", [part.hour])


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    con.register("sums", rows)
    con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM sums")  # noqa: S608
    con.unregister("sums")


def touch(con: duckdb.DuckDBPyConnection, touched: Touched, rolls: Rolls) -> None:
    """Note what the rows registered as `arrivals` mean for sketches; part of the caller's transaction."""
    if touched.new:
        con.execute("INSERT INTO buckets SELECT unnest($1), false", [sorted(touched.new)])
    if touched.reopened:
        con.execute("UPDATE buckets SET rolled = false WHERE bucket IN (SELECT unnest($1))", [sorted(touched.reopened)])
    if touched.hours:
        con.execute("DELETE FROM hours WHERE bucket IN (SELECT unnest($1))", [sorted(touched.hours)])
    for hour in sorted({hour_of(bucket) for bucket in touched.added}):
        part = Slice(hour, sorted(bucket for bucket in touched.added if hour_of(bucket) == hour), whole=False)
        _insert(con, "sketches", _cells(con, "arrivals", part, part.buckets, BUCKET_S))
        if hour in rolls.hours - touched.hours:
            _insert(con, "sketches_hour", _cells(con, "arrivals", part, part.buckets, HOUR_S))
