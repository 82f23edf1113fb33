"""Signals, names and requests of a target over time, and of two stretches of time beside each other."""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from undertow.errors import UsageError
from undertow.span import Target
from undertow.store import bins, rolled
from undertow.store.bins import NONE, Bins
from undertow.store.cells import Asked
from undertow.store.plan import MAX_STEPS, aligned
from undertow.store.signals import CATEGORIES, REQUESTS, SIGNALS, Signal, signal

QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
MAX_NAMES = 12
ROUTE = "route"

Row = dict[str, Any]
Window = tuple[float, float]


def series(
    con: duckdb.DuckDBPyConnection, target: Target, name: str, route: str | None, window: Window, step_s: float
) -> Row:
    """A signal of a target over [start, end) in steps: `n` and quantiles or rate of each step that has any.

    Steps of whole ten minutes lie on them: they start at the day, the hour or the ten minutes before `start`.
    """
    if name == REQUESTS:
        kind, unit, columns = "count", "requests", ["spans"]
    else:
        found = signal(name)
        kind, unit, columns = found.kind, found.unit, _columns(name, found)
    start, end = steps(window, step_s)
    cells = Asked(rolled.cover(con, start, end, step_s), [], columns).of(target, route).read(con)
    made = _counts(cells) if name == REQUESTS else _points(cells, name, found)
    points = [{"at": start + step * step_s} | point for step, point in made]
    return {"signal": name, "kind": kind, "unit": unit, "points": points}


def steps(window: Window, step_s: float) -> Window:
    """The window in which whole steps begin at its start; raises UsageError for a senseless one."""
    start, end = window
    if not (step_s > 0 and end > start and (end - start) / step_s <= MAX_STEPS):
        raise UsageError(f"a series needs start < end and at most {MAX_STEPS} steps")
    return aligned(start, step_s), end


def _columns(name: str, found: Signal) -> list[str]:
    return [f"{name}_n", f"{name}_sum"] if found.kind == "rate" else [f"{name}_bins"]


def _counts(cells: pa.Table) -> Iterator[tuple[int, Row]]:
    for row in _summed(cells, ["spans"]):
        yield row["step"], {"n": row["spans"]}


def _points(cells: pa.Table, name: str, found: Signal) -> Iterator[tuple[int, Row]]:
    if found.kind == "rate":
        for row in _summed(cells, _columns(name, found)):
            if n := row[f"{name}_n"]:
                yield row["step"], {"n": n, "rate": row[f"{name}_sum"] / n}
        return
    for step, held in by_group(cells, f"{name}_bins", cells["step"].to_numpy()):
        yield step, {"n": held.n} | quantiles(held, whole=found.whole)


def by_group(cells: pa.Table, column: str, groups: Any) -> Iterator[tuple[int, Bins]]:
    """The bins of each group of cells."""
    return bins.merged(np.asarray(groups, np.int64), one_array(cells[column]))


def one_array(column: pa.ChunkedArray) -> Any:
    """A column in one piece."""
    found = column.combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


def quantiles(held: Bins, *, whole: bool) -> Row:
    """The quantiles that a series shows, by name; null where there is no value."""
    levels = bins.quantiles(held, tuple(QUANTILES.values()), whole=whole)
    return dict(zip(QUANTILES, levels, strict=True)) if levels else dict.fromkeys(QUANTILES)


def _summed(cells: pa.Table, columns: list[str]) -> list[Row]:
    """The sums of `columns` by step, in order."""
    found = cells.group_by("step").aggregate([(column, "sum") for column in columns]).sort_by("step")
    summed: list[Row] = found.rename_columns(["step", *columns]).to_pylist()
    return summed


def shares(
    con: duckdb.DuckDBPyConnection, target: Target, field: str, route: str | None, window: Window, step_s: float
) -> Row:
    """How many of a target's spans had which name, in steps: the MAX_NAMES most frequent ones, `other` is the rest."""
    start, end = steps(window, step_s)
    known = _named(con, target, field, route, (start, end), step_s)
    shown = set(_most_frequent(known))
    points = []
    for step in sorted({step for step, _ in known}):
        names = {name: n for (at, name), n in known.items() if at == step and name in shown}
        n = sum(n for (at, _), n in known.items() if at == step)
        points.append({"at": start + step * step_s, "n": n, "shares": names, "other": n - sum(names.values())})
    return {"field": field, "points": points}


_REST = None
"""What the names that were not kept apart are called among the others."""


