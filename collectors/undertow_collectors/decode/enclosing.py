"""What encloses a call in its trace, and the answer told there: a gateway's span around those of its providers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from undertow.batch import Decoded
from undertow.span import Span
from undertow_collectors.decode import mlflow
from undertow_collectors.decode.records import Record

MAX_DEPTH = 64
"""Spans that are followed from the inner to the outer ones; traces come from outside, and may run in circles."""

Place = tuple[str, str]
"""The ids of a trace and of a span."""


def parents_of(records: Iterable[Record]) -> dict[Place, str]:
    """Return the id of the span that each record stands in, by the record's own place."""
    return {(record.trace_id, record.span_id): record.parent_id for record in records}


def above(trace: str, span: str, parents: Mapping[Place, str]) -> Iterator[Place]:
    """Yield the spans that enclose one, the nearest first."""
    for _ in range(MAX_DEPTH):
        span = parents.get((trace, span), "")
        if not span:
            return
        yield trace, span


class _Gateway(NamedTuple):
    record: Record
    values: dict[str, Any]
    answered: list[Span]


class Gateways:
    """Collects the spans of gateways, whose calls stand inside of them and do not say what was answered."""

    def __init__(self) -> None:
        self._found: dict[Place, _Gateway] = {}

    def add(self, record: Record, values: dict[str, Any]) -> None:
        """Take note of a span that is no call, with its attributes by slot."""
        if ".gateway" in values:
            self._found[record.trace_id, record.span_id] = _Gateway(record, values, [])

    def tell(self, calls: Sequence[tuple[Span, Record]], skipped: Sequence[Record], decoded: Decoded) -> None:
        """Give the only call of a gateway that was answered what the span around it says of the answer."""
        if not self._found:
            return
        parents = parents_of((*skipped, *(record for _, record in calls)))
        for span, record in calls:
            places = above(record.trace_id, record.span_id, parents)
            gateway = next((self._found[place] for place in places if place in self._found), None)
            if gateway is not None and span.status == "ok":
                gateway.answered.append(span)
        for record, values, answered in self._found.values():
            if len(answered) == 1 and not record.failed:
                mlflow.complete(answered[0], values, record, decoded.derived)
