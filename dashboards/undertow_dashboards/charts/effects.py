"""How large the changes are, with their intervals."""

from collections.abc import Sequence

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import AFTER, QUIET, data
from undertow_dashboards.shapes import Moved

UNITS = {"ratio": "change (%)", "rate_difference": "change (percentage points)"}


def effects_chart(moved: Sequence[Moved], name: str) -> alt.LayerChart | None:
    """Signals whose effect is called `name`, a line from end to end of each 95 % interval; None without any."""
    rows = [row for one in moved if (row := _row(one, name))]
    if not rows:
        return None
    title = UNITS[name]
    base = alt.Chart(data(rows)).encode(alt.Y("signal:N", title=None, sort=None, axis=alt.Axis(labelLimit=240)))
    at = alt.X("value:Q", title=title, axis=alt.Axis(format="+~f", tickCount=6), scale=alt.Scale(zero=True, nice=True))
    whisker = base.mark_rule(strokeWidth=3, color=AFTER).encode(alt.X("low:Q", title=title), alt.X2("high:Q"))
    dot = base.mark_point(filled=True, size=90, color=AFTER, opacity=1).encode(at, tooltip=["signal:N", "told:N"])
    nothing = alt.Chart(data([{"value": 0.0}])).mark_rule(color=QUIET, strokeDash=[4, 3]).encode(at)
    return alt.LayerChart(layer=[nothing, whisker, dot]).properties(height=60 + 30 * len(rows))


def _row(moved: Moved, name: str) -> dict[str, object] | None:
    effect = moved.effect
    if effect is None or effect.name != name or effect.value is None or not effect.ci95:
        return None
    low, high = effect.ci95
    if low is None or high is None:
        return None
    value, low, high = ((100 * (x - 1) if name == "ratio" else 100 * x) for x in (effect.value, low, high))
    told = f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
    return {"signal": words.signal(moved.signal), "value": value, "low": low, "high": high, "told": told}
