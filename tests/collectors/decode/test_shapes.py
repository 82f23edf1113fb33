"""Every provider's body, a stream of it and a list of messages say the same of one answer."""

import json
from typing import Any

import pytest

from undertow_collectors.decode.answer import body, features, identity, of_messages, usage

TEXT = "Paris, of course."

OPENAI = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-11-20",
    "system_fingerprint": "fp_1",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
    "usage": {
        "prompt_tokens": 30,
        "completion_tokens": 9,
        "total_tokens": 39,
        "prompt_tokens_details": {"cached_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}
RESPONSES = {
    "id": "resp_1",
    "model": "gpt-4o-2024-11-20",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]},
    ],
    "usage": {
        "input_tokens": 30,
        "output_tokens": 9,
        "input_tokens_details": {"cached_tokens": 10},
        "output_tokens_details": {"reasoning_tokens": 2},
    },
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}, {"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 15,
        "cache_read_input_tokens": 10,
        "cache_creation_input_tokens": 5,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 2},
    },
}
GEMINI = {
    "responseId": "r1",
    "modelVersion": "gemini-2.5-pro",
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": TEXT}]},
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 30,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 2,
        "cachedContentTokenCount": 10,
        "totalTokenCount": 39,
    },
}
BEDROCK = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": TEXT}],
        }
    },
    "stopReason": "end_turn",
    "usage": {"inputTokens": 15, "outputTokens": 9, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 5},
}
COHERE = {
    "id": "c1",
    "message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]},
    "finish_reason": "COMPLETE",
    "usage": {"billed_units": {"input_tokens": 4}, "tokens": {"input_tokens": 30, "output_tokens": 9}},
}
OLLAMA = {
    "model": "llama3",
    "message": {"role": "assistant", "content": TEXT},
    "done_reason": "stop",
    "prompt_eval_count": 30,
    "eval_count": 9,
}
BODIES = {
    "openai": OPENAI,
    "responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
    "bedrock": BEDROCK,
    "cohere": COHERE,
    "ollama": OLLAMA,
}


@pytest.mark.parametrize("name", BODIES)
def test_the_same_answer_in_every_body(name: Any) -> None:
    """Text, calls and finish reason are found, reasoning is no text, and a body may be its own JSON text."""
    found = features(BODIES[name], {})
    assert (found["response_chars"], found["tool_call_count"], found["finish_reason"]) == (len(TEXT), 0, "stop")
    assert found["refusal"] is False
    assert features(json.dumps(BODIES[name]), {}) == found


@pytest.mark.parametrize("name", BODIES)
def test_the_same_usage_in_every_body(name: Any) -> None:
    """Input includes what was cached and output the reasoning, whoever counts them apart."""
    found = usage(BODIES[name])
    assert (found["input_tokens"], found["output_tokens"]) == (30, 9)
    if name not in ("cohere", "ollama"):
        assert found["cached_input_tokens"] == 10
    if name in ("openai", "responses", "anthropic", "gemini"):
        assert found["reasoning_tokens"] == 2


def test_identity() -> None:
    """Id, model and fingerprint, under each provider's names; what is not there is left out."""
    assert identity(OPENAI) == {
        "response_id": "chatcmpl-1",
        "response_model": "gpt-4o-2024-11-20",
        "system_fingerprint": "fp_1",
    }
    assert identity(GEMINI) == {"response_id": "r1", "response_model": "gemini-2.5-pro"}
    assert identity(BEDROCK) == identity(None) == identity([]) == identity({"id": 3, "model": ""}) == {}


def test_usage_that_is_not_there() -> None:
    """Nothing comes of bodies without usage, and of values that are no counts."""
    assert usage(None) == usage({}) == usage({"usage": 3}) == usage({"usage": {"prompt_tokens": "many"}}) == {}
    assert usage({"usage": {"prompt_tokens": 3, "completion_tokens": None}}) == {"input_tokens": 3}


def test_reasoning_that_is_counted_beside_the_output() -> None:
    """Where a total shows that reasoning stands apart, as with xAI, it is added to the output."""
    told = {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 100}}
    assert usage({"usage": told | {"total_tokens": 115}})["output_tokens"] == 105
    assert usage({"usage": told | {"total_tokens": 15}})["output_tokens"] == 105, "100 are no part of 5"
    some = told | {"completion_tokens_details": {"reasoning_tokens": 3}}
    assert usage({"usage": some | {"total_tokens": 15}})["output_tokens"] == 5
    assert usage({"usage": some | {"total_tokens": 18}})["output_tokens"] == 8


def test_litellm_already_counts_the_cache() -> None:
    """LiteLLM puts Anthropic's cache counts beside a `prompt_tokens` that includes them."""
    told = {"prompt_tokens": 30, "completion_tokens": 9, "cache_read_input_tokens": 10}
    assert usage({"usage": told}) == {"input_tokens": 30, "output_tokens": 9, "cached_input_tokens": 10}


