"""Which ten minutes and hours are rolled."""

import duckdb

from undertow.store.plan import BUCKET_S, Cover, Rolled
from undertow.store.plan import cover as chosen


def cover(con: duckdb.DuckDBPyConnection, start: float, end: float, step_s: float) -> Cover:
    """How [start, end) is read in steps of `step_s`, as the caller's transaction sees it."""
    rows = con.execute(
        "SELECT DISTINCT bucket, false FROM rollups WHERE bucket > $start AND bucket < $end",
        {"start": start - BUCKET_S, "end": end},
    ).fetchall()
    return chosen(Rolled(dict(rows), frozenset(), float("-inf")), start, end, step_s)
