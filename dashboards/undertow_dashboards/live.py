"""Between the API and the screen: one fetch a page, the last copy with its age when the monitor does not answer."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import streamlit as st

from undertow.clock import system_clock
from undertow_dashboards import sentences, who, words
from undertow_dashboards.client import DEFAULT_URL, ApiError, Client, connect
from undertow_dashboards.shapes import Feed, Incident, Target, Trouble, Unheard

T = TypeVar("T")
REFRESH_S = 5.0

ADVICE = {
    "away": "Start the monitor with `undertow serve`, or name another one with `undertow dashboard --api URL`.",
    "refused": "Start the dashboard with the monitor's token in the environment variable `UNDERTOW_API_TOKEN`.",
    "problem": "The monitor's log says more.",
    "unreadable": "Check that the address is a monitor's and that dashboard and monitor are of one version.",
}


def api() -> Client:
    """The monitor that the environment names, for those who may ask it."""
    who.admit()
    return connect(os.environ.get("UNDERTOW_API_URL", DEFAULT_URL), os.environ.get("UNDERTOW_API_TOKEN", ""))


def now() -> float:
    """Unix seconds."""
    return system_clock()


def fetch(key: str, ask: Callable[[Client], T], *, young_s: float = 0.0) -> T:
    """What the monitor says, or its last copy with its age; stops the page where there is neither.

    A copy that is younger than `young_s` is not asked for again.
    """
    copies = st.session_state.setdefault("copies", {})
    if key in copies and now() - copies[key][1] < young_s:
        return copies[key][0]  # type: ignore[no-any-return]  # what was put in below under the same key
    try:
        answer = ask(api())
    except ApiError as error:
        if key not in copies:
            _explain(error)
            st.stop()
        copy, at = copies[key]
        _old_copy(error, now() - at)
        return copy  # type: ignore[no-any-return]  # what was put in below under the same key
    copies[key] = (answer, now())
    return answer


def feed() -> Feed | None:
    """The weights feed beside something else, which is shown also where the monitor does not say."""
    with suppress(ApiError):
        return api().weights()
    return None


def _explain(error: ApiError) -> None:
    titles = {
        "away": "The monitor is away",
        "refused": "The monitor refuses this dashboard",
        "problem": "The monitor cannot answer this",
        "unreadable": "This is not an Undertow monitor",
    }
    st.title(titles[error.kind])
    with st.container(border=True):
        st.text(words.clean(error, 600))
        st.markdown(ADVICE[error.kind])
    if st.button("Try again", icon=":material/refresh:"):
        st.rerun()


def _old_copy(error: ApiError, age_s: float) -> None:
    level, text = copy_notice(age_s)
    box, icon = (st.warning, ":material/hourglass_disabled:") if level == "stale" else (st.info, ":material/sync:")
    box(f"{text} {ADVICE[error.kind]}", icon=icon)


def copy_notice(age_s: float) -> tuple[str, str]:
    """What to say of a copy of this age: (`recent` or `stale`, the sentence)."""
    what = f"The monitor does not answer; this is what it said {words.duration(age_s)} ago."
    return ("stale", f"Stale. {what}") if age_s > words.STALE_AFTER_S else ("recent", what)


def freshness(newest: float | None) -> None:
    """Say how new the data are; amber when they are not."""
    stale, text = words.freshness(newest, now())
    if stale:
        st.warning(f"{text} What follows describes that time, not now.", icon=":material/hourglass_disabled:")
    else:
        st.caption(text)


def unheard(found: Sequence[Unheard]) -> None:
    """Say what is not heard any more, where it is wider than one target."""
    for one in found:
        if told := sentences.unheard(one, now()):
            st.warning(told, icon=":material/hourglass_disabled:")


def troubles(found: Sequence[Trouble]) -> None:
    """Say which spans come too late to be judged, and whose clock is ahead."""
    for one in found:
        late = one.why == "late_spans"
        st.warning(
            "Many spans come too late and are not judged." if late else "A clock is ahead: its spans are judged later.",
            icon=":material/schedule:",
        )
        st.text(words.sentence(one.text, 500))


def target_link(where: Target, label: str, incident: Incident | None = None, icon: str | None = None) -> None:
    """A link to a target's page, about one incident where given."""
    params = where.params() | ({"incident": incident.id} if incident else {})
    st.page_link("views/target.py", label=label, icon=icon, query_params=params)


def incident_link(incident: Incident, label: str, icon: str | None = None) -> None:
    """A link to an incident's page."""
    st.page_link("views/incident.py", label=label, icon=icon, query_params={"id": incident.id})


def page_link(page: str, label: str, icon: str | None = None) -> None:
    """A link to a page as it is without anything chosen."""
    st.page_link(page, label=label, icon=icon, query_params={})
