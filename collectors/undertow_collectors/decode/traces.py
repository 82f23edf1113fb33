"""From OTLP spans and events to spans of LLM calls; everything else is skipped and counted."""

from collections.abc import Callable, Container, Iterable

from undertow.batch import Decoded, Reject
from undertow.known_faults import is_faulty
from undertow.span import Rejected
from undertow_collectors.decode import adk, calls, genai
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.dialects import plan_of
from undertow_collectors.decode.enclosing import Skipped
from undertow_collectors.decode.joins import Joins
from undertow_collectors.decode.otlp_schema import DecodeError
from undertow_collectors.decode.reading import read
from undertow_collectors.decode.records import Record, Source

NO_CALL = 0
"""Instead of the id() of a span."""


def collect(name: str, found: Iterable[tuple[Source, Callable[[], Record]]], context: Context) -> Decoded:
    """Decode each span by itself: a call becomes a span or a reject, everything else is skipped and counted."""
    decoded, joins = Decoded(name), Joins()
    told: list[tuple[int, Source]] = []
    for index, (source, record) in enumerate(found):
        before = len(decoded.spans)
        try:
            _add(record(), source, index, context, decoded, joins)
        except Rejected as rejected:
            _reject(Reject(rejected.reason, rejected.detail, index), context, decoded)
        except DecodeError:
            _reject(Reject("invalid_attributes", "an attribute is not an AnyValue", index), context, decoded)
        told.append((id(decoded.spans[-1]) if len(decoded.spans) > before else NO_CALL, source))
    again = joins.apply(decoded)
    _count(told, again, name, decoded)
    if context.sources is not None:
        context.sources.amend(again)
        context.sources.rename(joins.wrappers, "wrapper")
    return decoded


def _count(told: list[tuple[int, Source]], again: Container[int], name: str, decoded: Decoded) -> None:
    """Count the calls by who wrote them; of instrumentations that wrote none, name those with known faults."""
    for place, source in told:
        found = source.instrumentation(name)
        is_call = place != NO_CALL and place not in again
        if is_call or is_faulty(found):
            decoded.instrumentations[found] += is_call


def _add(record: Record, source: Source, index: int, context: Context, decoded: Decoded, joins: Joins) -> None:
    reading = read(record, context.keep_labels, plan_of(source.scope))
    if record.failed and source.scope.startswith("openlit") and "model" not in reading.values:
        calls.name_failure(record, reading)
    if record.failed and source.scope == adk.SCOPE:
        adk.name_failure(record, reading)
    if "model" in reading.values and "operation" not in reading.values:
        calls.name_operation(record, reading)
    calls.name_observation(reading)
    reason = calls.skip_reason(record, reading.values)
    if reason:
        decoded.skipped[reason] += 1
        joins.skipped(Skipped(index, record, reason, reading.values))
        _explain_skip(record, source, reason, context)
        return
    span = genai.span(record, reading, source, context, decoded, index)
    decoded.spans.append(span)
    joins.call(span, record, source, reading.values)
    context.close(span, reading.unread)


def _explain_skip(record: Record, source: Source, reason: str, context: Context) -> None:
    """Say which span is no call; of one that could not be recognised, what it has to go by, too."""
    context.note("span_name", f"scope: {source.scope}" if source.scope else "a scope without a name", record.name)
    context.note("span_id", "traceId and spanId", f"{record.trace_id}:{record.span_id}")
    context.close(reason, record.attributes if reason == calls.UNRECOGNISED else ())


def _reject(reject: Reject, context: Context, decoded: Decoded) -> None:
    decoded.rejects.append(reject)
    context.close(reject)
