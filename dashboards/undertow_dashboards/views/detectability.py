"""Detectability: what would be noticed on each signal and how soon, and the last days beside every baseline."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from undertow_dashboards import live, sentences, words
from undertow_dashboards.client import Client
from undertow_dashboards.shapes import Detectability, Detectable, Memory, Noticed, Remembered, Target

VIEWS = ("what would be noticed", "beside every baseline")
MEMORY_DAYS = 7.0
MOST_ROWS = 2000


def body() -> None:
    """One of the two questions; which one is in the address."""
    head = st.container()
    view = st.segmented_control("Question", VIEWS, default=VIEWS[0], key="view", bind="query-params")
    if view == VIEWS[1]:
        memory(live.fetch("memory", lambda api: api.memory(MEMORY_DAYS)), head)
    else:
        noticed(live.fetch("detectability", Client.detectability), head)


def noticed(found: Detectability, head: DeltaGenerator) -> None:
    """The smallest changes that would be noticed."""
    head.title(title(found.signals), anchor=False)
    if not found.signals:
        st.text("A target appears here once its baseline is frozen: then its own noise and volume are known.")
        return
    if found.false_alarm_interval_days is not None:
        st.text(
            f"With {found.false_alarm_interval_days:g} days between false alarms of the whole fleet, on the average. "
            "Fewer requests or more noise mean that a change has to be larger, or goes on for longer."
        )
    shown = named(found.signals)
    rows = [as_row(one) for one in sorted(shown, key=order)]
    st.dataframe(rows[:MOST_ROWS], hide_index=True)
    if len(rows) > MOST_ROWS:
        st.caption(f"{len(rows) - MOST_ROWS} more rows; find a model to see them.")
    lacking = [one for one in shown if one.level is None]
    if lacking:
        st.caption(
            f"{words.counted(len(lacking), 'signal')} with too few values to judge: "
            "no change of these would be noticed, which is not the same as no change."
        )


def title(signals: Sequence[Detectable]) -> str:
    """How many targets are watched well, in one line."""
    if not signals:
        return "Nothing can be noticed yet"
    targets = {one.target for one in signals}
    soon = {one.target for one in signals if one.within_day and (one.within_day.up or one.within_day.down)}
    return f"A change would be noticed within a day at {len(soon)} of {words.counted(len(targets), 'target')}"


def named(signals: Sequence[Detectable]) -> list[Detectable]:
    """Those of the models that are looked for."""
    wanted = st.text_input("Find", placeholder="model, provider or signal", key="find", bind="query-params").lower()
    return [one for one in signals if wanted in f"{words.target(one.target)} {words.signal(one.signal)}".lower()]


def order(one: Detectable) -> tuple[str, bool, str]:
    """A target's signals together, those that can be judged first."""
    return words.target(one.target), one.level is None, one.signal


def as_row(one: Detectable) -> dict[str, object]:
    """One signal as cells of plain text."""
    return {
        "target": words.cell(words.target(one.target)),
        "signal": words.cell(words.signal(one.signal)),
        "usual": level(one),
        "values a day": "unknown" if one.per_day is None else words.number(one.per_day),
        "noticed within a day": change(one, one.within_day),
        "within a week": change(one, one.within_week),
        "how soon": soon(one),
    }


def level(one: Detectable) -> str:
    """What is usual, or that too little is known."""
    if one.level is None:
        return f"not enough data ({one.baseline_values:,} values)"
    return words.number(one.level) if one.kind == "numeric" else words.percent(one.level)


def change(one: Detectable, found: Noticed | None) -> str:
    """The smallest fall and rise that would be noticed."""
    if one.level is None:
        return "unknown"
    ends = (("fall", found.down), ("rise", found.up)) if found else ()
    told = [f"{word} of {_size(one, value)}" for word, value in ends if value is not None]
    return " or ".join(told) or "none"


def soon(one: Detectable) -> str:
    """How long changes of some sizes would go on, on the average."""
    told = [
        f"{'−' if delay.change < 0 else '+'}{_size(one, delay.change)}: {_after(delay.days)}"
        for delay in one.expected_delay
    ]
    return ", ".join(told)


def _after(days: float | None) -> str:
    return "never" if days is None else words.duration(days * 86_400.0)


def _size(one: Detectable, value: float) -> str:
    percent = abs(value) * 100
    shown = f"{percent:.0f}" if percent >= 10 else f"{percent:.2g}"
    return f"{shown} %" if one.kind == "numeric" else f"{shown} points"


def memory(found: Memory, head: DeltaGenerator) -> None:
    """The last days against every baseline that a target was judged by."""
    moved = [one for one in found.signals if one.changed]
    head.title(remembered_title(found, moved), anchor=False)
    st.text(
        f"The last {found.days or MEMORY_DAYS:g} days against every baseline that was ever accepted: small changes, "
        "each accepted in turn, can add up. Intervals of 95 % each, whatever their number: one in twenty leaves out "
        '"no change" by chance.'
    )
    if not found.signals:
        st.text("Nothing to compare yet: it needs answers after a frozen baseline.")
        return
    of: dict[Target, list[Remembered]] = {}
    for one in moved:
        of.setdefault(one.target, []).append(one)
    for where, some in of.items():
        st.markdown(words.target_name(where))
        for one in some:
            st.text(f"{words.signal(one.signal)} {sentences.size(one.effect)} since {baseline(one)}")
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe([remembered(one) for one in found.signals[:MOST_ROWS]], hide_index=True)


def remembered_title(found: Memory, moved: Sequence[Remembered]) -> str:
    """The comparison in one line."""
    if not found.signals:
        return "Nothing to compare yet"
    if not moved:
        return "All is as it was in every baseline"
    targets = len({one.target for one in moved})
    return f"{words.counted(len(moved), 'comparison')} at {words.counted(targets, 'target')} differ"


def baseline(one: Remembered) -> str:
    """Which baseline, and of when."""
    when = f" of {words.clock_time(one.baseline_end)}" if one.baseline_end is not None else ""
    return f"baseline {one.baseline_version}{when}"


def remembered(one: Remembered) -> dict[str, object]:
    """One comparison as cells of plain text."""
    return {
        "target": words.cell(words.target(one.target)),
        "signal": words.cell(words.signal(one.signal)),
        "against": baseline(one),
        "change": sentences.size(one.effect),
        "differs": "yes" if one.changed else "no",
    }


if __name__ == "__main__":
    body()
