"""What `undertow decode --explain` says: for each record, each field with its value and where that came from."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from undertow.batch import Decoded, Origin, Reject
from undertow.span import Span
from undertow_collectors.decode.provenance import UNSET, Explained, Note, Provenance

DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Span) if not field.required}
WIDTH = 60


def records(decoded: Decoded, sources: Provenance) -> Iterator[Explained]:
    """Every record of a message, also those that their decoder said nothing about."""
    yield from sources.records
    told = [record.outcome for record in sources.records]
    spans = {id(outcome) for outcome in told}
    rejects = {(outcome.index, outcome.reason) for outcome in told if isinstance(outcome, Reject)}
    yield from (Explained(span, {}) for span in decoded.spans if id(span) not in spans)
    yield from (Explained(reject, {}) for reject in decoded.rejects if (reject.index, reject.reason) not in rejects)
    skips = decoded.skipped - Counter(outcome for outcome in told if isinstance(outcome, str))
    yield from (Explained(reason, {}) for reason in skips.elements())


def as_text(record: Explained, origin: Origin, format_name: str) -> str:
    """A record for people: a heading, a line for each field, and the names that nobody read."""
    lines = [
        f"{origin.topic} partition {origin.partition} offset {origin.offset}: {_verdict(record.outcome, format_name)}"
    ]
    for name, value, note in _fields(record):
        lines.append(f"  {name:<20} {_short(value):<28} {_told(value, note)}".rstrip())
    if record.unread:
        lines.append(f"  {'not read':<20} {', '.join(record.unread)}")
    return "\n".join(lines) + "\n"


def as_object(record: Explained, origin: Origin, format_name: str) -> dict[str, Any]:
    """The same for programs."""
    found: dict[str, Any] = {**origin._asdict(), "format": format_name, "outcome": "span"}
    if isinstance(record.outcome, str):
        found |= {"outcome": "skipped", "reason": record.outcome}
    elif isinstance(record.outcome, Reject):
        found |= {"outcome": "rejected", "reason": record.outcome.reason, "detail": record.outcome.detail}
    found["fields"] = {name: _row(value, note) for name, value, note in _fields(record)}
    return found | {"unread": list(record.unread)}


def _verdict(outcome: Span | Reject | str, format_name: str) -> str:
    if isinstance(outcome, Span):
        return f"a span, read as {format_name}"
    if isinstance(outcome, Reject):
        place = f"item {outcome.index}, " if outcome.index else ""
        return f"{place}rejected as {outcome.reason}" + (f": {outcome.detail}" if outcome.detail else "")
    return f"skipped as {outcome}"


def _fields(record: Explained) -> Iterator[tuple[str, Any, Note]]:
    if not isinstance(record.outcome, Span):
        yield from ((name, note.raw, note) for name, note in record.notes.items() if note.raw is not UNSET)
        return
    for name in record.outcome.__struct_fields__:
        value = getattr(record.outcome, name)
        if isinstance(value, dict):
            for key, inner in value.items():
                note = record.notes.get(f"{name}.{key}") or record.notes.get(name) or Note("kept by store.keep_labels")
                yield f"{name}.{key}", inner, note
        elif value is not None:
            default = Note("default") if value == DEFAULTS.get(name) else Note("not noted by this format")
            yield name, value, record.notes.get(name, default)
        elif name in record.notes and record.notes[name].coerced:
            yield name, None, record.notes[name]


def _told(value: Any, note: Note) -> str:
    text = note.source
    if note.raw is not UNSET and (note.raw != value or note.coerced):
        text += f" = {_short(json.dumps(note.raw, ensure_ascii=False))}"
    return text + (" (unusable)" if value is None else " (coerced)" if note.coerced else "")


def _row(value: Any, note: Note) -> dict[str, Any]:
    raw = {"raw": note.raw} if note.raw is not UNSET and (note.raw != value or note.coerced) else {}
    return {"value": value, "source": note.source, **raw, "coerced": note.coerced}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    text = text if text.isprintable() else json.dumps(text)
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
