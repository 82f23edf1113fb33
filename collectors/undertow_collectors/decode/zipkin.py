"""Zipkin's spans in protobuf: a `ListOfSpans` a message (`zipkin_proto`), and what both of its encodings have.

Times are microseconds, tags are strings whatever they were, the resource's attributes are among them, and the name of
the span, in JSON that of the service too, is in lower case (zipkin-api, zipkin.proto).
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from undertow.batch import Decoded
from undertow.span import Rejected
from undertow_collectors.decode.coerce import mapping
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.protoschema import BYTES, FIXED64, INT32, STRING, UINT64, Schema, message_classes
from undertow_collectors.decode.records import Event, Record, Source
from undertow_collectors.decode.tags import KINDS, Tags, event
from undertow_collectors.decode.traces import collect

_SCHEMA: Schema = {
    "ListOfSpans": {"spans": (1, "*Span")},
    "Span": {
        "trace_id": (1, BYTES),
        "parent_id": (2, BYTES),
        "id": (3, BYTES),
        "kind": (4, INT32),
        "name": (5, STRING),
        "timestamp": (6, FIXED64),
        "duration": (7, UINT64),
        "local_endpoint": (8, "Endpoint"),
        "annotations": (10, "*Annotation"),
        "tags": (11, "map"),
    },
    "Endpoint": {"service_name": (1, STRING)},
    "Annotation": {"timestamp": (1, FIXED64), "value": (2, STRING)},
}
(_ListOfSpans,) = message_classes("undertow.zipkin", _SCHEMA, "ListOfSpans")
_KINDS = (None, KINDS["client"], KINDS["server"], KINDS["producer"], KINDS["consumer"])
_ANNOTATION = re.compile(r"([^|]*)\|(\{.*\})\|[0-9]+", re.DOTALL)
_LENGTH = re.compile(rb"\x0a[\x80-\xff]{0,4}[\x00-\x7f]")
_SPAN = re.compile(
    rb"\x0a(?:\x08.{8}|\x10.{16})(?:\x12\x08.{8})?\x1a\x08.{8}[\x20\x2a\x31\x38\x42\x4a\x52\x5a\x60\x68]", re.DOTALL
)


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of a `ListOfSpans` in protobuf."""
    try:
        request = _ListOfSpans.FromString(value)
    except DecodeError:
        raise Rejected("invalid_protobuf", "not a list of Zipkin spans") from None
    if not request.spans:
        raise Rejected("unrecognised_format" if value else "empty_message", "no spans")
    return collect("zipkin_proto", _found(request), context)


def is_list(value: bytes) -> bool:
    """Whether a message begins as a list of spans does: ids of trace, perhaps parent, and span, then a field after 3.

    OTLP's message begins with field 1 too, and could hold fields 1, 2 and 3 of these lengths, but no field after 3.
    """
    length = _LENGTH.match(value)
    return length is not None and _SPAN.match(value, length.end()) is not None


def annotation(value: str, time_us: int) -> Event:
    """An event out of `name|{attributes}|dropped`, or out of the name alone."""
    match = _ANNOTATION.fullmatch(value)
    return event(mapping(match[2]) if match else {}, match[1] if match else value, time_us * 1000)


def times(timestamp_us: int, duration_us: int) -> tuple[int, int]:
    """Start and end in nanoseconds; an end of 0 where there is no duration."""
    return timestamp_us * 1000, (timestamp_us + duration_us) * 1000 if duration_us else 0


def _found(request: Any) -> Iterator[tuple[Source, Callable[[], Record]]]:
    for span in request.spans:
        tags = Tags(span.tags, _text)
        yield tags.source(span.local_endpoint.service_name, tags.text("service.version")), partial(_record, span, tags)


def _record(span: Any, tags: Tags) -> Record:
    ids = (span.trace_id.hex(), span.id.hex(), span.parent_id.hex())
    kind = _KINDS[span.kind] if 0 <= span.kind < len(_KINDS) else None
    return tags.record(ids, span.name, *times(span.timestamp, span.duration), partial(_events, span), kind)


def _events(span: Any) -> list[Event]:
    return [annotation(found.value, found.timestamp) for found in span.annotations]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
