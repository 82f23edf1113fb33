"""The evidence of a change over time, and the threshold at which it becomes an alarm."""

from typing import Any

import altair as alt

from undertow_dashboards.charts.axes import BEFORE, beside, data
from undertow_dashboards.charts.scene import Scene
from undertow_dashboards.shapes import Evidence

TITLE = "evidence, log10"
GAP_S = 3 * 3600.0


def evidence_chart(evidence: Evidence, scene: Scene, height: int = 190) -> alt.LayerChart:
    """Decimal logarithms: the evidence as a line, the alarm's threshold as a dashed one with its name."""
    rows = _rows(evidence, scene)
    base = alt.Chart(data(rows))
    when = alt.Tooltip("when:N", title="until")
    tips = [
        when,
        alt.Tooltip("evidence:Q", title="evidence (log10)", format=".1f"),
        alt.Tooltip("threshold:Q", title="alarm at (log10)", format=".1f"),
    ]
    y = alt.Y("evidence:Q", scale=alt.Scale(zero=True, nice=True), **beside(TITLE, tickCount=4))
    line = base.mark_line(color=BEFORE, strokeWidth=2, interpolate="step-after").encode(scene.x, y, tooltip=tips)
    limit = base.mark_line(color=scene.ink, strokeDash=[6, 4], strokeWidth=1.5).encode(
        scene.x, alt.Y("threshold:Q", **beside(TITLE, tickCount=4))
    )
    layers: list[Any] = [*scene.behind(told=False), line, limit, *_name(evidence, scene), *scene.over(told=False)]
    return alt.LayerChart(layer=layers).properties(height=height)


def _rows(evidence: Evidence, scene: Scene) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    last: float | None = None
    for point in sorted(evidence.points, key=lambda p: p.at):
        if not scene.span[0] <= point.at <= scene.span[1]:
            continue
        if last is not None and point.at - last > GAP_S:
            rows.append({"at": (last + 1) * 1000})
        limit = point.log10_threshold if point.log10_threshold is not None else evidence.log10_threshold
        told = {"evidence": point.log10_evidence, "threshold": limit, "when": scene.clock.time(point.at)}
        rows.append({"at": point.at * 1000} | told)
        last = point.at
    return rows


def _name(evidence: Evidence, scene: Scene) -> list[alt.Chart]:
    if evidence.log10_threshold is None:
        return []
    row = {"at": scene.span[0] * 1000, "threshold": evidence.log10_threshold}
    label = alt.Chart(data([row | {"label": f"alarm at 10^{evidence.log10_threshold:.1f}"}]))
    text = label.mark_text(align="left", baseline="bottom", dx=5, dy=-3, color=scene.ink)
    return [text.encode(scene.x, alt.Y("threshold:Q", **beside(TITLE, tickCount=4)), text="label:N")]
