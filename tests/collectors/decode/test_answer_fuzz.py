"""Whatever JSON a response or a request holds, reading an answer never raises and its fields fit the span."""

import json
import random
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.span import build
from undertow_collectors.decode.answer import add, body, features, identity, of_messages, of_text, usage

NEEDED: dict[str, Any] = {"span_id": "a", "started_at": 1.79e9, "provider": "openai", "model": "m"}
WORDS = (
    "choices", "message", "content", "parts", "text", "type", "role", "assistant", "tool_calls", "output", "candidates",
    "finishReason", "finish_reason", "stop", "delta", "refusal", "usage", "prompt_tokens", "input_tokens", "status",
    "completed", "message_start", "content_block_start", "content_block_delta", "message_delta", "response.completed",
    "response", "index", "message.content", "message_content.text", "function_call", "toolUse", "id", "model",
    "response_format", "json_schema", "schema", "properties", "$ref", "#", "pattern", "items", "allOf", "object",
    "generationConfig", "responseSchema", "completion", "usageMetadata", "promptTokenCount", "thought", "format",
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=9)
words = st.sampled_from(WORDS)
anything = st.recursive(
    scalars | words, lambda c: st.lists(c, max_size=3) | st.dictionaries(words | st.text(max_size=4), c, max_size=4)
)


def check(response: Any, parameters: Any) -> None:
    """Read it in every way, and put what is found into a span."""
    parameters = parameters if isinstance(parameters, dict) else {}
    for found in (features(response, parameters), of_messages(response, parameters)):
        build(NEEDED | found)
        fields = NEEDED | {"signals": {"list": False}}
        add(fields, found, Counter())
        build(fields)
    whole = body(response)
    build(NEEDED | usage(whole) | usage(response) | identity({"id": "x"}))
    assert all(isinstance(value, str) for value in (identity(response) | identity(whole)).values())


@settings(max_examples=600, deadline=None)
@given(anything, anything)
def test_any_json(response: Any, parameters: Any) -> None:
    """Any value as a response, as its JSON text and as the data of a stream."""
    check(response, parameters)
    text = json.dumps(response)
    check(text, parameters)
    check(f"data: {text}\n\ndata: {text}\n\n", parameters)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), anything)
def test_any_text(text: str, parameters: Any) -> None:
    """Any text as an answer."""
    build(NEEDED | of_text(text, parameters if isinstance(parameters, dict) else {}, tools=0, finish=text))
    check(text, parameters)


GOOD: list[Any] = [
    {"id": "a", "choices": [{"finish_reason": "stop", "message": {"content": "{}", "tool_calls": [{"id": "x"}]}}]},
    {"output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}], "status": "completed"},
    {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "tool_use"}], "stop_reason": "end_turn"},
    {"candidates": [{"content": {"parts": [{"text": "a"}, {"functionCall": {}}]}, "finishReason": "STOP"}]},
    {"output": {"message": {"content": [{"text": "a"}, {"toolUse": {}}]}}, "stopReason": "end_turn"},
    [{"role": "assistant", "parts": [{"type": "text", "content": "a"}], "finish_reason": "stop"}],
    [{"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}],
    [{"type": "message_start", "message": {"id": "a", "usage": {}}}, {"type": "message_delta", "delta": {}}],
    [{"type": "response.completed", "response": {"output": [], "status": "completed"}}],
]
STRANGE: tuple[Any, ...] = (None, True, -1, 2**63, "", "x", "\ud83d", [], {}, [[1]], {"a": {}}, [None], ["stop"])
ASKED = {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}}


def test_damaged_bodies() -> None:
    """Real shapes with strange values anywhere in them."""
    rng = random.Random(5)
    for _ in range(4_000):
        root = [json.loads(json.dumps(rng.choice(GOOD)))]
        node: Any = root
        key: Any = 0
        while isinstance(node[key], list | dict) and node[key] and rng.random() < 0.85:
            node = node[key]
            key = rng.randrange(len(node)) if isinstance(node, list) else rng.choice(list(node))
        node[key] = rng.choice(STRANGE)
        check(root[0], ASKED)
