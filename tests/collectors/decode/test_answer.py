"""What an answer's text says about itself."""

import hashlib
from typing import Any

import pytest

from undertow_collectors.decode.answer import REDACTED, features

JSON_MODE = {"response_format": {"type": "json_schema", "json_schema": {}}}


def chat(content: Any, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion with one choice."""
    return {"choices": [{"finish_reason": finish, "message": {"content": content} | message}]}


def test_length_and_hash() -> None:
    """Characters, not bytes, and SHA-256 of the UTF-8 text."""
    found = features(chat("Zürich"), {})
    assert found["response_chars"] == 6
    assert found["response_sha256"] == hashlib.sha256("Zürich".encode()).hexdigest()
    assert "parse_ok" not in found


def test_text_in_parts() -> None:
    """Content may be a list of parts."""
    assert features(chat([{"type": "text", "text": "ab"}, {"type": "image"}, {"text": "c"}]), {})["response_chars"] == 3


TEXTS = [('{"a": 1}', True), ('{"a": 1', False), ("sure: {}", False), ("", False)]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_parse_ok_only_where_json_was_asked_for(text: Any, expected: Any) -> None:
    """`parse_ok` tells whether the text is JSON, if the request wanted JSON, and is unknown otherwise."""
    assert features(chat(text), JSON_MODE)["parse_ok"] is expected
    assert "parse_ok" not in features(chat(text), {"response_format": {"type": "text"}})
    assert "parse_ok" not in features(chat(None, tool_calls=[{}]), JSON_MODE)


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot assist with this request.",
    "Sorry, I can't provide that.",
    "I cannot help with that",
    "I am unable to provide medical advice.",
    "I won't create that content.",
    "Unfortunately, I'm not able to share this.",
    "As an AI language model, I cannot provide opinions",
]
ANSWERS = [
    "Sorry for the delay! Here is the list.",
    "You can't divide by zero.",
    "I can help with that.",
    "The parser cannot create files.",
    "Paris.",
    "",
    "I can't believe how good this is.",
]


@pytest.mark.parametrize(("text", "expected"), [(t, True) for t in REFUSALS] + [(t, False) for t in ANSWERS])
def test_refusals(text: Any, expected: Any) -> None:
    """The usual openings of a refusal, and what only resembles them."""
    assert features(chat(text), {})["refusal"] is expected


def test_a_declared_refusal() -> None:
    """The provider's own field counts, in both places where it is seen."""
    assert features(chat(None, refusal="no"), {})["refusal"] is True
    assert features(chat(None, provider_specific_fields={"refusal": "no"}), {})["refusal"] is True


def test_tool_calls() -> None:
    """Calls are counted; an answer of calls alone has no characters."""
    found = features(chat(None, "tool_calls", tool_calls=[{}, {}]), {})
    assert (found["tool_call_count"], found["response_chars"], found["finish_reason"]) == (2, 0, "tool_calls")


def test_redacted_answers_are_unknown() -> None:
    """With message logging off LiteLLM writes a placeholder; its length is no answer's length."""
    found = features(chat(REDACTED), JSON_MODE)
    assert not found.keys() & {"response_chars", "response_sha256", "parse_ok", "refusal"}


def test_an_answer_without_content_is_unknown() -> None:
    """No `content` key at all: nothing is known of the text."""
    assert features({"choices": [{"finish_reason": "stop", "message": {}}]}, JSON_MODE) == {"finish_reason": "stop"}


def test_text_completions_and_the_responses_api() -> None:
    """The two other shapes of an answer."""
    assert features({"choices": [{"text": "abc", "finish_reason": "length"}]}, {})["response_chars"] == 3
    output = [
        {"type": "reasoning"},
        {"type": "message", "content": [{"type": "output_text", "text": "{}"}]},
    ]
    found = features({"output": output, "status": "completed"}, {"text": {"format": {"type": "json_object"}}})
    assert (found["response_chars"], found["parse_ok"], found["finish_reason"]) == (2, True, "stop")
    cut = {"output": output, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert features(cut, {})["finish_reason"] == "length"
    call = {"output": [{"type": "function_call"}], "status": "completed"}
    assert (features(call, {})["tool_call_count"], features(call, {})["finish_reason"]) == (1, "tool_calls")


SHAPES = [None, "text", [], {}, {"choices": "x"}, {"choices": [None]}, {"choices": [{"message": 3}]}]


@pytest.mark.parametrize("response", SHAPES)
def test_other_shapes_say_nothing(response: Any) -> None:
    """A response in no known shape gives no fields."""
    assert features(response, {}) == {}
