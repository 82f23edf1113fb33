"""What the charts of one page share: the time shown, whose clock, and what happened in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from undertow_dashboards.charts.axes import AFTER, QUIET, data, time_axis
from undertow_dashboards.charts.marks import Lettered, rules
from undertow_dashboards.clock import UNIVERSAL, Clock
from undertow_dashboards.shapes import Incident


@dataclass(frozen=True, slots=True)
class Scene:
    """`span` and `baseline` in Unix seconds; `ink` is a grey that can be read on the page's background."""

    span: tuple[float, float]
    clock: Clock = UNIVERSAL
    baseline: tuple[float, float] | None = None
    changes: Sequence[Incident] = ()
    marks: Sequence[Lettered] = ()
    ink: str = QUIET

    @property
    def x(self) -> alt.X:
        """The axis of time, the same in every chart."""
        return time_axis(*self.span, clock=self.clock)

    def behind(self, *, told: bool = True) -> list[alt.Chart]:
        """The baseline shaded, and the interval of each change point as a band."""
        return [*self._window(told), *self._bands()]

    def over(self, *, told: bool = True) -> list[alt.Chart]:
        """Change points as dashed lines, and the marks; with their names where `told`."""
        return [*self._changes(told), *(rules(self.marks, self.x, self.ink, self.clock) if told else ())]

    def _window(self, told: bool) -> list[alt.Chart]:
        if self.baseline is None or not _meet(self.baseline, self.span):
            return []
        base = alt.Chart(data([self._clipped(self.baseline) | {"label": "baseline"}]))
        shade = base.mark_rect(color=QUIET, opacity=0.16).encode(self.x, alt.X2("to:T"))
        label = base.mark_text(align="left", baseline="top", dx=5, dy=4, color=self.ink)
        return [shade, label.encode(self.x, text="label:N", y=alt.value(0))] if told else [shade]

    def _bands(self) -> list[alt.Chart]:
        known = [i.change_point_interval for i in self.changes if i.change_point_interval]
        rows = [self._clipped(band) for band in known if _meet(band, self.span)]
        if not rows:
            return []
        return [alt.Chart(data(rows)).mark_rect(color=AFTER, opacity=0.2).encode(self.x, alt.X2("to:T"))]

    def _clipped(self, window: tuple[float, float]) -> dict[str, object]:
        return {"at": max(window[0], self.span[0]) * 1000, "to": min(window[1], self.span[1]) * 1000}

    def _changes(self, told: bool) -> list[alt.Chart]:
        known = (i.change_point for i in self.changes if i.change_point is not None)
        times = [at for at in known if self.span[0] <= at <= self.span[1]]
        if not times:
            return []
        base = alt.Chart(data([{"at": at * 1000, "label": f"change {self.clock.time(at)}"} for at in times]))
        rule = base.mark_rule(color=AFTER, strokeDash=[5, 3], strokeWidth=2).encode(self.x, tooltip=["label:N"])
        late = times[-1] > sum(self.span) / 2
        label = base.mark_text(
            align="right" if late else "left", baseline="top", dx=-8 if late else 8, dy=4, color=self.ink,
            fontWeight="bold",
        )  # fmt: skip
        return [rule, label.encode(self.x, text="label:N", y=alt.value(0))] if told else [rule]


def _meet(window: tuple[float, float], span: tuple[float, float]) -> bool:
    return window[1] >= span[0] and window[0] <= span[1]
