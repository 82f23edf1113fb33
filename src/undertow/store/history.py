"""Signals, names and requests of a target over time, and of two stretches of time beside each other."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.errors import UsageError
from undertow.span import Target
from undertow.store import bins, rolled
from undertow.store.bins import NONE, Bins
from undertow.store.cells import MORE, Asked
from undertow.store.plan import MAX_STEPS, aligned
from undertow.store.signals import CATEGORIES, REQUESTS, signal

QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
MAX_NAMES = 12
ROUTE = "route"

Row = dict[str, Any]
Window = tuple[float, float]


class Shown(NamedTuple):
    """What is asked for: its name and kind, and the measures of a cell that tell it."""

    name: str
    kind: str
    unit: str
    columns: list[str]
    whole: bool = False

    @property
    def head(self) -> Row:
        """How an answer begins."""
        return {"signal": self.name, "kind": self.kind, "unit": self.unit}


def _asked(name: str) -> Shown:
    """A signal or the number of requests; raises UsageError for another name."""
    if name == REQUESTS:
        return Shown(name, "count", "requests", ["spans"])
    found = signal(name)
    columns = [f"{name}_n", f"{name}_sum"] if found.kind == "rate" else [f"{name}_bins"]
    return Shown(name, found.kind, found.unit, columns, found.whole)


def series(
    con: duckdb.DuckDBPyConnection, target: Target, name: str, route: str | None, window: Window, step_s: float
) -> Row:
    """A signal of a target over [start, end) in steps: `n` and quantiles or rate of each step that has any.

    Steps of whole ten minutes lie on them: they start at the day, the hour or the ten minutes before `start`.
    """
    shown = _asked(name)
    start, end = steps(window, step_s)
    cells = Asked(rolled.cover(con, start, end, step_s), [], shown.columns).of(target, route).read(con)
    points = [{"at": start + step * step_s} | point for step, point in _points(cells, shown)]
    return shown.head | {"points": points}


def steps(window: Window, step_s: float) -> Window:
    """The window in which whole steps begin at its start; raises UsageError for a senseless one."""
    start, end = window
    if not (step_s > 0 and end > start and (end - start) / step_s <= MAX_STEPS):
        raise UsageError(f"a series needs start < end and at most {MAX_STEPS} steps")
    return aligned(start, step_s), end


def _points(cells: pa.Table, shown: Shown) -> Iterator[tuple[int, Row]]:
    """What is shown of each step that has any values, in order."""
    if shown.kind == "quantiles":
        for step, held in by_group(cells, shown.columns[0], cells["step"].to_numpy()):
            yield step, {"n": held.n} | _quantiles(held, whole=shown.whole)
        return
    for step, n, *total in _summed(cells, shown.columns):
        if n:
            yield step, {"n": n} | ({"rate": total[0] / n} if total else {})


def by_group(cells: pa.Table, column: str, groups: Any) -> Iterator[tuple[int, Bins]]:
    """The bins of each group of cells."""
    return bins.merged(np.asarray(groups, np.int64), one_array(cells[column]))


def one_array(column: pa.ChunkedArray) -> Any:
    """A column in one piece."""
    found = column.combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


def _quantiles(held: Bins, *, whole: bool) -> Row:
    """The quantiles that a series shows, by name; null where there is no value."""
    levels = bins.quantiles(held, tuple(QUANTILES.values()), whole=whole)
    return dict(zip(QUANTILES, levels, strict=True)) if levels else dict.fromkeys(QUANTILES)


def _summed(cells: pa.Table, columns: list[str]) -> list[tuple[Any, ...]]:
    """Each step and its sums of `columns`, in order; null where an older sketch does not know any."""
    found = cells.group_by("step").aggregate([(column, "sum") for column in columns]).sort_by("step")
    return list(zip(*(found[name].to_pylist() for name in ("step", *(f"{c}_sum" for c in columns))), strict=True))


def shares(
    con: duckdb.DuckDBPyConnection, target: Target, field: str, route: str | None, window: Window, step_s: float
) -> Row:
    """How many of a target's spans had which name, in steps: the MAX_NAMES most frequent ones, `other` is the rest."""
    start, end = steps(window, step_s)
    cover = rolled.cover(con, start, end, step_s)
    if field == ROUTE:
        cells = Asked(cover, [ROUTE, MORE], ["spans"]).of(target, route).read(con)
        found = _tally(cells.filter(pc.or_(pc.is_valid(cells[ROUTE]), cells[MORE])), ROUTE, "spans")
    elif field in CATEGORIES:
        found = _named(Asked(cover, [], [f"{field}_n", f"{field}_values"]).of(target, route).read(con), field)
    else:
        raise UsageError(f"there is no field {field[:64]!r}; there are {', '.join([*CATEGORIES, ROUTE])}")
    points = [{"at": start + step * step_s} | _shares(names) for step, names in sorted(_shown(found).items())]
    return {"field": field, "points": points}


