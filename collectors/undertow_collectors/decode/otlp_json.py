"""OTLP traces in JSON: ids in hex, 64-bit integers as strings, enums as numbers or names."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from undertow.batch import Decoded, Reject
from undertow.span import Rejected
from undertow_collectors.decode import strictjson
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.records import Event, Record, Source, checked_id, service_of, text_of
from undertow_collectors.decode.traces import collect

_INTEGER = re.compile(r"-?[0-9]{1,19}")


class _KeyValue(msgspec.Struct, gc=False):
    key: str = ""
    value: Any = None


class _Event(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    time_unix_nano: Any = 0
    attributes: list[_KeyValue] = []


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: Any = ""
    span_id: Any = ""
    parent_span_id: Any = ""
    name: str = ""
    start_time_unix_nano: Any = 0
    end_time_unix_nano: Any = 0
    status: dict[str, Any] | None = None
    attributes: list[_KeyValue] = []
    events: list[_Event] = []


class _Scope(msgspec.Struct):
    name: str = ""


class _ScopeSpans(msgspec.Struct):
    scope: _Scope | None = None
    spans: list[_Span] = []


class _Resource(msgspec.Struct):
    attributes: list[_KeyValue] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] = []


class _Traces(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans]


_traces = msgspec.json.Decoder(_Traces)


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of OTLP/JSON: ids in hex, 64-bit integers as strings, enums as numbers or names."""
    found: list[tuple[Source, Callable[[], Record]]] = []
    rejects: list[Reject] = []
    for index, document in enumerate(strictjson.documents(value)):
        try:
            found += _found(strictjson.parse(document, _traces))
        except Rejected as rejected:
            rejects.append(Reject(rejected.reason, rejected.detail, index))
    decoded = collect("otlp_json", found, context)
    decoded.rejects += rejects
    return decoded


def _found(request: _Traces) -> Iterator[tuple[Source, Callable[[], Record]]]:
    for group in request.resource_spans:
        attributes = group.resource.attributes if group.resource else []
        name = service_of(_value(attributes, "service.name"))
        version = text_of(_value(attributes, "service.version"))
        for scoped in group.scope_spans:
            source = Source(name, version, scoped.scope.name if scoped.scope else "")
            for span in scoped.spans:
                yield source, partial(_record, span)


def _record(span: _Span) -> Record:
    code = (span.status or {}).get("code")
    return Record(
        _hex(span.trace_id, 32, "trace_id"),
        _hex(span.span_id, 16, "span_id"),
        str(span.parent_span_id or "").lower(),
        span.name,
        _nanos(span.start_time_unix_nano, "started_at"),
        _nanos(span.end_time_unix_nano, "duration_s"),
        code in (2, "2", "STATUS_CODE_ERROR"),
        {a.key: a.value for a in span.attributes},
        _plain,
        partial(_events, span),
    )


def _value(attributes: list[_KeyValue], name: str) -> Any:
    return next((_plain(a.value) for a in attributes if a.key == name), None)


def _plain(value: Any) -> Any:
    """The Python value of a JSON AnyValue."""
    kind, found = next(iter(value.items()), ("", None)) if isinstance(value, dict) else ("", None)
    if kind == "intValue":
        return int(found) if isinstance(found, str) and _INTEGER.fullmatch(found) else found
    if kind == "doubleValue":
        return float(found) if isinstance(found, int) else found
    if kind == "arrayValue":
        items = found.get("values") if isinstance(found, dict) else None
        return [_plain(item) for item in items] if isinstance(items, list) else []
    return found if kind in ("stringValue", "boolValue") else None


def _nanos(value: Any, field: str) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if value is None or value == "":
        return 0
    if type(value) is not int or not 0 <= value < 2**64:
        raise Rejected(f"invalid_{field}", "not a 64-bit number of nanoseconds")
    return value


def _events(span: _Span) -> list[Event]:
    return [
        Event(e.name, _nanos(e.time_unix_nano, "ttft_s"), text_of(_value(e.attributes, "exception.type")))
        for e in span.events
    ]


def _hex(found: Any, digits: int, name: str) -> str:
    lower = found.lower() if isinstance(found, str) else ""
    if lower.strip("0123456789abcdef"):
        raise Rejected(f"invalid_{name}", f"not {digits} hexadecimal digits")
    return checked_id(lower, digits, name)
