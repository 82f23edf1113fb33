"""What the charts have in common: the palette, inline data, and an axis of time.

The palette is Okabe and Ito's, made for colour blindness. Before and after differ in dash and label as well as in
colour.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd  # type: ignore[import-untyped]  # noqa: F401  Altair looks into it; half imported, it fails

from undertow_dashboards.clock import UNIVERSAL, Clock

BEFORE, AFTER, QUIET = "#0072B2", "#D55E00", "#7B8794"
PALETTE = (BEFORE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", AFTER)
"""Okabe and Ito's colours, without yellow, which is hardly seen on white; never the only thing that tells apart."""
LABELS_PX = 44
"""Room for the labels of every vertical axis, so that charts above each other have the same plot."""


def data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows as they stand in the chart; as a tuple, for Altair copies lists with every layer that a chart gets."""
    return alt.InlineData(values=tuple(dict(row) for row in rows))


def moment(at: float) -> alt.ExprRef:
    """A fixed end of a time axis; Vega-Lite 6 loses plain numbers there, and finds layers with dates in conflict."""
    return alt.ExprRef(f"{at * 1000:.0f}")


def time_axis(start: float, end: float, ticks: int = 6, clock: Clock = UNIVERSAL) -> alt.X:
    """Time (Unix milliseconds in `at`) from `start` to `end` (Unix seconds), in UTC or as the browser has it."""
    return alt.X(
        "at:T",
        title=f"time ({clock.name})",
        scale=alt.Scale(type="utc" if clock == UNIVERSAL else "time", domain=[moment(start), moment(end)], clamp=True),
        axis=alt.Axis(
            format="%d %b %H:%M" if end - start > 86400 else "%H:%M", labelOverlap=True, tickCount=ticks, grid=False
        ),
    )


def beside(title: str, **settings: Any) -> dict[str, Any]:
    """Title and axis of a vertical channel that takes the same room in every chart."""
    return {"title": title, "axis": alt.Axis(minExtent=LABELS_PX, maxExtent=LABELS_PX, **settings)}


def sides() -> alt.Scale:
    """Colours of before and after."""
    return alt.Scale(domain=["before", "after"], range=[BEFORE, AFTER])
