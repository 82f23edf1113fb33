"""Incidents in a line each, for pages that list them beside something else."""

from collections.abc import Callable, Sequence

import streamlit as st

from undertow_dashboards import live, words
from undertow_dashboards.shapes import Incident

FIRST, MOST = 5, 40


def incidents(found: Sequence[Incident], told: Callable[[Incident], str], label: str) -> None:
    """The first few incidents, each with what is `told` of it and a link; more are folded."""
    with st.container(border=True, gap="xsmall"):
        for incident in found[:FIRST]:
            line(incident, told(incident), label)
    if more := found[FIRST:]:
        with st.expander(f"{len(more):,} more", icon=":material/list:"):
            for incident in more[:MOST]:
                line(incident, told(incident), label)
            if len(more) > MOST:
                st.caption(f"{len(more) - MOST:,} more stand on the Incidents page.")


def line(incident: Incident, told: str, label: str) -> None:
    """One incident: where, what is told of it, and a link to its page."""
    severity = words.SEVERITIES.get(incident.severity, words.UNKNOWN)
    where, what, link = st.columns([5, 5, 2], vertical_alignment="center")
    where.markdown(f"{severity.badge}{words.silenced(incident.quiet)} {words.target_name(incident.target)}")
    what.text(told)
    with link:
        live.incident_link(incident, label)
