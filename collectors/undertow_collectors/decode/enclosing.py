"""The calls and other records of a message, what encloses each in its trace, and the answer told there."""

from collections import defaultdict
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


class Call(NamedTuple):
    """A call, and the record and the instrumentation scope that said so.

    `named` says whether the record names a model, `certain` whether it says by itself that it is a call; one that is
    only taken for a call by what it used may be what encloses some.
    """

    span: Span
    record: Record
    scope: str
    named: bool = True
    certain: bool = True


class Skipped(NamedTuple):
    """A record that is no call: its position in the message, why it is skipped, and its attributes by slot."""

    position: int
    record: Record
    reason: str
    values: dict[str, Any]


def place(record: Record) -> Place:
    """Return where a record is."""
    return record.trace_id, record.span_id


def records_of(calls: Iterable[Call], skipped: Iterable[Skipped]) -> Iterator[Record]:
    """Yield all records of a message; where two have one place, that of a call comes last."""
    yield from (one.record for one in skipped)
    yield from (one.record for one in calls)


def parents_of(records: Iterable[Record]) -> dict[Place, str]:
    """Return the id of the span that each record stands in, by the record's own place."""
    return {place(record): record.parent_id for record in records if record.parent_id}


def above(trace: str, span: str, parents: Mapping[Place, str]) -> Iterator[Place]:
    """Yield the spans that enclose one, the nearest first."""
    for _ in range(MAX_DEPTH):
        span = parents.get((trace, span), "")
        if not span:
            return
        yield trace, span


def complete_by_gateways(calls: Sequence[Call], skipped: Sequence[Skipped], decoded: Decoded) -> None:
    """Give the only call of a gateway that was answered what the gateway's span around it says of the answer."""
    gateways = {place(one.record): one for one in skipped if ".gateway" in one.values}
    if not gateways:
        return
    parents = parents_of(records_of(calls, skipped))
    answered: defaultdict[Place, list[Span]] = defaultdict(list)
    for span, record, *_ in calls:
        around = next((at for at in above(*place(record), parents) if at in gateways), None)
        if around is not None and span.status == "ok":
            answered[around].append(span)
    for at, spans in answered.items():
        gateway = gateways[at]
        if len(spans) == 1 and not gateway.record.failed:
            mlflow.complete(spans[0], gateway.values, gateway.record, decoded.derived)
