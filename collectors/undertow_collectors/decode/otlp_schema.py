"""The part of OTLP's schema of traces and logs that is read, written so that upb does most of the walking.

On the wire a list of KeyValue is the same as a protobuf map from key to encoded AnyValue. Declared so, a span's
attributes arrive as one C-level map of strings to bytes, half the cost of visiting them as messages, and only the
values that are wanted are decoded (opentelemetry-proto v1.5 trace.proto, logs.proto, common.proto).
"""

import struct
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from undertow_collectors.decode.protoschema import BYTES, FIXED64, INT32, STRING, Schema, message_classes

_SCHEMA: Schema = {
    "TracesData": {"resource_spans": (1, "*ResourceSpans")},
    "ResourceSpans": {"resource": (1, "Resource"), "scope_spans": (2, "*ScopeSpans")},
    "Resource": {"attributes": (1, "map")},
    "ScopeSpans": {"scope": (1, "Scope"), "spans": (2, "*Span")},
    "Scope": {"name": (1, STRING), "version": (2, BYTES)},
    "Span": {
        "trace_id": (1, BYTES),
        "span_id": (2, BYTES),
        "parent_span_id": (4, BYTES),
        "name": (5, STRING),
        "kind": (6, INT32),
        "start_time_unix_nano": (7, FIXED64),
        "end_time_unix_nano": (8, FIXED64),
        "attributes": (9, "map"),
        "dropped_attributes_count": (10, INT32),
        "events": (11, "*Event"),
        "status": (15, "Status"),
    },
    "Event": {"time_unix_nano": (1, FIXED64), "name": (2, STRING), "attributes": (3, "map")},
    "Status": {"message": (2, STRING), "code": (3, INT32)},
    "RawTracesData": {"resource_spans": (1, "*RawResourceSpans")},
    "RawResourceSpans": {"resource": (1, "Resource"), "scope_spans": (2, "*RawScopeSpans")},
    "RawScopeSpans": {"scope": (1, "Scope"), "spans": (2, "*RawSpan")},
    "RawSpan": {
        "trace_id": (1, BYTES),
        "span_id": (2, BYTES),
        "parent_span_id": (4, BYTES),
        "name": (5, STRING),
        "start_time_unix_nano": (7, FIXED64),
        "end_time_unix_nano": (8, FIXED64),
        "attributes": (9, "*bytes"),
        "events": (11, "*bytes"),
        "status": (15, "*bytes"),
    },
    "LogsData": {"resource_logs": (1, "*ResourceLogs")},
    "ResourceLogs": {"resource": (1, "Resource"), "scope_logs": (2, "*ScopeLogs")},
    "ScopeLogs": {"scope": (1, "Scope"), "log_records": (2, "*LogRecord")},
    "LogRecord": {
        "time_unix_nano": (1, FIXED64),
        "attributes": (6, "map"),
        "trace_id": (9, BYTES),
        "span_id": (10, BYTES),
        "observed_time_unix_nano": (11, FIXED64),
        "event_name": (12, STRING),
    },
}

TracesData, LogsData, RawTracesData = message_classes(
    "undertow.otlp", _SCHEMA, "TracesData", "LogsData", "RawTracesData"
)
"""These, and ExportTraceServiceRequest and ExportLogsServiceRequest, which are the same on the wire.

RawTracesData is TracesData again, whose attributes, events and statuses stay encoded, at a third of the cost.
"""

_double = struct.Struct("<d").unpack_from


def value_of(raw: bytes) -> Any:
    """The Python value of an encoded AnyValue; lists and maps become list and dict, nothing becomes None.

    Raises DecodeError where the bytes are no AnyValue, RecursionError where it nests too deep.
    """
    size = len(raw)
    kind = raw[0] if raw else 0
    if kind == 0x0A and raw[1] == size - 2 < 128:  # a string, its length in one byte
        return raw[2:].decode("utf-8", "replace")
    if kind == 0x18 and size == 2 and raw[1] < 128:  # a small int
        return raw[1]
    if kind == 0x18 and size == 3 and raw[2] < 128 <= raw[1]:
        return (raw[1] & 127) | raw[2] << 7
    if kind == 0x21 and size == 9:
        return _double(raw, 1)[0]
    return plain(AnyValue.FromString(raw))


def plain(value: AnyValue) -> Any:
    """An AnyValue as a Python value."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


__all__ = ["DecodeError", "LogsData", "RawTracesData", "TracesData", "plain", "value_of"]
