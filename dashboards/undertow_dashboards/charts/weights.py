"""What share of its usual traffic each target was given over time."""

from collections.abc import Mapping, Sequence

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import PALETTE, data, time_axis
from undertow_dashboards.shapes import WeightChange

DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [10, 4], [3, 5])


def weights_chart(changes: Sequence[WeightChange], start: float, end: float) -> alt.Chart:
    """Steps from `start` to `end` (Unix seconds) for the targets that moved last, six of them at most."""
    rows, names = _rows(changes, start, end)
    legend = alt.Legend(orient="top", labelLimit=400, columns=2)
    share = alt.Scale(domain=[0, 1])
    dashes = alt.Scale(domain=names, range=[list(dash) for dash in DASHES])
    line = alt.Chart(data(rows)).mark_line(interpolate="step-after", strokeWidth=2.5)
    chart: alt.Chart = line.encode(
        time_axis(start, end),
        alt.Y("weight:Q", title="share of its usual traffic", scale=share, axis=alt.Axis(format="%")),
        alt.Color("target:N", title=None, scale=alt.Scale(domain=names, range=list(PALETTE)), legend=legend),
        alt.StrokeDash("target:N", title=None, scale=dashes, legend=legend),
        tooltip=["target:N", alt.Tooltip("weight:Q", format="%"), "when:N"],
    )
    return chart.properties(height=240)


def _rows(changes: Sequence[WeightChange], start: float, end: float) -> tuple[list[Mapping[str, object]], list[str]]:
    of: dict[str, list[WeightChange]] = {}
    for change in sorted(changes, key=lambda one: -one.at):
        of.setdefault(words.target(change.target), []).append(change)
    rows: list[Mapping[str, object]] = []
    kept = list(of)[: len(PALETTE)]
    for name in kept:
        moves = of[name][::-1]
        steps = [(start, moves[0].before), *((move.at, move.after) for move in moves), (end, moves[-1].after)]
        rows += [
            {"target": name, "at": max(at, start) * 1000, "weight": weight, "when": words.clock_time(at)}
            for at, weight in steps
        ]
    return rows, kept
