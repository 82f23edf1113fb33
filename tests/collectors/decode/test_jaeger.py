"""Jaeger's spans in both encodings: types, times, ids, references and errors as tags and logs."""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from undertow.batch import Decoded
from undertow.span import Span

Read = Callable[..., Decoded]
TRACE, ID, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
START = 1_790_000_000
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
STRING, BOOL, INT64, FLOAT64, BINARY = range(5)
NAMES = {STRING: "vStr", BOOL: "vBool", INT64: "vInt64", FLOAT64: "vFloat64", BINARY: "vBinary"}


def b64(digits: str) -> str:
    """Hex as base64."""
    return base64.b64encode(bytes.fromhex(digits)).decode()


def tag(key: str, value: Any) -> dict[str, Any]:
    """A tag in JSON, where what is zero is left out."""
    kind = {str: STRING, bool: BOOL, int: INT64, float: FLOAT64, bytes: BINARY}[type(value)]
    shown = base64.b64encode(value).decode() if kind == BINARY else str(value) if kind == INT64 else value
    typed = {"vType": ("STRING", "BOOL", "INT64", "FLOAT64", "BINARY")[kind]} if kind else {}
    return {"key": key} | typed | ({NAMES[kind]: shown} if value else {})


def span(tags: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A call in Jaeger's JSON, with `tags` beside the three that make it one."""
    return {
        "traceId": b64(TRACE),
        "spanId": b64(ID),
        "operationName": "chat gpt-4o",
        "startTime": "2026-09-21T14:13:20.000000001Z",
        "duration": "2.500s",
        "tags": [tag(key, value) for key, value in (CALL | (tags or {})).items()],
        "process": {"serviceName": "edge", "tags": [tag("service.version", "1.2")]},
    } | changes


def number(value: int) -> bytes:
    """Protobuf's variable-length integer."""
    value &= 2**64 - 1
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + number(value >> 7)


def field(at: int, content: bytes | str | int) -> bytes:
    """A field: text and bytes by their length, an integer by itself."""
    if isinstance(content, int):
        return number(at << 3) + number(content)
    body = content.encode() if isinstance(content, str) else content
    return number(at << 3 | 2) + number(len(body)) + body


def protobuf_tag(key: str, value: Any) -> bytes:
    """A tag in protobuf, written by hand."""
    kind = {str: STRING, bool: BOOL, int: INT64, float: FLOAT64, bytes: BINARY}[type(value)]
    typed = field(1, key) + field(2, kind)
    return typed + (number(6 << 3 | 1) + struct.pack("<d", value) if kind == FLOAT64 else field(3 + kind, value))


def protobuf(
    tags: dict[str, Any], start: tuple[int, int] = (START, 1), length: tuple[int, int] = (2, 500_000_000)
) -> bytes:
    """The same call in protobuf, written by hand from model.proto."""
    times = [field(1, seconds) + field(2, nanos) for seconds, nanos in (start, length)]
    process = field(1, "edge") + field(2, protobuf_tag("service.version", "1.2"))
    parts = [field(1, bytes.fromhex(TRACE)), field(2, bytes.fromhex(ID)), field(3, "chat gpt-4o")]
    parts += [field(6, times[0]), field(7, times[1])]
    parts += [field(8, protobuf_tag(key, value)) for key, value in (CALL | tags).items()]
    return b"".join([*parts, field(10, process)])


@pytest.fixture(name="one")
def _one(read: Read) -> Callable[..., Span]:
    """The single span of a message, which must have no rejects."""

    def one(value: Any, **options: Any) -> Span:
        decoded = read(value, **options)
        assert decoded.rejects == []
        return decoded.spans[0]

    return one


@pytest.mark.parametrize("write", [span, protobuf])
def test_a_call(write: Callable[..., Any], one: Callable[..., Span]) -> None:
    """Ids in hex, times to the nanosecond, the service as the gateway, and tags of every type."""
    found = one(
        write(
            {
                "gen_ai.usage.output_tokens": 12,
                "gen_ai.request.temperature": 0.5,
                "gen_ai.request.stream": True,
                "gen_ai.response.finish_reasons": '["stop"]',
            }
        )
    )
    assert found.span_id == f"{TRACE}:{ID}"
    assert found.started_at == START + 1e-9
    assert found.duration_s == 2.5
    assert found.gateway == "edge"
    assert found.labels == {"gateway_version": "1.2"}
    assert (found.output_tokens, found.temperature, found.stream) == (12, 0.5, True)
    assert (found.finish_reason, found.status) == ("stop", "ok")


@pytest.mark.parametrize("write", [span, protobuf])
def test_what_is_zero_is_there_though_it_is_left_out(write: Callable[..., Any], one: Callable[..., Span]) -> None:
    """Protobuf leaves out false, 0 and 0.0, and the type of the tag tells them from nothing."""
    found = one(
        write(
            {
                "gen_ai.usage.input_tokens": 5,
                "gen_ai.usage.output_tokens": 0,
                "gen_ai.request.temperature": 0.0,
                "gen_ai.request.stream": False,
            }
        )
    )
    assert (found.output_tokens, found.temperature, found.stream) == (0, 0.0, False)


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({"error": True}, "error"),
        ({"error": "true"}, "error"),
        ({"error": False}, "ok"),
        ({"error": "false"}, "ok"),
        ({"otel.status_code": "ERROR"}, "error"),
        ({"otel.status_code": "STATUS_CODE_ERROR"}, "error"),
        ({"otel.status_code": "OK", "error": "the user's own attribute"}, "ok"),
        ({}, "ok"),
    ],
)
@pytest.mark.parametrize("write", [span, protobuf])
def test_failures(write: Callable[..., Any], tags: dict[str, Any], status: str, one: Callable[..., Span]) -> None:
    """The status tag decides; without it any `error` but false is a failure."""
    assert one(write(tags)).status == status


