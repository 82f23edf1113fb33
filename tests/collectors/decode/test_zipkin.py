"""Zipkin's spans in both encodings: everything is text, and what is none stands in annotations and endpoints."""

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from undertow.batch import Decoded
from undertow.span import Span

Read = Callable[..., Decoded]
TRACE, ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
START_US = 1_790_000_000_000_001
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


def span(tags: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A call in Zipkin's JSON, with `tags` beside the three that make it one."""
    return {
        "timestamp": START_US,
        "duration": 2_500_000,
        "traceId": TRACE,
        "id": ID,
        "name": "chat gpt-4o",
        "kind": "CLIENT",
        "localEndpoint": {"serviceName": "edge"},
        "tags": CALL | (tags or {}),
    } | changes


@pytest.fixture(name="one")
def _one(read: Read) -> Callable[..., Span]:
    """The single call of a message, which must have no rejects."""

    def one(*found: Any, **options: Any) -> Span:
        decoded = read(list(found), **options)
        assert decoded.rejects == []
        return decoded.spans[0]

    return one


def test_a_call(one: Callable[..., Span]) -> None:
    """Numbers, flags and lists come out of their texts."""
    found = one(
        span(
            {
                "gen_ai.usage.output_tokens": "12",
                "gen_ai.request.temperature": "0.5",
                "gen_ai.request.stream": "true",
                "gen_ai.response.finish_reasons": '["length"]',
                "service.version": "1.2",
            }
        )
    )
    assert found.span_id == f"{TRACE}:{ID}"
    assert (found.started_at, found.duration_s) == (START_US / 1e6, 2.5)
    assert (found.gateway, found.labels) == ("edge", {"gateway_version": "1.2"})
    assert (found.output_tokens, found.temperature, found.stream, found.finish_reason) == (12, 0.5, True, "length")


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({"error": "true"}, "error"),
        ({"error": "connection refused"}, "error"),
        ({"error": ""}, "error"),
        ({"error": "false"}, "ok"),
        ({"otel.status_code": "STATUS_CODE_ERROR"}, "error"),
        ({"otel.status_code": "STATUS_CODE_OK"}, "ok"),
        ({}, "ok"),
    ],
)
def test_failures(tags: dict[str, Any], status: str, one: Callable[..., Span]) -> None:
    """Zipkin's rule is that a tag `error` is a failure whatever it says; the Collector's status comes before it."""
    assert one(span(tags)).status == status


def test_an_exception_is_an_annotation(one: Callable[..., Span]) -> None:
    """Name, attributes in JSON and the number of those dropped, with bars between."""
    value = 'exception|{"exception.message":"a | b","exception.type":"openai.RateLimitError"}|0'
    found = one(span({"error": "true"}, annotations=[{"timestamp": START_US, "value": value}]))
    assert found.error_class == "rate_limited"


@pytest.mark.parametrize("value", ["gen_ai.content.completion.chunk", 'gen_ai.content.completion.chunk|{"n":1}|0'])
def test_the_first_chunk_is_an_annotation(value: str, one: Callable[..., Span]) -> None:
    """With attributes or without."""
    notes = [{"timestamp": START_US + 250_000, "value": value}]
    assert one(span({"gen_ai.request.stream": "true"}, annotations=notes)).ttft_s == 0.25


@pytest.mark.parametrize("value", ["", "|", "a|{|0", "a|{not json}|0", "||{}|", "|{}|0"])
def test_annotations_of_any_text(value: str, one: Callable[..., Span]) -> None:
    """They are events of some name, or of none."""
    assert one(span({"error": "true"}, annotations=[{"timestamp": 1, "value": value}])).status == "error"


@pytest.mark.parametrize("endpoint", [None, {}, {"serviceName": None}, {"serviceName": "otlpresourcenoservicename"}])
def test_a_service_that_nobody_named(endpoint: Any, one: Callable[..., Span]) -> None:
    """The Collector makes a name up where the resource has none; in JSON it is in lower case."""
    assert one(span(localEndpoint=endpoint), format="zipkin_json").gateway is None


def test_trace_ids_of_64_bits_are_lengthened(one: Callable[..., Span]) -> None:
    """The Collector shortens an id whose upper half is zero."""
    assert one(span(traceId=ID)).trace_id == "0" * 16 + ID


def test_ids_in_capitals(one: Callable[..., Span]) -> None:
    """Ids are the same in either case."""
    assert one(span(traceId=TRACE.upper(), id=ID.upper())).span_id == f"{TRACE}:{ID}"


