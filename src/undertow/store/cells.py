"""What is summed up of the spans of one stretch of time, one target and one route, and of which such cells there are.

A cell comes from the sketches where its time is rolled, and off the raw rows by the same expressions where it is not,
so that both give the same numbers. Cells add up; a reader may get several of one time, target and route.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from undertow.span import Target
from undertow.store import bins
from undertow.store.plan import Cover
from undertow.store.signals import CATEGORIES, SIGNALS, Signal

MORE = "more_routes"
"""Key of a cell that stands for the routes beyond those that are kept apart; raw rows have none."""

TARGET = ("gateway", "provider", "model", "deployment")
OF_TARGET = " AND ".join(f"{name} IS NOT DISTINCT FROM ${name}" for name in TARGET)


def _measures(name: str, found: Signal) -> Iterator[tuple[str, str, str]]:
    if found.kind == "rate":
        yield f"{name}_n", "BIGINT", f"count({found.sql})"
        yield f"{name}_sum", "DOUBLE", f"coalesce(sum({found.sql}), 0)"
    else:
        yield f"{name}_bins", "MAP(SMALLINT, UBIGINT)", f"histogram({bins.expression(found.sql)})"


_COLUMNS = [
    ("spans", "BIGINT", "count(*)"),
    *(column for name, found in SIGNALS.items() for column in _measures(name, found)),
    *((f"{name}_n", "BIGINT", f"count({found.sql})") for name, found in CATEGORIES.items()),
    *((f"{name}_values", "MAP(VARCHAR, UBIGINT)", f"histogram({found.sql})") for name, found in CATEGORIES.items()),
]
MEASURES: dict[str, str] = {name: kind for name, kind, _ in _COLUMNS}
"""Column to SQL type. Of a category, `_n` counts more than its `_values` do where those are not all kept."""

EXPRESSIONS: dict[str, str] = {name: sql for name, _, sql in _COLUMNS}
"""Column to SQL over a group of spans."""


class Asked:
    """Which cells of which steps: `measures` by `keys` where `condition` holds, over `cover`.

    The answer of `read` is a table of the column `step`, the keys and the measures, in no order.
    """

    def __init__(self, cover: Cover, keys: Sequence[str], measures: Sequence[str]) -> None:
        self._cover = cover
        self._keys = list(keys)
        self._measures = list(measures)
        self._where = "true"
        self._values: dict[str, Any] = {"start": cover.start, "step": cover.step_s}

    def where(self, condition: str, values: Mapping[str, Any]) -> "Asked":
        """The same of those cells alone; `condition` is over the keys of a cell."""
        self._where += f" AND {condition}"
        self._values |= values
        return self

    def of(self, target: Target, route: str | None = None) -> "Asked":
        """Of one target, and of one of its routes where that is named."""
        self.where(OF_TARGET, target.as_dict())
        return self if route is None else self.where("route = $route", {"route": route})

    def read(self, con: duckdb.DuckDBPyConnection) -> pa.Table:
        """The cells, as the caller's transaction sees them."""
        parts = [self._raw(con, *stretch) for stretch in self._cover.raw]
        parts += [self._rolled(con, "sketches_hour", self._cover.hours)] if self._cover.hours else []
        parts += [self._rolled(con, "sketches", self._cover.buckets)] if self._cover.buckets else []
        return pa.concat_tables(parts or [self._raw(con, 0.0, 0.0)]).combine_chunks()

    def _raw(self, con: duckdb.DuckDBPyConnection, start: float, end: float) -> pa.Table:
        keys = [f"false AS {MORE}" if key == MORE else key for key in self._keys]
        chosen = [*keys, *(f"{EXPRESSIONS[name]} AS {name}" for name in self._measures)]
        sql = f"""
            SELECT CAST(floor((ended_at - $start) / $step) AS BIGINT) AS step, {", ".join(chosen)}
            FROM spans WHERE ended_at >= $from AND ended_at < $to AND {self._where} GROUP BY ALL"""  # noqa: S608
        return con.execute(sql, self._values | {"from": start, "to": end}).to_arrow_table()

    def _rolled(self, con: duckdb.DuckDBPyConnection, table: str, places: Sequence[int]) -> pa.Table:
        sql = f"""
            SELECT CAST(floor((bucket - $start) / $step) AS BIGINT) AS step, {", ".join(self._keys + self._measures)}
            FROM {table} WHERE bucket BETWEEN $from AND $to AND bucket IN (SELECT unnest($places))
            AND {self._where}"""  # noqa: S608
        within = {"from": places[0], "to": places[-1], "places": list(places)}
        return con.execute(sql, self._values | within).to_arrow_table()
