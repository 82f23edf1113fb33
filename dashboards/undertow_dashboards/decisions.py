"""What a person decides, and telling the monitor: always with a name and a reason, which the audit trail keeps."""

import glob
from collections.abc import Callable, Sequence

import streamlit as st

from undertow_dashboards import live, roles, who, words
from undertow_dashboards.client import ApiError, Client, Decision, Verdict
from undertow_dashboards.shapes import Feed, Incident, Target

MAX_REASON, MAX_MATCHER = 500, 256
TWICE_S = 10.0
"""The same decision again within this time is a second click."""
HOURS = {"1 hour": 1.0, "4 hours": 4.0, "1 day": 24.0, "1 week": 168.0}
VERDICTS: dict[str, Verdict | None] = {"real": "real", "a false alarm": "false_alarm", "cannot say yet": None}
DECISIONS: dict[Decision, tuple[str, str, str]] = {
    "acknowledge": ("Acknowledge", ":material/visibility:", "Somebody is looking at it. Nothing else changes."),
    "accept": (
        "Accept as the new normal",
        ":material/check:",
        "Closes the incident, gives the traffic back, and learns a new baseline from the change on.",
    ),
    "resolve": (
        "Resolve",
        ":material/done_all:",
        "Closes the incident, gives the traffic back, and keeps the old baseline: what is still there opens it anew.",
    ),
}


def about(incident: Incident, siblings: Sequence[Incident] = ()) -> None:
    """What can be decided about an open incident; about a past one, whether it was real.

    `siblings` are the open ones of the same event, for which the same can be decided at once.
    """
    if not roles.may_decide():
        return
    if not incident.is_open:
        _judge(incident)
        return
    decide, silence, weight = st.tabs(["Decide", "Silence", "Change its weight"])
    with decide:
        _decide(incident, siblings)
    with silence:
        _silence(incident)
    with weight:
        for where in incident.targets[:1]:
            override(where, live.feed())


def _decide(incident: Incident, siblings: Sequence[Incident]) -> None:
    with st.form(f"decide {incident.id}", border=False):
        chosen = st.radio(
            "Decision",
            list(DECISIONS),
            format_func=lambda one: DECISIONS[one][0],
            captions=[meaning for *_, meaning in DECISIONS.values()],
            key=f"decision {incident.id}",
        )
        verdict = st.radio(
            "The change is",
            list(VERDICTS),
            index=2,
            horizontal=True,
            key=f"verdict {incident.id}",
            help="Counts for the budget of false alarms.",
        )
        all_of_it = bool(siblings) and st.checkbox(
            f"The same for {words.counted(len(siblings), 'other target')} of this event",
            key=f"event {incident.id}",
        )
        by, reason = _signed(f"decide {incident.id}")
        pressed = st.form_submit_button("Decide", icon=":material/gavel:", type="primary")
    if pressed:
        told = DECISIONS[chosen][0]
        ids = [one.id for one in (*(siblings if all_of_it else ()), incident)]
        same = (*ids, chosen, verdict)
        send(told, by, reason, lambda api: _each(api, ids, chosen, by, reason, VERDICTS[verdict]), same)


def _each(api: Client, ids: Sequence[str], chosen: Decision, by: str, reason: str, verdict: Verdict | None) -> None:
    """Decide about each, also where another was refused; raises the last ApiError."""
    refused: ApiError | None = None
    for incident_id in ids:
        try:
            api.decide(incident_id, chosen, by, reason, verdict)
        except ApiError as error:
            refused = error
    if refused is not None:
        raise refused


def _judge(incident: Incident) -> None:
    with st.form(f"judge {incident.id}", border=False):
        known = {name: verdict for name, verdict in VERDICTS.items() if verdict}
        verdict = st.radio("Looking back, the change was", list(known), horizontal=True, key=f"verdict {incident.id}")
        by, reason = _signed(f"judge {incident.id}")
        pressed = st.form_submit_button("Judge", icon=":material/gavel:", type="primary")
    if pressed:
        send("Judged", by, reason, lambda api: api.decide(incident.id, "judge", by, reason, known[verdict]))


