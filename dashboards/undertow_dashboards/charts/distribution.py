"""Baseline against now."""

import math
from typing import Any

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import QUIET, data, sides
from undertow_dashboards.shapes import Distribution, Side

SHARES = {"p05": 0.05, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p95": 0.95}


def distribution_chart(distribution: Distribution, height: int = 280) -> alt.LayerChart:
    """Baseline against now: five quantiles of each as a cumulative curve, or the two rates with 95 % intervals."""
    if distribution.kind == "rate":
        return _rates(distribution)
    rows = [*_cumulative("before", distribution.before), *_cumulative("after", distribution.after)]
    unit = words.clean(distribution.unit) or "value"
    base = alt.Chart(data(rows)).encode(
        alt.X("value:Q", title=unit, scale=alt.Scale(zero=False)),
        alt.Y("share:Q", title="share at or below", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        alt.Color("when:N", title=None, scale=sides(), legend=alt.Legend(orient="top")),
    )
    tips = [
        alt.Tooltip("when:N"),
        alt.Tooltip("value:Q", title=unit, format=",.0f"),
        alt.Tooltip("share:Q", format="%"),
    ]
    line = base.mark_line(strokeWidth=2).encode(alt.StrokeDash("when:N", title=None, sort=["before", "after"]))
    dots = base.mark_point(size=55, filled=True, opacity=1).encode(
        alt.Shape("when:N", title=None, sort=["before", "after"]), tooltip=tips
    )
    return alt.LayerChart(layer=[line, dots]).properties(height=height)


def _cumulative(when: str, side: Side) -> list[dict[str, Any]]:
    quantiles = side.quantiles or {}
    known = ((quantiles.get(p), share) for p, share in SHARES.items())
    return [{"when": when, "value": value, "share": share} for value, share in known if value is not None]


def _rates(distribution: Distribution) -> alt.LayerChart:
    rows = []
    for when, side in (("before", distribution.before), ("after", distribution.after)):
        if side.rate is not None and side.n:
            low, high = wilson(side.rate, side.n)
            label = words.percent(side.rate)
            rows.append({"when": when, "rate": side.rate, "low": low, "high": high, "n": side.n, "label": label})
    y = alt.Y("when:N", title=None, sort=["before", "after"], axis=alt.Axis(labelFontSize=13))
    colour = alt.Color("when:N", scale=sides(), legend=None)
    title = "share of answers, with 95 % interval"
    x = alt.X("rate:Q", title=title, axis=alt.Axis(format="~%"), scale=alt.Scale(zero=True))
    base = alt.Chart(data(rows)).encode(y)
    bars = base.mark_bar(height=26, opacity=0.75).encode(x, colour, tooltip=["when:N", "label:N", "n:Q"])
    whisker = base.mark_rule(strokeWidth=2, color=QUIET).encode(alt.X("low:Q", title=title), alt.X2("high:Q"))
    label = base.mark_text(align="left", dx=8, dy=-22, color=QUIET).encode(x=alt.value(0), text="label:N")
    return alt.LayerChart(layer=[bars, whisker, label]).properties(height=200)


def wilson(rate: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a rate seen in `n` trials (Wilson 1927)."""
    if n <= 0:
        return 0.0, 1.0
    z = 1.959964
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
