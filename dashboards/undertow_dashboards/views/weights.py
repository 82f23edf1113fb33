"""Weights: what gateways are told, who is quiet about what, and who decided it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from undertow_dashboards import charts, decisions, draw, live, roles, who, words
from undertow_dashboards.client import Client
from undertow_dashboards.shapes import Feed, Incident, Override, Receivers, Silence, Weight, WeightChange

MODES = {
    "advisory": "Advisory: the feed says what the policy would do, and no gateway follows it.",
    "enforce": "Enforced: gateways that read the feed follow it.",
}
REASONS = {"recovering": "recovering step by step", "override": "set by a person"}


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows."""

    feed: Feed
    changes: list[WeightChange]
    overrides: list[Override]
    silences: list[Silence]
    receivers: Receivers
    incidents: list[Incident]


def load(client: Client) -> View:
    """Ask the monitor for all of it."""
    incidents = [incident for incident in client.incidents() if incident.is_open]
    changes, overrides = client.weight_changes(), client.overrides()
    return View(client.weights(), changes, overrides, client.silences(), client.receivers(), incidents)


def body() -> None:
    """The page."""
    view = live.fetch("weights", load)
    st.title(title(view.feed), anchor=False)
    st.text(MODES.get(view.feed.mode, words.readable(view.feed.mode)))
    feed(view)
    overrides(view.overrides)
    silences(view.silences)
    receivers(view.receivers)
    audit(view.changes)


def title(feed: Feed) -> str:
    """The page in one line."""
    lowered = sum(weight.multiplier < 1 for weight in feed.weights)
    if not lowered:
        return "Every target has its usual weight"
    would = "would get" if feed.mode == "advisory" else "gets" if lowered == 1 else "get"
    return f"{words.counted(lowered, 'target')} {would} less traffic"


def feed(view: View) -> None:
    """Each entry with why it is there."""
    if not view.feed.weights:
        st.caption(f"Version {view.feed.version} of the feed is empty: absent means the operator's own weight.")
        return
    for weight in view.feed.weights:
        entry(weight, view)
    with st.expander("The feed as served", icon=":material/code:"):
        st.dataframe([as_row(weight) for weight in view.feed.weights], hide_index=True)


def entry(weight: Weight, view: View) -> None:
    """One target's weight in a sentence, with the incident behind it."""
    with st.container(border=True, gap="xsmall"):
        st.markdown(words.target_name(weight.target))
        why = REASONS.get(weight.reason) or words.CAUSES.get(weight.reason, words.readable(weight.reason))
        since = f" since {words.clock_time(weight.since, live.now())}" if weight.since is not None else ""
        ends = f", until {words.clock_time(weight.expires_at, live.now())}" if weight.expires_at is not None else ""
        st.text(f"{words.percent(weight.multiplier, 0)} of its usual share{since}{ends}: {why}.")
        for incident in view.incidents:
            if weight.target in incident.targets:
                live.incident_link(incident, "The incident", ":material/arrow_forward:")
        with st.popover("Change it", icon=":material/tune:"):
            decisions.override(weight.target, view.feed)


def as_row(weight: Weight) -> dict[str, object]:
    """One entry as cells of plain text."""
    return {
        "target": words.cell(words.target(weight.target)),
        "multiplier": weight.multiplier,
        "floor": weight.floor,
        "step": weight.step,
        "reason": words.readable(weight.reason),
        "alerts": words.cell(", ".join(weight.alert_ids)),
    }


def overrides(found: Sequence[Override]) -> None:
    """What people set, and ending it."""
    if found:
        st.header("Set by people", anchor=False)
    for one in found:
        with st.container(border=True, gap="xsmall"):
            st.markdown(words.target_name(one.target))
            until = f"until {words.clock_time(one.until, live.now())}" if one.until is not None else "without an end"
            signed = f"set by {words.clean(one.by)}: {words.clean(one.reason, 500)}"
            st.text(f"{words.percent(one.multiplier, 0)} {until}, {signed}")
            end(one.id, lambda api, by, one=one: api.withdraw(one.id, by))  # type: ignore[misc]


def end(key: str, tell: Callable[[Client, str], None]) -> None:
    """A button that ends something before its time, for those who may."""
    if roles.objection():
        return
    with st.popover("End it now", icon=":material/undo:"):
        by = who.ask(f"end {key}")
        if st.button("End it", key=f"end {key}"):
            decisions.send("Ended", by, None, lambda api: tell(api, by))


def silences(found: Sequence[Silence]) -> None:
    """What nobody is told of, and ending that."""
    if found:
        st.header("Silences", anchor=False)
    for one in found:
        matched = ", ".join(f"{words.readable(k)} {words.clean(v)}" for k, v in one.matchers.items()) or "everything"
        ends = words.clock_time(one.ends_at, live.now()) if one.ends_at is not None else "its end"
        when = "until" if one.active else "begins later, until"
        with st.container(border=True, gap="xsmall"):
            st.text(f"{matched}: {when} {ends}, by {words.clean(one.by)}: {words.clean(one.comment)}")
            end(one.id, lambda api, by, one=one: api.end_silence(one.id, by))  # type: ignore[misc]


def receivers(found: Receivers) -> None:
    """Channels that are not reached."""
    if found.disabled or found.failing:
        st.header("Channels that are not reached", anchor=False)
    for one in found.disabled:
        st.markdown(f":red-badge[:material/error: disabled] {words.name(one.channel)}")
        st.text(words.sentence(one.detail or "it answered that it is gone"))
    for one in found.failing:
        st.markdown(f":orange-badge[:material/warning: failing] {words.name(one.channel)}")
        st.text(words.sentence(one.detail))


def audit(changes: Sequence[WeightChange]) -> None:
    """Every move, as a chart and as a table."""
    st.header("Moves", anchor=False)
    if not changes:
        st.text("No weight was ever moved.")
        return
    last = changes[0]
    moved = f"{words.percent(last.before, 0)} to {words.percent(last.after, 0)}"
    told = f"Last: {words.target(last.target)} from {moved}, {words.ago(last.at, live.now())}."
    st.text(told)
    start = min(change.at for change in changes)
    start -= max(3600.0, (live.now() - start) / 20)
    draw.chart(charts.weights_chart(changes, start, max(live.now(), last.at)), told)
    rows = [
        {
            "when (UTC)": words.clock_time(change.at),
            "target": words.cell(words.target(change.target)),
            "from": words.percent(change.before, 0),
            "to": words.percent(change.after, 0),
            "why": REASONS.get(change.reason) or words.CAUSES.get(change.reason, words.readable(change.reason)),
            "by": words.cell(change.by),
            "in their words": words.cell(change.text or "", 500),
        }
        for change in changes
    ]
    st.dataframe(rows, hide_index=True)


if __name__ == "__main__":
    body()
