"""Panels of one time axis (UTC), one above the other, as Altair charts that stay readable on light and dark pages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import altair as alt
import pandas as pd  # type: ignore[import-untyped]  # noqa: F401  Altair looks into it; half imported, it fails
from docs.pictures.recordings import ONSET, Path

BLUE, ORANGE, GREEN, PINK, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#5F6B76", "#222222"
"""Okabe and Ito's palette, made for colour blindness; lines differ in dash and label too."""
DASHES = ([1, 0], [7, 3], [2, 2])
WIDTH = 640
Range: TypeAlias = tuple[float, float]
"""Two times (Unix s)."""


def line(path: Path, span: Range, y: str, colour: str = BLUE, zero: bool = False, step: bool = False) -> alt.Chart:
    """A line over the times of `span`; `y` is the title of its axis, with the unit."""
    made = alt.Chart(_data(_rows(path, span))).mark_line(
        color=colour, strokeWidth=2, interpolate="step" if step else "linear"
    )
    drawn: alt.Chart = made.encode(_x(span), alt.Y("y:Q", title=y, scale=alt.Scale(zero=zero)))
    return drawn


def lines(paths: Sequence[tuple[str, Path]], span: Range, y: str) -> alt.Chart:
    """Up to three named lines, told apart by colour and dash."""
    names = [name for name, _ in paths]
    rows = [row | {"of": name} for name, path in paths for row in _rows(path, span)]
    colours, dashes = [BLUE, ORANGE, GREEN][: len(names)], list(DASHES[: len(names)])
    drawn: alt.Chart = (
        alt.Chart(_data(rows))
        .mark_line(strokeWidth=2)
        .encode(
            _x(span),
            alt.Y("y:Q", title=y, scale=alt.Scale(zero=True)),
            alt.Color("of:N", title=None, scale=alt.Scale(domain=names, range=colours)),
            alt.StrokeDash("of:N", title=None, scale=alt.Scale(domain=names, range=dashes)),
        )
    )
    return drawn


def dots(path: Path, span: Range, y: str) -> alt.Chart:
    """A dot for each value."""
    made = alt.Chart(_data(_rows(path, span))).mark_point(color=BLUE, filled=True, opacity=1, size=26)
    drawn: alt.Chart = made.encode(_x(span), alt.Y("y:Q", title=y, scale=alt.Scale(zero=False)))
    return drawn


def band(low: Path, high: Path, span: Range, label: str) -> alt.LayerChart:
    """A grey area between two lines of the same times, the lower one dashed; `label` stands at the bottom."""
    upper = {row["at"]: row["y"] for row in _rows(high, span)}
    base = alt.Chart(_data([row | {"high": upper[row["at"]]} for row in _rows(low, span)])).encode(_x(span))
    area = base.mark_area(color=GREY, opacity=0.25).encode(alt.Y("y:Q"), alt.Y2("high:Q"))
    edge = base.mark_line(color=GREY, strokeDash=[6, 3]).encode(alt.Y("y:Q"))
    text = alt.Chart(_data([{"label": label}])).mark_text(align="left", baseline="bottom", color=INK)
    return alt.LayerChart(layer=[area, edge, text.encode(text="label:N", x=alt.value(6), y=alt.value("height"))])


def rule(at: float, span: Range, label: str = "", left: bool = False) -> alt.LayerChart:
    """A moment with its name above the panel: what was planted is dashed, what was told is solid."""
    colour, dash = (GREY, [5, 4]) if at == ONSET else (ORANGE, [1, 0])
    base = alt.Chart(_data([{"at": at * 1000, "label": label}])).encode(_x(span))
    drawn = base.mark_rule(color=colour, strokeWidth=1.5, strokeDash=dash)
    text = base.mark_text(align="right" if left else "left", baseline="bottom", dx=-1 if left else 1, color=INK)
    return alt.LayerChart(layer=[drawn, text.encode(text="label:N", y=alt.value(-4))])


def interval(times: Range, span: Range, label: str) -> alt.LayerChart:
    """A range of time, named at the bottom."""
    base = alt.Chart(_data([{"at": times[0] * 1000, "to": times[1] * 1000, "label": label}])).encode(_x(span))
    shade = base.mark_rect(color=PINK, opacity=0.45).encode(alt.X2("to:T"))
    text = base.mark_text(align="right", baseline="bottom", dx=-5, dy=-4, color=INK)
    return alt.LayerChart(layer=[shade, text.encode(text="label:N", y=alt.value("height"))])


def threshold(y: float, span: Range, label: str = "threshold, from the budget") -> alt.LayerChart:
    """The evidence that is an alarm."""
    base = alt.Chart(_data([{"at": span[0] * 1000, "y": y, "label": label}])).encode(alt.Y("y:Q"))
    drawn = base.mark_rule(color=INK, strokeDash=[8, 3])
    text = base.mark_text(align="left", baseline="top", dx=5, dy=4, color=INK).encode(_x(span), text="label:N")
    return alt.LayerChart(layer=[drawn, text])


def panel(layers: Sequence[Any], height: int) -> alt.LayerChart:
    """One panel."""
    return alt.LayerChart(layer=list(layers)).properties(width=WIDTH, height=height)


def stacked(title: str, panels: Sequence[alt.LayerChart]) -> alt.VConcatChart:
    """Panels under a title that states the point."""
    told = alt.TitleParams(title, fontSize=15, anchor="start", offset=12)
    drawn: alt.VConcatChart = (
        alt.vconcat(*panels, spacing=8, background="white", padding=12, title=told)
        .resolve_scale(color="independent", strokeDash="independent")
        .configure(font="Helvetica, Arial, sans-serif")
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#E3E6E8")
        .configure_text(fontSize=12)
        .configure_legend(
            labelFontSize=12, labelLimit=400, orient="bottom", offset=4, symbolSize=250, symbolStrokeWidth=2
        )
    )
    return drawn


def _data(rows: Sequence[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _rows(path: Path, span: Range) -> list[dict[str, float]]:
    return [{"at": round(at) * 1000, "y": float(f"{y:.4g}")} for at, y in path if span[0] <= at <= span[1]]


def _x(span: Range) -> alt.X:
    times = [datetime.fromtimestamp(at, UTC) for at in span]
    ends = [
        alt.DateTime(year=t.year, month=t.month, date=t.day, hours=t.hour, minutes=t.minute, utc=True) for t in times
    ]
    axis = alt.Axis(format="%a %H:%M", tickCount=8, labelOverlap=True, grid=False)
    return alt.X("at:T", title=None, scale=alt.Scale(type="utc", domain=ends), axis=axis)
