"""One target: what moved first, each signal over time and before against after, and what happened beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from undertow_dashboards import charts, live, outlook, sentences, words
from undertow_dashboards.charts import Scene
from undertow_dashboards.client import Client
from undertow_dashboards.clock import Clock
from undertow_dashboards.panels import controls, served, signal, standing
from undertow_dashboards.panels.signal import Asked
from undertow_dashboards.shapes import Incident, Mark, Notice, SignalState, TargetState

EVERY = "targets"
MOST_BINS = 150
STEPS_S = (60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0)


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows of one target beside its signals."""

    state: TargetState
    asked: Asked
    incidents: list[Incident]
    notices: list[Notice]
    marks: list[Mark]


def load(client: Client, state: TargetState, window_s: float, route: str | None) -> View:
    """Ask the monitor for all of it."""
    span, step_s = bins(state, window_s)
    return View(
        state,
        Asked(state.target, span, step_s, route),
        [incident for incident in client.incidents() if state.target in incident.targets],
        [notice for notice in client.notices() if notice.target == state.target],
        signal.maybe(lambda: client.marks(state.target, *span)) or [],
    )


def bins(state: TargetState, window_s: float) -> tuple[tuple[float, float], float]:
    """The span of time shown, ending with the target's newest request, and the width of a bin in seconds."""
    end = state.last if state.last is not None else live.now()
    start = max(state.first if state.first is not None else end - window_s, end - window_s)
    step_s = next((step for step in STEPS_S if (end - start) / step <= MOST_BINS), STEPS_S[-1])
    start -= start % step_s  # whole steps, which the store keeps ready from ten minutes up
    return (start, max(end, start + step_s)), step_s


def body() -> None:
    """The page of the target that the address names, or the choice of one."""
    targets = live.fetch(EVERY, Client.targets)
    title, subject = st.container(), st.container(horizontal=True)
    with subject:
        state = choose(targets, title)
    if state is None:
        return
    head, found, choices = st.container(gap="xsmall"), st.container(), st.container(horizontal=True, gap="medium")
    with choices:
        window_s, lane, clock = controls.time_shown(), controls.lane(worst(state)), controls.times()
    route = controls.route_asked()
    view = live.fetch(f"target {state.target} {window_s} {route}", lambda api: load(api, state, window_s, route))
    with head:
        now_standing(state, clock)
    with found:
        standing.incidents(view.incidents, st.query_params.get("incident"), clock)
    scene = Scene(view.asked.span, clock, marks=charts.lettered(view.marks, view.asked.span), ink=controls.ink())
    routes = identity(view, scene) if lane == "identity" else signals(view, lane, scene)
    with subject:
        controls.route(routes, route)
    standing.notices(view.notices)


@st.fragment(run_every=live.REFRESH_S)
def now_standing(drawn: TargetState, clock: Clock) -> None:
    """The heading, renewed while somebody looks; the charts stay as they are until that person wants them anew."""
    targets = live.fetch(EVERY, Client.targets, young_s=live.REFRESH_S / 2)
    state = next((one for one in targets if one.target == drawn.target), drawn)
    with st.container(gap="xsmall"):
        standing.heading(state, clock)
    if (state.state, state.open_incidents) != (drawn.state, drawn.open_incidents):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.text("This has changed since what is below was drawn.")
            if st.button("Draw it anew", icon=":material/refresh:"):
                st.rerun()


