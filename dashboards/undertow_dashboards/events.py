"""Incidents of one event of a provider, which each of its targets has one of."""

from collections.abc import Sequence

import streamlit as st

from undertow_dashboards import live, words
from undertow_dashboards.shapes import Incident

MOST = 10


def grouped(found: Sequence[Incident]) -> list[list[Incident]]:
    """The incidents of each event together, in the order of the first of each."""
    events: dict[str, list[Incident]] = {}
    for incident in found:
        events.setdefault(incident.group or incident.id, []).append(incident)
    return list(events.values())


def others(incident: Incident, found: Sequence[Incident]) -> list[Incident]:
    """The incidents of the same event at other targets."""
    return [one for one in found if incident.group and one.group == incident.group and one.id != incident.id]


def told(event: Sequence[Incident]) -> str:
    """What holds an event together, as Markdown."""
    count = words.counted(len(event), "target")
    return f"One event at {words.name(event[0].target.provider)}, seen at {count}: one alert, a decision for each."


def links(event: Sequence[Incident]) -> None:
    """The way to each of the incidents."""
    for incident in event[:MOST]:
        label = f"{words.name(incident.target.model)} {words.target_place(incident.target, ' · ')}"
        live.incident_link(incident, label, ":material/arrow_forward:")
    if len(event) > MOST:
        st.caption(f"{len(event) - MOST:,} more stand on the Incidents page.")
