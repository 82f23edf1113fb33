"""What an answer's text says about itself."""

import hashlib
from collections import Counter
from typing import Any

import pytest

from undertow_collectors.decode.answer import REDACTED, add, features, of_messages, of_text

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


def test_a_declared_refusal() -> None:
    """The provider's own field counts, in both places where it is seen."""
    assert features(chat(None, refusal="no"), {})["refusal"] is True
    assert features(chat(None, provider_specific_fields={"refusal": "no"}), {})["refusal"] is True


def test_tool_calls() -> None:
    """Calls are counted; an answer of calls alone has no characters."""
    found = features(chat(None, "tool_calls", tool_calls=[{}, {}]), {})
    assert (found["tool_call_count"], found["response_chars"], found["finish_reason"]) == (2, 0, "tool_calls")


@pytest.mark.parametrize("text", REDACTED)
def test_redacted_answers_are_unknown(text: str) -> None:
    """With content off LiteLLM and OpenInference write a placeholder; its length is no answer's, nor are its calls."""
    assert features(chat(text), JSON_MODE).keys() == {"finish_reason"}


CUT = ["word " * 300 + "... (litellm_truncated 9000 chars) ... end", "The capital is [truncated]"]


@pytest.mark.parametrize("text", CUT)
def test_texts_that_a_logger_cut_are_unknown(text: Any) -> None:
    """The length and the end of such a text are the logger's."""
    assert features(chat(text), JSON_MODE).keys() == {"finish_reason", "tool_call_count"}


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


def test_a_bare_text() -> None:
    """Formats that log only a text have the same fields of it."""
    found = of_text("Paris.", {}, tools=0, finish="stop")
    assert found == features(chat("Paris."), {})
    assert of_text("Paris.", {}).keys() == found.keys() - {"tool_call_count", "finish_reason"}


def test_signals_of_an_answer() -> None:
    """The shape of a text is signals of the span; without a text there are none."""
    assert features(chat("# Plan\n- a\n- b"), {})["signals"] == {"list": True, "markdown": True, "code_fence": False}
    assert "signals" not in features(chat(""), {})


def test_a_json_answer_has_a_fingerprint() -> None:
    """Where the whole answer is an object or an array, and, if JSON was asked for, where it is any JSON."""
    assert "schema_fingerprint" in features(chat(' {"a": 1}\n'), {})
    assert "schema_fingerprint" in features(chat("[1]"), {})
    assert "schema_fingerprint" not in features(chat('Here: {"a": 1}'), {})
    assert "schema_fingerprint" not in features(chat("3"), {})
    assert "schema_fingerprint" in features(chat("3"), JSON_MODE)
    assert "schema_fingerprint" not in features(chat('{"a": 1'), JSON_MODE)


def test_what_the_log_says_counts_first() -> None:
    """Fields that are known stay, a user's own signal of the same name too, and what is added is counted as derived."""
    fields: dict[str, Any] = {"refusal": True, "parse_ok": None, "signals": {"list": False, "mine": 3}}
    derived: Counter[str] = Counter()
    add(fields, {"refusal": False, "parse_ok": True, "signals": {"list": True, "markdown": True}}, derived)
    assert fields == {"refusal": True, "parse_ok": True, "signals": {"list": False, "markdown": True, "mine": 3}}
    assert derived == Counter(parse_ok=1, signals=1)


SHAPES: list[Any] = [
    None, "text", [], {}, {"choices": "x"}, {"choices": [None]}, {"choices": [{"message": 3}]}, {"choices": []},
    {"candidates": [3]}, {"output": {}}, {"output": [None]}, [None], ["text"], "data: 3", "data: {", "{", "[]",
]  # fmt: skip


@pytest.mark.parametrize("response", SHAPES)
def test_other_shapes_say_nothing(response: Any) -> None:
    """A response in no known shape gives no fields."""
    assert features(response, {}) == of_messages(response, {}) == {}
