"""Charts as pure functions from API shapes to Altair.

Times are UTC; the palette is Okabe and Ito's, made for colour blindness. Before and
after differ in dash and label as well as in colour. The widest series has a few hundred points.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt
import pandas as pd  # type: ignore[import-untyped]  # noqa: F401  Altair looks into it; half imported, it fails

from undertow_dashboards import words
from undertow_dashboards.shapes import Distribution, Incident, Point, Reason, Series, Side

BEFORE, AFTER, QUIET = "#0072B2", "#D55E00", "#7B8794"
SHARES = {"p05": 0.05, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p95": 0.95}
MAX_POINTS = 5000
RATE_ANSWERS, MOST_MERGED = 100, 12


def _data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=[dict(row) for row in rows])


def _moment(at: float) -> alt.DateTime:
    """A fixed end of a time axis; Vega-Lite 6 loses plain numbers there."""
    t = datetime.fromtimestamp(at, UTC)
    return alt.DateTime(
        year=t.year, month=t.month, date=t.day, hours=t.hour, minutes=t.minute, seconds=t.second, utc=True
    )


def _x(start: float, end: float, ticks: int = 6) -> alt.X:
    return alt.X(
        "at:T",
        title="time (UTC)",
        scale=alt.Scale(type="utc", domain=[_moment(start), _moment(end)], clamp=True),
        axis=alt.Axis(
            format="%d %b %H:%M" if end - start > 86400 else "%H:%M", labelOverlap=True, tickCount=ticks, grid=False
        ),
    )


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
    x = _x(*span)
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


def wilson(rate: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a rate seen in `n` trials (Wilson 1927)."""
    if n <= 0:
        return 0.0, 1.0
    z = 1.959964
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _signal(series: Series, rows: list[dict[str, Any]], x: alt.X) -> list[alt.Chart]:
    base = alt.Chart(_data(rows))
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
    base = alt.Chart(_data([{**row, "label": "baseline"}]))
    shade = base.mark_rect(color=QUIET, opacity=0.14).encode(x, alt.X2("to:T"))
    label = base.mark_text(align="left", baseline="top", dx=5, dy=4, color=QUIET).encode(
        x, text="label:N", y=alt.value(0)
    )
    return [shade, label]


def _changes(incidents: Sequence[Incident], span: tuple[float, float], x: alt.X) -> list[alt.Chart]:
    times = [i.change_point for i in incidents if i.change_point is not None and span[0] <= i.change_point <= span[1]]
    if not times:
        return []
    base = alt.Chart(_data([{"at": t * 1000, "label": f"change {words.clock_time(t)}"} for t in times]))
    late = times[-1] > (span[0] + span[1]) / 2
    label = base.mark_text(
        align="right" if late else "left", baseline="top", dx=-6 if late else 6, dy=4, color=AFTER, fontWeight="bold"
    )
    return [
        base.mark_rule(color=AFTER, strokeDash=[5, 3], strokeWidth=2).encode(x, tooltip=["label:N"]),
        label.encode(x, text="label:N", y=alt.value(0)),
    ]


def distribution_chart(distribution: Distribution, height: int = 280) -> alt.LayerChart:
    """Baseline against now: five quantiles of each as a cumulative curve, or the two rates with 95 % intervals."""
    if distribution.kind == "rate":
        return _rates(distribution)
    rows = [*_cumulative("before", distribution.before), *_cumulative("after", distribution.after)]
    unit = words.clean(distribution.unit) or "value"
    base = alt.Chart(_data(rows)).encode(
        alt.X("value:Q", title=unit, scale=alt.Scale(zero=False)),
        alt.Y("share:Q", title="share at or below", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        alt.Color("when:N", title=None, scale=_sides(), legend=alt.Legend(orient="top")),
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


def _sides() -> alt.Scale:
    return alt.Scale(domain=["before", "after"], range=[BEFORE, AFTER])


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
    colour = alt.Color("when:N", scale=_sides(), legend=None)
    title = "share of answers, with 95 % interval"
    x = alt.X("rate:Q", title=title, axis=alt.Axis(format="~%"), scale=alt.Scale(zero=True))
    base = alt.Chart(_data(rows)).encode(y)
    bars = base.mark_bar(height=26, opacity=0.75).encode(x, colour, tooltip=["when:N", "label:N", "n:Q"])
    whisker = base.mark_rule(strokeWidth=2, color=QUIET).encode(alt.X("low:Q", title=title), alt.X2("high:Q"))
    label = base.mark_text(align="left", dx=8, dy=-22, color=QUIET).encode(x=alt.value(0), text="label:N")
    return alt.LayerChart(layer=[bars, whisker, label]).properties(height=200)


def spark(series: Series, *, span: tuple[float, float], step_s: float, change_point: float | None) -> alt.LayerChart:
    """A small chart of the median or rate with the change marked, for an incident's card."""
    rate = series.kind == "rate"
    field, shown = ("rate", "~%") if rate else ("p50", "~s")
    x = _x(*span, ticks=3).title(None)
    y = alt.Y(f"{field}:Q", title=None, axis=alt.Axis(tickCount=3, format=shown), scale=alt.Scale(zero=rate))
    layers: list[Any] = [
        alt.Chart(_data(_rows(*readable_rates(series, step_s)))).mark_line(color=BEFORE, strokeWidth=2).encode(x, y)
    ]
    if change_point is not None and span[0] <= change_point <= span[1]:
        mark = alt.Chart(_data([{"at": change_point * 1000}]))
        layers.append(mark.mark_rule(color=AFTER, strokeDash=[5, 3], strokeWidth=2).encode(x))
    return alt.LayerChart(layer=layers).properties(height=120)


def reasons_chart(reasons: Sequence[Reason]) -> alt.LayerChart:
    """Counts by reason as bars, the largest first."""
    rows = [{"reason": words.readable(r.reason), "count": r.count} for r in reasons]
    base = alt.Chart(_data(rows)).encode(
        alt.Y("reason:N", title=None, sort="-x", axis=alt.Axis(labelLimit=260)),
        alt.X("count:Q", title="messages", axis=alt.Axis(format="~s", tickMinStep=1)),
    )
    bars = base.mark_bar(color=BEFORE, height=20)
    labels = base.mark_text(align="left", dx=6, color=QUIET).encode(text=alt.Text("count:Q", format=","))
    return alt.LayerChart(layer=[bars, labels]).properties(height=64 + 34 * len(rows))
