"""What each convention of LLM spans says in its own way: OpenInference, Traceloop, OpenLIT, Langfuse, vLLM."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import CALL, START, pairs, request, span_json

from undertow.batch import Decoded, Origin
from undertow.span import Span
from undertow_collectors.decode import otlp_json
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.provenance import Provenance

Read = Callable[..., Decoded]
Spans = Callable[[str], list[Span]]

OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o-2024-11-20",
    "llm.invocation_parameters": '{"model": "gpt-4o", "max_tokens": 200, "temperature": 0.2, "stream": true}',
    "llm.token_count.prompt": 32,
    "llm.token_count.completion": 29,
    "llm.token_count.prompt_details.cache_read": 8,
    "llm.token_count.completion_details.reasoning": 9,
    "llm.finish_reason": "stop",
    "output.value": json.dumps({"id": "chatcmpl-1", "model": "gpt-4o-2024-11-20", "system_fingerprint": "fp_1"}),
    "metadata": '{"route": "support", "task_success": true}',
}
LANGFUSE = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "gpt-4o",
    "langfuse.observation.model.parameters": '{"max_tokens": 200, "temperature": "0.2"}',
    "langfuse.observation.usage_details": '{"input": 30, "input_cached_tokens": 10, "output": 20, "total": 60}',
    "langfuse.observation.cost_details": '{"total": 0.002}',
    "langfuse.observation.completion_start_time": '"2026-09-21T14:13:21.250000Z"',
    "langfuse.observation.prompt.name": "answer",
    "langfuse.observation.prompt.version": 3,
    "langfuse.observation.output": '{"role": "assistant", "content": "Foxes are small."}',
}


def one(read: Read, attributes: dict[str, Any], **changes: Any) -> Span:
    """The only span of a request of one span."""
    decoded = read(request(span_json(attributes, **changes)))
    assert not decoded.rejects
    return decoded.spans[0]


def test_openinference(read: Read) -> None:
    """The requested model is in the parameters, the served one in `llm.model_name`, the fingerprint in the answer."""
    span = one(read, OPENINFERENCE)
    assert (span.provider, span.model, span.response_model, span.operation) == (
        "openai", "gpt-4o", "gpt-4o-2024-11-20", "chat"
    )  # fmt: skip
    assert (span.response_id, span.system_fingerprint, span.finish_reason) == ("chatcmpl-1", "fp_1", "stop")
    assert (span.input_tokens, span.output_tokens, span.cached_input_tokens, span.reasoning_tokens) == (32, 29, 8, 9)
    assert (span.max_tokens, span.temperature, span.stream) == (200, 0.2, True)
    assert (span.route, span.task_success) == ("support", True)


def test_openinference_of_a_framework_names_the_requested_model_alone(read: Read) -> None:
    """Without parameters `llm.model_name` is what was asked for, and what was served is unknown."""
    span = one(read, {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.provider": "azure"})
    assert (span.model, span.response_model, span.provider) == ("gpt-4o", None, "azure.ai.openai")


def test_openinference_of_a_failure_has_the_model_in_the_request(read: Read) -> None:
    """A failed call has no `llm.model_name`; the request says what was asked for, and nothing was served."""
    attributes = {"openinference.span.kind": "LLM", "llm.system": "openai", "input.value": '{"model": "gpt-4o"}'}
    event = {"name": "exception", "timeUnixNano": str(START), "attributes": pairs({"exception.type": "RateLimitError"})}
    span = one(read, attributes, status={"code": 2}, events=[event])
    assert (span.model, span.response_model, span.status, span.error_class) == (
        "gpt-4o", None, "error", "rate_limited"
    )  # fmt: skip


def test_openinference_stream_begins_at_its_event(read: Read) -> None:
    """The first token of a stream is an event."""
    event = {"name": "First Token Stream Event", "timeUnixNano": str(START + 500_000_000)}
    span = one(read, OPENINFERENCE, events=[event])
    assert (span.stream, span.ttft_s) == (True, 0.5)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("AGENT", "agent"),
        ("TOOL", "tool"),
        ("CHAIN", "not_llm_call"),
        ("RETRIEVER", "not_llm_call"),
        ("?", "not_llm_call"),
    ],
)
def test_other_openinference_kinds_are_no_calls(read: Read, kind: str, reason: str) -> None:
    """Chains, agents, tools and retrievers are skipped, whatever tokens they carry."""
    decoded = read(request(span_json(OPENINFERENCE | {"openinference.span.kind": kind})))
    assert (decoded.spans, decoded.skipped) == ([], Counter({reason: 1}))


def test_openinference_embeddings_have_no_output(read: Read) -> None:
    """An EMBEDDING span is an embeddings call with the tokens of its input."""
    attributes = {
        "openinference.span.kind": "EMBEDDING",
        "llm.system": "openai",
        "embedding.model_name": "text-embedding-3-small",
        "llm.token_count.prompt": 5,
    }
    span = one(read, attributes)
    assert (span.operation, span.model, span.input_tokens, span.output_tokens) == (
        "embeddings", "text-embedding-3-small", 5, None
    )  # fmt: skip


def test_the_openinference_capture(spans: Spans) -> None:
    """60 calls of the client's instrumentation: snapshots, fingerprints, streams and error classes."""
    found = spans("openinference")
    assert Counter(s.operation for s in found) == {"chat": 55, "embeddings": 5}
    assert Counter(s.error_class for s in found) == {None: 49, "rate_limited": 5, "server_error": 5, "timeout": 1}
    assert {s.provider for s in found} == {"openai"}
    assert {s.response_model for s in found if s.status == "error"} == {None}
    assert {s.response_model for s in found} >= {"gpt-4o-2024-11-20", "gpt-4o-mini-2024-07-18"}
    assert all(s.ttft_s and s.ttft_s <= s.duration_s for s in found if s.stream and s.status == "ok")


