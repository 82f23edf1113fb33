"""The report of `undertow replay`: one JSON object (CONTRACTS 2), and the same for people."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from undertow.batch import Committed
from undertow.clock import utc
from undertow.commands.inputs import Tally
from undertow.config import Config
from undertow.span import in_one_word
from undertow.store import Store
from undertow.watch import clocks
from undertow.watch.ladder import multiplier
from undertow.watch.loop import Watcher
from undertow.watch.weights import STANDING

VERSION = 1
EVERY = 1_000_000

Document = dict[str, Any]


def report(store: Store, watcher: Watcher, config: Config, tally: Tally, committed: Committed) -> Document:
    """The report object. Times are Unix seconds of event time; incidents and notices stand in order of time."""
    seen = store.targets()
    newest = max((row["last"] for row in seen), default=None)
    incidents = store.incidents(limit=EVERY)[::-1]
    return {
        "version": VERSION,
        "spans": {
            "read": tally.read,
            "stored": committed.stored,
            "duplicates": committed.duplicates,
            "rejected": committed.rejected,
            "skipped": committed.skipped,
            "late": committed.late,
        },
        "rejects": _counts(tally.rejects),
        "skipped": _counts(tally.skipped),
        "first": min((row["first"] for row in seen), default=None),
        "last": newest,
        "targets": [_target(row) for row in watcher.targets()],
        "incidents": incidents,
        "notices": [*store.notices(limit=EVERY)[::-1], *(clocks.notice(one, store) for one in clocks.found(store))],
        "weights": [_first_step(entry, config) for entry in watcher.weights().weights if entry["multiplier"] < 1],
    }


def is_open(incident: Mapping[str, Any]) -> bool:
    """Whether the incident still stands."""
    return incident["status"] in STANDING


def _first_step(entry: Mapping[str, Any], config: Config) -> Document:
    """How it was lowered at first: in a back-test nobody obeys, so that deeper steps are in the audit trail alone."""
    return {"target": entry["target"], "multiplier": multiplier(1, config.weights), "at": entry["since"]}


def _counts(counts: Counter[str]) -> list[Document]:
    return [{"reason": reason, "count": count} for reason, count in counts.most_common()]


def _target(row: Mapping[str, Any]) -> Document:
    return {**row["target"], **{key: row[key] for key in ("spans", "baseline", "baseline_spans")}}


def summary(report: Document) -> str:
    """The report in lines for people."""
    return "\n".join(_lines(report))


def _lines(report: Document) -> Iterator[str]:
    spans = report["spans"]
    became = ", ".join(f"{n} {name}" for name, n in spans.items() if name != "read" and n)
    yield f"{spans['read']} read" + (f": {became}" if became else "")
    yield from (f"  rejected {one['count']}: {one['reason']}" for one in report["rejects"])
    yield from (f"  skipped {one['count']}: {one['reason']}" for one in report["skipped"])
    if report["first"] is not None:
        yield f"from {utc(report['first'])} to {utc(report['last'])}"
    for one in report["targets"]:
        yield f"{in_one_word(one)}: {one['spans']} spans, baseline {one['baseline']} ({one['baseline_spans']} spans)"
    if not report["incidents"]:
        yield "no incident"
    for one in report["incidents"]:
        yield from _incident(one)
    yield from (f"notice {utc(one['at'])} {in_one_word(one['target'])}: {one['text']}" for one in report["notices"])
    yield from (f"weight of {in_one_word(one['target'])}: {one['multiplier']:g}" for one in report["weights"])


def _incident(incident: Document) -> Iterator[str]:
    yield (
        f"incident {incident['id']} {incident['status']}, {incident['severity']}: {incident['cause']} of "
        f"{in_one_word(incident['target'])}, opened {utc(incident['opened_at'])} after "
        f"{incident['opened_after_spans']} spans, changed about {utc(incident['change_point'])}{_between(incident)}"
    )
    for one in incident["signals"]:
        effect = one.get("effect")
        size = f", {effect['name']} {effect['value']:g} ({_interval(effect['ci95'])})" if effect else ""
        yield f"  {one['signal']} {one['direction']}{size}"
    cost = incident.get("cost") or {}
    for what, unit, digits in (("tokens", "output tokens", 0), ("usd", "USD", 2)):
        if cost.get(f"{what}_per_day") is not None:
            more, *ends = (f"{x:+,.{digits}f}" for x in (cost[f"{what}_per_day"], *cost[f"{what}_ci95"]))
            yield f"  {more} {unit} a day ({' to '.join(ends)})"


def _between(incident: Document) -> str:
    ends = incident.get("change_point_interval")
    return f" ({utc(ends[0])} to {utc(ends[1])})" if ends else ""


def _interval(ends: list[float]) -> str:
    return " to ".join(f"{end:g}" for end in ends)
