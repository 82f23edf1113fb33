"""From OTLP spans and events to spans of LLM calls; everything else is skipped and counted."""

from collections.abc import Callable, Iterable

from undertow.batch import Decoded, Reject
from undertow.span import Rejected
from undertow_collectors.decode import adk, attributes, calls, genai
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.dialects import dialect
from undertow_collectors.decode.joins import Joins
from undertow_collectors.decode.otlp_schema import DecodeError
from undertow_collectors.decode.records import Record, Source


def collect(name: str, found: Iterable[tuple[Source, Callable[[], Record]]], context: Context) -> Decoded:
    """Decode each span by itself: a call becomes a span or a reject, everything else is skipped and counted."""
    decoded, joins = Decoded(name), Joins()
    for index, (source, record) in enumerate(found):
        try:
            _add(record(), source, index, context, decoded, joins)
        except Rejected as rejected:
            _reject(Reject(rejected.reason, rejected.detail, index), context, decoded)
        except DecodeError:
            _reject(Reject("invalid_attributes", "an attribute is not an AnyValue", index), context, decoded)
    again = joins.apply(decoded)
    if context.sources is not None:
        context.sources.amend(again)
        context.sources.rename(joins.wrappers, "wrapper")
    return decoded


def _add(record: Record, source: Source, index: int, context: Context, decoded: Decoded, joins: Joins) -> None:
    reading = attributes.read(record, context.keep_labels, dialect(source.scope))
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
        joins.skipped(record, reason, index, reading.values)
        if reason == "evaluation":
            joins.evaluation(record, reading.values)
        context.close(reason)
        return
    span = genai.span(record, reading, source, context, decoded, index)
    decoded.spans.append(span)
    joins.call(span, record, source, reading.values)
    context.close(span, reading.unread)


def _reject(reject: Reject, context: Context, decoded: Decoded) -> None:
    decoded.rejects.append(reject)
    context.close(reject)
