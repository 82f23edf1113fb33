"""One target: its incidents, what people decide about them, and each signal before and after."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import altair as alt
import streamlit as st

from undertow_dashboards import charts, live, sentences, words
from undertow_dashboards.client import ApiError, Client
from undertow_dashboards.shapes import Distribution, Incident, Notice, Series, SignalState, TargetState

WINDOWS_S = {
    "6 hours": 6 * 3600.0,
    "1 day": 86400.0,
    "3 days": 3 * 86400.0,
    "1 week": 7 * 86400.0,
    "30 days": 30 * 86400.0,
}
DEFAULT_WINDOW = "3 days"
MOST_BINS = 150
STEPS_S = (60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0)
CHARTED_LANES = ("content", "")


@dataclass(frozen=True, slots=True)
class SignalView:
    """One signal with its data; None where the monitor has none to show."""

    state: SignalState
    series: Series | None
    distribution: Distribution | None


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows of one target."""

    state: TargetState
    span: tuple[float, float]
    step_s: float
    incidents: list[Incident]
    notices: list[Notice]
    signals: list[SignalView] = field(default_factory=list)


def load(client: Client, state: TargetState, window_s: float) -> View:
    """Ask the monitor for all of it."""
    span, step_s = bins(state, window_s)
    signals = state.signals or [SignalState(name, state="collecting") for name in words.CONTENT]
    order = sorted(signals, key=lambda s: sentences.ORDER.get(s.state, 99))
    return View(
        state,
        span,
        step_s,
        [incident for incident in client.incidents() if state.target in incident.targets],
        [notice for notice in client.notices() if notice.target == state.target],
        [_signal(client, state, signal, span, step_s) for signal in order if signal.lane in CHARTED_LANES],
    )


def bins(state: TargetState, window_s: float) -> tuple[tuple[float, float], float]:
    """The span of time shown, ending with the target's newest request, and the width of a bin in seconds."""
    end = state.last if state.last is not None else live.now()
    start = max(state.first if state.first is not None else end - window_s, end - window_s)
    step_s = next((step for step in STEPS_S if (end - start) / step <= MOST_BINS), STEPS_S[-1])
    start -= start % step_s  # whole steps, which the store keeps ready from ten minutes up
    return (start, max(end, start + step_s)), step_s


def _signal(
    client: Client, state: TargetState, signal: SignalState, span: tuple[float, float], step_s: float
) -> SignalView:
    """A signal that the monitor cannot chart (a problem answer) is shown in words alone."""
    try:
        series = client.series(state.target, signal.signal, *span, step_s)
        return SignalView(signal, series, client.distribution(state.target, signal.signal))
    except ApiError as error:
        if error.kind != "problem":
            raise
        return SignalView(signal, None, None)


def body() -> None:
    """The page of the target that the address names, or the choice of one."""
    targets = live.fetch("targets", Client.targets)
    state = choose(targets)
    if state is None:
        return
    heading(state)
    cards = st.container()
    window_s = time_shown()
    view = live.fetch(f"target {state.target} {window_s}", lambda client: load(client, state, window_s))
    with cards:
        incidents(view)
    for signal in view.signals:
        signal_section(view, signal)
    notices(view)


def time_shown() -> float:
    """The length of time drawn, in seconds; kept in the address."""
    chosen = st.segmented_control(
        "Time shown", list(WINDOWS_S), default=DEFAULT_WINDOW, key="window", bind="query-params"
    )
    return WINDOWS_S.get(chosen or DEFAULT_WINDOW, WINDOWS_S[DEFAULT_WINDOW])


def choose(targets: Sequence[TargetState]) -> TargetState | None:
    """The target in the address; a box to choose another, which changes the address."""
    if not targets:
        st.title("No targets yet", anchor=False)
        st.text("A target appears here with its first request. The Ingestion page shows what arrives.")
        return None
    current = named(targets)
    if current is None and "model" in st.query_params:
        st.warning("The monitor knows no target of this name (any more). Choose one of those it knows.")
    chosen = st.selectbox(
        "Target",
        range(len(targets)),
        index=current,
        format_func=lambda i: words.target(targets[i].target),
        placeholder="Choose a target",
        key=f"target {current}",
        width=520,
    )
    if chosen is not None and chosen != current:
        st.query_params.from_dict(targets[chosen].target.params())
        st.rerun()
    return targets[current] if current is not None else None


