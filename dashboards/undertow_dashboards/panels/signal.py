"""One signal of a target: over time with its evidence below, before against after, and the same as tables."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import streamlit as st

from undertow_dashboards import charts, draw, outlook, sentences, words
from undertow_dashboards.charts import Scene
from undertow_dashboards.client import ApiError, Client
from undertow_dashboards.clock import Clock
from undertow_dashboards.shapes import Distribution, Evidence, Incident, Series, Shares, SignalState, Target

T = TypeVar("T")
DRAWN = {"error_class": "error", "price_per_token": "cost_usd", "adjusted_output_tokens": "output_tokens"}
"""What is drawn over time for a signal that the store does not draw itself."""
NAMES = ("finish_reason", "error_class")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the monitor: times in Unix seconds, one route or None for all."""

    target: Target
    span: tuple[float, float]
    step_s: float
    route: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One signal with its data; None where the monitor has none to show."""

    state: SignalState
    series: Series | None = None
    shares: Shares | None = None
    distribution: Distribution | None = None
    evidence: Evidence | None = None

    @property
    def routes(self) -> list[str]:
        """The routes that answers came by."""
        return [one.route for one in self.distribution.routes if one.route] if self.distribution else []


def load(client: Client, state: SignalState, asked: Asked) -> View:
    """Ask the monitor for all of it at once; what it cannot draw is told in words alone."""
    name, span, step_s = state.signal, asked.span, asked.step_s
    drawn = DRAWN.get(name, name)
    asks: dict[str, Callable[[], Any]] = {
        "distribution": lambda: client.distribution(asked.target, name if name in NAMES else drawn, asked.route),
        "evidence": lambda: client.evidence(asked.target, name, *span),
    }
    if drawn not in NAMES:
        asks["series"] = lambda: client.series(asked.target, drawn, *span, step_s, asked.route)
    if name in NAMES:
        asks["shares"] = lambda: client.shares(asked.target, name, *span, 4 * step_s, asked.route)
    with ThreadPoolExecutor(len(asks)) as pool:
        answers = {part: pool.submit(maybe, ask) for part, ask in asks.items()}
    return View(state, **{part: answer.result() for part, answer in answers.items()})


def maybe(ask: Callable[[], T]) -> T | None:
    """The answer, or None where the monitor says that it has none."""
    try:
        return ask()
    except ApiError as error:
        if error.kind != "problem":
            raise
        return None


def moved(incident: Incident, signal: str) -> bool:
    """Whether an incident is about the signal or one class of it."""
    return any(one.signal.partition("=")[0] == signal for one in incident.signals)


def section(view: View, scene: Scene, asked: Asked, incidents: Sequence[Incident]) -> None:
    """The sentences, then the pictures, then the tables."""
    about = [incident for incident in incidents if moved(incident, view.state.signal)]
    summary = _summary(view)
    st.text(summary)
    scene = replace(scene, baseline=_baseline(view.distribution), changes=about)
    over_time, compared = st.columns([2, 1], gap="medium")
    with over_time:
        _over_time(view, scene, asked.step_s, summary)
        _evidence(view, scene, incidents, of_route=asked.route is not None)
    with compared:
        _compared(view, scene, summary)
        _strata(view.state.signal, about)
    _tables(view, scene.clock)


def _summary(view: View) -> str:
    if view.distribution is None:
        return "The monitor cannot compare this signal before and after."
    told = sentences.before_after(view.distribution)
    drawn = DRAWN.get(view.state.signal)
    return f"Drawn here: {words.signal(drawn)}. {told}" if drawn else told


def _baseline(distribution: Distribution | None) -> tuple[float, float] | None:
    if distribution is None or not distribution.before.n:
        return None
    before = distribution.before
    return (before.from_, before.to) if before.from_ is not None and before.to is not None else None


def _over_time(view: View, scene: Scene, step_s: float, summary: str) -> None:
    if view.series is not None and view.series.points:
        chart = charts.series_chart(view.series, scene, step_s=step_s)
        draw.chart(chart, f"Over time. {summary}")
    if view.shares is not None and view.shares.points:
        chart = charts.shares_chart(view.shares, scene, 4 * step_s)
        draw.chart(chart, f"Names over time. {summary}")
    if not (view.series and view.series.points) and not (view.shares and view.shares.points):
        st.caption("Nothing to draw over time.")


def _evidence(view: View, scene: Scene, incidents: Sequence[Incident], *, of_route: bool) -> None:
    known = view.evidence is not None and view.evidence.points
    if not known or view.state.state not in ("ok", "alert"):
        st.text(sentences.signal_state(view.state, incidents))
    if view.evidence is None or not known:
        return
    told = outlook.evidence(view.evidence, scene.clock)
    st.text(f"{told} It is that of all routes together." if of_route else told, help=outlook.MEANING)
    draw.chart(charts.evidence_chart(view.evidence, scene), told)


def _compared(view: View, scene: Scene, summary: str) -> None:
    if view.distribution is None or not (view.distribution.before.n or view.distribution.after.n):
        return
    chart = charts.distribution_chart(view.distribution, scene.ink)
    draw.chart(chart, f"Baseline against now. {summary}")


def _strata(signal: str, about: Sequence[Incident]) -> None:
    found = [one for incident in about for one in incident.signals if one.signal.partition("=")[0] == signal]
    rows = [row for one in found for row in sentences.strata(one)]
    if rows:
        st.caption("Where it moved, by route and size of the prompt")
        st.dataframe(rows, hide_index=True, column_config={"change": st.column_config.TextColumn(width="medium")})


def _tables(view: View, clock: Clock) -> None:
    known = {
        "Over time": series_rows(view.series, clock) if view.series else [],
        "Before and after": compared_rows(view.distribution) if view.distribution else [],
        "Evidence": evidence_rows(view.evidence, clock) if view.evidence else [],
    }
    shown = {title: rows for title, rows in known.items() if rows}
    if not shown:
        return
    with st.expander("As tables", icon=":material/table:", type="compact"):
        for column, (title, rows) in zip(st.columns(len(shown)), shown.items(), strict=True):
            column.caption(title)
            column.dataframe(rows, hide_index=True)


def series_rows(series: Series, clock: Clock) -> list[dict[str, object]]:
    """The series as rows of plain cells."""
    fields = {"rate": ("rate",), "count": ()}.get(series.kind, tuple(charts.SHARES))
    return [
        {f"time ({clock.name})": clock.time(p.at), "answers": p.n, **{name: getattr(p, name) for name in fields}}
        for p in series.points
    ]


def compared_rows(distribution: Distribution) -> list[dict[str, object]]:
    """Before and after as rows of plain cells."""
    before, after = distribution.before, distribution.after
    if distribution.kind == "shares":
        keys = {"name": "name", "when": "when", "n": "answers", "share": "share"}
        return [{to: words.cell(bar[key]) if key == "name" else bar[key] for key, to in keys.items()}
                for bar in charts.bar_rows(distribution)]  # fmt: skip
    rows: list[dict[str, object]] = [{"measure": "answers", "before": float(before.n), "after": float(after.n)}]
    if distribution.kind == "rate":
        return [*rows, {"measure": "rate", "before": before.rate, "after": after.rate}]
    old, new = before.quantiles or {}, after.quantiles or {}
    rows.extend({"measure": p, "before": old.get(p), "after": new.get(p)} for p in charts.SHARES)
    return rows


def evidence_rows(evidence: Evidence, clock: Clock) -> list[dict[str, object]]:
    """The evidence as rows of plain cells."""
    return [
        {f"time ({clock.name})": clock.time(p.at), "log10 evidence": p.log10_evidence, "alarm at": p.log10_threshold}
        for p in evidence.points
    ]
