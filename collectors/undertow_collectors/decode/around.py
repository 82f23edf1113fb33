"""What the spans of one message say of a failed call that says too little by itself: why it failed, and of what model.

Mastra writes why a call failed on the agent's span alone; OpenAI's agents leave the model out of calls that failed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from undertow.span import Span
from undertow_collectors.decode import outcome
from undertow_collectors.decode.enclosing import above, parents_of
from undertow_collectors.decode.records import Record

UNKNOWN = "unknown"
"""The model of a failed call that names none, and the provider of one that does not follow from anything."""

_VAGUE = ("other", "server_error")


class Reported(Protocol):
    """A call with the record and the scope that reported it."""

    @property
    def span(self) -> Span:
        """The call."""

    @property
    def record(self) -> Record:
        """What said so."""

    @property
    def scope(self) -> str:
        """The instrumentation."""


class _Target(NamedTuple):
    provider: str
    model: str


def complete(calls: Sequence[Reported], skipped: Iterable[Record], derived: Counter[str]) -> None:
    """Fill in what failed calls lack: the class of the failure, and the one model that they can belong to."""
    failed = [call for call in calls if call.span.status == "error"]
    silent = [call for call in failed if _is_silent(call)]
    if silent:
        records = {(r.trace_id, r.span_id): r for r in (*skipped, *(call.record for call in calls))}
        parents = parents_of(records.values())
        for call in silent:
            places = above(call.record.trace_id, call.record.span_id, parents)
            _explain(call, (records[place] for place in places if place in records))
    for call in failed:
        if call.span.model == UNKNOWN:
            _name(call, calls, derived)


def _is_silent(call: Reported) -> bool:
    span, record = call.span, call.record
    told = record.message or any(event.kind for event in record.events())
    return not told and span.http_status is None and span.error_class in _VAGUE


def _explain(call: Reported, outer: Iterable[Record]) -> None:
    """Take the failure from the nearest of the `outer` spans that tells of one."""
    for record in outer:
        found = outcome.cause(record)
        if found is not None:
            status, kind = found
            call.span.http_status = status
            call.span.error_class = kind if kind != "other" else call.span.error_class
            return


def _name(call: Reported, calls: Sequence[Reported], derived: Counter[str]) -> None:
    """Give the call the one target of its trace, or of its instrumentation in this message, that it can belong to."""
    others = [other for other in calls if other.span.model != UNKNOWN and _may_be_of(call.span, other.span)]
    near = [other for other in others if other.record.trace_id == call.record.trace_id]
    for group in (near, [other for other in others if other.scope == call.scope]):
        targets = {_Target(other.span.provider, other.span.model) for other in group}
        if len(targets) == 1:
            call.span.provider, call.span.model = targets.pop()
            derived["model"] += 1
            return


def _may_be_of(failed: Span, other: Span) -> bool:
    same = failed.provider in (UNKNOWN, other.provider)
    return same and failed.gateway == other.gateway and failed.operation == other.operation