def named(targets: Sequence[TargetState]) -> int | None:
    """Which target the address means, by its names or through one of its incidents."""
    params = st.query_params.to_dict()
    wanted = {key: params[key] for key in ("gateway", "provider", "model", "deployment") if key in params}
    for index, state in enumerate(targets):
        if state.target.params() == wanted or (not wanted and params.get("incident") in state.open_incidents):
            return index
    return None


def heading(state: TargetState) -> None:
    """Name, state in words, and the four numbers."""
    word = words.STATES.get(state.state, words.UNKNOWN)
    st.title(words.name(state.target.model), anchor=False)
    st.markdown(f"{word.badge} {words.target_place(state.target)}", help=word.meaning)
    st.text(words.sentence(state.text) or word.meaning)
    if state.state == "stale":
        live.freshness(state.last)
    requests, baseline, weight, newest = st.columns(4)
    requests.metric("Requests", f"{state.spans:,}", help=f"{state.late:,} of them came too late to be judged.")
    baseline.metric("Baseline", words.readable(state.baseline), help=f"{state.baseline_spans:,} successful requests.")
    weight.metric("Weight", f"× {state.multiplier:g}", help="What the operator's own weight is multiplied with.")
    newest.metric("Newest request", words.ago(state.last, live.now()))


def incidents(view: View) -> None:
    """Open incidents with the decisions, past ones folded."""
    asked = st.query_params.get("incident")
    for incident in view.incidents:
        if incident.is_open or incident.id == asked:
            incident_card(incident)
    past = [i for i in view.incidents if not i.is_open and i.id != asked]
    if past:
        with st.expander(words.counted(len(past), "past incident"), icon=":material/history:"):
            for incident in past:
                st.markdown(f"{sentences.headline(incident, live.now())} {words.readable(incident.status)}.")


def incident_card(incident: Incident) -> None:
    """One incident in a sentence, with the way to its page."""
    with st.container(border=True, gap="xsmall"):
        severity = words.SEVERITIES.get(incident.severity, words.UNKNOWN)
        st.markdown(f"{severity.badge} incident {words.name(incident.id)}, {words.readable(incident.status)}")
        st.subheader(sentences.headline(incident, live.now()), anchor=False)
        st.text(sentences.judgement(incident))
        live.incident_link(incident, "See the evidence and decide", ":material/arrow_forward:")


def signal_section(view: View, signal: SignalView) -> None:
    """One signal: state, the comparison in words, then over time and before against after."""
    word = words.STATES.get(signal.state.state, words.UNKNOWN)
    st.header(f"{words.signal(signal.state.signal).capitalize()} {word.badge}", anchor=False, help=word.meaning)
    summary = sentences.before_after(signal.distribution) if signal.distribution else "Nothing to draw for this signal."
    st.text(summary)
    st.caption(sentences.signal_state(signal.state, view.incidents))
    if signal.series is None or signal.distribution is None or not signal.series.points:
        return
    over_time, compared = st.columns([2, 1], gap="medium")
    chart = _over_time(view, signal.series, signal.distribution)
    over_time.altair_chart(chart, width="stretch", alt=f"Over time. {summary}")
    chart = charts.distribution_chart(signal.distribution)
    compared.altair_chart(chart, width="stretch", alt=f"Baseline against now. {summary}")
    with st.expander("As a table", icon=":material/table:", type="compact"):
        st.dataframe(table(signal.series), hide_index=True)


def _over_time(view: View, series: Series, distribution: Distribution) -> alt.LayerChart:
    before = distribution.before
    window = (before.from_, before.to) if before.from_ is not None and before.to is not None else None
    moved = [i for i in view.incidents if any(m.signal == series.signal for m in i.signals)]
    return charts.series_chart(series, span=view.span, step_s=view.step_s, baseline=window, incidents=moved)


def table(series: Series) -> list[dict[str, object]]:
    """The series as rows of plain cells."""
    fields = ("rate",) if series.kind == "rate" else tuple(charts.SHARES)
    return [
        {"time (UTC)": words.clock_time(p.at), "answers": p.n, **{name: getattr(p, name) for name in fields}}
        for p in series.points
    ]


def notices(view: View) -> None:
    """What is worth knowing about this target and is no incident."""
    if view.notices:
        st.header("Notices", anchor=False)
    for notice in view.notices[:20]:
        st.text(f"{words.ago(notice.at, live.now())}  ·  {words.clean(notice.text or notice.kind, 300)}")


if __name__ == "__main__":
    body()