CALLS: dict[str, dict[str, Any]] = {
    "openai": {"choices": [{"finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [{}, {}]}}]},
    "responses": {"status": "completed", "output": [{"type": "function_call"}, {"type": "web_search_call"}]},
    "anthropic": {
        "role": "assistant",
        "content": [{"type": "tool_use"}, {"type": "server_tool_use"}],
        "stop_reason": "tool_use",
    },
    "gemini": {
        "candidates": [{"content": {"parts": [{"functionCall": {}}, {"functionCall": {}}]}, "finishReason": "STOP"}]
    },
    "bedrock": {
        "output": {"message": {"role": "assistant", "content": [{"toolUse": {}}, {"toolUse": {}}]}},
        "stopReason": "tool_use",
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_tool_calls_in_every_body(name: Any) -> None:
    """Calls are counted, and an answer of calls alone has no characters and no verdict on JSON."""
    found = features(CALLS[name], {"response_format": {"type": "json_object"}})
    assert (found["tool_call_count"], found["response_chars"], found["finish_reason"]) == (2, 0, "tool_calls")
    assert "parse_ok" not in found


DECLINED: dict[str, dict[str, Any]] = {
    "openai": {"choices": [{"message": {"content": None, "refusal": "No."}}]},
    "responses": {
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}],
    },
    "anthropic": {"role": "assistant", "content": [], "stop_reason": "refusal"},
}


@pytest.mark.parametrize("name", DECLINED)
def test_declared_refusals(name: Any) -> None:
    """The provider's own word for a refusal counts, whatever the text."""
    assert features(DECLINED[name], {})["refusal"] is True


FINISHES = [
    ({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS"}]}, "length"),
    ({"candidates": [{"finishReason": "SAFETY"}]}, "content_filter"),
    ({"candidates": [{"finishReason": "PROHIBITED_CONTENT"}]}, "content_filter"),
    ({"role": "assistant", "content": [], "stop_reason": "model_context_window_exceeded"}, "length"),
    ({"output": {"message": {"content": []}}, "stopReason": "content_filtered"}, "content_filter"),
    ({"completion": " Paris", "stop_reason": "stop_sequence"}, "stop"),
]


@pytest.mark.parametrize(("response", "expected"), FINISHES)
def test_finish_reasons(response: Any, expected: Any) -> None:
    """Each provider's reason in the one vocabulary."""
    assert features(response, {})["finish_reason"] == expected


def sse(*events: Any, named: bool = False) -> str:
    """The text of a stream of server-sent events."""
    head = [f"event: {event['type']}\n" if named else "" for event in events]
    return "".join(f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(head, events, strict=True))


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """One chunk of an OpenAI chat stream."""
    return {
        "id": "chatcmpl-1",
        "model": "gpt-4o-2024-11-20",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


OPENAI_CHUNKS: list[Any] = [
    chunk(role="assistant", content=""),
    chunk(content="Paris, "),
    {"choices": [{"index": 1, "delta": {"content": "another choice"}}]},
    chunk(content="of course."),
    chunk("stop"),
    {"id": "chatcmpl-1", "choices": [], "usage": OPENAI["usage"]},
]
ANTHROPIC_EVENTS: list[Any] = [
    {"type": "message_start", "message": ANTHROPIC | {"content": [], "stop_reason": None, "usage": {"input_tokens": 15,
        "cache_read_input_tokens": 10, "cache_creation_input_tokens": 5, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Paris, "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "of course."}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]  # fmt: skip
GEMINI_CHUNKS: list[Any] = [
    {"candidates": [{"content": {"parts": [{"text": "Hm.", "thought": True}]}}], "responseId": "r1"},
    {"candidates": [{"content": {"parts": [{"text": "Paris, "}]}}], "modelVersion": "gemini-2.5-pro"},
    {
        "candidates": [{"content": {"parts": [{"text": "of course."}]}, "finishReason": "STOP"}],
        "usageMetadata": GEMINI["usageMetadata"],
    },
]
RESPONSES_EVENTS: list[Any] = [
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
    {"type": "response.output_text.delta", "delta": "Paris"},
    {"type": "response.completed", "response": RESPONSES},
]
STREAMS: dict[str, list[Any]] = {
    "openai": OPENAI_CHUNKS,
    "anthropic": ANTHROPIC_EVENTS,
    "gemini": GEMINI_CHUNKS,
    "responses": RESPONSES_EVENTS,
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_says_what_its_body_says(name: Any) -> None:
    """The raw text of a stream, with either line end, and the list of its events are put together again."""
    whole, events = BODIES[name], STREAMS[name]
    text = sse(*events, named=name in ("anthropic", "responses")) + "data: [DONE]\n\n"
    for stream in (text, text.replace("\n", "\r\n"), events, json.dumps(events)):
        assert features(stream, {}) == features(whole, {})
        assert identity(body(stream)) == identity(whole)
        assert {k: v for k, v in usage(whole).items() if k != "reasoning_tokens"}.items() <= usage(body(stream)).items()


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_was_cut_has_no_text(name: Any) -> None:
    """Without its end a stream says nothing of the answer."""
    events = STREAMS[name][:-3] if name == "anthropic" else STREAMS[name][:2]
    assert features(sse(*events), {}) == {}


def test_only_line_ends_end_an_event() -> None:
    """The line separators of Unicode may stand inside of an answer as they are."""
    text = "a\u2028b\x85c\u2029d"
    stream = f"data: {json.dumps(chunk(content=text), ensure_ascii=False)}\n\ndata: {json.dumps(chunk('stop'))}\n\n"
    assert features(stream, {})["response_chars"] == len(text)


def test_tool_calls_of_streams() -> None:
    """Calls that come in pieces are counted once each."""
    calls = [chunk(tool_calls=[{"index": at, "function": {"arguments": part}}]) for at in (0, 1) for part in "ab"]
    found = features(sse(*calls, chunk("tool_calls")), {})
    assert (found["tool_call_count"], found["response_chars"]) == (2, 0)
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "f"}}
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{"}}
    ended = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    found = features(sse(ANTHROPIC_EVENTS[0], block, piece, ended), {})
    assert (found["tool_call_count"], found["finish_reason"]) == (1, "tool_calls")


OTEL = [{"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": TEXT}],
         "finish_reason": "stop"}]  # fmt: skip


def test_messages_of_opentelemetry() -> None:
    """`gen_ai.output.messages` as a list or as JSON; what answers another choice or stands beside is not counted."""
    found = of_messages(OTEL, {})
    assert (found["response_chars"], found["tool_call_count"], found["finish_reason"]) == (len(TEXT), 0, "stop")
    assert of_messages(json.dumps(OTEL), {}) == found
    assert of_messages([*OTEL, *OTEL], {}) == found
    called = [{"role": "assistant", "parts": [{"type": "tool_call", "name": "f"}], "finish_reason": "tool_call"}]
    assert (of_messages(called, {})["tool_call_count"], of_messages(called, {})["finish_reason"]) == (1, "tool_calls")


def pieces(*texts: str, last: str = "", end: str = "stop") -> list[dict[str, Any]]:
    """A stream as Google's ADK tells it: a message for each chunk, of which the last one has the reason for the end."""
    told = [*((text, "") for text in texts), (last, end)]
    return [{"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": reason}
            for text, reason in told]  # fmt: skip


@pytest.mark.parametrize("last", ["", " course.", TEXT])
def test_the_chunks_of_a_stream_are_one_answer(last: str) -> None:
    """The last one ends the text, or has all of it again."""
    chunks = pieces("Paris, ", "of course." if last in ("", TEXT) else "of", last=last)
    assert of_messages(chunks, {}) == of_messages(pieces(last=TEXT), {})


def test_what_is_no_stream_is_not_put_together() -> None:
    """Messages that all have no reason for their end, or all have one, are choices, of which the first counts."""
    for choices in (pieces("Paris", last="Lima", end=""), pieces(last="Paris") + pieces(last="Lima")):
        assert of_messages(choices, {})["response_chars"] == len("Paris")


def test_a_tool_call_in_a_stream() -> None:
    """A call is counted once, whether it came in a chunk or in the last message."""
    call = {"role": "assistant", "parts": [{"type": "tool_call", "name": "f"}], "finish_reason": "stop"}
    assert of_messages([*pieces("Hm.")[:1], call], {})["tool_call_count"] == 1
    assert of_messages([call | {"finish_reason": ""}, *pieces()], {})["tool_call_count"] == 1
    assert of_messages([call | {"finish_reason": ""}, call], {})["tool_call_count"] == 1


def test_messages_that_were_cut_say_nothing() -> None:
    """A limit on the length of attributes leaves JSON that ends too soon."""
    assert of_messages(json.dumps(OTEL)[:-9], {}) == {}


def test_messages_of_openinference() -> None:
    """With or without prefixes, with text or parts, and with calls in a message of their own."""
    plain = {"role": "assistant", "content": TEXT}
    prefixed = {"message.role": "assistant", "message.content": TEXT}
    nested = {"message": plain}
    parts = {"message.role": "assistant", "message.contents": [{"message_content.text": TEXT}]}
    for message in (plain, prefixed, nested, parts):
        assert of_messages([message], {})["response_chars"] == len(TEXT)
    found = of_messages([{"role": "assistant", "tool_calls": [{}]}, plain], {})
    assert (found["response_chars"], found["tool_call_count"]) == (len(TEXT), 1)
    assert "response_chars" not in of_messages([{"role": "user", "content": "Where?"}], {})


def test_parts_and_items_without_a_message_around_them() -> None:
    """Anthropic's blocks and the items of the Responses API on their own."""
    assert of_messages(ANTHROPIC["content"], {})["response_chars"] == len(TEXT)
    assert of_messages(RESPONSES["output"], {})["response_chars"] == len(TEXT)
    assert of_messages([{"type": "function_call"}], {})["tool_call_count"] == 1