def test_times_that_are_not_there(one: Callable[..., Span]) -> None:
    """A span without a duration has none, and one without a start has that of its message."""
    assert one(span(duration=None)).duration_s is None
    assert one(span(duration=0)).duration_s is None
    assert one(span(timestamp=None, duration=None)).started_at == 1_790_000_000.0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"traceId": "xyz"}, "invalid_trace_id"),
        ({"traceId": "0" * 32}, "missing_trace_id"),
        ({"traceId": "ab" * 20}, "invalid_trace_id"),
        ({"id": "ab"}, "invalid_span_id"),
        ({"id": ""}, "missing_span_id"),
        ({"timestamp": -1}, "invalid_started_at"),
        ({"timestamp": 2**62}, "invalid_started_at"),
        ({"duration": 2**62}, "invalid_duration_s"),
        ({"timestamp": "now"}, "unexpected_type"),
        ({"tags": []}, "unexpected_type"),
    ],
)
def test_damaged_parts(changes: dict[str, Any], reason: str, read: Read) -> None:
    """Each has its reason, and costs no other span of its message."""
    decoded = read([span() | changes, span(id="c" * 16)])
    assert [r.reason for r in decoded.rejects] == [reason]
    assert len(decoded.spans) == 1


def test_tags_that_are_no_texts(one: Callable[..., Span]) -> None:
    """Some reporters write numbers and flags as such."""
    found = one(span({"gen_ai.usage.output_tokens": 12, "gen_ai.request.stream": True, "error": False, "x": None}))
    assert (found.output_tokens, found.stream, found.status) == (12, True, "ok")


@pytest.mark.parametrize("value", [[], {"localEndpoint": {}}, "[1]"])
def test_what_is_no_span(value: Any, read: Read) -> None:
    """An empty list is counted as one without spans, all else is rejected."""
    decoded = read(value, format="zipkin_json")
    assert decoded.spans == []
    assert decoded.read == 1
    assert (decoded.skipped == {"no_spans": 1}) == (value == [])


def field(at: int, content: bytes) -> bytes:
    """A short field by its length."""
    return bytes([at << 3 | 2, len(content)]) + content


def entry(key: str, value: bytes) -> bytes:
    """A tag."""
    return field(11, field(1, key.encode()) + field(2, value))


def protobuf(*more: bytes, timestamp_us: int = START_US) -> bytes:
    """The same call in protobuf, written by hand from zipkin.proto."""
    ids = field(1, bytes.fromhex(TRACE)) + field(2, bytes(8)) + field(3, bytes.fromhex(ID))
    start = b"\x31" + struct.pack("<Q", timestamp_us)
    tags = b"".join(entry(key, value.encode()) for key, value in CALL.items())
    body = ids + b"\x20\x01" + field(5, b"chat gpt-4o") + start + field(8, field(1, b"edge")) + tags + b"".join(more)
    return b"\x0a" + bytes([len(body) & 127 | 128, len(body) >> 7]) + body


def test_protobuf(read: Read) -> None:
    """The same call, with tags as bytes, and a parent of zeros that is none."""
    decoded = read(protobuf(entry("gen_ai.usage.output_tokens", b"12")))
    assert decoded.format == "zipkin_proto"
    assert decoded.coerced == {"output_tokens": 1}
    found = decoded.spans[0]
    assert (found.span_id, found.started_at, found.duration_s) == (f"{TRACE}:{ID}", START_US / 1e6, None)
    assert (found.gateway, found.output_tokens) == ("edge", 12)


def test_bad_utf_8_in_one_tag_costs_no_span(read: Read) -> None:
    """Go's exporters check no text; the tag is read with marks where it is damaged."""
    assert read(protobuf(entry("gen_ai.response.model", b"gpt-\xff"))).spans[0].response_model == "gpt-\ufffd"


def test_times_past_64_bits_of_nanoseconds(read: Read) -> None:
    """Microseconds that overflow are refused."""
    assert [r.reason for r in read(protobuf(timestamp_us=2**63)).rejects] == ["invalid_started_at"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"", "empty_message"), (b"\x10\x01", "unrecognised_format"), (b"\x0a\x7f", "invalid_protobuf")],
)
def test_what_is_no_list(value: bytes, reason: str, read: Read) -> None:
    """Each has its reason when the format is named."""
    assert [r.reason for r in read(value, format="zipkin_proto").rejects] == [reason]


def test_files_hold_an_array_or_a_span_a_line(read: Read) -> None:
    """Both are read."""
    assert len(read("\n".join(json.dumps(span(id=f"{n:016x}")) for n in (1, 2, 3))).spans) == 3
