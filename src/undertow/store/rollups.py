"""Sums over ten minutes by target, operation and status: what overviews read, and what outlives the raw rows."""

import duckdb

from undertow.store.plan import BUCKET_S
from undertow.store.signals import SIGNALS, TOTALS

_KEYS = ("bucket", "gateway", "provider", "model", "deployment", "operation", "status")
_COUNTS = ("spans", "late", *(f"{name}_{part}" for name in SIGNALS for part in ("n", "sum")), *TOTALS)
_MEASURES = ", ".join(
    [f"count({found.sql}) AS {name}_n, coalesce(sum({found.sql}), 0) AS {name}_sum" for name, found in SIGNALS.items()]
    + [f"coalesce(sum({sql}), 0) AS {name}" for name, sql in TOTALS.items()]
)
_COLUMNS = (*_KEYS, *_COUNTS, "first", "last")

_MERGE = f"""
    MERGE INTO rollups USING (
        SELECT CAST(floor(ended_at / {BUCKET_S}) AS BIGINT) * {BUCKET_S} AS bucket, {", ".join(_KEYS[1:])},
            count(*) AS spans, count_if(late) AS late, {_MEASURES}, min(ended_at) AS first, max(ended_at) AS last
        FROM arrivals GROUP BY ALL) AS new
    ON rollups.bucket BETWEEN $first AND $last
        AND {" AND ".join(f"rollups.{key} IS NOT DISTINCT FROM new.{key}" for key in _KEYS)}
    WHEN MATCHED THEN UPDATE SET
        {", ".join(f"{c} = coalesce(rollups.{c}, 0) + new.{c}" for c in _COUNTS)},
        first = least(rollups.first, new.first), last = greatest(rollups.last, new.last)
    WHEN NOT MATCHED THEN INSERT ({", ".join(_COLUMNS)}) VALUES ({", ".join(f"new.{c}" for c in _COLUMNS)})
"""  # noqa: S608  only names of our own


def add(con: duckdb.DuckDBPyConnection, first: float, last: float) -> None:
    """Add the rows registered as `arrivals`, which ended from `first` to `last`; part of the caller's transaction."""
    con.execute(_MERGE, {"first": first - BUCKET_S, "last": last})
