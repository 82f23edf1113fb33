"""Streamed answers put together again: the events of a stream, or its raw text, become the body of an answer.

Events are those of OpenAI (chat, text, Responses), Anthropic and Gemini. Where a stream ended without a finish reason
the text is left out: what was cut says nothing about an answer.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

MAX_EVENTS = 200_000
"""Events of one stream; what comes after them is not read, so that the answer is one that was cut."""

_decode = msgspec.json.Decoder().decode


def is_stream(text: str) -> bool:
    """Whether a text is that of server-sent events."""
    return text.lstrip()[:6].startswith(("data:", "event:", ":"))


def are_events(items: list[Any]) -> bool:
    """Whether a list holds the events of a stream, as some logs keep them."""
    first = _first(items)
    kind = first.get("type")
    named = isinstance(kind, str) and (kind in _ANTHROPIC or kind.startswith("response."))
    return named or "choices" in first or "candidates" in first


def of_text(text: str) -> dict[str, Any]:
    """The body that the server-sent events in `text` amount to; empty where they are none."""
    return of_events(_events(text))


def of_events(events: Iterable[Any]) -> dict[str, Any]:
    """The body that decoded events amount to; empty where they are none."""
    body: dict[str, Any] = {}
    whole = _Text()
    for event, _ in zip(events, range(MAX_EVENTS), strict=False):
        if isinstance(event, dict):
            _take(event, body, whole)
    return whole.into(body)


class _Text:
    """What arrived of the first choice, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.calls: set[Any] = set()
        self.finish: str | None = None
        self.refusal = False
        self.seen = False

    def add(self, text: Any) -> None:
        self.seen = True
        if isinstance(text, str):
            self.pieces.append(text)

    def end(self, reason: Any) -> None:
        if isinstance(reason, str) and reason:
            self.finish = reason

    def into(self, body: dict[str, Any]) -> dict[str, Any]:
        if "output" in body or not (self.seen or self.finish):
            return body
        message: dict[str, Any] = {"role": "assistant"}
        if self.finish:
            message |= {"content": "".join(self.pieces), "tool_calls": [{}] * len(self.calls)}
        if self.refusal:
            message["refusal"] = True
        return body | {"choices": [{"finish_reason": self.finish, "message": message}]}


def _events(text: str) -> Iterator[Any]:
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):  # no other sign ends a line of a stream
        if line.startswith("data:"):
            try:
                yield _decode(line[5:])
            except (ValueError, RecursionError):
                continue  # [DONE], or an event that was cut


def _take(event: dict[str, Any], body: dict[str, Any], whole: _Text) -> None:
    kind = event.get("type")
    if isinstance(kind, str) and kind.startswith("response."):
        _of_responses(kind, event, body, whole)
    elif isinstance(kind, str) and kind in _ANTHROPIC:
        _of_anthropic(kind, event, body, whole)
    else:
        for name in ("id", "model", "system_fingerprint", "responseId", "modelVersion"):
            if event.get(name):
                body[name] = event[name]
        for name in ("usage", "usageMetadata"):
            if isinstance(event.get(name), dict):
                body[name] = _later(body.get(name), event[name])
        _of_choice(_first(event.get("choices")), whole)
        _of_candidate(_first(event.get("candidates")), whole)


def _of_choice(choice: dict[str, Any], whole: _Text) -> None:
    if choice.get("index"):
        return  # another choice than the first
    delta = choice.get("delta")
    if isinstance(delta, dict):
        whole.add(delta.get("content"))
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            whole.calls.add(str(call.get("index")) if isinstance(call, dict) else None)
        if isinstance(delta.get("function_call"), dict):
            whole.calls.add("function_call")
        whole.refusal = whole.refusal or bool(delta.get("refusal"))
    elif "text" in choice:
        whole.add(choice["text"])
    whole.end(choice.get("finish_reason"))


def _of_candidate(candidate: dict[str, Any], whole: _Text) -> None:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and not part.get("thought"):
            whole.add(part.get("text"))
            if "functionCall" in part:
                whole.calls.add(len(whole.calls))
    reason = candidate.get("finishReason")
    whole.end("tool_calls" if whole.calls and reason == "STOP" else reason)


_ANTHROPIC = {"message_start", "content_block_start", "content_block_delta", "message_delta"}


def _of_anthropic(kind: str, event: dict[str, Any], body: dict[str, Any], whole: _Text) -> None:
    delta = event.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    block = event.get("content_block")
    if kind == "message_start" and isinstance(event.get("message"), dict):
        started = event["message"]
        body |= {name: started[name] for name in ("id", "model", "usage") if name in started}
        whole.seen = True
    elif kind == "content_block_start" and isinstance(block, dict):
        if str(block.get("type")).endswith("tool_use"):
            whole.calls.add(str(event.get("index")))
        whole.add(block.get("text"))
    elif kind == "content_block_delta":
        whole.add(delta.get("text"))
    elif kind == "message_delta":
        whole.end(delta.get("stop_reason"))
        before, after = body.get("usage"), event.get("usage")
        if isinstance(after, dict):
            body["usage"] = _later(before, after)


def _of_responses(kind: str, event: dict[str, Any], body: dict[str, Any], whole: _Text) -> None:
    response = event.get("response")
    if isinstance(response, dict):
        ended = kind in ("response.completed", "response.incomplete")
        body |= {name: value for name, value in response.items() if ended or name != "output"}
    whole.seen = True


def _later(before: Any, after: dict[str, Any]) -> dict[str, Any]:
    """Usage that was told in two events: what the later one leaves out, or has as null or zero, stays as it was."""
    known = before if isinstance(before, dict) else {}
    return known | {name: value for name, value in after.items() if value or name not in known}


def _first(items: Any) -> dict[str, Any]:
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
