"""The fleet: what changed, in sentences, then every target with its state, traffic, times, errors and costs."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import streamlit as st

from undertow_dashboards import charts, draw, events, lines, live, sentences, standing, words
from undertow_dashboards.client import ApiError, Client
from undertow_dashboards.shapes import Fleet, Incident, Notice, Series, Target, TargetState, Unheard
from undertow_dashboards.standing import Row

WINDOW_S = 86_400.0
MOST_CARDS = 3
MOST_LINES = 10
MOST_ROWS, ROW_PX = 25, 30
SAME = ("gateway", "deployment")
FACETS = ("provider", "model", "gateway", "state")
CLICKED = "opened target"
PAINT = {standing.SIGNS["alert"]: "#B3261E", standing.SIGNS["stale"]: "#8A5300"}
WEIGHTS = {
    "advisory": ("Advice", "What the operator's own weight would be multiplied with; the mode is advisory."),
    "enforce": ("Weight", "What the operator's own weight is multiplied with."),
}
SPARK_S = 24 * 3600.0
SPARK_STEP_S = 1200.0  # whole ten minutes, which the store keeps ready
MOST_ASKED = 3  # signals that are tried for it: one that is computed from others has no points


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows."""

    targets: list[TargetState]
    fleet: Fleet
    incidents: list[Incident]
    notices: list[Notice]
    newest: float | None
    silent: Sequence[Unheard]
    mode: str


def load(client: Client) -> View:
    """Ask the monitor for all of it."""
    incidents = [incident for incident in client.incidents() if incident.is_open]
    fleet = client.fleet(WINDOW_S)
    came = client.ingestion()
    return View(client.targets(), fleet, incidents, client.notices(), came.newest, came.silent, client.weights().mode)


@st.fragment(run_every=live.REFRESH_S)
def body() -> None:
    """The page, renewed while somebody looks at it."""
    view = live.fetch("fleet", load)
    st.title(sentences.fleet(view.targets), anchor=False)
    if not view.targets:
        nothing_yet()
        return
    st.markdown(f"{sentences.others(view.targets)}.")
    if told := sentences.judged_from(view.targets, live.now()):
        st.info(told, icon=":material/pending:")
    live.freshness(view.newest)
    live.unheard(view.silent)
    incidents(view.incidents)
    st.header("Targets", anchor=False)
    target_table(standing.rows(view.targets, view.fleet.targets, view.incidents), view.mode)
    notices(view.notices)


def nothing_yet() -> None:
    """What to do when there is no data."""
    st.markdown(
        "The monitor runs and has seen no request yet. A target appears with its first request.\n\n"
        "- From Kafka: check the topics on the Ingestion page, and with `undertow doctor`.\n"
        "- By HTTP: `POST /v1/spans` takes the native format.\n"
        "- To see it work first: `undertow demo`."
    )
    st.page_link("views/ingestion.py", label="Ingestion", icon=":material/input:")


def incidents(found: Sequence[Incident]) -> None:
    """A card for each of the most severe events that are open, a line for the other incidents."""
    ranks = list(words.SEVERITIES)
    shown = sorted(found, key=lambda i: ranks.index(i.severity) if i.severity in ranks else len(ranks))
    found_events = events.grouped(shown)
    for event in found_events[:MOST_CARDS]:
        card(event)
    if others := [incident for event in found_events[MOST_CARDS:] for incident in event]:
        with st.expander(words.counted(len(others), "more open incident"), icon=":material/error:"):
            for incident in others[:MOST_LINES]:
                lines.line(incident, sentences.headline(incident, live.now()), "Decide")
            if len(others) > MOST_LINES:
                st.caption(f"{len(others) - MOST_LINES} more stand on the Incidents page.")


def card(event: Sequence[Incident]) -> None:
    """The first incident of an event: what, since when, how surely, whose doing, what to do; the others as links."""
    incident, *siblings = event
    with st.container(border=True):
        text, chart = st.columns([3, 1], gap="medium")
        with text:
            severity = words.SEVERITIES.get(incident.severity, words.UNKNOWN)
            st.markdown(f"{severity.badge}{words.silenced(incident.quiet)} {words.target_name(incident.target)}")
            st.subheader(sentences.headline(incident, live.now()), anchor=False)
            st.text(sentences.judgement(incident))
            if told := sentences.quiet(incident):
                st.caption(told)
            if together := sentences.together(incident):
                st.text(together)
            live.incident_link(incident, "See the evidence and decide", ":material/arrow_forward:")
            if siblings:
                st.caption(f"{events.told(event)} The others:")
                events.links(siblings)
        with chart:
            spark(incident)


def spark(incident: Incident) -> None:
    """The day around the change, small."""
    if not incident.signals or incident.opened_at is None:
        return
    end = min(incident.opened_at + SPARK_S / 4, live.now())
    span = (end - SPARK_S, end)
    series = _series(incident, span)
    if series is None or not series.points:
        return
    name = words.signal(series.signal)
    measure = "share of answers" if series.kind == "rate" else f"median {words.readable(series.unit)}"
    st.caption(f"{name}: {measure}, 24 hours (UTC)")
    draw.chart(
        charts.spark(series, span=span, step_s=SPARK_STEP_S, change_point=incident.change_point),
        f"{name} over 24 hours with the change marked; the sentence beside it says the same",
    )


