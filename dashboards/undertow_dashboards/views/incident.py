"""One incident with its evidence and what people decide about it; without an id in the address, all of them."""

from collections.abc import Sequence

import streamlit as st

from undertow_dashboards import decisions, events, live, sentences, words
from undertow_dashboards.client import Client
from undertow_dashboards.panels import incident as panels
from undertow_dashboards.shapes import Incident

MOST_ROWS = 200
SHOWN = ("open", "over", "all")


def body() -> None:
    """The page of the incident that the address names, or the list."""
    asked = st.query_params.get("id", "")
    if not asked:
        listed()
        return
    live.page_link("views/incident.py", "All incidents", ":material/arrow_back:")
    one(live.fetch(f"incident {asked}", lambda api: api.incident(asked)))


def one(incident: Incident) -> None:
    """The sentence first, then what to do, then all that stands behind it."""
    panels.head(incident)
    siblings = events.others(incident, live.fetch("incidents", Client.incidents)) if incident.group else []
    if siblings:
        with st.expander(events.told([incident, *siblings]), icon=":material/hub:"):
            events.links(siblings)
    known, decided = st.columns([3, 2], gap="medium")
    with known:
        panels.facts(incident)
        panels.effects(incident)
    with decided, st.container(border=True):
        decisions.about(incident, [one for one in siblings if one.is_open])
    panels.examples(incident.examples)
    panels.deliveries(incident.deliveries)
    panels.trail(incident.trail)


def listed() -> None:
    """Every incident in a line, newest first; the filter is in the address."""
    incidents = live.fetch("incidents", Client.incidents)
    st.title(title(incidents), anchor=False)
    if not incidents:
        st.text("An incident opens when a signal leaves its baseline with enough evidence. None has so far.")
        return
    shown = st.segmented_control("Show", SHOWN, default="open", key="show", bind="query-params")
    kept = [i for i in incidents if shown in (None, "all") or i.is_open == (shown == "open")]
    for event in events.grouped(kept[:MOST_ROWS]):
        if len(event) == 1:
            row(event[0])
            continue
        with st.container(border=True, gap="xsmall"):
            st.markdown(events.told(event))
            for incident in event:
                row(incident)
    if not kept:
        st.text("None of these.")
    if len(kept) > MOST_ROWS:
        st.caption(f"{len(kept) - MOST_ROWS} older ones are not shown.")


def title(incidents: Sequence[Incident]) -> str:
    """The list in one line."""
    standing = sum(incident.is_open for incident in incidents)
    return f"{words.counted(standing, 'open incident')}, {len(incidents) - standing} over"


def row(incident: Incident) -> None:
    """One incident: its state, where, and the sentence."""
    severity = words.SEVERITIES.get(incident.severity, words.UNKNOWN)
    status = panels.STATUSES.get(incident.status, words.UNKNOWN)
    with st.container(border=True, gap="xsmall"):
        badges = f"{severity.badge} {status.badge}{words.silenced(incident.quiet)}"
        st.markdown(f"{badges} {words.target_name(incident.target)}", help=status.meaning)
        st.text(sentences.headline(incident, live.now()))
        live.incident_link(incident, "Open it", ":material/arrow_forward:")


if __name__ == "__main__":
    body()