def choose(targets: Sequence[TargetState], above: DeltaGenerator) -> TargetState | None:
    """The target in the address; a box to choose another, which changes the address.

    What there is to say without one stands `above` it.
    """
    if not targets:
        above.title("No targets yet", anchor=False)
        above.text("A target appears here with its first request. The Ingestion page shows what arrives.")
        return None
    current = named(targets)
    if current is None:
        above.title("Which target?", anchor=False)
        if "model" in st.query_params:
            above.warning("The monitor knows no target of this name (any more). Choose one of those it knows.")
    chosen = st.selectbox(
        "Target",
        range(len(targets)),
        index=current,
        format_func=lambda i: words.target(targets[i].target),
        placeholder="Choose a target",
        key=f"target {current}",
        width=520,
        label_visibility="collapsed",
    )
    if chosen is not None and chosen != current:
        for key in ("gateway", "provider", "model", "deployment", "incident", "route"):
            st.query_params.pop(key, None)  # time shown, lane and clock stay: their widgets keep them there
        st.query_params.update(targets[chosen].target.params())
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


def ordered(state: TargetState) -> list[SignalState]:
    """The signals of a target, those that moved first; the built-in ones while it has none yet."""
    found = state.signals or [SignalState(name, state="collecting") for name in words.CONTENT]
    return sorted(found, key=lambda one: sentences.ORDER.get(one.state, 99))


def lane_of(one: SignalState) -> str:
    """The lane that a signal is drawn in."""
    return one.lane if one.lane in controls.LANES else "content"


def worst(state: TargetState) -> str:
    """The lane of the signal that moved, else that of the answers."""
    return next((lane_of(one) for one in ordered(state) if one.state == "alert"), "content")


def signals(view: View, lane: str, scene: Scene) -> list[str]:
    """The signals of a lane, the first that moved drawn and the others folded; returns the routes of what is drawn."""
    everything = ordered(view.state)
    elsewhere = [words.signal(one.signal) for one in everything if one.state == "alert" and lane_of(one) != lane]
    if elsewhere:
        st.text(f"Moved too, but not among these: {', '.join(elsewhere)}.")
    found = [one for one in everything if lane_of(one) == lane]
    if not found:
        st.text(f"No signal about {controls.LANES[lane]} is watched: the gateway's log has no values, or too few yet.")
        return []
    first, *others = found  # one alone is drawn unasked: what is chosen above is answered in half a second
    word = words.STATES.get(first.state, words.UNKNOWN)
    st.header(f"{words.signal(first.signal).capitalize()} {word.badge}", anchor=False, help=word.meaning)
    routes = details(view, first, scene)
    beside(view, scene, first)
    for one in others:
        routes += folded(view, one, scene)
    return routes


def folded(view: View, one: SignalState, scene: Scene) -> list[str]:
    """A signal in one line, drawn when somebody opens it."""
    word = words.STATES.get(one.state, words.UNKNOWN)
    label = f"**{words.signal(one.signal).capitalize()}** {word.badge} {sentences.signal_state(one, view.incidents)}"
    box = st.expander(label, key=f"signal {one.signal}", on_change="rerun", bind="query-params")
    with box:
        return details(view, one, scene) if box.open else []


def details(view: View, one: SignalState, scene: Scene) -> list[str]:
    """Fetch and draw one signal; returns its routes."""
    key = f"signal {one.signal} {view.asked}"
    found = live.fetch(key, lambda client: signal.load(client, one, view.asked))
    signal.section(found, scene, view.asked, view.incidents)
    return found.routes


def beside(view: View, scene: Scene, one: SignalState) -> None:
    """The marks in words, and those near the signal's change first."""
    changes = [i.change_point for i in view.incidents if i.is_open and signal.moved(i, one.signal)]
    change = next((at for at in changes if at is not None), None)
    standing.marks(scene.marks, outlook.beside(view.marks, change, scene.clock), scene.clock)


def identity(view: View, scene: Scene) -> list[str]:
    """What was served over time, with the marks in words below."""
    key = f"served {view.asked}"
    found = live.fetch(key, lambda client: served.load(client, view.asked))
    declared = [incident for incident in view.incidents if incident.change_point is not None]
    served.section(found, Scene(scene.span, scene.clock, None, declared, scene.marks, scene.ink), view.asked.step_s)
    standing.marks(scene.marks, "", scene.clock)
    return []


if __name__ == "__main__":
    body()