def test_an_exception_is_a_log(one: Callable[..., Span]) -> None:
    """An event became a log with its name as the field `event`."""
    fields = [tag("event", "exception"), tag("exception.type", "openai.RateLimitError")]
    log = {"timestamp": "2026-09-21T14:13:21Z", "fields": fields}
    assert one(span({"error": True}, logs=[log])).error_class == "rate_limited"


def test_the_first_chunk_is_a_log(one: Callable[..., Span]) -> None:
    """The time to the first token is that of the log, to the nanosecond."""
    log = {"timestamp": "2026-09-21T14:13:20.250000001Z", "fields": [tag("event", "gen_ai.content.completion.chunk")]}
    assert one(span({"gen_ai.request.stream": True}, logs=[log])).ttft_s == 0.25


@pytest.mark.parametrize("name", ["OTLPResourceNoServiceName", "unknown_service:python", ""])
def test_a_service_that_somebody_made_up(name: str, one: Callable[..., Span]) -> None:
    """Where the resource has no name the Collector writes one, which is no gateway's."""
    assert one(span(process={"serviceName": name})).gateway is None


def test_a_span_without_a_process(one: Callable[..., Span]) -> None:
    """The gateway is unknown, the call is not."""
    assert one(span(process=None)).gateway is None


def test_tags_that_stand_for_parts_of_the_span_are_not_unread(read: Read) -> None:
    """Kind, status and scope are read, though no field has their names."""
    own = {
        "span.kind": "client",
        "otel.status_code": "OK",
        "otel.scope.name": "x",
        "otel.scope.version": "1",
        "mine": 1,
    }
    assert read(span(own)).unknown == {"mine": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"traceId": "no base64!"}, "invalid_trace_id"),
        ({"traceId": b64("00" * 16)}, "missing_trace_id"),
        ({"traceId": b64("ab" * 20)}, "invalid_trace_id"),
        ({"spanId": ""}, "missing_span_id"),
        ({"spanId": b64("ab" * 4)}, "invalid_span_id"),
        ({"startTime": "yesterday"}, "invalid_started_at"),
        ({"startTime": "2026-09-21T14:13:20+02:00"}, "invalid_started_at"),
        ({"startTime": "2026-02-30T14:13:20Z"}, "invalid_started_at"),
        ({"startTime": "1969-12-31T23:59:59Z"}, "invalid_started_at"),
        ({"duration": "2 seconds"}, "invalid_duration_s"),
        ({"tags": {}}, "unexpected_type"),
    ],
)
def test_damaged_parts(changes: dict[str, Any], reason: str, read: Read) -> None:
    """Each has its reason."""
    decoded = read(span() | changes)
    assert [r.reason for r in decoded.rejects] == [reason]


def test_trace_ids_of_64_bits_are_lengthened(one: Callable[..., Span]) -> None:
    """Jaeger's old clients have them, and OTLP's are 128 bits long."""
    assert one(span(traceId=b64(ID))).trace_id == "0" * 16 + ID


@pytest.mark.parametrize("start", [(-1, 0), (2**62, 0), (0, -5)])
def test_times_that_no_clock_shows(start: tuple[int, int], read: Read) -> None:
    """Seconds before 1970 or past 64 bits of nanoseconds are refused, not wrapped around."""
    assert [r.reason for r in read(protobuf({}, start)).rejects] == ["invalid_started_at"]


def test_a_span_that_ends_before_it_starts(one: Callable[..., Span]) -> None:
    """Its duration is unknown."""
    assert one(span(duration="-1.5s")).duration_s is None
    assert one(protobuf({}, length=(-1, 0))).duration_s is None


def test_types_of_tags_that_are_not_known(one: Callable[..., Span], read: Read) -> None:
    """Bytes and types to come say nothing; the call is read without them."""
    assert one(span({"gen_ai.response.model": b"gpt"})).response_model is None
    assert one(protobuf({"gen_ai.response.model": b"gpt"})).response_model is None
    odd = {"key": "gen_ai.response.model", "vType": "DECIMAL", "vStr": "x"}
    assert one(span() | {"tags": [*span()["tags"], odd]}).response_model is None
    broken = protobuf({}) + field(8, field(1, "gen_ai.response.model") + field(2, 77))
    assert read(broken).spans[0].response_model is None


def test_bad_utf_8_in_one_tag_costs_no_span(one: Callable[..., Span]) -> None:
    """Go's exporters check no text; the tag is read with marks where it is damaged."""
    broken = field(8, field(1, "gen_ai.response.model") + field(3, b"gpt-\xff"))
    assert one(protobuf({}) + broken).response_model == "gpt-\ufffd"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty_message"),
        (field(3, "no ids"), "unrecognised_format"),
        (field(1, bytes.fromhex(TRACE))[:-1], "invalid_protobuf"),
    ],
)
def test_what_is_no_span(value: bytes, reason: str, read: Read) -> None:
    """Each has its reason when the format is named."""
    assert [r.reason for r in read(value, format="jaeger_proto").rejects] == [reason]


def test_files_hold_one_span_a_line(read: Read) -> None:
    """Lines and arrays of spans are read too, and a bad one costs itself alone."""
    lines = "\n".join(json.dumps(s) for s in (span(), span(traceId=1), span(spanId=b64(PARENT))))
    decoded = read(lines)
    assert len(decoded.spans) == 2
    assert [(r.reason, r.index) for r in decoded.rejects] == [("unexpected_type", 1)]
    assert len(read([span(), span()]).spans) == 2
