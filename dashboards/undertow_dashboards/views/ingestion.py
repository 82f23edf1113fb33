"""Ingestion: what came in, what became of it, how far behind reading is, and why messages were refused."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from undertow_dashboards import charts, draw, live, words
from undertow_dashboards.client import Client
from undertow_dashboards.shapes import Fault, Ingestion, Instrumentation, Part, Readiness, Receivers

TOTALS = {
    "read": "Everything the messages held.",
    "stored": "Calls kept; each is counted once.",
    "duplicates": "Calls sent again by the gateway and recognised by span_id.",
    "rejected": "Calls or messages that could not be read; the reasons are below.",
    "skipped": "Valid things that are not LLM calls, such as HTTP or tool spans.",
    "late": "Stored, but came too late to be judged.",
}


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows."""

    ingestion: Ingestion
    readiness: Readiness
    rejects: list[dict[str, Any]]
    receivers: Receivers


def load(client: Client) -> View:
    """Ask the monitor for all of it."""
    return View(client.ingestion(), client.readiness(), client.rejects(), client.receivers())


@st.fragment(run_every=live.REFRESH_S)
def body() -> None:
    """The page, renewed while somebody looks at it."""
    view = live.fetch("ingestion", load)
    st.title(summary(view.ingestion), anchor=False)
    live.freshness(view.ingestion.newest)
    live.unheard(view.ingestion.silent)
    live.troubles(view.ingestion.troubles)
    parts(view.readiness)
    receivers(view.receivers)
    throughput(view.ingestion)
    totals(view.ingestion)
    partitions(view.ingestion)
    instrumentations(view.ingestion)
    rejects(view)
    others(view.ingestion)


def summary(ingestion: Ingestion) -> str:
    """The page in one line."""
    state = ingestion.source.state if ingestion.source else "running"
    word = words.SOURCES.get(state, words.UNKNOWN).word
    if not ingestion.totals.read:
        return f"Nothing read yet: {word}"
    if ingestion.lag is None:
        return f"{words.counted(ingestion.totals.read, 'call')} read"
    behind = words.counted(ingestion.lag, "message")
    return "Reading keeps up" if ingestion.lag == 0 and state == "running" else f"{word.capitalize()}, {behind} behind"


def parts(readiness: Readiness) -> None:
    """What works and what does not, part by part."""
    if not readiness.parts:
        return
    for column, part in zip(st.columns(len(readiness.parts)), readiness.parts, strict=True):
        word = part_word(part)
        with column.container(border=True, height="stretch", gap="xsmall"):
            st.markdown(f"**{words.readable(part.part).capitalize()}** {word.badge}")
            st.text(words.sentence(part.detail) or word.meaning)


def part_word(part: Part) -> words.Word:
    """The state of a part in words; the source has states of its own."""
    if part.part == "source" and part.state in words.SOURCES:
        return words.SOURCES[part.state]
    told = words.readable(part.state)
    if part.ok and part.detail:  # it works, and needs somebody: a receiver that is away, a clock that is ahead
        return words.Word(":material/warning:", told, "orange", "Works, with something to look at.")
    if part.ok:
        return words.Word(":material/check_circle:", told or "ok", "green", "Works.")
    return words.Word(":material/error:", told or "not working", "red", "The monitor's log says more.")


def receivers(found: Receivers) -> None:
    """Channels that nothing reaches."""
    for one in (*found.disabled, *found.failing):
        gone = one in found.disabled
        word = ":red-badge[:material/error: disabled]" if gone else ":orange-badge[:material/warning: failing]"
        st.markdown(f"{word} channel {words.name(one.channel)}")
        st.text(words.sentence(one.detail or ("It answered that it is gone." if gone else "The last attempt failed.")))


def throughput(ingestion: Ingestion) -> None:
    """How many calls come in, by when they ended."""
    found = ingestion.throughput
    if found is None or not found.points:
        return
    st.header("Throughput", anchor=False)
    total = sum(point.n for point in found.points)
    rate = "" if found.per_s is None else f", {words.number(found.per_s)} a second in the last minute"
    told = f"{words.counted(total, 'call')} ended in the time shown{rate}."
    st.text(told)
    draw.chart(charts.throughput_chart(found.points), told)
    with st.expander("As a table", icon=":material/table:", type="compact"):
        rows = [{"from (UTC)": words.clock_time(point.at), "calls": point.n} for point in found.points]
        st.dataframe(rows, hide_index=True)


def totals(ingestion: Ingestion) -> None:
    """The counts; read is the sum of stored, duplicates, rejected and skipped."""
    st.header("What became of what was read", anchor=False)
    for column, (name, meaning) in zip(st.columns(len(TOTALS)), TOTALS.items(), strict=True):
        column.metric(name, f"{getattr(ingestion.totals, name):,}", help=meaning)


