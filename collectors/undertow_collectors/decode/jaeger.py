"""Jaeger's spans in protobuf: one span a message, which the Collector's kafka exporter calls `jaeger_proto`.

Jaeger's own collector writes the same to its topic `jaeger-spans` (jaeger-idl, model.proto).
"""

from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from undertow.batch import Decoded
from undertow.span import Rejected
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.protoschema import BOOL, BYTES, DOUBLE, INT32, INT64, STRING, Schema, message_classes
from undertow_collectors.decode.records import Event, Record
from undertow_collectors.decode.tags import Tags, event
from undertow_collectors.decode.traces import collect

_SCHEMA: Schema = {
    "Span": {
        "trace_id": (1, BYTES),
        "span_id": (2, BYTES),
        "operation_name": (3, STRING),
        "references": (4, "*Reference"),
        "start_time": (6, "Time"),
        "duration": (7, "Time"),
        "tags": (8, "*Tag"),
        "logs": (9, "*Log"),
        "process": (10, "Process"),
    },
    "Reference": {"trace_id": (1, BYTES), "span_id": (2, BYTES), "type": (3, INT32)},
    "Time": {"seconds": (1, INT64), "nanos": (2, INT32)},
    "Tag": {
        "key": (1, STRING),
        "type": (2, INT32),
        "string": (3, BYTES),
        "bool": (4, BOOL),
        "int64": (5, INT64),
        "float64": (6, DOUBLE),
        "binary": (7, BYTES),
    },
    "Log": {"timestamp": (1, "Time"), "fields": (2, "*Tag")},
    "Process": {"service_name": (1, STRING), "tags": (2, "*Tag")},
}
_TYPES = ("string", "bool", "int64", "float64", "binary")
(_Span,) = message_classes("undertow.jaeger", _SCHEMA, "Span")


def decode(value: bytes, context: Context) -> Decoded:
    """The span of one `model.Span` in protobuf."""
    try:
        span = _Span.FromString(value)
    except DecodeError:
        raise Rejected("invalid_protobuf", "not a Jaeger span") from None
    if not span.trace_id:
        raise Rejected("unrecognised_format" if value else "empty_message", "no trace id")
    tags = Tags({tag.key: tag for tag in span.tags}, _value)
    process = Tags({tag.key: tag for tag in span.process.tags}, _value)
    source = tags.source(span.process.service_name, process.text("service.version"))
    return collect("jaeger_proto", [(source, partial(_record, span, tags))], context)


def is_span(value: bytes) -> bool:
    """Whether a message begins as a span does: a trace id of 16 bytes, then a span id of 8.

    OTLP's and Zipkin's messages have nothing but field 1 at their top, so they cannot go on with a field 2.
    """
    return value.startswith(b"\x0a\x10") and value[18:20] == b"\x12\x08"


def _record(span: Any, tags: Tags) -> Record:
    start = _nanoseconds(span.start_time)
    ids = (span.trace_id.hex(), span.span_id.hex(), _parent(span))
    return tags.record(ids, span.operation_name, start, start + _nanoseconds(span.duration), partial(_events, span))


def _parent(span: Any) -> str:
    """The span it is a child of; other references are links."""
    parents = (r.span_id.hex() for r in span.references if r.type == 0 and r.trace_id == span.trace_id)
    return next(parents, "")


def _events(span: Any) -> list[Event]:
    found = []
    for log in span.logs:
        fields = {tag.key: _value(tag) for tag in log.fields}
        found.append(event(fields, fields.pop("event", ""), _nanoseconds(log.timestamp)))
    return found


def _nanoseconds(time: Any) -> int:
    return int(time.seconds * 1_000_000_000 + time.nanos)


def _value(tag: Any) -> Any:
    if not 0 <= tag.type < len(_TYPES):
        return None
    found = getattr(tag, _TYPES[tag.type])
    return found.decode("utf-8", "replace") if tag.type == 0 else found
