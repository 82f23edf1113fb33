"""Who may decide, of those who may look: checked before a form is shown, and again before the monitor is told."""

import os
from typing import Literal

import streamlit as st

from undertow_dashboards import live, login, who

OPERATE = "operate"
Objection = Literal["read_only", "token", "person"]
SAID: dict[Objection, str] = {
    "read_only": "This dashboard is read-only: it shows, and decisions are taken elsewhere.",
    "token": "Nobody can decide here: the token of this dashboard lacks the scope `operate`.",
    "person": "You may look and not decide: you are not among the operators of this dashboard.",
}


def objection() -> Objection | None:
    """Why who is looking may not decide here; None where only the monitor could object."""
    roles = login.roles(os.environ.get(login.ROLES_VARIABLE, ""))
    scopes = live.api().scopes
    if roles.read_only:
        return "read_only"
    if scopes is not None and OPERATE not in scopes:
        return "token"
    if roles.operators and not roles.names(who.identities()):
        return "person"
    return None


def may_decide() -> bool:
    """Whether who is looking may decide; says why where not."""
    found = objection()
    if found:
        st.info(SAID[found], icon=":material/lock:")
    return found is None
