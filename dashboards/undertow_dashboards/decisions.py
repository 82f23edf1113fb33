"""What a person decides about an incident, and telling the monitor."""

import streamlit as st

from undertow_dashboards import live, words
from undertow_dashboards.client import ApiError, Decision
from undertow_dashboards.shapes import Incident

DECISIONS: dict[Decision, tuple[str, str, str]] = {
    "acknowledge": ("Acknowledge", ":material/visibility:", "I am looking at it. Nothing else changes."),
    "accept": (
        "Accept as the new normal",
        ":material/check:",
        "The change is fine: learn a new baseline from here on.",
    ),
    "resolve": ("Resolve", ":material/done_all:", "It is over: close it and keep the old baseline."),
}


def ask(incident: Incident) -> None:
    """The three decisions, each with the name of who takes it."""
    with st.form(f"decide {incident.id}", border=False):
        by = st.text_input(
            "Your name",
            key=f"by {incident.id}",
            max_chars=100,
            width=420,
            placeholder="goes into the incident's history",
        )
        with st.container(horizontal=True):
            pressed = [
                decision
                for decision, (label, icon, meaning) in DECISIONS.items()
                if st.form_submit_button(label, icon=icon, help=meaning)
            ]
    for decision in pressed:
        send(incident, decision, by.strip())


def send(incident: Incident, decision: Decision, by: str) -> None:
    """Tell the monitor, and say what came of it."""
    if not by:
        st.warning("Write your name first: a decision without one helps nobody later.")
        return
    try:
        live.api().decide(incident.id, decision, by)
    except ApiError as error:
        st.error("The monitor did not take it:")
        st.text(words.clean(error, 600))
        return
    st.toast(f"{DECISIONS[decision][0]}: done.")
    st.rerun()
