"""Where an answer's text, tool calls and finish reason stand in the bodies of each provider, and in message lists.

Read are chat and text completions and the Responses API of OpenAI, Anthropic Messages, Gemini generateContent, Bedrock
Converse, Cohere and Ollama; the messages of OpenTelemetry (`gen_ai.output.messages`) and of OpenInference. Reasoning is
no part of an answer's text. Of several choices the first one counts.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from undertow_collectors.decode import frames

_ROLES = {"", "assistant", "model", "ai", "chatbot"}
_NO_TEXT = {"reasoning", "thinking", "redacted_thinking", "tool_result", "tool_call_response"}
_CALLS = {"tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "server_tool_call", "function_call"}

_COMPLEX = {"tool_calls", "function_call", "refusal", "provider_specific_fields"}


class Answer(NamedTuple):
    """One answer. None is unknown: a text that was not logged, calls that cannot be counted.

    `refused` is what the provider's own field said; `finish` is the reason in the provider's word.
    """

    text: str | None = None
    tools: int | None = None
    refused: bool = False
    finish: str | None = None


NOTHING = Answer()


def of_body(body: dict[str, Any]) -> Answer:
    """The answer in a response body of any provider; NOTHING where the body is in no known shape."""
    if "choices" in body:
        return _of_choices(body["choices"], frames.is_unfinished(body))
    output = body.get("output")
    if isinstance(output, list):
        return _of_responses(body, output)
    if isinstance(output, dict):
        return _of_message(_nested(output, "message"), body.get("stopReason"))
    if "candidates" in body:
        return _of_candidates(body["candidates"])
    if isinstance(body.get("message"), dict):
        return _of_message(body["message"], body.get("finish_reason") or body.get("done_reason"))
    if isinstance(body.get("completion"), str):
        return Answer(body["completion"], 0, finish=_word(body.get("stop_reason")))
    return _of_message(body, body.get("stop_reason") or body.get("finish_reason"))


def of_messages(messages: list[Any]) -> Answer:
    """The answer in a list of output messages, or of one message's parts.

    One that came in pieces, text and calls apart, is one answer.
    """
    parts = bool(messages) and all(
        isinstance(item, dict) and "type" in item and "role" not in item for item in messages
    )
    found = [_of_message({"content": messages}, None)] if parts else [_of_message(item, None) for item in messages]
    if _are_pieces(messages):
        return _of_pieces(found)
    text = next((one for one in found if one.text), None) or next((one for one in found if one.text is not None), None)
    known = [one.tools for one in found if one.tools is not None and (one is text or not one.text)]
    return Answer(
        text.text if text else None,
        sum(known) if known else None,
        any(one.refused for one in found),
        next((one.finish for one in found if one.finish), None),
    )


def _are_pieces(messages: list[Any]) -> bool:
    """Whether they are the chunks of one stream: a message has a reason for its end, and of these only the last one."""
    *before, last = messages or [None]
    return (
        bool(before)
        and isinstance(last, dict)
        and bool(last.get("finish_reason"))
        and all(isinstance(one, dict) and one.get("finish_reason") == "" for one in before)
    )


def _of_pieces(pieces: list[Answer]) -> Answer:
    """The answer that the chunks of a stream make together; some clients put all of it into the last one again."""
    *before, last = pieces
    text, end = "".join(one.text or "" for one in before), last.text or ""
    return Answer(
        end if end.startswith(text) else text + end,
        last.tools or sum(one.tools or 0 for one in before),
        any(one.refused for one in pieces),
        last.finish,
    )


def _of_choices(choices: Any, unfinished: bool) -> Answer:
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return NOTHING
    finish = choice.get("finish_reason")
    if unfinished and not finish:
        return NOTHING
    message = choice.get("message")
    if isinstance(message, dict):
        content = message.get("content")
        if isinstance(content, str) and _COMPLEX.isdisjoint(message):  # nearly every answer
            return Answer(content, 0, False, _word(finish))
        return _of_message(message, finish)
    text = choice.get("text")
    return Answer(text, finish=_word(finish)) if isinstance(text, str) else Answer(finish=_word(finish))


def _of_responses(body: dict[str, Any], output: list[Any]) -> Answer:
    items = [item for item in output if isinstance(item, dict)]
    tools = sum(1 for item in items if str(item.get("type")).endswith("_call"))
    parts = [part for item in items if item.get("type") == "message" for part in _parts(item.get("content"))]
    finish = "tool_calls" if tools else "stop" if body.get("status") == "completed" else None
    if body.get("status") == "incomplete":
        finish = _word(_nested(body, "incomplete_details", "reason")) or "length"
    finish = finish if body.get("status") else None
    return Answer("".join(_texts(parts)), tools, _declines(parts), finish) if items else Answer(finish=finish)


def _of_candidates(candidates: Any) -> Answer:
    candidate = candidates[0] if isinstance(candidates, list) and candidates else None
    if not isinstance(candidate, dict):
        return NOTHING
    finish = _word(candidate.get("finishReason") or candidate.get("finish_reason"))
    found = _of_message(candidate.get("content"), finish)
    ended = found.tools and (finish or "").upper() == "STOP"  # Gemini has no word of its own for a call
    return found._replace(finish="tool_calls") if ended else found


def _of_message(message: Any, finish: Any) -> Answer:
    """A message in any convention: `content` as text or parts, OpenTelemetry's and Gemini's `parts`, or neither."""
    if not isinstance(message, dict):
        return Answer(finish=_word(finish))
    if "message" in message and isinstance(message["message"], dict):
        message = message["message"]
    if any(name.startswith("message.") for name in message):
        message = {name.removeprefix("message."): value for name, value in message.items()}
    role = message.get("role")
    if isinstance(role, str) and role not in _ROLES:
        return NOTHING
    if "role" not in message and _is_call(message):
        return Answer(tools=1)
    content = next((message[name] for name in ("content", "parts", "contents") if name in message), None)
    parts = _parts(content)
    calls = message.get("tool_calls")
    tools = len(calls) if isinstance(calls, list) else int(isinstance(message.get("function_call"), dict))
    tools = max(tools, sum(map(_is_call, parts)))  # LangChain keeps Anthropic's parts beside its own list of calls
    refused = bool(message.get("refusal") or _nested(message, "provider_specific_fields", "refusal"))
    finish = _word(finish or message.get("finish_reason") or message.get("stop_reason"))
    known = isinstance(content, str) or bool(content)  # no part at all says nothing
    text = (content if isinstance(content, str) else "".join(_texts(parts))) if known or tools else None
    counted = known or tools or isinstance(content, list)
    return Answer(text, tools if counted else None, refused or _declines(parts) or finish == "refusal", finish)


def _parts(content: Any) -> list[dict[str, Any]]:
    return [_plain(part) for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    """A part without OpenInference's prefixes."""
    if "message_content.type" not in part and "message_content.text" not in part:
        return part
    return {name.removeprefix("message_content."): value for name, value in part.items()}


def _texts(parts: list[dict[str, Any]]) -> Iterator[str]:
    for part in parts:
        if _word(part.get("type")) not in _NO_TEXT and not part.get("thought"):
            text = part.get("text") if "text" in part else part.get("content")
            if isinstance(text, str):
                yield text


def _is_call(part: dict[str, Any]) -> bool:
    kind, called = part.get("type"), part.get("function")
    if kind == "function" and isinstance(called, dict) and "arguments" in called:
        return True  # as chat completions write it
    return (
        kind in _CALLS
        if isinstance(kind, str)
        else not part.keys().isdisjoint(("toolUse", "functionCall", "function_call"))
    )


def _declines(parts: list[dict[str, Any]]) -> bool:
    return any(part.get("type") == "refusal" for part in parts)


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _nested(value: dict[str, Any], *path: str) -> Any:
    found: Any = value
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found
