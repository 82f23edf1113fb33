"""OTLP in both encodings: which spans are calls, and what their attributes mean under all their names."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.collectors.decode.otlp_bodies import (
    CALL,
    ID,
    START,
    TRACE,
    protobuf,
    request,
    span_json,
)

from undertow.batch import Decoded, Message
from undertow.span import Span
from undertow_collectors.decode import attributes as table
from undertow_collectors.decode.otlp_schema import plain, value_of
from undertow_collectors.decode.registry import decode

Read = Callable[..., Decoded]
Capture = Callable[[str], list[Message]]
One = Callable[..., Span]


@pytest.fixture(name="one", params=["protobuf", "json"])
def _one(request: pytest.FixtureRequest, read: Read) -> Callable[..., Span]:
    """Decode one span through each encoding."""
    return lambda *args, **changes: decoded_by(request.param, read, span_json(*args, **changes)).spans[0]


def decoded_by(encoding: str, read: Read, *spans: dict[str, Any], **options: Any) -> Decoded:
    """What a request becomes in one of the encodings."""
    body = request(*spans, **options)
    return read(protobuf(body) if encoding == "protobuf" else body)


def test_a_call(one: One) -> None:
    """Ids, times and names of a plain call."""
    span = one()
    assert (span.span_id, span.trace_id) == (f"{TRACE}:{ID}", TRACE)
    assert (span.started_at, span.duration_s) == (1.79e9, 2.5)
    assert (span.gateway, span.provider, span.model, span.operation) == ("edge", "openai", "gpt-4o", "chat")
    assert (span.status, span.fallback, span.stream, span.output_tokens) == ("ok", None, None, None)


VALUES: dict[str, tuple[Any, Any]] = {
    "operation": ("text_completion", "text_completion"),
    "provider": ("mistral", "mistral_ai"),
    "model": ("mine", "mine"),
    "sent_model": ("openai/mine", "mine"),
    "stream": (True, True),
    "input_tokens": (12, 12),
    "output_tokens": (70_000, 70_000),
    "cached_input_tokens": (3, 3),
    "reasoning_tokens": (300, 300),
    "max_tokens": (2**31, 2**31),
    "temperature": (0.25, 0.25),
    "ttft_s": (0.5, 0.5),
    "cost_usd": (0.001, 0.001),
    "http_status": (200, 200),
}


@pytest.mark.parametrize(
    ("field", "attribute"), [(field, name) for field, found in table.FIELD_ATTRIBUTES.items() for name in found]
)
def test_every_name_of_every_field(one: One, field: Any, attribute: Any) -> None:
    """Each attribute name of the table, current or gone, reaches its field in both encodings."""
    given, expected = VALUES.get(field, ("x-1", "x-1"))
    base = {"input_tokens": "gen_ai.usage.input_tokens"}
    attributes = CALL | ({base["input_tokens"]: 9} if field != "input_tokens" else {})
    attributes = {k: v for k, v in attributes.items() if table.PLAN[k].name != field} | {attribute: given}
    assert getattr(one(attributes), field) == expected


def test_current_names_win(one: One) -> None:
    """Where an instrumentation writes old and new names side by side, the new one counts, in any order."""
    old_and_new = {"gen_ai.usage.prompt_tokens": 1, "gen_ai.usage.input_tokens": 2}
    assert one(CALL | old_and_new).input_tokens == 2
    assert one(old_and_new | CALL | dict(reversed(old_and_new.items()))).input_tokens == 2
    assert one(CALL | {"gen_ai.system": "azure", "gen_ai.provider.name": ""}).provider == "azure.ai.openai"


def test_own_attributes_win_over_all(one: One) -> None:
    """`undertow.<field>` sets any field of the span directly."""
    own = {"undertow.route": "support", "undertow.parse_ok": False, "undertow.model": "alias", "undertow.score": 0.5}
    span = one(CALL | own)
    assert (span.route, span.parse_ok, span.model, span.score) == ("support", False, "alias", 0.5)


@pytest.mark.parametrize(
    ("given", "expected"), [("True", True), ("false", False), (1, True), ("maybe", None), (True, True)]
)
def test_booleans_that_are_strings(one: One, given: Any, expected: Any) -> None:
    """LiteLLM writes "True"; a word that is neither is unknown."""
    assert one(CALL | {"llm.is_streaming": given}).stream is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [(["stop"], "stop"), ('["tool_calls"]', "tool_calls"), ("max_tokens", "length"), (["weird"], "other"), ([], None)],
)
def test_finish_reasons_in_all_shapes(one: One, given: Any, expected: Any) -> None:
    """An array, JSON in a string, or a bare word."""
    assert one(CALL | {"gen_ai.response.finish_reasons": given}).finish_reason == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("120", 120), (120.0, 120), (-5, None), ("--5", None), ("many", None), (2**60, None)]
)
def test_counts_of_other_types(read: Read, given: Any, expected: Any) -> None:
    """A count that can only mean one thing is repaired, any other is unknown; both are counted."""
    for encoding in ("protobuf", "json"):
        decoded = decoded_by(encoding, read, span_json(CALL | {"gen_ai.usage.output_tokens": given}))
        assert decoded.spans[0].output_tokens == expected
        assert decoded.coerced == {"output_tokens": 1}


@pytest.mark.parametrize(
    ("attributes", "failed", "status", "error", "http"),
    [
        ({"error.type": "RateLimitError"}, True, "error", "rate_limited", None),
        ({"error.type": "429"}, False, "error", "rate_limited", 429),
        ({"error.type": "openai.APITimeoutError"}, True, "error", "timeout", None),
        ({"error.type": "APIConnectionError"}, True, "error", "connection", None),
        ({"http.response.status_code": 503}, True, "error", "server_error", 503),
        ({"error.type": "BadRequestError", "error.code": "content_filter"}, True, "error", "content_filter", None),
        ({"error.type": "BadRequestError", "error.code": "400"}, True, "error", "invalid_request", 400),
        ({"error.type": "_OTHER"}, True, "error", "other", None),
        ({}, True, "error", "other", None),
        ({"error.type": "ClientDisconnected"}, False, "cancelled", None, None),
        ({"error.type": "asyncio.CancelledError"}, True, "cancelled", None, None),
        ({"litellm.provider.error.code": "499"}, False, "cancelled", None, 499),
        ({"http.response.status_code": 499}, False, "cancelled", None, 499),
        ({"http.response.status_code": 200}, False, "ok", None, 200),
    ],
)
def test_outcomes(one: One, attributes: Any, failed: Any, status: Any, error: Any, http: Any) -> None:
    """Failures have a class whatever names them; a client that went away is neither a success nor a failure."""
    span = one(CALL | attributes, status={"code": 2 if failed else 0})
    assert (span.status, span.error_class, span.http_status) == (status, error, http)


def test_an_exception_event_names_the_error(one: One) -> None:
    """Without error.type the exception event tells what happened."""
    event = {
        "name": "exception",
        "timeUnixNano": str(START),
        "attributes": [{"key": "exception.type", "value": {"stringValue": "openai.RateLimitError"}}],
    }
    assert one(status={"code": 2}, events=[event]).error_class == "rate_limited"


def test_the_first_chunk(one: One) -> None:
    """Time to first token: an attribute, else the first chunk's event of a stream; never for answers in one piece."""
    events = [
        {"name": "gen_ai.content.completion.chunk", "timeUnixNano": str(START + offset)}
        for offset in (2_000_000, 1_000_000)
    ]
    assert one(CALL | {"gen_ai.is_streaming": True}, events=events).ttft_s == 0.001
    assert one(CALL | {"gen_ai.is_streaming": False}, events=events).ttft_s is None
    unsaid = one(CALL, events=events)
    assert (unsaid.stream, unsaid.ttft_s) == (True, 0.001)
    assert one(CALL | {"gen_ai.server.time_to_first_token": 0.2, "gen_ai.request.stream": False}).ttft_s is None
    assert one(CALL | {"gen_ai.response.time_to_first_chunk": 0.2}).stream is True


