"""Spans of Google's Agent Development Kit for Go and for Java, whose output counts OpenAI's reasoning twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import pairs, request, span_json

from undertow.batch import Decoded

Read = Callable[..., Decoded]


def output(read: Read, model: str, scope: str = "gcp.vertex.agent", **more: Any) -> int | None:
    """The output tokens of a call that the span counts as nine, two of them for reasoning."""
    attributes = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }
    return read(request(span_json(attributes | more), scope=scope)).spans[0].output_tokens


@pytest.mark.parametrize(
    ("model", "expected"), [("gpt-4o-mini", 7), ("o4-mini", 7), ("gemini-2.5-pro", 9), ("llama", 9)]
)
def test_reasoning_is_counted_once(read: Read, model: str, expected: int) -> None:
    """OpenAI's output includes the reasoning already; Gemini's candidates do not, and others are left as they are."""
    assert output(read, model) == expected


def test_others_are_believed(read: Read) -> None:
    """A span that names its provider, and that of another library, are read as they are."""
    assert output(read, "gpt-4o-mini", **{"gen_ai.provider.name": "openai"}) == 9
    assert output(read, "gpt-4o-mini", scope="another") == 9


def test_gemini_is_googles(read: Read) -> None:
    """The spans name no provider; a model that only Google serves names it."""
    attributes = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-flash"}
    assert read(request(span_json(attributes), scope="gcp.vertex.agent")).spans[0].provider == "gcp.gen_ai"


def of_java(candidates: int, total: int) -> dict[str, Any]:
    """What Java keeps of an answer, and writes as the provider's name."""
    counts = {"promptTokenCount": 11, "candidatesTokenCount": candidates, "thoughtsTokenCount": 2}
    told = {"content": {"parts": [{"text": "Lima"}]}, "usageMetadata": counts | {"totalTokenCount": total}}
    return {"gen_ai.system": "gcp.vertex.agent", "gcp.vertex.agent.llm_response": json.dumps(told)}


def test_the_total_tells_what_was_counted_twice(read: Read) -> None:
    """Whatever the model's name; where the answer is hidden, the name decides, the last part of it behind a gateway."""
    assert output(read, "my-deployment", **of_java(7, 18)) == 7
    assert output(read, "gpt-4o-mini", **of_java(7, 20)) == 9
    hidden = {"gen_ai.system": "gcp.vertex.agent", "gcp.vertex.agent.llm_response": "{}"}
    assert output(read, "apigee/openai/v1/o4-mini", **hidden) == 7
    assert output(read, "my-deployment", **hidden) == 9


@pytest.mark.parametrize(
    ("model", "provider"),
    [("gemini-2.5-flash", "gcp.gen_ai"), ("apigee/openai/v1/gpt-4o", "openai"), ("apigee/gemini-2.5", "gcp.gen_ai")],
)
def test_the_kit_is_no_provider(read: Read, model: str, provider: str) -> None:
    """Java writes its own name in place of one."""
    named = {"gen_ai.operation.name": "call_llm", "gen_ai.request.model": model, "gen_ai.system": "gcp.vertex.agent"}
    span = read(request(span_json(named), scope="gcp.vertex.agent")).spans[0]
    assert (span.provider, span.operation) == (provider, "generate_content")


def test_a_failed_call_has_a_name_alone(read: Read) -> None:
    """Its model is the one of its trace; in another scope, under another name or without a failure it is no call."""
    thrown = {
        "exception.type": "a.ClientException",
        "exception.message": "b.ClientException: 429 Too Many Requests.",
    }
    event = {"name": "exception", "timeUnixNano": "1790000000000000000", "attributes": pairs(thrown)}
    failed = span_json({}, name="call_llm", status={"code": 2}, events=[event], spanId="aa" * 8)
    asked = {"gen_ai.operation.name": "call_llm", "gen_ai.request.model": "gemini-2.5-flash"}
    found = read(request(failed, span_json(asked), scope="gcp.vertex.agent")).spans
    assert [(span.model, span.error_class, span.http_status) for span in found] == [
        ("gemini-2.5-flash", "rate_limited", 429),
        ("gemini-2.5-flash", None, None),
    ]
    for other, scope in ((failed, "a"), (failed | {"name": "run"}, "gcp.vertex.agent")):
        assert read(request(other, scope=scope)).spans == []
    assert read(request(failed | {"status": {"code": 0}, "events": []}, scope="gcp.vertex.agent")).spans == []


def test_what_an_answer_shows(read: Read) -> None:
    """Text and tool calls are those of the kept answer, whose reason says nothing of tools; a chunk shows nothing."""
    asked = {"gen_ai.operation.name": "call_llm", "gen_ai.request.model": "gemini-2.5-flash"}
    calling = {"content": {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "STOP"}
    for more, reason, tools in (({}, "tool_calls", 1), ({"partial": True}, "stop", None)):
        kept = {"gen_ai.response.finish_reasons": ["stop"], "gcp.vertex.agent.llm_response": json.dumps(calling | more)}
        span = read(request(span_json(asked | kept), scope="gcp.vertex.agent")).spans[0]
        assert (span.finish_reason, span.tool_call_count) == (reason, tools)
