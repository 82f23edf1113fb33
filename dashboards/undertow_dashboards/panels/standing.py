"""How a target stands: its state, its incidents in a line each, and what happened beside them."""

from collections.abc import Sequence

import streamlit as st

from undertow_dashboards import live, sentences, words
from undertow_dashboards.charts import Lettered
from undertow_dashboards.clock import Clock
from undertow_dashboards.shapes import Feed, Incident, Notice, TargetState

TITLES = {
    "alert": "changed",
    "ok": "is as usual",
    "stale": "is stale: nothing new comes",
    "collecting": "is learning what is usual",
    "insufficient_data": "has not enough data",
}
MOST_LINES = 6


def heading(state: TargetState, clock: Clock) -> None:
    """Name and state, the monitor's sentence, and the four numbers in a line."""
    word = words.STATES.get(state.state, words.UNKNOWN)
    st.title(f"{words.name(state.target.model)} {TITLES.get(state.state, '')}".strip(), anchor=False)
    st.markdown(f"{word.badge} {words.target_place(state.target)}", help=word.meaning)
    st.text(words.sentence(state.text) or word.meaning)
    if state.state == "stale":
        live.freshness(state.last)
    st.caption(facts(state, live.feed(), clock))


def facts(state: TargetState, feed: Feed | None, clock: Clock) -> str:
    """Requests, baseline, weight and age, in one line."""
    baseline = f"baseline {words.readable(state.baseline)} ({words.counted(state.baseline_spans, 'answer')})"
    ready = f"ready about {clock.time(state.ready_at, live.now())}" if state.ready_at is not None else ""
    late = f"{state.late:,} too late to be judged" if state.late else ""
    parts = (
        words.counted(state.spans, "request"),
        late,
        baseline,
        ready,
        sentences.weight(state, feed, live.now(), clock),
        f"newest request {words.ago(state.last, live.now())}",
    )
    return " · ".join(part for part in parts if part)


def incidents(found: Sequence[Incident], asked: str | None, clock: Clock) -> None:
    """Open incidents in a line each, the one in the address first; past ones folded."""
    first = sorted((i for i in found if i.is_open or i.id == asked), key=lambda i: i.id != asked)
    for incident in first[:MOST_LINES]:
        line(incident, clock)
    past = [i for i in found if i not in first[:MOST_LINES]]
    if past:
        with st.expander(words.counted(len(past), "other incident"), icon=":material/history:"):
            for incident in past[:50]:
                line(incident, clock)


def line(incident: Incident, clock: Clock) -> None:
    """One incident in a sentence, with the way to its page."""
    severity = words.SEVERITIES.get(incident.severity, words.UNKNOWN)
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"{severity.badge} {words.readable(incident.status)}, {words.name(incident.id)}")
        st.text(f"{sentences.headline(incident, live.now(), clock)} {sentences.judgement(incident)}")
        live.incident_link(incident, "See and decide", ":material/arrow_forward:")


def marks(found: Sequence[Lettered], beside: str, clock: Clock) -> None:
    """What the letters in the charts stand for."""
    if beside:
        st.text(beside)
    if not found:
        st.caption("Nothing else is known to have happened in this time.")
        return
    with st.container(border=True, gap="xsmall"):
        st.caption(f"What happened in this time (times in {clock.name}); the letters are those in the charts")
        st.text("\n".join(mark.told(clock) for mark in found))


def notices(found: Sequence[Notice]) -> None:
    """What is worth knowing about this target and is no incident."""
    if not found:
        return
    with st.expander(words.counted(len(found), "notice"), icon=":material/info:"):
        for notice in found[:20]:
            st.text(f"{words.ago(notice.at, live.now())}  ·  {words.spoken(notice.text or notice.kind, 300)}")