@pytest.mark.parametrize("operation", ["embeddings", "embedding", "aembedding", "rerank"])
def test_calls_that_generate_nothing(one: One, operation: Any) -> None:
    """Embeddings have no output tokens, whatever is reported."""
    usage = {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 0}
    assert one(CALL | usage | {"gen_ai.operation.name": operation}).output_tokens is None


@pytest.mark.parametrize(
    ("name", "attributes", "reason"),
    [
        ("GET /health", {}, "not_llm_call"),
        ("route gpt-4o", {"gen_ai.request.model": "gpt-4o"}, "wrapper"),
        ("cache.get llm_response", {"gen_ai.request.model": "gpt-4o"}, "wrapper"),
        ("redis.set llm_response", {"gen_ai.request.model": "gpt-4o"}, "wrapper"),
        ("caches", {"gen_ai.request.model": "gpt-4o"}, "unrecognised"),
        ("fastapi.dependencies", CALL, "wrapper"),
        ("raw_gen_ai_request", CALL, "wrapper"),
        ("litellm_proxy_request", {"openinference.span.kind": "LLM"}, "wrapper"),
        ("run", CALL | {"gen_ai.operation.name": "invoke_agent"}, "agent"),
        ("get_weather", CALL | {"gen_ai.operation.name": "execute_tool"}, "tool"),
        ("chain", {"openinference.span.kind": "CHAIN"}, "not_llm_call"),
        ("flow", {"traceloop.span.kind": "workflow"}, "wrapper"),
        ("guess", {"gen_ai.system": "openai", "gen_ai.request.model": "x"}, "unrecognised"),
    ],
)
def test_spans_that_are_no_calls(read: Read, name: Any, attributes: Any, reason: Any) -> None:
    """What is no call is skipped under a reason, in both encodings."""
    for encoding in ("protobuf", "json"):
        decoded = decoded_by(encoding, read, span_json(attributes, name=name))
        assert (decoded.skipped, decoded.spans, decoded.rejects) == ({reason: 1}, [], [])


