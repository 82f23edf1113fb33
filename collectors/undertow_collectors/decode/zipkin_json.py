"""Zipkin's spans in JSON: an array of v2 spans a message (`zipkin_json`), which Zipkin's own reporters send too."""

from functools import partial
from typing import Any

import msgspec

from undertow.batch import Decoded
from undertow.span import Rejected
from undertow_collectors.decode import strictjson
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.records import Event, Record
from undertow_collectors.decode.tags import KINDS, Found, Tags, collect_json
from undertow_collectors.decode.zipkin import annotation, times


class _Endpoint(msgspec.Struct, rename="camel", gc=False):
    service_name: str | None = None


class _Annotation(msgspec.Struct, gc=False):
    timestamp: int = 0
    value: str = ""


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str
    id: str
    parent_id: str | None = None
    name: str | None = None
    kind: str | None = None
    timestamp: int | None = None
    duration: int | None = None
    local_endpoint: _Endpoint | None = None
    annotations: list[_Annotation] | None = None
    tags: dict[str, Any] | None = None


_span = msgspec.json.Decoder(_Span)


def decode(value: bytes, context: Context) -> Decoded:
    """Spans in Zipkin's v2 JSON: an array of them, one, or one a line."""
    return collect_json("zipkin_json", value, _found, context)


def _found(document: bytes | msgspec.Raw) -> Found:
    span = strictjson.parse(document, _span)
    tags = Tags(span.tags or {}, lambda value: value)
    service = span.local_endpoint.service_name if span.local_endpoint else None
    return tags.source(service, tags.text("service.version")), partial(_record, span, tags)


def _record(span: _Span, tags: Tags) -> Record:
    ids = (_hex(span.trace_id, "trace_id"), _hex(span.id, "span_id"), (span.parent_id or "").lower())
    start_ns, end_ns = times(span.timestamp or 0, span.duration or 0)
    kind = KINDS.get((span.kind or "").lower())
    return tags.record(ids, span.name or "", start_ns, end_ns, partial(_events, span), kind)


def _events(span: _Span) -> list[Event]:
    return [annotation(found.value, found.timestamp) for found in span.annotations or []]


def _hex(found: str, name: str) -> str:
    lower = found.lower()
    if lower.strip("0123456789abcdef"):
        raise Rejected(f"invalid_{name}", "not hexadecimal digits")
    return lower