def test_langfuse(read: Read) -> None:
    """JSON inside of attributes: usage of disjoint parts, costs, parameters, the first chunk's time, the prompt."""
    span = one(read, LANGFUSE)
    assert (span.model, span.operation, span.input_tokens, span.output_tokens) == ("gpt-4o", "chat", 40, 20)
    assert (span.cached_input_tokens, span.cost_usd, span.max_tokens, span.temperature) == (10, 0.002, 200, 0.2)
    assert (span.prompt_name, span.prompt_version, span.response_chars) == ("answer", "3", 16)
    assert (span.stream, span.ttft_s) == (True, 1.25)


def test_langfuse_parts_that_are_within_the_sums_count_once(read: Read) -> None:
    """Where input and output make the total, what was cached is part of the input, as in the JavaScript client."""
    details = '{"input": 30, "input_cached_tokens": 10, "output": 20, "total": 50}'
    span = one(read, LANGFUSE | {"langfuse.observation.usage_details": details})
    assert (span.input_tokens, span.cached_input_tokens, span.output_tokens) == (30, 10, 20)


def test_langfuse_error_level_is_a_failure(read: Read) -> None:
    """An observation of level ERROR failed, though its span's status is unset."""
    assert one(read, LANGFUSE | {"langfuse.observation.level": "ERROR"}).status == "error"


@pytest.mark.parametrize("kind", ["span", "event", "chain", "retriever"])
def test_other_langfuse_observations_are_no_calls(read: Read, kind: str) -> None:
    """Only generations and embeddings are LLM calls."""
    decoded = read(request(span_json(LANGFUSE | {"langfuse.observation.type": kind})))
    assert decoded.skipped == {"not_llm_call": 1}


def test_vllm(read: Read) -> None:
    """A model server's span names no operation and no provider; its first token says nothing of streaming."""
    attributes = {
        "gen_ai.request.id": "chatcmpl-7",
        "gen_ai.request.model": "qwen3",
        "gen_ai.request.max_tokens": 64,
        "gen_ai.usage.prompt_tokens": 20,
        "gen_ai.usage.completion_tokens": 11,
        "gen_ai.latency.time_to_first_token": 0.25,
        "gen_ai.latency.e2e": 2.5,
        "gen_ai.latency.time_in_queue": 0.01,
    }
    span = one(read, attributes, name="llm_request", kind=2)
    assert (span.provider, span.model, span.operation, span.response_id) == ("vllm", "qwen3", "chat", "chatcmpl-7")
    assert (span.input_tokens, span.output_tokens, span.ttft_s, span.stream) == (20, 11, 0.25, None)


def test_older_traceloop(read: Read) -> None:
    """The names of OpenLLMetry before 0.40: `llm.*`, a provider in capitals, answers in indexed attributes."""
    attributes = {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "gpt-4o",
        "llm.is_streaming": False,
        "gen_ai.usage.prompt_tokens": 11,
        "gen_ai.usage.completion_tokens": 5,
        "llm.usage.total_tokens": 16,
        "gen_ai.prompt.0.content": "?",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "I'm sorry, but I can't help with that.",
        "gen_ai.completion.0.finish_reason": "stop",
    }
    decoded = read(request(span_json(attributes)))
    span = decoded.spans[0]
    assert (span.provider, span.operation, span.input_tokens, span.output_tokens) == ("openai", "chat", 11, 5)
    assert (span.refusal, span.response_chars, span.finish_reason, span.stream) == (True, 38, "stop", False)
    assert not decoded.unknown


