"""Where spans hold their answers, and what is read out of them; the text itself never leaves."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.collectors.decode.otlp_bodies import CALL, START, pairs, request, span_json

from undertow.batch import Decoded

Read = Callable[..., Decoded]
TEXT = "Foxes are *small* animals."
MESSAGES = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": TEXT}], "finish_reason": "stop"}])
LLM = {"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.provider": "openai"}


@pytest.mark.parametrize(
    "attributes",
    [
        CALL | {"gen_ai.output.messages": MESSAGES},
        CALL | {"gen_ai.output.messages": json.loads(MESSAGES)},
        CALL | {"gen_ai.completion": json.dumps([{"role": "assistant", "content": TEXT}])},
        CALL | {"gen_ai.completion": TEXT},
        CALL | {"gen_ai.completion.0.content": TEXT, "gen_ai.completion.0.role": "assistant"},
        CALL | {"llm.completions.0.content": TEXT},
        LLM | {"llm.output_messages.0.message.content": TEXT},
        LLM
        | {
            "llm.output_messages.0.message.contents.0.message_content.type": "text",
            "llm.output_messages.0.message.contents.0.message_content.text": TEXT,
        },
        LLM | {"output.value": json.dumps({"choices": [{"message": {"role": "assistant", "content": TEXT}}]})},
        LLM | {"output.value": TEXT},
        CALL | {"langfuse.observation.output": json.dumps({"role": "assistant", "content": TEXT})},
    ],
)
def test_an_answer_is_found_wherever_it_is(read: Read, attributes: dict[str, Any]) -> None:
    """Each convention has a place of its own for the answer; its length is the same, and the words stay behind."""
    decoded = read(request(span_json(attributes)))
    assert decoded.spans[0].response_chars == len(TEXT)
    assert decoded.derived["response_chars"] == 1
    assert b"Foxes" not in msgspec.json.encode(decoded.spans[0])


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("gen_ai.choice", {"message": json.dumps({"role": "assistant", "content": TEXT}), "finish_reason": "stop"}),
        ("gen_ai.content.completion", {"gen_ai.completion": TEXT}),
        ("gen_ai.client.inference.operation.details", {"gen_ai.output.messages": MESSAGES}),
    ],
)
def test_an_answer_in_an_event_of_the_span(read: Read, name: str, attributes: dict[str, Any]) -> None:
    """Older and newer conventions put the answer into an event of the span."""
    event = {"name": name, "timeUnixNano": str(START), "attributes": pairs(attributes)}
    assert read(request(span_json(events=[event]))).spans[0].response_chars == len(TEXT)


@pytest.mark.parametrize(
    "asked",
    [
        {"gen_ai.output.type": "json"},
        {"gen_ai.openai.request.response_format": "json_object"},
        {"gen_ai.request.structured_output_schema": '{"type": "object"}'},
        {"llm.invocation_parameters": '{"response_format": {"type": "json_object"}}'},
    ],
)
def test_whether_json_that_was_asked_for_parses(read: Read, asked: dict[str, Any]) -> None:
    """Where the request asked for JSON an answer parses or does not; where it did not, that is unknown."""
    for text, verdict in (('{"a": 1}', True), ("{nothing", False)):
        span = read(request(span_json(CALL | asked | {"gen_ai.completion": text}))).spans[0]
        assert span.parse_ok is verdict
    assert read(request(span_json(CALL | {"gen_ai.completion": "{nothing"}))).spans[0].parse_ok is None


def test_tool_calls_of_indexed_attributes_are_counted(read: Read) -> None:
    """Calls whose names and arguments are apart are as many as their indices."""
    names = {
        f"llm.output_messages.0.message.tool_calls.{n}.tool_call.function.{part}": "x"
        for n in range(2)
        for part in ("name", "arguments")
    }
    span = read(request(span_json(LLM | names | {"llm.output_messages.0.message.role": "assistant"}))).spans[0]
    assert span.tool_call_count == 2


def test_what_the_span_says_itself_counts_first(read: Read) -> None:
    """A verdict of the application is not overwritten by what its answer looks like."""
    span = read(request(span_json(CALL | {"gen_ai.completion": TEXT, "undertow.refusal": True}))).spans[0]
    assert span.refusal is True


def test_failures_have_no_answer(read: Read) -> None:
    """What a failed call had said so far is not judged."""
    span = read(request(span_json(CALL | {"gen_ai.completion": TEXT, "error.type": "timeout"}))).spans[0]
    assert (span.status, span.response_chars) == ("error", None)
