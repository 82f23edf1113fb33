"""Spans of Genkit, in Go and in JavaScript, with what its plugins for each provider put into an action's output."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import request, span_json

from undertow.batch import Decoded
from undertow.span import Span

Read = Callable[..., Decoded]


def action(output: Any, name: str = "googleai/gemini-2.5-flash", **more: Any) -> dict[str, Any]:
    """The attributes of an action of a model."""
    attributes = {"genkit:type": "action", "genkit:metadata:subtype": "model", "genkit:name": name}
    return attributes | ({"genkit:output": json.dumps(output)} if output is not None else {}) | more


def one(read: Read, attributes: dict[str, Any], **changes: Any) -> Span:
    """The only span of a request of one span."""
    decoded = read(request(span_json(attributes, **changes)))
    assert not decoded.rejects, decoded.rejects
    return decoded.spans[0]


GEMINI = {
    "candidates": [
        {
            "content": {"parts": [{"text": "Hm", "thought": True}, {"text": "Blue."}], "role": "model"},
            "finishReason": "MAX_TOKENS",
        }
    ],
    "modelVersion": "gemini-2.5-flash-001",
    "responseId": "r-1",
    "usageMetadata": {
        "promptTokenCount": 11,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 18,
        "cachedContentTokenCount": 3,
    },
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "stop_reason": "tool_use",
    "content": [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "t", "name": "weather", "input": {}},
    ],
    "usage": {
        "input_tokens": 6,
        "cache_read_input_tokens": 3000,
        "cache_creation_input_tokens": 120,
        "output_tokens": 40,
    },
}


def test_the_body_of_gemini_in_javascript(read: Read) -> None:
    """Genkit's usage has thoughts beside the output; the body says the same, and who answered."""
    usage = {"inputTokens": 11, "outputTokens": 5, "thoughtsTokens": 2, "totalTokens": 18, "cachedContentTokens": 3}
    said = {"index": 0, "message": {"role": "model", "content": [{"text": "Blue."}]}, "finishReason": "length"}
    span = one(read, action({"candidates": [said], "custom": GEMINI, "usage": usage}))
    assert (span.provider, span.model, span.response_model) == (
        "gcp.gemini",
        "gemini-2.5-flash",
        "gemini-2.5-flash-001",
    )
    assert (span.input_tokens, span.output_tokens, span.reasoning_tokens, span.cached_input_tokens) == (11, 7, 2, 3)
    assert (span.finish_reason, span.response_chars, span.response_id) == ("length", 5, "r-1")


def test_gemini_in_go_has_no_body(read: Read) -> None:
    """The plugin for Go keeps the candidates alone; what the total shows beside the output belongs to it."""
    usage = {"inputTokens": 11, "outputTokens": 5, "thoughtsTokens": 2, "totalTokens": 18}
    message = {"content": [{"text": "Blue."}], "role": "model"}
    output = {"custom": {"candidates": GEMINI["candidates"]}, "finishReason": "length", "message": message}
    span = one(read, action(output | {"usage": usage}, "vertexai/gemini-2.5-flash"))
    assert (span.provider, span.response_model) == ("gcp.vertex_ai", None)
    assert (span.output_tokens, span.finish_reason, span.response_chars) == (7, "length", 5)
    fewer = one(read, action(output | {"usage": usage | {"outputTokens": 7}}))
    assert fewer.output_tokens == 7, "a total that fits is believed"


def test_the_body_of_anthropic(read: Read) -> None:
    """What went through the cache is beside Anthropic's input, in its body as in Genkit's own usage."""
    custom = {"cache_read_input_tokens": 3000, "cache_creation_input_tokens": 120}
    usage = {"inputTokens": 6, "outputTokens": 40, "custom": custom}
    content = [{"text": "Let me look."}, {"toolRequest": {"name": "weather", "ref": "t", "input": {}}}]
    said = {"finishReason": "stop", "message": {"role": "model", "content": content}}
    for body in ({"raw": ANTHROPIC, "custom": ANTHROPIC}, {}):
        span = one(read, action({"candidates": [said], "usage": usage} | body, "anthropic/claude-sonnet-4-5"))
        assert (span.provider, span.input_tokens, span.cached_input_tokens) == ("anthropic", 3126, 3000)
        assert (span.finish_reason, span.tool_call_count, span.response_chars) == ("tool_calls", 1, 12)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("blocked", "content_filter"), ("unknown", None), ("interrupted", "other"), ("length", "length")],
)
def test_the_words_of_genkit_for_an_end(read: Read, reason: str, expected: str | None) -> None:
    """Genkit has words of its own; one that it does not know is unknown."""
    said = {"finishReason": reason, "message": {"role": "model", "content": [{"text": "x"}]}}
    assert one(read, action(said, "ollama/llama3")).finish_reason == expected


