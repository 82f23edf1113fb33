"""What the charts have in common: the palette, inline data, and a time axis in UTC.

The palette is Okabe and Ito's, made for colour blindness. Before and after differ in dash and label as well as in
colour.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt
import pandas as pd  # type: ignore[import-untyped]  # noqa: F401  Altair looks into it; half imported, it fails

BEFORE, AFTER, QUIET = "#0072B2", "#D55E00", "#7B8794"


def data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows as they stand in the chart."""
    return alt.InlineData(values=[dict(row) for row in rows])


def moment(at: float) -> alt.DateTime:
    """A fixed end of a time axis; Vega-Lite 6 loses plain numbers there."""
    t = datetime.fromtimestamp(at, UTC)
    return alt.DateTime(
        year=t.year, month=t.month, date=t.day, hours=t.hour, minutes=t.minute, seconds=t.second, utc=True
    )


def time_axis(start: float, end: float, ticks: int = 6) -> alt.X:
    """Time (Unix milliseconds in `at`) from `start` to `end` (Unix seconds), in UTC."""
    return alt.X(
        "at:T",
        title="time (UTC)",
        scale=alt.Scale(type="utc", domain=[moment(start), moment(end)], clamp=True),
        axis=alt.Axis(
            format="%d %b %H:%M" if end - start > 86400 else "%H:%M", labelOverlap=True, tickCount=ticks, grid=False
        ),
    )


def sides() -> alt.Scale:
    """Colours of before and after."""
    return alt.Scale(domain=["before", "after"], range=[BEFORE, AFTER])
