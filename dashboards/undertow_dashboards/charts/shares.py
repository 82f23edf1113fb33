"""Names and how often each was seen: over time a row for each name, and before against after as bars."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import altair as alt

from undertow_dashboards import words
from undertow_dashboards.charts.axes import BEFORE, data, sides
from undertow_dashboards.charts.scene import Scene
from undertow_dashboards.shapes import Distribution, Shares, Side

MOST = 8
OTHER = "(other)"
LABEL_PX = 140
ROW_PX, AROUND_PX = 22, 96  # Streamlit counts the axis and what stands above the plot into the height


def shares_chart(shares: Shares, scene: Scene, step_s: float) -> alt.LayerChart:
    """Each name in a row of its own; the stronger the bar, the larger its share of the bin."""
    names = _leading(shares)
    rows = [row for point in shares.points for row in _bins(point.at, step_s, _named(point.shares, point.other), scene)]
    kept = [row | {"name": row["name"] if row["name"] in names else OTHER} for row in rows]
    order = [*names, *([OTHER] if any(row["name"] == OTHER for row in kept) else ())]
    band = alt.Y(
        "name:N",
        title=None,
        sort=order,
        scale=alt.Scale(domain=order),
        axis=alt.Axis(labelLimit=LABEL_PX, minExtent=LABEL_PX, maxExtent=LABEL_PX, grid=False, labelOverlap=False),
    )
    bars = (
        alt.Chart(data(kept))
        .mark_rect(color=BEFORE)
        .encode(
            scene.x,
            alt.X2("to:T"),
            band,
            opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.12, 1]), legend=None),
            tooltip=["name:N", alt.Tooltip("share:Q", format=".1%"), "when:N", alt.Tooltip("n:Q", title="answers")],
        )
    )
    layers: list[Any] = [*scene.behind(told=False), bars, *scene.over(told=False)]
    return alt.LayerChart(layer=layers).properties(height=AROUND_PX + ROW_PX * max(1, len(order)))


def share_bars(distribution: Distribution, ink: str) -> alt.LayerChart:
    """The share of each name before and after, two bars beside each other with their numbers."""
    rows = bar_rows(distribution)
    title = f"share of {words.counts_of(distribution.signal)}"
    names = list(dict.fromkeys(row["name"] for row in rows))
    base = alt.Chart(data(rows)).encode(
        alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelLimit=LABEL_PX)),
        alt.YOffset("when:N", sort=["before", "after"]),
        alt.X("share:Q", title=title, axis=alt.Axis(format="~%", tickCount=4)),
    )
    tips = ["name:N", "when:N", alt.Tooltip("share:Q", format=".2%"), alt.Tooltip("n:Q", title="answers", format=",")]
    bars = base.mark_bar().encode(alt.Color("when:N", scale=sides(), legend=None), tooltip=tips)
    label = base.mark_text(align="left", dx=5, color=ink).encode(text="label:N")
    return alt.LayerChart(layer=[bars, label]).properties(height=AROUND_PX + 2 * ROW_PX * max(1, len(names)))


def bar_rows(distribution: Distribution) -> list[dict[str, Any]]:
    """Names by how often they were seen, each before and after; the rare ones are one."""
    total: Counter[str] = Counter()
    for side in (distribution.before, distribution.after):
        total.update(_side(side))
    kept = [name for name, _ in total.most_common(MOST) if name != OTHER]
    rows = []
    for name in [*kept, *([OTHER] if len(total) > len(kept) else ())]:
        for when, side in (("before", distribution.before), ("after", distribution.after)):
            counted = _side(side)
            n = sum(c for key, c in counted.items() if key not in kept) if name == OTHER else counted.get(name, 0)
            if side.n:
                share = n / side.n
                label = f"{when} {words.percent(share)}"
                rows.append({"name": name, "when": when, "share": share, "n": n, "label": label})
    return rows


def _side(side: Side) -> dict[str, int]:
    return _named(side.shares or {}, side.other)


def _named(shares: Mapping[str, int], other: int) -> dict[str, int]:
    named: Counter[str] = Counter()
    for name, n in shares.items():
        named[words.clean(name, 60) or "∅"] += n
    return {**named, **({OTHER: other} if other else {})}


def _leading(shares: Shares) -> list[str]:
    total: Counter[str] = Counter()
    first: dict[str, float] = {}
    for point in shares.points:
        named = _named(point.shares, 0)
        total.update(named)
        first |= {name: point.at for name in named if name not in first}
    return sorted((name for name, _ in total.most_common(MOST)), key=lambda name: (first[name], -total[name]))


def _bins(at: float, step_s: float, counted: Mapping[str, int], scene: Scene) -> list[dict[str, Any]]:
    total = sum(counted.values())
    start, end = max(at, scene.span[0]), min(at + step_s, scene.span[1])
    if not total or start >= end:
        return []
    when = scene.clock.time(at)
    base = {"at": start * 1000, "to": end * 1000, "when": when}
    return [base | {"name": name, "n": n, "share": n / total} for name, n in counted.items() if n]
