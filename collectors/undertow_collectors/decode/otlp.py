"""OTLP traces in protobuf: what an exporter POSTs and what the Collector's kafka exporter produces by default."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from undertow.batch import Decoded
from undertow.span import Rejected
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.otlp_schema import DecodeError, TracesData, value_of
from undertow_collectors.decode.records import Event, Record, Source, checked_id, service_of, text_of
from undertow_collectors.decode.traces import collect


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of an ExportTraceServiceRequest or TracesData in protobuf."""
    try:
        request = TracesData.FromString(value)
    except DecodeError:
        raise Rejected("invalid_protobuf", "not an OTLP trace request") from None
    if not request.resource_spans:
        raise Rejected("empty_message" if not value else "unrecognised_format", "no resource spans")
    return collect("otlp", _found(request), context)


def _found(request: Any) -> Iterator[tuple[Source, Callable[[], Record]]]:
    for group in request.resource_spans:
        name = service_of(_value(group.resource.attributes, "service.name"))
        version = text_of(_value(group.resource.attributes, "service.version"))
        for scoped in group.scope_spans:
            source = Source(name, version, scoped.scope.name)
            for span in scoped.spans:
                yield source, partial(_record, span)


def _record(span: Any) -> Record:
    return Record(
        checked_id(span.trace_id.hex(), 32, "trace_id"),
        checked_id(span.span_id.hex(), 16, "span_id"),
        span.parent_span_id.hex(),
        span.name,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        span.attributes,
        value_of,
        partial(_events, span),
    )


def _events(span: Any) -> list[Event]:
    return [Event(e.name, e.time_unix_nano, text_of(_value(e.attributes, "exception.type"))) for e in span.events]


def _value(attributes: Any, name: str) -> Any:
    """A value that a span can do without."""
    try:
        return value_of(attributes[name]) if name in attributes else None
    except DecodeError:
        return None