def test_a_price_of_zero_is_unknown(read: Read) -> None:
    """OpenLIT and LiteLLM write a cost of zero for models whose price they do not know."""
    assert one(read, CALL | {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.cost": 0}).cost_usd is None


def test_every_field_of_a_span_can_be_explained() -> None:
    """Asked where values came from, a decoder names the attribute of each, JSON inside of attributes included."""
    sources = Provenance()
    body = json.dumps(request(span_json(OPENINFERENCE, kind=3))).encode()
    spans = otlp_json.decode(body, Context(Origin("t", 0, 0), sources=sources)).spans
    explained = sources.records[0]
    assert explained.outcome is spans[0]
    assert set(explained.notes) == {name for name in spans[0].__struct_fields__ if getattr(spans[0], name) is not None}
    told = {name: note.source for name, note in explained.notes.items()}
    assert told["input_tokens"] == "llm.token_count.prompt"
    assert told["model"] == told["max_tokens"] == "llm.invocation_parameters"
    assert told["system_fingerprint"] == "output.value"
    assert told["span_id"] == "traceId and spanId"


def test_openlit_counts_what_anthropic_leaves_out(read: Read) -> None:
    """Anthropic's input tokens leave out what was read from and written to the cache; a span's do not."""
    attributes = CALL | {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.usage.input_tokens": 93,
        "gen_ai.usage.cache_read.input_tokens": 32,
        "gen_ai.usage.cache_creation.input_tokens": 16,
    }
    body = request(span_json(attributes), scope="openlit.instrumentation.anthropic")
    assert read(body).spans[0].input_tokens == 141
    assert read(request(span_json(attributes))).spans[0].input_tokens == 93


def test_a_failure_of_older_openlit_has_nothing_but_a_name(read: Read) -> None:
    """The span's name and the error's type say what was called; elsewhere such a span is no call."""
    event = {
        "name": "exception",
        "timeUnixNano": str(START),
        "attributes": pairs({"exception.type": "openai.APIError"}),
    }
    failed = span_json({}, status={"code": 2, "message": "Error code: 429 - slow down"}, events=[event])
    span = read(request(failed, scope="openlit.otel.tracing")).spans[0]
    assert (span.provider, span.model, span.operation) == ("openai", "gpt-4o", "chat")
    assert (span.status, span.error_class, span.http_status) == ("error", "rate_limited", 429)
    assert read(request(failed)).skipped == {"not_llm_call": 1}


def test_logfire_tells_of_a_stream_twice(read: Read) -> None:
    """The span of a stream ends when it begins; the record of its end has the answer, and how long it took."""
    opened = span_json(CALL | {"logfire.span_type": "span", "gen_ai.response.model": "gpt-4o"})
    log = CALL | {"logfire.span_type": "log", "duration": 1.5, "gen_ai.usage.output_tokens": 9}
    ended = span_json(log, spanId="c" * 16, startTimeUnixNano=str(START), endTimeUnixNano=str(START))
    decoded = read(request(opened, ended))
    span = decoded.spans[0]
    assert (len(decoded.spans), decoded.skipped) == (1, {"wrapper": 1})
    assert (span.started_at, span.duration_s, span.stream, span.output_tokens) == (1.79e9 - 1.5, 1.5, True, 9)


def test_a_stream_that_broke_after_a_200(read: Read) -> None:
    """The status of the response says nothing about a failure that came later."""
    attributes = CALL | {"error.type": "connection_error", "http.response.status_code": 200}
    span = one(read, attributes, status={"code": 2})
    assert (span.status, span.error_class, span.http_status) == ("error", "connection", None)


VERCEL = {
    "ai.operationId": "ai.streamText.doStream",
    "ai.model.provider": "openai.chat",
    "ai.model.id": "gpt-4o",
    "ai.response.msToFirstChunk": 60.0,
    "ai.response.finishReason": "tool-calls",
    "ai.response.toolCalls": '[{"toolName": "weather"}]',
    "ai.usage.inputTokens": 51,
    "ai.usage.outputTokens": 40,
    "ai.usage.cachedInputTokens": 8,
}


def test_vercels_sdk(read: Read) -> None:
    """The AI SDK for Node.js has names of its own; the provider's is in front of the client's part."""
    span = one(read, VERCEL)
    assert (span.provider, span.model, span.operation, span.stream, span.ttft_s) == (
        "openai", "gpt-4o", "chat", True, 0.06
    )  # fmt: skip
    assert (span.input_tokens, span.output_tokens, span.cached_input_tokens) == (51, 40, 8)
    assert (span.finish_reason, span.tool_call_count) == ("tool_calls", 1)


@pytest.mark.parametrize(("operation", "reason"), [("ai.streamText", "wrapper"), ("ai.toolCall", "tool")])
def test_vercels_outer_spans_are_no_calls(read: Read, operation: str, reason: str) -> None:
    """The span around a call repeats it, and tools are none."""
    assert read(request(span_json(VERCEL | {"ai.operationId": operation}))).skipped == {reason: 1}
