"""What the fake upstream answers on OpenAI's Responses API and on Anthropic's Messages API."""

from typing import Any

from answers import TOOLS, Answer, pieces

Event = tuple[str, dict[str, Any]]
"""A server-sent event: its name and its data."""


def response(answer: Answer, **over: Any) -> dict[str, Any]:
    """A whole answer of the Responses API."""
    cut = answer.kind.openai == "length"
    return {
        "id": f"resp_{answer.key}",
        "object": "response",
        "created_at": 1750000000,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": None,
        "metadata": {},
        "model": answer.served_model,
        "output": _output(answer),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": answer.kind.cached},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.kind.reasoning},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    } | over


def _output(answer: Answer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if answer.kind.reasoning:
        found.append({"type": "reasoning", "id": f"rs_{answer.key}", "summary": []})
    for n, tool in enumerate(TOOLS[: answer.kind.tools]):
        found.append(
            {
                "type": "function_call",
                "id": f"fc_{answer.key}{n}",
                "call_id": f"call_{answer.key}{n}",
                "status": "completed",
                "name": tool,
                "arguments": answer.arguments(tool),
            }
        )
    if answer.text:
        kind = "refusal" if answer.kind.refusal else "output_text"
        part: dict[str, Any] = {"type": kind, "refusal" if answer.kind.refusal else "text": answer.text}
        part |= {} if answer.kind.refusal else {"annotations": [], "logprobs": []}
        found.append(
            {
                "type": "message",
                "id": f"msg_{answer.key}",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        )
    return found


def response_events(answer: Answer) -> list[Event]:
    """The same as a stream."""
    whole = response(answer)
    begun = response(answer, status="in_progress", output=[], usage=None, incomplete_details=None)
    events: list[Event] = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
    for index, item in enumerate(whole["output"]):
        place = {"output_index": index}
        events.append(("response.output_item.added", place | {"item": item | {"status": "in_progress"}}))
        events += _item_events(answer, item, place | {"item_id": item["id"]})
        events.append(("response.output_item.done", place | {"item": item}))
    events.append((f"response.{whole['status']}", {"response": whole}))
    return [(name, {"type": name, "sequence_number": n} | data) for n, (name, data) in enumerate(events)]


def _item_events(answer: Answer, item: dict[str, Any], place: dict[str, Any]) -> list[Event]:
    if item["type"] == "function_call":
        given = item["arguments"]
        return [
            ("response.function_call_arguments.delta", place | {"delta": given}),
            ("response.function_call_arguments.done", place | {"arguments": given, "name": item["name"]}),
        ]
    if item["type"] != "message":
        return []
    place = place | {"content_index": 0}
    deltas: list[Event] = [
        ("response.output_text.delta", place | {"delta": word, "logprobs": []}) for word in pieces(answer.text)
    ]
    return [
        ("response.content_part.added", place | {"part": {"type": "output_text", "text": "", "annotations": []}}),
        *deltas,
        ("response.output_text.done", place | {"text": answer.text, "logprobs": []}),
        ("response.content_part.done", place | {"part": item["content"][0]}),
    ]


def message(answer: Answer, **over: Any) -> dict[str, Any]:
    """A whole answer of Anthropic's Messages API, whose `input_tokens` leave out what the cache read or wrote."""
    sequence = "END" if answer.kind.anthropic == "stop_sequence" else None
    return {
        "id": f"msg_{answer.key}",
        "type": "message",
        "role": "assistant",
        "model": answer.served_model,
        "content": _content(answer),
        "stop_reason": answer.kind.anthropic,
        "stop_sequence": sequence,
        "usage": message_usage(answer),
    } | over


def message_usage(answer: Answer) -> dict[str, Any]:
    """`usage` of a message."""
    return {
        "input_tokens": answer.fresh_tokens,
        "cache_creation_input_tokens": answer.kind.written,
        "cache_read_input_tokens": answer.kind.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": answer.kind.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": answer.output_tokens,
        "service_tier": "standard",
    }


def _content(answer: Answer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if answer.kind.reasoning:
        found.append({"type": "thinking", "thinking": "Let me think.", "signature": "c2ln"})
    if answer.text:
        found.append({"type": "text", "text": answer.text})
    for n, tool in enumerate(TOOLS[: answer.kind.tools]):
        found.append({"type": "tool_use", "id": f"toolu_{answer.key}{n}", "name": tool, "input": {"place": "Lima"}})
    return found


def message_events(answer: Answer) -> list[Event]:
    """The same as a stream: the first event has the prompt's tokens, the last but one the answer's."""
    usage = message_usage(answer)
    begun = message(answer, content=[], stop_reason=None, stop_sequence=None, usage=usage | {"output_tokens": 1})
    events: list[Event] = [("message_start", {"message": begun}), ("ping", {})]
    for index, block in enumerate(_content(answer)):
        events += [(name, {"index": index} | data) for name, data in _block_events(block)]
    end = {"stop_reason": answer.kind.anthropic, "stop_sequence": message(answer)["stop_sequence"]}
    events.append(("message_delta", {"delta": end, "usage": {"output_tokens": answer.output_tokens}}))
    events.append(("message_stop", {}))
    return [(name, {"type": name} | data) for name, data in events]


def _block_events(block: dict[str, Any]) -> list[Event]:
    deltas: list[dict[str, Any]]
    if block["type"] == "thinking":
        empty = block | {"thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    elif block["type"] == "text":
        empty = block | {"text": ""}
        deltas = [{"type": "text_delta", "text": word} for word in pieces(block["text"])]
    else:
        empty = block | {"input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", '{"place": ', '"Lima"}')]
    return [
        ("content_block_start", {"content_block": empty}),
        *(("content_block_delta", {"delta": delta}) for delta in deltas),
        ("content_block_stop", {}),
    ]
