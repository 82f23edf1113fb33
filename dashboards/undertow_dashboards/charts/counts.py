"""Counts by name."""

from collections.abc import Sequence

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import BEFORE, QUIET, data
from undertow_dashboards.shapes import Reason


def reasons_chart(reasons: Sequence[Reason]) -> alt.LayerChart:
    """Counts by reason as bars, the largest first."""
    rows = [{"reason": words.readable(r.reason), "count": r.count} for r in reasons]
    base = alt.Chart(data(rows)).encode(
        alt.Y("reason:N", title=None, sort="-x", axis=alt.Axis(labelLimit=260)),
        alt.X("count:Q", title="messages", axis=alt.Axis(format="~s", tickMinStep=1)),
    )
    bars = base.mark_bar(color=BEFORE, height=20)
    labels = base.mark_text(align="left", dx=6, color=QUIET).encode(text=alt.Text("count:Q", format=","))
    return alt.LayerChart(layer=[bars, labels]).properties(height=64 + 34 * len(rows))
