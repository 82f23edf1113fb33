"""OTLP traces and logs in JSON: ids in hex, 64-bit integers as strings, enums as numbers or names."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from undertow.batch import Decoded, Reject
from undertow.span import Rejected
from undertow_collectors.decode import strictjson
from undertow_collectors.decode.coerce import count
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.records import SERVER, Event, Record, Source, checked_id, logged, service_of, text_of
from undertow_collectors.decode.traces import collect

_SERVER = (SERVER, str(SERVER), "SPAN_KIND_SERVER")
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
    kind: Any = 0
    start_time_unix_nano: Any = 0
    end_time_unix_nano: Any = 0
    status: dict[str, Any] | None = None
    attributes: list[_KeyValue] = []
    dropped_attributes_count: Any = 0
    events: list[_Event] = []


class _Scope(msgspec.Struct):
    name: str = ""
    version: Any = ""


class _ScopeSpans(msgspec.Struct):
    scope: _Scope | None = None
    spans: list[_Span] = []


class _Resource(msgspec.Struct):
    attributes: list[_KeyValue] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] = []


class _LogRecord(msgspec.Struct, rename="camel", gc=False):
    time_unix_nano: Any = 0
    observed_time_unix_nano: Any = 0
    event_name: str = ""
    trace_id: Any = ""
    span_id: Any = ""
    attributes: list[_KeyValue] = []


class _ScopeLogs(msgspec.Struct, rename="camel"):
    scope: _Scope | None = None
    log_records: list[_LogRecord] = []


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] = []


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None
    resource_logs: list[_ResourceLogs] | None = None


_request = msgspec.json.Decoder(_Request)

EMPTY = b"{}"
"""A request of nothing, with which exporters test a connection."""


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of OTLP/JSON: ids in hex, 64-bit integers as strings, enums as numbers or names."""
    found: list[tuple[Source, Callable[[], Record]]] = []
    rejects: list[Reject] = []
    for index, document in enumerate(strictjson.documents(value)):
        if bytes(document) == EMPTY:
            continue
        try:
            found += _found(strictjson.parse(document, _request))
        except Rejected as rejected:
            rejects.append(Reject(rejected.reason, rejected.detail, index))
    decoded = collect("otlp_json", found, context)
    decoded.rejects += rejects
    return decoded


def _found(request: _Request) -> Iterator[tuple[Source, Callable[[], Record]]]:
    if request.resource_spans is None and request.resource_logs is None:
        raise Rejected("unrecognised_format", "neither resourceSpans nor resourceLogs")
    for group in request.resource_spans or ():
        for scoped in group.scope_spans:
            source = _source(group.resource, scoped.scope)
            for span in scoped.spans:
                yield source, partial(_record, span)
    for logs in request.resource_logs or ():
        for events in logs.scope_logs:
            source = _source(logs.resource, events.scope)
            for record in events.log_records:
                yield source, partial(_event, record)


def _source(resource: _Resource | None, scope: _Scope | None) -> Source:
    attributes = resource.attributes if resource else []
    name = service_of(_value(attributes, "service.name"))
    found = scope or _Scope()
    return Source(name, text_of(_value(attributes, "service.version")), found.name, text_of(found.version) or "")


def _event(record: _LogRecord) -> Record:
    ids = (_lower(record.trace_id, 32, "trace_id"), _lower(record.span_id, 16, "span_id"))
    name = record.event_name or text_of(_value(record.attributes, "event.name")) or ""
    time_ns = _nanos(record.time_unix_nano, "started_at") or _nanos(record.observed_time_unix_nano, "started_at")
    return logged(ids, name, time_ns, {a.key: a.value for a in record.attributes}, _plain)


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
        SERVER if span.kind in _SERVER else 0,
        text_of((span.status or {}).get("message")) or "",
        count(span.dropped_attributes_count) or 0,
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
    if kind == "kvlistValue":
        items = found.get("values") if isinstance(found, dict) else None
        pairs = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        return {str(item.get("key")): _plain(item.get("value")) for item in pairs}
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
        Event(
            e.name,
            _nanos(e.time_unix_nano, "ttft_s"),
            text_of(_value(e.attributes, "exception.type")),
            partial(_all, e.attributes),
        )
        for e in span.events
    ]


def _all(attributes: list[_KeyValue]) -> dict[str, Any]:
    return {a.key: _plain(a.value) for a in attributes}


def _hex(found: Any, digits: int, name: str) -> str:
    return checked_id(_lower(found, digits, name), digits, name)


def _lower(found: Any, digits: int, name: str) -> str:
    lower = found.lower() if isinstance(found, str) else ""
    if lower.strip("0123456789abcdef"):
        raise Rejected(f"invalid_{name}", f"not {digits} hexadecimal digits")
    return lower
