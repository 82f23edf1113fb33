"""How many calls came in."""

from collections.abc import Sequence

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import BEFORE, data, time_axis
from undertow_dashboards.shapes import Stored

BIN_S = 600.0


def throughput_chart(points: Sequence[Stored], height: int = 220) -> alt.Chart:
    """Calls by the ten minutes in which they ended; bins without any are gaps."""
    rows = [{"at": p.at * 1000, "to": (p.at + BIN_S) * 1000, "n": p.n, "from": words.clock_time(p.at)} for p in points]
    span = (min(p.at for p in points), max(p.at for p in points) + BIN_S)
    chart: alt.Chart = (
        alt.Chart(data(rows))
        .mark_rect(color=BEFORE, opacity=0.8)
        .encode(
            time_axis(*span),
            alt.X2("to:T"),
            alt.Y("n:Q", title="calls in ten minutes", scale=alt.Scale(zero=True)),
            alt.Y2(datum=0),
            tooltip=["from:N", alt.Tooltip("n:Q", format=",")],
        )
    )
    return chart.properties(height=height)
