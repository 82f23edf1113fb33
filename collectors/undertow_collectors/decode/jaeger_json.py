"""Jaeger's spans in JSON: one span a message, as protobuf's own mapping to JSON has it (`jaeger_json`).

Ids are base64, times RFC 3339, durations seconds with an `s`, 64-bit integers strings; what is zero is left out.
"""

import binascii
import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from undertow.batch import Decoded
from undertow.span import Rejected
from undertow_collectors.decode import strictjson
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.records import Event, Record
from undertow_collectors.decode.tags import Found, Tags, collect_json, event

_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")
_DURATION = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
_INTEGER = re.compile(r"-?[0-9]{1,19}")


class _Tag(msgspec.Struct, rename="camel", gc=False):
    key: str = ""
    v_type: Any = "STRING"
    v_str: str = ""
    v_bool: bool = False
    v_int64: Any = 0
    v_float64: Any = 0.0


class _Log(msgspec.Struct, gc=False):
    timestamp: str = ""
    fields: list[_Tag] = []


class _Reference(msgspec.Struct, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    ref_type: Any = "CHILD_OF"


class _Process(msgspec.Struct, rename="camel"):
    service_name: str = ""
    tags: list[_Tag] = []


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str
    span_id: str = ""
    operation_name: str = ""
    references: list[_Reference] = []
    start_time: str = ""
    duration: str = ""
    tags: list[_Tag] = []
    logs: list[_Log] = []
    process: _Process | None = None


_span = msgspec.json.Decoder(_Span)


def decode(value: bytes, context: Context) -> Decoded:
    """Spans in Jaeger's JSON: one, an array, or one a line."""
    return collect_json("jaeger_json", value, _found, context)


def _found(document: bytes | msgspec.Raw) -> Found:
    span = strictjson.parse(document, _span)
    process = span.process or _Process()
    tags = Tags({tag.key: tag for tag in span.tags}, _value)
    version = Tags({tag.key: tag for tag in process.tags}, _value).text("service.version")
    return tags.source(process.service_name, version), partial(_record, span, tags)


def _record(span: _Span, tags: Tags) -> Record:
    start = _time(span.start_time, "started_at")
    ids = (_hex(span.trace_id, "trace_id"), _hex(span.span_id, "span_id"), _parent(span))
    return tags.record(ids, span.operation_name, start, start + _duration(span.duration), partial(_events, span))


def _parent(span: _Span) -> str:
    """The span it is a child of; other references are links."""
    parents = (r.span_id for r in span.references if r.ref_type in ("CHILD_OF", 0) and r.trace_id == span.trace_id)
    return _hex(next(parents, ""), "parent_id")


def _events(span: _Span) -> list[Event]:
    found = []
    for log in span.logs:
        fields = {tag.key: _value(tag) for tag in log.fields}
        found.append(event(fields, fields.pop("event", ""), _time(log.timestamp, "ttft_s")))
    return found


def _value(tag: _Tag) -> Any:
    if tag.v_type in ("STRING", 0):
        return tag.v_str
    if tag.v_type in ("BOOL", 1):
        return tag.v_bool
    if tag.v_type in ("INT64", 2):
        found = tag.v_int64
        return int(found) if isinstance(found, str) and _INTEGER.fullmatch(found) else found
    if tag.v_type in ("FLOAT64", 3):
        return float(tag.v_float64) if isinstance(tag.v_float64, int) else tag.v_float64
    return None


def _hex(found: str, name: str) -> str:
    try:
        return binascii.a2b_base64(found, strict_mode=True).hex()
    except ValueError:
        raise Rejected(f"invalid_{name}", "not base64") from None


def _time(found: str, field: str) -> int:
    """Nanoseconds since 1970; 0 where there is no time."""
    match = _match(_TIME, found, field)
    if match is None:
        return 0
    try:
        whole = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        raise Rejected(f"invalid_{field}", "not a day of the calendar") from None
    return int(whole.timestamp()) * 1_000_000_000 + _fraction(match[2])


def _duration(found: str) -> int:
    match = _match(_DURATION, found, "duration_s")
    if match is None:
        return 0
    length = int(match[2]) * 1_000_000_000 + _fraction(match[3])
    return -length if match[1] else length


def _match(pattern: re.Pattern[str], found: str, field: str) -> re.Match[str] | None:
    match = pattern.fullmatch(found)
    if found and match is None:
        raise Rejected(f"invalid_{field}", "not as protobuf's JSON has it")
    return match


def _fraction(digits: str | None) -> int:
    return int((digits or "").ljust(9, "0"))