def test_json_is_held_against_the_schema_that_bound_the_provider(read: Read) -> None:
    """Where the provider was not bound to a schema, a prompt asked for it, and fences may stand around the answer."""
    said = {"finishReason": "stop", "message": {"role": "model", "content": [{"text": '{"a": "x"}'}]}}
    schema = {"type": "object", "properties": {"a": {"type": "number"}}}
    for constrained, expected in ((True, False), (False, None)):
        asked = {"messages": [], "output": {"format": "json", "constrained": constrained, "schema": schema}}
        assert one(read, action(said, **{"genkit:input": json.dumps(asked)})).parse_ok is expected


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (
            {"genkit:type": "util", "genkit:name": "generate", "genkit:output": '{"usage": {"inputTokens": 1}}'},
            "wrapper",
        ),
        ({"genkit:type": "util", "genkit:metadata:subtype": "util", "genkit:name": "generate"}, "wrapper"),
        ({"genkit:type": "action", "genkit:metadata:subtype": "tool", "genkit:name": "weather"}, "tool"),
        ({"genkit:type": "action", "genkit:metadata:subtype": "flow", "genkit:name": "menu"}, "not_llm_call"),
        ({"genkit:type": "flowStep", "genkit:name": "step"}, "not_llm_call"),
    ],
)
def test_actions_that_are_no_calls(read: Read, attributes: dict[str, Any], reason: str) -> None:
    """Only the actions of models and embedders are calls; `generate` repeats what one of them answered."""
    decoded = read(request(span_json(attributes)))
    assert (decoded.skipped, decoded.spans, decoded.rejects) == ({reason: 1}, [], [])


def test_embeddings(read: Read) -> None:
    """An embedder is a call that generates nothing."""
    attributes = action({"embeddings": [{"embedding": [0.1]}]}, "openai/text-embedding-3-small")
    span = one(read, attributes | {"genkit:metadata:subtype": "embedder"})
    assert (span.operation, span.model, span.response_chars) == ("embeddings", "text-embedding-3-small", None)


@pytest.mark.parametrize(
    ("message", "status", "error_class", "http_status"),
    [
        (
            "RESOURCE_EXHAUSTED: Error fetching from https://h/v1: [429 Too Many Requests] quota",
            "error",
            "rate_limited",
            429,
        ),
        ("UNAUTHENTICATED: no key", "error", "auth", None),
        ("UNKNOWN: Connection error.", "error", "connection", None),
        ("Premature close", "error", "connection", None),
        ("stream error: context canceled", "cancelled", None, None),
        ("failed to call: context deadline exceeded", "error", "timeout", None),
    ],
)
def test_failures(read: Read, message: str, status: str, error_class: str | None, http_status: int | None) -> None:
    """A failed action names its model; the sentence says what happened, in Go's words and in gRPC's."""
    span = one(read, action(None), status={"code": 2, "message": message})
    assert (span.model, span.provider) == ("gemini-2.5-flash", "gcp.gemini")
    assert (span.status, span.error_class, span.http_status) == (status, error_class, http_status)


def test_what_surrounds_an_answer_moves_nothing(read: Read) -> None:
    """The same answer in a plugin's body, in Genkit's message and beside another request has the same signals."""
    message = {"role": "model", "content": [{"text": "Blue."}]}
    bodies: list[dict[str, Any]] = [
        {"message": message, "finishReason": "stop"},
        {
            "message": message,
            "finishReason": "stop",
            "custom": {"id": "c", "model": "m"},
            "request": {"messages": [message] * 9},
        },
        {"candidates": [{"index": 0, "message": message, "finishReason": "stop"}], "latencyMs": 12.5},
        {"raw": {"choices": [{"message": {"role": "assistant", "content": "Blue."}, "finish_reason": "stop"}]}},
    ]
    spans = [one(read, action(body)) for body in bodies]
    assert {(s.response_chars, s.response_sha256, s.schema_fingerprint, s.finish_reason) for s in spans} == {
        (5, spans[0].response_sha256, None, "stop")
    }
    other = one(read, action({"message": {"role": "model", "content": [{"text": "Blue!!"}]}}))
    assert other.response_chars == 6, "another answer is told apart"


@pytest.mark.parametrize(
    "output", ["[]", "{", '"text"', "null", '{"message": 3, "usage": [], "candidates": [1], "raw": 2}']
)
def test_an_output_that_is_something_else_costs_no_call(read: Read, output: str) -> None:
    """The call stays, with what its name says."""
    span = one(read, action(None, **{"genkit:output": output, "genkit:input": output}))
    assert (span.model, span.status, span.response_chars, span.input_tokens) == ("gemini-2.5-flash", "ok", None, None)