def _named(
    con: duckdb.DuckDBPyConnection, target: Target, field: str, route: str | None, window: Window, step_s: float
) -> dict[tuple[int, str | None], int]:
    """Counts by step and name; those whose name was not kept stand under None."""
    cover = rolled.cover(con, *window, step_s)
    if field == ROUTE:
        cells = Asked(cover, ["route"], ["spans"]).where("route IS NOT NULL", {}).of(target, route).read(con)
        return _tally(cells["step"], cells["route"], cells["spans"])
    if field not in CATEGORIES:
        raise UsageError(f"there is no field {field[:64]!r}; there are {', '.join([*CATEGORIES, ROUTE])}")
    cells = Asked(cover, [], [f"{field}_n", f"{field}_values"]).of(target, route).read(con)
    values = one_array(cells[f"{field}_values"])
    owners = np.repeat(cells["step"].to_numpy(), np.diff(values.offsets.to_numpy()))
    counted = _tally(pa.array(owners), values.keys, values.items)
    for row in _summed(cells, [f"{field}_n"]):
        named = sum(n for (step, _), n in counted.items() if step == row["step"])
        if row[f"{field}_n"] > named:
            counted[row["step"], _REST] = row[f"{field}_n"] - named
    return counted


def _tally(step: Any, name: Any, n: Any) -> dict[tuple[int, str | None], int]:
    found = pa.table({"step": step, "name": name, "n": n}).group_by(["step", "name"]).aggregate([("n", "sum")])
    return {(row["step"], row["name"]): row["n_sum"] for row in found.to_pylist()}


def _most_frequent(known: Mapping[tuple[int, str | None], int]) -> list[str]:
    totals: dict[str, int] = {}
    for (_, name), n in known.items():
        if name is not _REST:
            totals[name] = totals.get(name, 0) + n
    return sorted(totals, key=lambda name: (-totals[name], name))[:MAX_NAMES]


def distribution(
    con: duckdb.DuckDBPyConnection, target: Target, name: str, route: str | None, before: Window, after: Window
) -> Row:
    """A signal or a field of a target over two stretches of event time, each [from, to) in Unix seconds."""
    sides = {"before": before, "after": after}
    if name in CATEGORIES:
        head: Row = {"signal": name, "kind": "shares", "unit": "requests"}
        made = {side: _share_side(con, target, name, route, window) for side, window in sides.items()}
    else:
        found = signal(name)
        head = {"signal": name, "kind": found.kind, "unit": found.unit}
        made = {side: _side(con, target, name, route, window) for side, window in sides.items()}
    return head | made | {"routes": _routes(con, target, before, after)}


def _side(con: duckdb.DuckDBPyConnection, target: Target, name: str, route: str | None, window: Window) -> Row:
    found = SIGNALS[name]
    side: Row = {"from": window[0], "to": window[1], "n": 0}
    cells = Asked(_whole(con, window), [], _columns(name, found)).of(target, route).read(con)
    if found.kind == "rate":
        return side | next((point for _, point in _points(cells, name, found)), {"rate": None})
    held = next((held for _, held in by_group(cells, f"{name}_bins", cells["step"].to_numpy())), NONE)
    curve = bins.ecdf(held, whole=found.whole)
    return side | {"n": held.n, "quantiles": quantiles(held, whole=found.whole), "ecdf": curve}


def _share_side(con: duckdb.DuckDBPyConnection, target: Target, name: str, route: str | None, window: Window) -> Row:
    counted = _named(con, target, name, route, window, _length(window))
    n = sum(counted.values())
    names = {shown: counted[0, shown] for shown in _most_frequent(counted)}
    return {"from": window[0], "to": window[1], "n": n, "shares": names, "other": n - sum(names.values())}


def _routes(con: duckdb.DuckDBPyConnection, target: Target, before: Window, after: Window) -> list[Row]:
    """The routes of both sides by how much they are used; null is where none was told."""
    counts = [_requests(con, target, window) for window in (before, after)]
    named = sorted({*counts[0], *counts[1]}, key=lambda route: (-sum(n.get(route, 0) for n in counts), route or ""))
    return [
        {"route": route, "n_before": counts[0].get(route, 0), "n_after": counts[1].get(route, 0)} for route in named
    ]


def _requests(con: duckdb.DuckDBPyConnection, target: Target, window: Window) -> dict[str | None, int]:
    cells = Asked(_whole(con, window), ["route"], ["spans"]).of(target).read(con)
    return {name: n for (_, name), n in _tally(cells["step"], cells["route"], cells["spans"]).items()}


def _whole(con: duckdb.DuckDBPyConnection, window: Window) -> Any:
    return rolled.cover(con, *window, _length(window))


def _length(window: Window) -> float:
    return max(window[1] - window[0], 1.0)
