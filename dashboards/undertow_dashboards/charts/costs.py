"""Money over time. Targets differ in colour, and their names stand in the legend, the tips and the table."""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import PALETTE, QUIET, data, time_axis
from undertow_dashboards.shapes import Spent, Target
from undertow_dashboards.spending import per_1k

Lines = Sequence[tuple[Target, Sequence[Spent]]]
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
OTHERS = "all others"


def spend_chart(lines: Lines, *, span: tuple[float, float], step_s: float, height: int = 360) -> alt.Chart:
    """Dollars a day, or another bin, as stacked bars: the first targets by name, all others together."""
    named, others = lines[: len(PALETTE)], lines[len(PALETTE) :]
    stack = [(words.target(target), points) for target, points in named]
    stack += [(OTHERS, [point for _, points in others for point in points])] if others else []
    scale = alt.Scale(domain=[name for name, _ in stack], range=[*PALETTE[: len(named)], QUIET][: len(stack)])
    y = alt.Y("low:Q", title="US dollars a day", axis=alt.Axis(format="$~s", tickCount=5), scale=alt.Scale(zero=True))
    chart = alt.Chart(data(_stacked(stack, step_s))).mark_bar()
    encoded: alt.Chart = chart.encode(
        _days(span),
        alt.X2("to:T"),
        y,
        alt.Y2("high:Q"),
        alt.Color("target:N", title=None, scale=scale, legend=_legend()),
        tooltip=[*_tips(), alt.Tooltip("usd:Q", title="US dollars", format="$,.2f")],
    )
    return encoded.properties(height=height)


def per_1k_chart(lines: Lines, *, span: tuple[float, float], height: int = 360) -> alt.Chart:
    """Dollars a thousand tokens as lines, of those targets that have a price."""
    shown = lines[: len(PALETTE)]
    rows = [
        {"target": words.target(target), "at": point.at * 1000, "usd": price}
        for target, points in shown
        for point in points
        if (price := per_1k([point])) is not None
    ]
    names = [words.target(target) for target, _ in shown]
    chart = alt.Chart(data(rows)).mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=40, filled=True))
    encoded: alt.Chart = chart.encode(
        _days(span),
        alt.Y("usd:Q", title="US dollars per 1k tokens", axis=alt.Axis(format="$~g", tickCount=5)),
        alt.Color("target:N", title=None, scale=alt.Scale(domain=names, range=PALETTE), legend=_legend()),
        alt.Shape("target:N", title=None, scale=alt.Scale(domain=names, range=SHAPES), legend=_legend()),
        tooltip=[*_tips(), alt.Tooltip("usd:Q", title="US dollars per 1k tokens", format="$.5f")],
    )
    return encoded.properties(height=height)


def _stacked(stack: Iterable[tuple[str, Sequence[Spent]]], step_s: float) -> list[dict[str, Any]]:
    """Rows that stand on one another; Vega-Lite does not stack bars with two ends."""
    rows, tops = [], dict[float, float]()
    for name, points in stack:
        for at, usd in sorted(_by_bin(points).items()):
            low = tops.get(at, 0.0)
            tops[at] = low + usd
            ends = {"at": at * 1000, "to": (at + 0.9 * step_s) * 1000, "low": low, "high": low + usd}
            rows.append({"target": name, "usd": usd, **ends})
    return rows


def _by_bin(points: Iterable[Spent]) -> dict[float, float]:
    sums: dict[float, float] = {}
    for point in points:
        if point.cost_usd is not None:
            sums[point.at] = sums.get(point.at, 0.0) + point.cost_usd
    return sums


def _days(span: tuple[float, float]) -> alt.X:
    return time_axis(*span).title("day (UTC)").axis(format="%d %b", labelOverlap=True, tickCount=8, grid=False)


def _legend() -> alt.Legend:
    return alt.Legend(orient="bottom", columns=2, labelLimit=420)


def _tips() -> list[alt.Tooltip]:
    return [alt.Tooltip("target:N"), alt.Tooltip("at:T", title="day (UTC)", format="%d %b")]
