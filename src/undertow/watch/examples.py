"""Spans to look at: what answers were before a change and after it, where it moved them most. Ids only, no text."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from undertow.span import Target
from undertow.watch import signals
from undertow.watch.frame import SEPARATOR, FloatArray, Frame, IntArray, Lookup, Names
from undertow.watch.pool import members, subject
from undertow.watch.signals import Signal
from undertow.watch.strata import aspects

Document = dict[str, Any]
Around = Callable[[Target, float, float, int], tuple[float, float]]
"""(target, before, after, most) to where `most` spans until `before` begin, and where as many after `after` end."""

LISTED = 10
MOST_ROWS = 5000
"""So many spans of a target are looked at, on either side."""
LEAST_ROWS = 20
"""A route with fewer on a side is not compared."""


def of(incident: Document, around: Around, lookup: Lookup) -> list[Document]:
    """Up to LISTED spans a side: `{"span_id", "at", "route", "signal", "value", "side"}`; none where they are gone.

    They are of the route on which the signal that opened it moved most. Of a number they are those nearest to the
    median of their side; of an event, before the change those without it and after it those with it, or the other way
    round where it became rarer; the value is then 1 where it is there and 0 where not.
    """
    leading = next((s for s in incident["signals"] if s["lane"] != "identity"), None)
    if leading is None:
        return []
    sides = _sides(incident, around, lookup)
    if sides is None:
        return []
    name, _, category = leading["signal"].partition("=")
    signal = next((s for s in signals.of(Frame.concat(list(sides))) if s.name == name), None)
    if signal is None:
        return []
    values = [_values(signal, category, frame) for frame in sides]
    route = _moved_most(sides, values)
    if route is None:
        return []
    wanted = _wanted(signal, leading["direction"], values, [_rows(frame, route) for frame in sides])
    return [
        {"span_id": str(frame.span_id[i]), "at": float(frame.at[i]), "route": route.split(SEPARATOR)[1] or None}
        | {"signal": leading["signal"], "value": round(float(x[i]), 6), "side": side}
        for frame, x, rows, side in zip(sides, values, wanted, ("before", "after"), strict=True)
        for i in rows
    ]


def _sides(incident: Document, around: Around, lookup: Lookup) -> tuple[Frame, Frame] | None:
    """The last spans that surely came before the change, and the first that surely came after it."""
    target = subject(incident)
    low, high = incident.get("change_point_interval") or (incident["change_point"], incident["change_point"])
    bounds = [around(member, low, high, MOST_ROWS) for member in members(target)]
    first, last = max(begin for begin, _ in bounds), min(end for _, end in bounds)
    if incident.get("resolved_at") is not None:
        last = min(last, max(incident["resolved_at"], high))
    before, after = lookup(target, first, low), lookup(target, high, last)
    if before is None or after is None or not len(before) or not len(after):
        return None
    return before, after


def _values(signal: Signal, category: str, frame: Frame) -> FloatArray:
    """(n,) the value of each span, of a class whether it is that; NaN where it takes no part."""
    column = signal.read(frame)
    if isinstance(column, Names):
        known = {value: float(value == category) for value in column.values}
        column = np.array([*known.values(), np.nan])[column.codes]
    return np.where(signal.takes_part(frame), column, np.nan)


def _rows(frame: Frame, route: str) -> IntArray:
    names = _routes(frame)
    return np.flatnonzero(names.recode({route: 0}) == 0)


def _routes(frame: Frame) -> Names:
    """Operation and route of each span, whoever's it is."""
    return aspects(frame.group)[0]


def _moved_most(sides: tuple[Frame, Frame], values: list[FloatArray]) -> str | None:
    """The operation and route whose mean moved most, in standard deviations of both sides together."""
    moves: dict[str, float] = {}
    for route in sorted(set(_routes(sides[0]).values) & set(_routes(sides[1]).values)):
        before, after = (x[_rows(frame, route)] for frame, x in zip(sides, values, strict=True))
        before, after = before[~np.isnan(before)], after[~np.isnan(after)]
        if min(len(before), len(after)) >= LEAST_ROWS:
            spread = float(np.std(np.concatenate([before, after])))
            moves[route] = abs(float(np.mean(after) - np.mean(before))) / spread if spread else 0.0
    return max(moves, key=lambda route: moves[route], default=None)


def _wanted(signal: Signal, direction: str, values: list[FloatArray], rows: list[IntArray]) -> Iterator[IntArray]:
    """The rows of each side to show, in order of time: those nearest to what is typical of it."""
    for side, (x, inside) in enumerate(zip(values, rows, strict=True)):
        known = inside[~np.isnan(x[inside])]
        if signal.kind == "numeric":
            typical = float(np.median(x[known]))
        else:
            typical = float((side == 1) == (direction != "down"))
            known = known[x[known] == typical]
        nearest = np.argsort(np.abs(x[known] - typical), kind="stable")[:LISTED]
        yield np.sort(known[nearest])