def _series(incident: Incident, span: tuple[float, float]) -> Series | None:
    """The moved signal that shows best: a number that is logged, whose median is steadier than a rare rate."""
    numbers = [m.signal for m in incident.signals if m.effect and m.effect.name == "ratio"]
    others = [m.signal for m in incident.signals if m.signal not in numbers]
    for signal in (numbers + others)[:MOST_ASKED]:
        with suppress(ApiError):
            series = live.api().series(incident.target, signal, *span, SPARK_STEP_S)
            if series.points:
                return series
    return None


@st.fragment
def target_table(found: Sequence[Row], mode: str) -> None:
    """Every target, the urgent ones first; a filter redraws this table alone and asks the monitor nothing."""
    shown, opened = filtered(found)
    count = words.counted(len(found), "target")
    st.caption(
        f"{len(shown)} of {count}, the urgent ones first; traffic, times, errors and costs of the last "
        f"{words.duration(WINDOW_S)}. A model's name opens its page."
    )
    if not shown:
        st.text("No target is like that. Take a filter away.")
        return
    opened = table(shown, mode) or opened
    if opened is not None:
        st.switch_page("views/target.py", query_params=opened.params())


def filtered(found: Sequence[Row]) -> tuple[list[Row], Target | None]:
    """The rows that the filters leave, and the one to open: no key reaches the buttons in the table.

    The filters are in the address, so that a link shows what its sender saw.
    """
    options = standing.facets(found)
    *boxes, find, go = st.columns([2, 2, 2, 2, 2, 2])
    chosen = {
        name: box.multiselect(name.capitalize(), options[name], key=f"{name}s", bind="query-params", placeholder="all")
        for name, box in zip(FACETS, boxes, strict=True)
    }
    text = find.text_input("Find", placeholder="part of a name", key="find", bind="query-params")
    shown = standing.matching(found, chosen, text)
    targets = [row.target for row in shown]
    return shown, go.selectbox("Open", targets, index=None, format_func=words.target, placeholder="a target")


def table(shown: Sequence[Row], mode: str) -> Target | None:
    """The rows, dense; the target whose name was clicked."""
    now = live.now()
    frame = pd.DataFrame([standing.cells(row, now) for row in shown])
    same = [name for name in SAME if frame[name].nunique() == 1]  # what holds of all rows tells none apart
    st.dataframe(
        frame.drop(columns=same).style.map(_paint, subset=["state"]),
        key="targets",
        hide_index=True,
        height="content" if len(shown) <= MOST_ROWS else MOST_ROWS * ROW_PX,
        row_height=ROW_PX,
        placeholder="–",
        column_config=columns(max(map(len, frame["state"])), mode),
        alt="Every target with its state, traffic, times, errors and costs",
    )
    clicked = st.session_state.get(CLICKED)
    return shown[clicked.row].target if clicked and clicked.row < len(shown) else None


def columns(state_chars: int, mode: str) -> dict[str, Any]:
    """How the columns are named, with their units; the state's is as wide as its longest text."""
    number = st.column_config.NumberColumn
    weight, told = WEIGHTS.get(mode, WEIGHTS["enforce"])
    return {
        "state": st.column_config.TextColumn("State (times in UTC)", width=24 + 6 * state_chars),
        "model": st.column_config.ButtonColumn("Model", type="tertiary", alignment="left", key=CLICKED),
        "provider": "Provider",
        "gateway": "Gateway",
        "deployment": "Deployment",
        "last change": st.column_config.TextColumn("Last change", help="The change of its latest incident."),
        "share": number("Share", format="%.1f %%", help="Of the requests of its gateway."),
        "weight": number(weight, format="× %.2f", help=told),
        "errors": number("Errors", format="%.2f %%"),
        "p50": number("p50 (s)", format="%.2f", help="Half of the successful requests were faster."),
        "p95": number("p95 (s)", format="%.1f"),
        "p99": number("p99 (s)", format="%.1f"),
        "cost": number("$ per 1k tokens", format="%.4f", help="Of requests that have a price."),
        "requests": number("Requests", format="%,d"),
    }


def _paint(text: str) -> str:
    """Colours that hold on light and dark; the icon and the word say the same."""
    for sign, colour in PAINT.items():
        if text.startswith(sign):
            return f"background-color: {colour}; color: #FFFFFF"
    return ""


def notices(found: Sequence[Notice]) -> None:
    """What is worth knowing and is no incident."""
    if not found:
        return
    st.header("Notices", anchor=False)
    for notice in found[:5]:
        where = f"{words.target(notice.target)}: " if notice.target else ""
        text = words.spoken(notice.text, 300) or words.readable(notice.kind)
        st.text(f"{words.ago(notice.at, live.now())}  ·  {where}{text}")


if __name__ == "__main__":
    body()
