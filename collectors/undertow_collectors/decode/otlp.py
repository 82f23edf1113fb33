"""OTLP traces and logs in protobuf: what an exporter POSTs, and the Collector's kafka exporter produces by default."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from undertow.batch import Decoded
from undertow.span import Rejected
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.otlp_schema import DecodeError, LogsData, TracesData, value_of
from undertow_collectors.decode.records import Event, Record, Source, checked_id, logged, service_of, text_of
from undertow_collectors.decode.traces import collect


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of a request or a record of OTLP traces, or of logs, in protobuf."""
    traces = _parsed(TracesData, value)
    if traces is None or _unlike_traces(traces):  # what logs hold is odd, or damaged, as traces
        logs = _parsed(LogsData, value)
        if logs is not None and _like_logs(logs):
            return collect("otlp", _logged(logs), context)
    if traces is None:
        raise Rejected("invalid_protobuf", "neither OTLP traces nor logs")
    if not traces.resource_spans:
        raise Rejected("empty_message" if not value else "unrecognised_format", "no resource spans")
    return collect("otlp", _found(traces), context)


def _parsed(kind: Any, value: bytes) -> Any:
    try:
        return kind.FromString(value)
    except DecodeError:
        return None


def _unlike_traces(request: Any) -> bool:
    spans = [span for group in request.resource_spans for scoped in group.scope_spans for span in scoped.spans[:1]]
    return not any(span.trace_id for span in spans)


def _like_logs(request: Any) -> bool:
    found = [record for group in request.resource_logs for scoped in group.scope_logs for record in scoped.log_records]
    return bool(found) and all(record.time_unix_nano or record.observed_time_unix_nano for record in found)


def _found(request: Any) -> Iterator[tuple[Source, Callable[[], Record]]]:
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            source = source_of(group.resource, scoped.scope)
            for span in scoped.spans:
                yield source, partial(_record, span)


def _logged(request: Any) -> Iterator[tuple[Source, Callable[[], Record]]]:
    for group in request.resource_logs:
        for scoped in group.scope_logs:
            source = source_of(group.resource, scoped.scope)
            for record in scoped.log_records:
                yield source, partial(_event, record)


def source_of(resource: Any, scope: Any) -> Source:
    """Who sent the spans of a scope."""
    name = service_of(_value(resource.attributes, "service.name"))
    scope_version = scope.version.decode("utf-8", "replace")
    return Source(name, text_of(_value(resource.attributes, "service.version")), scope.name, scope_version)


def _event(record: Any) -> Record:
    name = record.event_name or text_of(_value(record.attributes, "event.name")) or ""
    ids = (record.trace_id.hex(), record.span_id.hex())
    time_ns = record.time_unix_nano or record.observed_time_unix_nano
    return logged(ids, name, time_ns, record.attributes, value_of)


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
        span.kind,
        span.status.message,
        span.dropped_attributes_count,
    )


def _events(span: Any) -> list[Event]:
    return [
        Event(e.name, e.time_unix_nano, text_of(_value(e.attributes, "exception.type")), partial(_all, e.attributes))
        for e in span.events
    ]


def _all(attributes: Any) -> dict[str, Any]:
    return {name: _value(attributes, name) for name in attributes}


def _value(attributes: Any, name: str) -> Any:
    """A value that a span can do without."""
    try:
        return value_of(attributes[name]) if name in attributes else None
    except DecodeError:
        return None