def test_a_call_without_an_operation(one: One) -> None:
    """LiteLLM's semconv mode writes no operation: provider, model and usage together make a call."""
    attributes = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 4}
    assert one(attributes).operation == "chat"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"traceId": "0" * 32}, "missing_trace_id"),
        ({"spanId": ""}, "missing_span_id"),
        ({"traceId": "xyz" + TRACE[3:]}, "invalid_trace_id"),
        ({"traceId": TRACE[:-2]}, "invalid_trace_id"),
        ({"spanId": 7}, "missing_span_id"),
        ({"startTimeUnixNano": "soon"}, "invalid_started_at"),
        ({"endTimeUnixNano": str(2**64)}, "invalid_duration_s"),
        ({"attributes": {"gen_ai.operation.name": "chat"}}, "missing_model"),
    ],
)
def test_spans_that_cannot_be(read: Read, change: Any, reason: Any) -> None:
    """A span without its ids, times or model is one reject at its place; its neighbours stay."""
    decoded = read(request(span_json(), span_json(**change)))
    assert len(decoded.spans) == 1
    assert [(r.reason, r.index) for r in decoded.rejects] == [(reason, 1)]


def test_missing_start_is_the_records_time_less_the_duration(read: Read) -> None:
    """A span without a start is dated by the record, and reported as derived."""
    decoded = read(request(span_json(startTimeUnixNano="0", endTimeUnixNano="0")))
    assert decoded.spans[0].started_at == 1_790_000_000.0
    assert decoded.derived == {"started_at": 1}


def test_enums_by_name_and_ids_in_capitals(read: Read) -> None:
    """Tolerated spellings of OTLP/JSON: enum names, numbers for 64-bit integers, upper-case ids."""
    span = span_json(status={"code": "STATUS_CODE_ERROR"}, traceId=TRACE.upper(), startTimeUnixNano=START)
    found = read(request(span)).spans[0]
    assert (found.status, found.trace_id, found.started_at) == ("error", TRACE, 1.79e9)


def test_an_unset_service_is_no_gateway(read: Read) -> None:
    """The SDK's `unknown_service` is nobody's name."""
    for name in ("unknown_service", "unknown_service:python", ""):
        assert read(request(span_json(), service=name)).spans[0].gateway is None


def test_attributes_kept_as_labels(read: Read) -> None:
    """Attributes that keep_labels names become labels; the other unread ones are counted."""
    body = request(span_json(CALL | {"team": "search", "shard": 4, "other": "x"}))
    for value in (protobuf(body), json.dumps(body).encode()):
        decoded = read(value, keep_labels=frozenset({"team", "shard"}))
        assert decoded.spans[0].labels == {"team": "search", "shard": "4"}
        assert decoded.unknown == {"other": 1}


def test_litellm_raw_request_lends_its_fingerprint(read: Read) -> None:
    """LiteLLM v1 writes the provider's fingerprint and model on a child span only; it is joined to its call."""
    call = span_json(CALL | {"litellm.call_id": "c", "gen_ai.response.model": "gpt-4o"})
    raw_attributes = {"llm.openai.system_fingerprint": "fp_1", "llm.openai.model": "gpt-4o-2024-11-20"}
    raw = span_json(raw_attributes, name="raw_gen_ai_request", spanId="1" * 16, parentSpanId=ID)
    for encoding in ("protobuf", "json"):
        for spans in ((call, raw), (raw, call)):
            decoded = decoded_by(encoding, read, *spans, scope="litellm")
            assert decoded.skipped == {"wrapper": 1}
            assert decoded.spans[0].system_fingerprint == "fp_1"
            assert decoded.spans[0].response_model == "gpt-4o-2024-11-20"


