"""Alarms against what is allowed."""

import altair as alt

from undertow_dashboards import alarms
from undertow_dashboards.charts.axes import AFTER, BEFORE, QUIET, data
from undertow_dashboards.shapes import Budget


def budget_chart(budget: Budget, height: int = 190) -> alt.LayerChart:
    """False alarms and unjudged incidents as one bar, against the number allowed as a dashed line."""
    parts = [("false alarms", budget.false_alarms), ("not judged", budget.unjudged)]
    rows = [{"what": what, "count": count, "rank": rank} for rank, (what, count) in enumerate(parts)]
    allowed = budget.allowed or 0.0
    most = max(1.0, allowed, budget.false_alarms + budget.unjudged) * 1.15
    title = "incidents of lanes with the guarantee"
    x = alt.X("count:Q", title=title, stack="zero", scale=alt.Scale(domain=[0, most]), axis=alt.Axis(tickMinStep=1))
    colours = alt.Scale(domain=[what for what, _ in parts], range=[AFTER, QUIET])
    bars = (
        alt.Chart(data(rows))
        .mark_bar(height=26)
        .encode(
            x,
            alt.Color("what:N", title=None, scale=colours, legend=alt.Legend(orient="top")),
            alt.Order("rank:Q"),
            tooltip=[alt.Tooltip("what:N"), alt.Tooltip("count:Q")],
        )
    )
    line = alt.Chart(data([{"count": allowed, "label": f"{alarms.allowed(allowed)} allowed"}]))
    rule = line.mark_rule(color=BEFORE, strokeWidth=3, strokeDash=[5, 3]).encode(alt.X("count:Q", title=title))
    late = allowed > most / 2
    label = line.mark_text(
        align="right" if late else "left", baseline="top", dx=-6 if late else 6, color=QUIET, fontWeight="bold"
    ).encode(alt.X("count:Q", title=title), y=alt.value(0), text="label:N")
    return alt.LayerChart(layer=[bars, rule, label]).properties(height=height)
