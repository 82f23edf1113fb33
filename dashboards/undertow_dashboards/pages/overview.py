"""Overview: what changed, in sentences, then every target with its state in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from undertow_dashboards import charts, live, sentences, words
from undertow_dashboards.client import ApiError, Client
from undertow_dashboards.shapes import Incident, Notice, Series, TargetState

MOST_CARDS = 8
MOST_ROWS = 40
COLUMNS = {"State": 1.5, "Model": 2, "Provider · gateway · deployment": 4, "In words": 3.4, "Requests": 1.6}
SPARK_S = 24 * 3600.0
SPARK_STEP_S = 900.0


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the page shows."""

    targets: list[TargetState]
    incidents: list[Incident]
    notices: list[Notice]
    newest: float | None


def load(client: Client) -> Overview:
    """Ask the monitor for all of it."""
    incidents = [incident for incident in client.incidents() if incident.is_open]
    return Overview(client.targets(), incidents, client.notices(), client.ingestion().newest)


@st.fragment(run_every=live.REFRESH_S)
def body() -> None:
    """The page, renewed while somebody looks at it."""
    view = live.fetch("overview", load)
    st.title(sentences.fleet(view.targets), anchor=False)
    if not view.targets:
        nothing_yet()
        return
    st.markdown(f"{sentences.others(view.targets)}.")
    live.freshness(view.newest)
    incidents(view)
    st.header("Targets", anchor=False)
    target_rows(view.targets)
    notices(view.notices)


def nothing_yet() -> None:
    """What to do when there is no data."""
    st.markdown(
        "The monitor runs and has seen no request yet. A target appears with its first request.\n\n"
        "- From Kafka: check the topics on the Ingestion page, and with `undertow doctor`.\n"
        "- By HTTP: `POST /v1/spans` takes the native format.\n"
        "- To see it work first: `undertow demo`."
    )
    st.page_link("pages/ingestion.py", label="Ingestion", icon=":material/input:")


def incidents(view: Overview) -> None:
    """A card for each open incident, the most severe first."""
    ranks = list(words.SEVERITIES)
    shown = sorted(view.incidents, key=lambda i: ranks.index(i.severity) if i.severity in ranks else 99)
    for incident in shown[:MOST_CARDS]:
        card(incident)
    if len(shown) > MOST_CARDS:
        st.caption(f"{words.counted(len(shown) - MOST_CARDS, 'more open incident')}: see the targets below.")


def card(incident: Incident) -> None:
    """One incident: what, since when, how surely, whose doing, what to do."""
    with st.container(border=True):
        text, chart = st.columns([3, 1], gap="medium")
        with text:
            severity = words.SEVERITIES.get(incident.severity, words.UNKNOWN)
            st.markdown(f"{severity.badge} {words.target_name(incident.target)}")
            st.subheader(sentences.headline(incident, live.now()), anchor=False)
            st.text(sentences.judgement(incident))
            if together := sentences.together(incident):
                st.text(together)
            live.target_link(incident.targets[0], "See the evidence and decide", incident, ":material/arrow_forward:")
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
    st.altair_chart(
        charts.spark(series, span=span, step_s=SPARK_STEP_S, change_point=incident.change_point),
        width="stretch",
        alt=f"{name} over 24 hours with the change marked; the sentence beside it says the same",
    )


def _series(incident: Incident, span: tuple[float, float]) -> Series | None:
    """The moved signal that shows best: a number where one moved, whose median is steadier than a rare rate."""
    numbers = [m.signal for m in incident.signals if m.effect and m.effect.name == "ratio"]
    signal = (numbers or [incident.signals[0].signal])[0]
    try:
        return live.api().series(incident.target, signal, *span, SPARK_STEP_S)
    except ApiError:
        return None


def target_rows(targets: Sequence[TargetState]) -> None:
    """Every target, those that need a look first."""
    wanted = ""
    if len(targets) > 10:
        wanted = st.text_input(
            "Find", placeholder="model, provider or gateway", key="find", bind="query-params"
        ).lower()
    shown = [s for s in targets if wanted in words.target(s.target).lower()]
    shown.sort(key=lambda s: (sentences.ORDER.get(s.state, 99), words.target(s.target)))
    with st.container(border=True, gap="xsmall"):
        for column, label in zip(st.columns(list(COLUMNS.values())), COLUMNS, strict=True):
            column.caption(label)
        for state in shown[:MOST_ROWS]:
            row(state)
    if len(shown) > MOST_ROWS:
        st.caption(f"{len(shown) - MOST_ROWS} more in the table.")
    if not shown:
        st.caption("No target is called that.")
    with st.expander("As a table", icon=":material/table:", type="compact"):
        st.dataframe([as_row(state) for state in shown], hide_index=True)


def row(state: TargetState) -> None:
    """One target in a line."""
    word = words.STATES.get(state.state, words.UNKNOWN)
    badge, link, place, text, count = st.columns(list(COLUMNS.values()), vertical_alignment="center")
    badge.markdown(word.badge, help=word.meaning)
    with link:
        live.target_link(state.target, words.name(state.target.model))
    place.markdown(words.target_place(state.target, " · "))
    text.text(words.sentence(state.text) or word.meaning)
    weight = "" if state.multiplier == 1 else f", weight × {state.multiplier:g}"
    count.caption(f"{state.spans:,}{weight}")


def as_row(state: TargetState) -> dict[str, object]:
    """One target as cells of plain text."""
    return {
        "state": words.STATES.get(state.state, words.UNKNOWN).word,
        "model": words.cell(state.target.model),
        "provider": words.cell(state.target.provider),
        "gateway": words.cell(state.target.gateway or ""),
        "deployment": words.cell(state.target.deployment or ""),
        "requests": state.spans,
        "baseline": words.readable(state.baseline),
        "weight": state.multiplier,
        "newest (UTC)": words.clock_time(state.last) if state.last is not None else "never",
        "in words": words.cell(state.text),
    }


def notices(found: Sequence[Notice]) -> None:
    """What is worth knowing and is no incident."""
    if not found:
        return
    st.header("Notices", anchor=False)
    for notice in found[:5]:
        where = f"{words.target(notice.target)}: " if notice.target else ""
        text = words.clean(notice.text, 300) or words.readable(notice.kind)
        st.text(f"{words.ago(notice.at, live.now())}  ·  {where}{text}")


if __name__ == "__main__":
    body()
