"""Where the values of a span came from, written down only while somebody asks (`undertow decode --explain`)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from undertow.batch import Reject
from undertow.span import Span

UNSET = object()

OF_ANSWER = (
    "response_chars",
    "tool_call_count",
    "response_sha256",
    "refusal",
    "parse_ok",
    "schema_fingerprint",
    "signals",
)
"""Fields that a decoder which reads an answer's text takes from there."""


class Note(NamedTuple):
    """`source` is a path, an attribute, or words such as `constant`; `raw` what stood there, if it is a scalar."""

    source: str
    raw: Any = UNSET
    coerced: bool = False


@dataclass(frozen=True, slots=True)
class Explained:
    """One record: what it became (a span, a reject, or the reason for a skip), and where its fields came from."""

    outcome: Span | Reject | str
    notes: dict[str, Note]
    unread: tuple[str, ...] = ()


@dataclass(slots=True)
class Provenance:
    """Collects notes until `close` says what their record became."""

    records: list[Explained] = field(default_factory=list)
    _notes: dict[str, Note] = field(default_factory=dict)

    def note(self, name: str, source: str, raw: Any = UNSET, coerced: bool = False) -> None:
        """Write down where a field came from; the last word counts."""
        scalar = raw is None or isinstance(raw, str | int | float)
        self._notes[name] = Note(source, raw if scalar else UNSET, coerced)

    def close(self, outcome: Span | Reject | str, unread: Iterable[str] = ()) -> None:
        """End a record; the notes since the last one are its."""
        self.records.append(Explained(outcome, self._notes, tuple(unread)))
        self._notes = {}

    def amend(self, again: Mapping[int, str]) -> None:
        """Spans that turned out to repeat a call, by id(), became skips."""
        self.records = [
            replace(record, outcome=again[id(record.outcome)]) if id(record.outcome) in again else record
            for record in self.records
        ]

    def rename(self, places: Iterable[int], reason: str) -> None:
        """Say that the records at these places were skipped for another reason than it seemed at first."""
        for place in places:
            self.records[place] = replace(self.records[place], outcome=reason)

    def price(self) -> None:
        """Say so where a cost was computed after the decoder had done its part."""
        for record in self.records:
            if isinstance(record.outcome, Span) and record.outcome.cost_derived:
                record.notes.update(dict.fromkeys(("cost_usd", "cost_derived"), Note("derived: list prices")))
