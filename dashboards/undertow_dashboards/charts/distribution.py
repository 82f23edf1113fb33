"""Baseline against now."""

import math
from typing import Any

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import QUIET, data, sides
from undertow_dashboards.charts.shares import share_bars
from undertow_dashboards.shapes import Distribution, Side

SHARES = {"p05": 0.05, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p95": 0.95}
TAIL = 0.99


def distribution_chart(distribution: Distribution, ink: str = QUIET, height: int = 300) -> alt.LayerChart:
    """Baseline against now: two cumulative curves, the two rates with 95 % intervals, or the shares of names."""
    if distribution.kind == "shares":
        return share_bars(distribution, ink)
    if distribution.kind == "rate":
        return _rates(distribution, ink)
    unit = words.clean(distribution.unit) or "value"
    rows = [*_curve("before", distribution.before), *_curve("after", distribution.after)]
    base = alt.Chart(data(rows)).encode(
        alt.X("value:Q", title=unit, scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=5)),
        alt.Y("share:Q", title="share at or below", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        alt.Color("when:N", title=None, scale=sides(), legend=alt.Legend(orient="top")),
    )
    tips = ["when:N", alt.Tooltip("value:Q", title=unit, format=",.4~g"), alt.Tooltip("share:Q", format=".0%")]
    dash = alt.StrokeDash("when:N", title=None, sort=["before", "after"])
    line = base.mark_line(strokeWidth=2, interpolate="monotone").encode(dash, order="share:Q", tooltip=tips)
    dots = base.mark_point(size=60, filled=True, opacity=1).encode(
        alt.Shape("when:N", title=None, sort=["before", "after"]), tooltip=tips
    )
    return alt.LayerChart(layer=[line, dots.transform_filter("datum.dot")]).properties(height=height)


def _curve(when: str, side: Side) -> list[dict[str, Any]]:
    """The curve up to TAIL, beyond which nothing could be told apart, and a dot at each quantile."""
    quantiles = side.quantiles or {}
    known = [(value, share, True) for p, share in SHARES.items() if (value := quantiles.get(p)) is not None]
    steps = [(value, share, False) for value, share in side.ecdf if share <= TAIL]
    return [{"when": when, "value": v, "share": share, "dot": dot} for v, share, dot in sorted([*known, *steps])]


def _rates(distribution: Distribution, ink: str) -> alt.LayerChart:
    rows = []
    for when, side in (("before", distribution.before), ("after", distribution.after)):
        if side.rate is not None and side.n:
            low, high = wilson(side.rate, side.n)
            label = words.percent(side.rate)
            rows.append({"when": when, "rate": side.rate, "low": low, "high": high, "n": side.n, "label": label})
    y = alt.Y("when:N", title=None, sort=["before", "after"], axis=alt.Axis(labelFontSize=13))
    colour = alt.Color("when:N", scale=sides(), legend=None)
    title = "share of answers, 95 % interval"
    x = alt.X("rate:Q", title=title, axis=alt.Axis(format="~%"), scale=alt.Scale(zero=True))
    base = alt.Chart(data(rows)).encode(y)
    bars = base.mark_bar(height=26, opacity=0.75).encode(x, colour, tooltip=["when:N", "label:N", "n:Q"])
    whisker = base.mark_rule(strokeWidth=2, color=ink).encode(alt.X("low:Q", title=title), alt.X2("high:Q"))
    label = base.mark_text(align="left", dx=8, dy=-22, color=ink).encode(x=alt.value(0), text="label:N")
    return alt.LayerChart(layer=[bars, whisker, label]).properties(height=200)


def wilson(rate: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a rate seen in `n` trials (Wilson 1927)."""
    if n <= 0:
        return 0.0, 1.0
    z = 1.959964
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