_REST = None
"""What the names that are not told apart are called among the others."""

Names = dict[str | None, int]


def _shares(counted: Names) -> Row:
    named = {name: n for name, n in counted.items() if name is not _REST}
    return {"n": sum(counted.values()), "shares": named, "other": counted.get(_REST, 0)}


def _named(cells: pa.Table, field: str) -> dict[int, Names]:
    """Counts of a category by step and name; what the cells do not tell apart is the rest."""
    values = one_array(cells[f"{field}_values"])
    offsets = values.offsets.to_numpy()
    held = slice(offsets[0], offsets[-1])
    owners = np.repeat(cells["step"].to_numpy(), np.diff(offsets))
    counted = _tally(pa.table({"step": owners, "name": values.keys[held], "n": values.items[held]}), "name", "n")
    for step, known in _summed(cells, [f"{field}_n"]):
        if rest := (known or 0) - sum(counted.get(step, {}).values()):
            counted.setdefault(step, {})[_REST] = rest
    return counted


def _tally(cells: pa.Table, name: str, n: str) -> dict[int, Names]:
    counted: dict[int, Names] = {}
    for row in cells.group_by(["step", name]).aggregate([(n, "sum")]).to_pylist():
        counted.setdefault(row["step"], {})[row[name]] = row[f"{n}_sum"]
    return counted


def _shown(counted: dict[int, Names]) -> dict[int, Names]:
    """The same with the names that are most frequent over all steps, and the rest."""
    totals: Counter[str] = Counter()
    for names in counted.values():
        totals.update({name: n for name, n in names.items() if name is not _REST})
    shown = set(sorted(totals, key=lambda name: (-totals[name], name))[:MAX_NAMES])
    told: dict[int, Names] = {}
    for step, names in counted.items():
        told[step] = {name: n for name, n in names.items() if name in shown}
        if rest := sum(names.values()) - sum(told[step].values()):
            told[step][_REST] = rest
    return told


def distribution(
    con: duckdb.DuckDBPyConnection, target: Target, name: str, route: str | None, before: Window, after: Window
) -> Row:
    """A signal or a field of a target over two stretches of event time, each [from, to) in Unix seconds."""
    names = [f"{name}_n", f"{name}_values"]
    shown = Shown(name, "shares", "requests", names) if name in CATEGORIES else _asked(name)
    sides, counts = {}, []
    for side, window in (("before", before), ("after", after)):
        cover = rolled.cover(con, *window, max(window[1] - window[0], 1.0))
        measures = list(dict.fromkeys(["spans", *shown.columns]))
        cells = Asked(cover, [ROUTE, MORE], measures).of(target).read(con)
        counts.append(_tally(cells.filter(pc.invert(cells[MORE])), ROUTE, "spans").get(0, {}))
        of_route = cells if route is None else cells.filter(pc.equal(cells[ROUTE], route))
        sides[side] = {"from": window[0], "to": window[1]} | _side(of_route, shown)
    return shown.head | sides | {"routes": _routes(*counts)}


def _side(cells: pa.Table, shown: Shown) -> Row:
    if shown.kind == "shares":
        return _shares(_shown(_named(cells, shown.name)).get(0, {}))
    if shown.kind == "quantiles":
        held = next((held for _, held in by_group(cells, shown.columns[0], cells["step"].to_numpy())), NONE)
        curve = bins.ecdf(held, whole=shown.whole)
        return {"n": held.n, "quantiles": _quantiles(held, whole=shown.whole), "ecdf": curve}
    nothing = {"n": 0, "rate": None} if shown.kind == "rate" else {"n": 0}
    return next((point for _, point in _points(cells, shown)), nothing)


def _routes(before: Names, after: Names) -> list[Row]:
    """The routes of both sides by how much they are used; null is where none was told."""
    used = {route: before.get(route, 0) + after.get(route, 0) for route in {*before, *after}}
    return [
        {"route": route, "n_before": before.get(route, 0), "n_after": after.get(route, 0)}
        for route in sorted(used, key=lambda route: (-used[route], route or ""))
    ]
