"""The parts of an incident's page: what the monitor found, who was told, and who did what."""

from collections.abc import Sequence

import streamlit as st

from undertow_dashboards import charts, draw, live, sentences, words
from undertow_dashboards.shapes import Delivery, Example, Incident, Trail

STATUSES = {
    "open": words.Word(":material/error:", "open", "red", "Nobody has looked at it."),
    "acknowledged": words.Word(":material/visibility:", "acknowledged", "orange", "Somebody is looking at it."),
    "accepted": words.Word(":material/check:", "accepted as the new normal", "green", "A new baseline was learned."),
    "resolved": words.Word(":material/done_all:", "over", "green", "It is over."),
}
DELIVERED = {
    "delivered": words.Word(":material/check_circle:", "delivered", "green", "The receiver took it."),
    "standing": words.Word(":material/sync:", "posted again until it ends", "blue", "The receiver took it."),
    "pending": words.Word(":material/pending:", "waiting", "orange", "It will be tried (again)."),
    "held": words.Word(":material/notifications_off:", "held back", "gray", "A silence or a group holds it back."),
    "dead": words.Word(":material/error:", "given up", "red", "The receiver never took it."),
}
JUDGED = {"real": "real", "false_alarm": "a false alarm"}


def head(incident: Incident) -> None:
    """The sentence, the states and the way to the target."""
    severity = words.SEVERITIES.get(incident.severity, words.UNKNOWN)
    status = STATUSES.get(incident.status, words.UNKNOWN)
    st.title(sentences.headline(incident, live.now()), anchor=False)
    place = words.target_name(incident.target)
    badges = f"{severity.badge} {status.badge}{words.silenced(incident.quiet)}"
    st.markdown(f"{badges} {words.name(incident.id)} of {place}", help=status.meaning)
    if told := sentences.quiet(incident):
        st.info(told, icon=":material/notifications_off:")
    if together := sentences.together(incident):
        st.text(together)
    with st.container(horizontal=True):
        for where in incident.targets[:5]:
            live.target_link(where, f"The signals of {words.name(where.model)}", incident, ":material/monitoring:")


def facts(incident: Incident) -> None:
    """How surely, whose doing, what it costs, what to do: one line each, the label before it."""
    known = {
        "How sure": sentences.how_surely(incident),
        "Whose doing": sentences.whose_doing(incident),
        "Speaks for it": sentences.why(incident),
        "Ruled out": sentences.reasons(incident.ruled_out),
        "Costs": sentences.cost(incident),
        "Advice": sentences.recommended(incident),
        "Fixed prompts or siblings": {"confirmed": "agree", "demoted": "disagree"}.get(incident.confirmation or "", ""),
        "Looking back": JUDGED.get(incident.verdict.verdict, "") if incident.verdict else "",
    }
    with st.container(border=True, gap="xsmall"):
        for label, told in known.items():
            if told:
                left, right = st.columns([1, 4])
                left.caption(label)
                right.text(words.sentence(told, 600))


def effects(incident: Incident) -> None:
    """How large the changes are."""
    st.header("How large", anchor=False)
    for moved in incident.signals:
        st.text(words.sentence(moved.text or sentences.what_changed(moved), 400))
    for name in charts.UNITS:
        chart = charts.effects_chart(incident.signals, name)
        if chart is not None:
            told = "; ".join(sentences.what_changed(m) for m in incident.signals if m.effect and m.effect.name == name)
            draw.chart(chart, f"With 95 % intervals: {told}")
    for moved in incident.signals:
        if rows := sentences.strata(moved):
            with st.expander(f"Where: {words.signal(moved.signal)}", icon=":material/table:"):
                st.dataframe(rows, hide_index=True)


def examples(found: Sequence[Example]) -> None:
    """Requests to look up in the gateway's own log."""
    if not found:
        return
    st.header("Typical requests", anchor=False)
    st.caption("Look these up in the gateway's log or tracing tool; Undertow keeps no text.")
    sides = {"before": "Before the change", "after": "Since the change"}
    for column, (side, title) in zip(st.columns(2), sides.items(), strict=True):
        column.caption(title)
        column.dataframe([_example(one) for one in found if one.side == side], hide_index=True)


def _example(one: Example) -> dict[str, object]:
    return {
        "ended (UTC)": words.clock_time(one.at) if one.at is not None else "unknown",
        "route": words.cell(one.route or ""),
        words.signal(one.signal): one.value,
        "request (span_id)": words.cell(one.span_id),
    }


def deliveries(found: Sequence[Delivery]) -> None:
    """Who was told, and who is still to be."""
    st.header("Who was told", anchor=False)
    if not found:
        st.text("Nobody: no channel is configured, none of their filters lets it through, or it was silenced.")
        return
    waiting = sum(one.state == "pending" for one in found)
    done = sum(one.state in ("delivered", "standing") for one in found)
    st.text(f"{done} of {words.counted(len(found), 'message')} delivered, {waiting} waiting.")
    rows = [
        {
            "channel": words.cell(one.channel),
            "message": words.readable(one.kind.removeprefix("llm.")),
            "state": DELIVERED.get(one.state, words.UNKNOWN).word,
            "attempts": one.attempts,
            "last (UTC)": words.clock_time(one.changed_at) if one.changed_at is not None else "",
            "next (UTC)": words.clock_time(one.next_attempt_at)
            if one.next_attempt_at and one.state == "pending"
            else "",
            "why": words.cell(one.detail),
        }
        for one in found
    ]
    st.dataframe(rows, hide_index=True)


def trail(found: Sequence[Trail]) -> None:
    """Who did what, when and why, the newest first; messages and better known numbers, which are many, are folded."""
    st.header("Who did what", anchor=False)
    steps = [one for one in found if one.action not in ("refreshed", "told")]
    st.dataframe(_steps(steps), hide_index=True)
    if len(steps) < len(found):
        with st.expander("Messages and refined numbers as well", icon=":material/history:"):
            st.dataframe(_steps(found), hide_index=True)


def _steps(found: Sequence[Trail]) -> list[dict[str, object]]:
    return [
        {
            "when (UTC)": words.clock_time(one.at),
            "what": words.readable(one.action),
            "why": words.readable(one.reason),
            "by": words.cell(one.by),
            "in their words": words.cell(words.spoken(one.text or "", 500), 500),
        }
        for one in reversed(found)
    ]
