"""What a person chooses on a target's page; each choice is kept in the address."""

from collections.abc import Sequence

import streamlit as st

from undertow_dashboards import clock, words
from undertow_dashboards.clock import UNIVERSAL, Clock

WINDOWS_S = {
    "6 hours": 6 * 3600.0,
    "1 day": 86400.0,
    "3 days": 3 * 86400.0,
    "1 week": 7 * 86400.0,
    "30 days": 30 * 86400.0,
}
DEFAULT_WINDOW = "3 days"
LANES = {
    "content": "answers",
    "performance": "speed",
    "errors": "failures",
    "cost": "cost",
    "identity": "what was served",
}
ALL_ROUTES = "all routes"


def time_shown() -> float:
    """The length of time drawn, in seconds."""
    chosen = st.segmented_control(
        "Time shown", list(WINDOWS_S), default=DEFAULT_WINDOW, key="window", bind="query-params", required=True
    )
    return WINDOWS_S.get(chosen or DEFAULT_WINDOW, WINDOWS_S[DEFAULT_WINDOW])


def lane(default: str) -> str:
    """The kind of signals drawn."""
    words_of = list(LANES.values())
    chosen = st.segmented_control(
        "Signals of", words_of, default=LANES[default], key="lane", bind="query-params", required=True
    )
    return next((name for name, word in LANES.items() if word == chosen), default)


def times() -> Clock:
    """UTC, or the viewer's own zone where the browser tells it and it is another."""
    own = clock.of_zone(st.context.timezone)
    if own is None:
        return UNIVERSAL
    chosen = st.segmented_control(
        "Times in", ["UTC", "local"], default="UTC", key="clock", bind="query-params", required=True,
        help=f"Your browser's zone is {own.name}.",
    )  # fmt: skip
    return own if chosen == "local" else UNIVERSAL


def route_asked() -> str | None:
    """The route that the address names."""
    return st.query_params.get("route") or None


def route(known: Sequence[str], asked: str | None) -> None:
    """A box with the routes; choosing one changes the address before the page runs again."""
    options = [ALL_ROUTES, *dict.fromkeys([*known, *([asked] if asked else [])])]
    if len(options) == 1:
        return
    key = f"route {asked}"
    st.selectbox(
        "Route",
        range(len(options)),
        index=options.index(asked) if asked else 0,
        format_func=lambda i: words.clean(options[i], 60),
        key=key,
        width=260,
        label_visibility="collapsed",
        on_change=lambda: _choose(options[st.session_state[key]]),
    )


def _choose(chosen: str) -> None:
    if chosen == ALL_ROUTES:
        st.query_params.pop("route", None)
    else:
        st.query_params["route"] = chosen


def ink() -> str:
    """A grey for text inside charts that can be read on the page's background."""
    return "#B6BFC9" if st.context.theme.type == "dark" else "#4F5B66"
