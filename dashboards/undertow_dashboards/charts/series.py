"""A signal over time. The widest series has a few hundred points."""

import math
from typing import Any

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import AFTER, BEFORE, beside, data, time_axis
from undertow_dashboards.charts.distribution import SHARES, wilson
from undertow_dashboards.charts.scene import Scene
from undertow_dashboards.clock import UNIVERSAL, Clock
from undertow_dashboards.shapes import Point, Series

MAX_POINTS = 5000
RATE_ANSWERS, MOST_MERGED = 100, 12


def series_chart(series: Series, scene: Scene, *, step_s: float, height: int = 300) -> alt.LayerChart:
    """A signal over the scene's time: median and quantile bands, or the rate with its 95 % interval, or counts."""
    rows = _rows(*readable_rates(series, step_s), scene.clock)
    layers: list[Any] = [*scene.behind(), *_signal(series, rows, scene.x), *scene.over()]
    return alt.LayerChart(layer=layers).properties(height=height)


def _rows(series: Series, step_s: float, clock: Clock = UNIVERSAL) -> list[dict[str, Any]]:
    """One row a bin; a row without values where bins are missing, so that no line is drawn across silence."""
    rows: list[dict[str, Any]] = []
    last: float | None = None
    for point in sorted(series.points, key=lambda p: p.at)[-MAX_POINTS:]:
        if last is not None and point.at - last > 1.5 * step_s:
            rows.append({"at": (last + step_s) * 1000})
        rows.append(_row(point) | {"when": clock.time(point.at)})
        last = point.at
    return rows


def _row(point: Point) -> dict[str, Any]:
    row: dict[str, Any] = {"at": point.at * 1000, "n": point.n}
    if point.rate is not None:
        low, high = wilson(point.rate, point.n)
        return {**row, "rate": point.rate, "low": low, "high": high}
    return {**row, **{p: getattr(point, p) for p in SHARES}}


def readable_rates(series: Series, step_s: float) -> tuple[Series, float]:
    """The series and its step; a rate's bins are merged until they hold about 100 answers, or it would be noise."""
    counted = [point for point in series.points if point.rate is not None and point.n]
    if series.kind != "rate" or not counted:
        return series, step_s
    mean = sum(point.n for point in counted) / len(counted)
    wide = step_s * min(MOST_MERGED, math.ceil(RATE_ANSWERS / mean))
    sums: dict[float, list[float]] = {}
    for point in counted:
        total = sums.setdefault(point.at - point.at % wide, [0, 0.0])
        total[0] += point.n
        total[1] += point.n * (point.rate or 0.0)
    points = [Point(at, int(n), rate=hits / n) for at, (n, hits) in sums.items()]
    return Series(series.signal, series.kind, series.unit, points), wide


def _signal(series: Series, rows: list[dict[str, Any]], x: alt.X) -> list[alt.Chart]:
    base = alt.Chart(data(rows))
    tips = [alt.Tooltip("when:N", title="bin starts")]
    count = alt.Tooltip("n:Q", title="answers", format=",")
    if series.kind == "rate":
        tips += [alt.Tooltip("rate:Q", title="rate", format=".2%"), count]
        shown = beside(f"share of {words.counts_of(series.signal)}", format="~%")
        band = base.mark_area(opacity=0.2, color=BEFORE).encode(x, alt.Y("low:Q", **shown), y2="high:Q")
        y = alt.Y("rate:Q", scale=alt.Scale(zero=True), **shown)
        return [band, base.mark_line(color=BEFORE, strokeWidth=2, point=len(rows) < 60).encode(x, y, tooltip=tips)]
    if series.kind == "count":
        y = alt.Y("n:Q", scale=alt.Scale(zero=True), **beside("requests", format="~s"))
        return [base.mark_line(color=BEFORE, strokeWidth=2).encode(x, y, tooltip=[*tips, count])]
    tips += [*(alt.Tooltip(f"{p}:Q", title=p, format=",.4~g") for p in SHARES), count]
    shown = beside(words.clean(series.unit) or "value")
    outer = base.mark_area(opacity=0.12, color=BEFORE).encode(x, alt.Y("p05:Q", **shown), y2="p95:Q")
    inner = base.mark_area(opacity=0.26, color=BEFORE).encode(x, alt.Y("p25:Q", **shown), y2="p75:Q")
    line = base.mark_line(color=BEFORE, strokeWidth=2).encode(x, alt.Y("p50:Q", **shown), tooltip=tips)
    return [outer, inner, line]


def spark(series: Series, *, span: tuple[float, float], step_s: float, change_point: float | None) -> alt.LayerChart:
    """A small chart of the median or rate with the change marked, for an incident's card."""
    rate = series.kind == "rate"
    field, shown = ("rate", "~%") if rate else ("p50", "~s")
    x = time_axis(*span, ticks=3).title(None)
    y = alt.Y(f"{field}:Q", title=None, axis=alt.Axis(tickCount=3, format=shown), scale=alt.Scale(zero=rate))
    layers: list[Any] = [
        alt.Chart(data(_rows(*readable_rates(series, step_s)))).mark_line(color=BEFORE, strokeWidth=2).encode(x, y)
    ]
    if change_point is not None and span[0] <= change_point <= span[1]:
        mark = alt.Chart(data([{"at": change_point * 1000}]))
        layers.append(mark.mark_rule(color=AFTER, strokeDash=[5, 3], strokeWidth=2).encode(x))
    return alt.LayerChart(layer=layers).properties(height=120)