def _silence(incident: Incident) -> None:
    where = incident.target
    with st.form(f"silence {incident.id}", border=False):
        st.caption("Nobody is told of what matches until it ends; incidents open and are recorded as ever.")
        scope = st.radio(
            "What",
            ["this model", "this provider", "everything"],
            captions=[words.name(where.model), words.name(where.provider), "every target"],
            key=f"scope {incident.id}",
        )
        hours = st.select_slider("For", list(HOURS), value="4 hours", key=f"hours {incident.id}")
        by, reason = _signed(f"silence {incident.id}")
        pressed = st.form_submit_button("Silence", icon=":material/notifications_off:")
    if pressed:
        matchers = {"provider": literal(where.provider), "model": literal(where.model)}
        kept = {"this model": ("provider", "model"), "this provider": ("provider",), "everything": ()}[scope]
        named = {key: matchers[key] for key in kept}
        for_s = HOURS[hours] * 3600.0
        send(
            "Silenced",
            by,
            reason,
            lambda api: api.silence(named, for_s, by, reason),
            (*matchers.values(), scope, hours),
        )


def override(where: Target, feed: Feed | None) -> None:
    """Set a target's weight until a time, whatever the policy says; `feed` is what is served now."""
    if not roles.may_decide():
        return
    place = words.target(where)
    with st.form(f"override {place}", border=False):
        if feed is not None and feed.mode == "advisory":
            st.caption("The mode is advisory: it is written into the feed, and no gateway follows it.")
        st.caption(f"{words.target_name(where)} gets this much of its usual share until then; the policy waits.")
        multiplier = st.slider("Share of its usual traffic", 0, 100, 50, 5, format="%d %%", key=f"multiplier {place}")
        hours = st.select_slider("For", list(HOURS), value="4 hours", key=f"override for {place}")
        by, reason = _signed(f"override {place}")
        pressed = st.form_submit_button("Set the weight", icon=":material/tune:")
    if pressed:
        until = live.now() + HOURS[hours] * 3600.0
        same = (place, multiplier, hours)
        send("Weight set", by, reason, lambda api: api.override(where, multiplier / 100, until, by, reason), same)


def literal(name: str) -> str:
    """A matcher that fits `name` alone, or what begins like it where it is too long for one."""
    escaped = glob.escape(name)
    return escaped if len(escaped) <= MAX_MATCHER else glob.escape(name[: MAX_MATCHER // 4]) + "*"


def _signed(key: str) -> tuple[str, str]:
    """Who decides, and why."""
    by = who.ask(key)
    later = "for those who read it later"
    reason = st.text_input("Reason", key=f"reason {key}", max_chars=MAX_REASON, placeholder=later)
    return by, reason.strip()


def send(told: str, by: str, reason: str | None, tell: Callable[[Client], None], same: tuple[object, ...] = ()) -> None:
    """Tell the monitor, and say what came of it; None is for what needs no reason.

    A second click is heard after the monitor took the first: what is the `same`, by and for the same, is told once.
    """
    if not roles.may_decide():  # a form may have been drawn before the answer changed
        return
    if not by or reason == "":
        lacking = "your name" if not by else "a reason"
        st.warning(f"Write {lacking} first: a decision without it helps nobody later.")
        return
    decided = (told, by, reason, *same)
    before, at = st.session_state.get("decided", ((), 0.0))
    if same and before == decided and live.now() - at < TWICE_S:
        st.toast(f"{told}: done.")
        return
    st.session_state["decided"] = (decided, live.now())  # before: the second click ends this run right after it told
    try:
        tell(live.api())
    except ApiError as error:
        del st.session_state["decided"]
        st.error("The monitor did not take it:")
        st.text(words.clean(error, 600))
        return
    st.toast(f"{told}: done.")
    st.rerun()
