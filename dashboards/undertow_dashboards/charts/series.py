"""A signal over time. The widest series has a few hundred points."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import AFTER, BEFORE, QUIET, data, time_axis
from undertow_dashboards.charts.distribution import SHARES, wilson
from undertow_dashboards.shapes import Incident, Point, Series

MAX_POINTS = 5000
RATE_ANSWERS, MOST_MERGED = 100, 12


def series_chart(
    series: Series,
    *,
    span: tuple[float, float],
    step_s: float,
    baseline: tuple[float, float] | None = None,
    incidents: Sequence[Incident] = (),
    height: int = 280,
) -> alt.LayerChart:
    """A signal over `span` (Unix seconds): median and quantile bands, or the rate with its 95 % interval.

    The baseline window is shaded, each incident's change point is a dashed line.
    """
    x = time_axis(*span)
    rows = _rows(*readable_rates(series, step_s))
    layers: list[Any] = [*_window(baseline, span, x), *_signal(series, rows, x), *_changes(incidents, span, x)]
    return alt.LayerChart(layer=layers).properties(height=height)


def _rows(series: Series, step_s: float) -> list[dict[str, Any]]:
    """One row a bin; a row without values where bins are missing, so that no line is drawn across silence."""
    rows: list[dict[str, Any]] = []
    last: float | None = None
    for point in sorted(series.points, key=lambda p: p.at)[-MAX_POINTS:]:
        if last is not None and point.at - last > 1.5 * step_s:
            rows.append({"at": (last + step_s) * 1000})
        rows.append(_row(point))
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
    when = alt.Tooltip("at:T", title="bin starts (UTC)", format="%d %b %H:%M")
    count = alt.Tooltip("n:Q", title="answers", format=",")
    if series.kind == "rate":
        tips = [when, alt.Tooltip("rate:Q", title="rate", format=".2%"), count]
        title = "share of answers"
        axis = alt.Y("rate:Q", title=title, axis=alt.Axis(format="~%"), scale=alt.Scale(zero=True))
        band = base.mark_area(opacity=0.18, color=BEFORE).encode(x, alt.Y("low:Q", title=title), y2="high:Q")
        return [band, base.mark_line(color=BEFORE, strokeWidth=2, point=len(rows) < 60).encode(x, axis, tooltip=tips)]
    tips = [when, *(alt.Tooltip(f"{p}:Q", title=p, format=",.0f") for p in SHARES), count]
    title = words.clean(series.unit) or "value"
    outer = base.mark_area(opacity=0.10, color=BEFORE).encode(x, alt.Y("p05:Q", title=title), y2="p95:Q")
    inner = base.mark_area(opacity=0.22, color=BEFORE).encode(x, alt.Y("p25:Q", title=title), y2="p75:Q")
    line = base.mark_line(color=BEFORE, strokeWidth=2).encode(x, alt.Y("p50:Q", title=title), tooltip=tips)
    return [outer, inner, line]


def _window(baseline: tuple[float, float] | None, span: tuple[float, float], x: alt.X) -> list[alt.Chart]:
    if baseline is None or baseline[1] < span[0] or baseline[0] > span[1]:
        return []
    row = {"at": max(baseline[0], span[0]) * 1000, "to": min(baseline[1], span[1]) * 1000}
    base = alt.Chart(data([{**row, "label": "baseline"}]))
    shade = base.mark_rect(color=QUIET, opacity=0.14).encode(x, alt.X2("to:T"))
    label = base.mark_text(align="left", baseline="top", dx=5, dy=4, color=QUIET).encode(
        x, text="label:N", y=alt.value(0)
    )
    return [shade, label]


def _changes(incidents: Sequence[Incident], span: tuple[float, float], x: alt.X) -> list[alt.Chart]:
    times = [i.change_point for i in incidents if i.change_point is not None and span[0] <= i.change_point <= span[1]]
    if not times:
        return []
    base = alt.Chart(data([{"at": t * 1000, "label": f"change {words.clock_time(t)}"} for t in times]))
    late = times[-1] > (span[0] + span[1]) / 2
    label = base.mark_text(
        align="right" if late else "left", baseline="top", dx=-6 if late else 6, dy=4, color=AFTER, fontWeight="bold"
    )
    return [
        base.mark_rule(color=AFTER, strokeDash=[5, 3], strokeWidth=2).encode(x, tooltip=["label:N"]),
        label.encode(x, text="label:N", y=alt.value(0)),
    ]


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