def partitions(ingestion: Ingestion) -> None:
    """How far each partition was read."""
    st.header("Lag", anchor=False)
    if ingestion.source and ingestion.source.state == "none":
        st.text("Spans come by HTTP alone, where nothing waits.")
        return
    if not ingestion.partitions:
        st.text("No partition is assigned.")
        return
    lag = ingestion.lag
    text = (
        "The broker has not said how many messages wait." if lag is None else f"{words.counted(lag, 'message')} wait."
    )
    st.text(f"{text} Lag is counted in messages a partition, as the broker reports it.")
    rows = [
        {"topic": words.cell(p.topic), "partition": p.partition, "next offset": p.next_offset, "lag (messages)": p.lag}
        for p in ingestion.partitions
    ]
    st.dataframe(rows, hide_index=True)


def instrumentations(ingestion: Ingestion) -> None:
    """Who wrote the spans, and what is known to be wrong with them where they are made."""
    found = ingestion.instrumentations
    if not found:
        return
    st.header("Who wrote the spans", anchor=False)
    writers: dict[Fault, list[str]] = {}
    for one in found:
        for fault in one.warnings:
            writers.setdefault(fault, []).append(f"{one.name} {one.version or ''}")
    for fault, names in writers.items():
        told = ", ".join(words.name(name) for name in dict.fromkeys(names))
        st.warning(f"Wrong at the source: {words.readable(fault.affects)} of {told}.", icon=":material/warning:")
        st.text(words.sentence(fault.text, 500))
    st.dataframe([_instrumentation(one) for one in found], hide_index=True)


def _instrumentation(one: Instrumentation) -> dict[str, object]:
    return {
        "instrumentation": words.cell(one.name),
        "version": words.cell(one.version or "unknown"),
        "topic": words.cell(one.topic),
        "calls": one.spans,
        "first seen (UTC)": "" if one.first_seen is None else words.clock_time(one.first_seen),
        "last seen (UTC)": "" if one.last_seen is None else words.clock_time(one.last_seen),
        "wrong at the source": ", ".join(dict.fromkeys(words.readable(fault.affects) for fault in one.warnings)),
    }


def rejects(view: View) -> None:
    """Why things were refused, and the newest of them."""
    st.header("Rejects by reason", anchor=False)
    unrecognised = sum(r.count for r in view.ingestion.skipped if r.reason == "unrecognised")
    if unrecognised:
        st.warning(
            f"{words.counted(unrecognised, 'span')} had to do with a model and could not be recognised as a call. "
            "`undertow decode --explain FILE` shows how one is read.",
            icon=":material/warning:",
        )
    found = [reason for reason in view.ingestion.rejects if reason.count]
    if not found:
        st.text("Nothing was rejected.")
        return
    worst = max(found, key=lambda r: r.count)
    total = sum(r.count for r in found)
    st.text(
        f"{total:,} rejected, most often {words.readable(worst.reason)} ({worst.count:,}). None is dropped silently."
    )
    draw.chart(charts.reasons_chart(found), "Bars: rejected messages by reason; the table below has the numbers")
    with st.expander("As a table", icon=":material/table:", type="compact"):
        st.dataframe([{"reason": words.cell(r.reason), "messages": r.count} for r in found], hide_index=True)
    with st.expander(
        f"The newest {words.counted(len(view.rejects), 'reject')}", icon=":material/list:", type="compact"
    ):
        st.dataframe([_plain(row) for row in view.rejects], hide_index=True)


def _plain(row: dict[str, Any]) -> dict[str, object]:
    return {words.cell(k): v if isinstance(v, int | float) or v is None else words.cell(v, 200) for k, v in row.items()}


def others(ingestion: Ingestion) -> None:
    """Skipped things and unread keys."""
    for title, rows in (
        (
            "Skipped by reason",
            [{"reason": words.cell(r.reason), "calls": r.count} for r in ingestion.skipped if r.count],
        ),
        ("Formats seen", [{"format": words.cell(f.name), "calls": f.count} for f in ingestion.formats if f.count]),
        (
            "Unusable fields of calls that were kept",
            [{"field": words.cell(r.name), "calls": r.count} for r in ingestion.repaired if r.count],
        ),
        (
            "Calls that do not say how they ended",
            [{"format": words.cell(f.name), "calls": f.count} for f in ingestion.unknown_outcomes if f.count],
        ),
        ("Unread keys", [{"key": words.cell(r.name), "times": r.count} for r in ingestion.unknown_keys if r.count]),
    ):
        if rows:
            with st.expander(title, icon=":material/list:", type="compact"):
                st.dataframe(rows, hide_index=True)


if __name__ == "__main__":
    body()