def test_retries_are_no_fallbacks(read: Read) -> None:
    """Only an earlier failure of another model makes an answer a fallback."""
    failed = span_json(CALL | {"litellm.call_id": "c"}, status={"code": 2})
    again = span_json(CALL | {"litellm.call_id": "c"}, spanId="1" * 16, startTimeUnixNano=str(START + 1000))
    moved = span_json(CALL | {"litellm.call_id": "c", "gen_ai.request.model": "m"})
    other = again | {"attributes": moved["attributes"]}
    assert [s.fallback for s in read(request(failed, again)).spans] == [None, None]
    assert [s.fallback for s in read(request(failed, other)).spans] == [None, True]
    assert [s.fallback for s in read(request(other, failed)).spans] == [True, None]


@pytest.mark.parametrize("folder", ["litellm-otel-v2", "otel-official", "traceloop-nocontent"])
def test_both_encodings_say_the_same(capture: Capture, read: Read, folder: str) -> None:
    """Every captured protobuf message gives the very same spans and counts when it is sent as JSON."""
    for message in capture(folder):
        body = MessageToDict(TracesData.FromString(message.value))
        for group in body["resourceSpans"]:
            for span in (s for scoped in group["scopeSpans"] for s in scoped["spans"]):
                for key in ("traceId", "spanId", "parentSpanId"):
                    span[key] = msgspec.convert(span.get(key, ""), bytes, strict=False).hex()
        binary, text = decode(message), read(body)
        assert (binary.format, text.format) == ("otlp", "otlp_json")
        assert binary.spans == text.spans
        assert (binary.skipped, binary.coerced, binary.derived) == (text.skipped, text.coerced, text.derived)
        assert binary.unknown.total() == text.unknown.total()


@pytest.mark.parametrize(
    "value", [0, 1, 127, 128, 16383, 16384, 2**62, -1, 0.5, "", "x" * 127, "x" * 128, "ä", True, False]
)
def test_values_are_read_as_protobuf_reads_them(value: Any) -> None:
    """The short cuts through an encoded AnyValue agree with the protobuf library."""
    found = AnyValue()
    kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
    setattr(found, kind, value)
    raw = found.SerializeToString()
    assert value_of(raw) == plain(AnyValue.FromString(raw)) == value
    assert type(value_of(raw)) is type(value)
    assert value_of(b"") is None


def test_two_requests_one_after_another_are_one(read: Read) -> None:
    """Protobuf messages concatenate; so do recorded request bodies in a file."""
    body = protobuf(request(span_json()))
    second = protobuf(request(span_json(spanId="2" * 16)))
    assert len(read(body + second).spans) == 2


def test_protobuf_that_begins_like_json(read: Read) -> None:
    """A resource of 123 or 91 bytes makes a request start with a line feed and a bracket; it is OTLP all the same."""
    seen = set()
    for size in range(200):
        value = protobuf(request(span_json({"http.method": "GET"}), service="x" * size))
        assert read(value).skipped == {"not_llm_call": 1}
        seen.add(value[:2])
    assert {b"\n{", b"\n["} <= seen | {protobuf(request(service="x" * n))[:2] for n in range(200)}
    assert read(b"\n" + json.dumps(request(span_json()), indent=1).encode()).format == "otlp_json"


def test_values_that_are_no_values(read: Read) -> None:
    """A broken attribute costs the call that needs it, and nothing where it is not needed."""
    traces = TracesData.FromString(protobuf(request(span_json(), span_json(spanId="2" * 16))))
    body = traces.SerializeToString()
    model = b"\x0a\x06gpt-4o"
    assert body.count(model) == 2
    decoded = read(body.replace(model, b"\x0a\x07gpt-4o", 1))
    assert ([r.reason for r in decoded.rejects], len(decoded.spans)) == (["invalid_attributes"], 1)
    decoded = read(body.replace(b"\x0a\x04edge", b"\x0a\x05edge", 1))
    assert [s.gateway for s in decoded.spans] == [None, None]


def test_one_bad_line_of_json_costs_one_line(read: Read) -> None:
    """OTLP/JSON one request a line, as the Collector's file exporter writes it."""
    good = json.dumps(request(span_json()))
    decoded = read("\n".join([good, good[:-5], good.replace(ID, "2" * 16)]))
    assert (decoded.format, len(decoded.spans)) == ("otlp_json", 2)
    assert [(r.reason, r.index) for r in decoded.rejects] == [("invalid_json", 1)]
