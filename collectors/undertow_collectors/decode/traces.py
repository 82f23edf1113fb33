"""From OTLP spans to spans of LLM calls. Most spans in a company's traces are no such calls."""

from collections.abc import Callable, Iterable

from undertow.batch import Decoded, Reject
from undertow.span import Rejected
from undertow_collectors.decode import genai
from undertow_collectors.decode.context import Context
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
            decoded.rejects.append(Reject(rejected.reason, rejected.detail, index))
        except DecodeError:
            decoded.rejects.append(Reject("invalid_attributes", "an attribute is not an AnyValue", index))
    joins.apply(decoded)
    return decoded


def _add(record: Record, source: Source, index: int, context: Context, decoded: Decoded, joins: Joins) -> None:
    reading = genai.read(record, context.keep_labels)
    reason = genai.skip_reason(record, reading.values)
    if reason:
        decoded.skipped[reason] += 1
        joins.wrapper(record)
        return
    span = genai.span(record, reading, source, context, decoded, index)
    decoded.spans.append(span)
    joins.call(span, reading.values.get(".call_id"))
