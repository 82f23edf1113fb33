"""Who is looking: the person that logged in, or the name that somebody typed, which is kept for the session."""

import os
from collections.abc import Mapping
from typing import Any

import streamlit as st

from undertow_dashboards import words
from undertow_dashboards.login import HEADER, LOGIN_VARIABLE, OIDC

MAX_NAME = 100


def admit() -> None:
    """Stop the page for those who have not logged in, where a login is set up; asked before the monitor is."""
    how = os.environ.get(LOGIN_VARIABLE, "")
    if how == OIDC:
        if not person():
            st.title("Log in to see the fleet", anchor=False)
            st.button("Log in", icon=":material/login:", on_click=st.login)
            st.stop()
    elif how.startswith(HEADER) and not person():
        st.title("The proxy names nobody", anchor=False)
        st.markdown(
            f"Only people whom the proxy names in the header {words.name(how[len(HEADER) :])} are let in. "
            "Open the dashboard through the proxy; if you did, the proxy does not set the header."
        )
        st.stop()


def leave() -> None:
    """The way out, where there is one."""
    if os.environ.get(LOGIN_VARIABLE, "") == OIDC:
        with st.sidebar:
            st.caption(f"Logged in as {words.name(person())}")
            st.button("Log out", icon=":material/logout:", on_click=st.logout)


def user() -> Mapping[str, Any]:
    """The claims of who logged in by OIDC; none before."""
    return st.user.to_dict() if st.user.is_logged_in else {}


def headers() -> Mapping[str, str]:
    """The headers of the connection."""
    return st.context.headers


def person() -> str:
    """Who logged in; empty where nobody has to."""
    how = os.environ.get(LOGIN_VARIABLE, "")
    if how == OIDC:
        claims = user()
        known = (_email(claims), *(claims.get(key) for key in ("preferred_username", "name", "sub")))
        return words.clean(next((one for one in known if one), ""), MAX_NAME)
    if how.startswith(HEADER):
        return words.clean(headers().get(how[len(HEADER) :]) or "", MAX_NAME)
    return ""


def identities() -> set[str]:
    """The names that nobody can give himself: the e-mail address and subject of the provider, or the proxy's word."""
    if os.environ.get(LOGIN_VARIABLE, "") != OIDC:
        return {person()} - {""}
    claims = user()
    return {str(one) for one in (_email(claims), claims.get("sub")) if one}


def _email(claims: Mapping[str, Any]) -> str:
    """The e-mail address, unless the provider says that it did not verify it."""
    return "" if claims.get("email_verified") is False else str(claims.get("email") or "")


def ask(key: str) -> str:
    """The name of who decides: known by the login, or typed once in a session."""
    if known := person():
        st.caption(f"As {words.name(known)}.")
        return known
    box = f"name {key}"
    if not st.session_state.get(box):
        st.session_state[box] = st.session_state.get("name", "")
    placeholder = "goes into the audit trail"
    typed: str = st.text_input("Your name", key=box, max_chars=MAX_NAME, placeholder=placeholder).strip()
    if typed:
        st.session_state["name"] = typed
    return typed
