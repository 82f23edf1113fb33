"""What libraries put around an answer: LangChain's dumps, lists of one body, the chunks of streams.

An answer's text is looked at wherever it is found, and what stands around it never is: a body whose shape is not known
says nothing, for the next version of the library may write it in another way.
"""

from typing import Any

import msgspec

from undertow_collectors.decode import replies

_decode = msgspec.json.Decoder().decode
_AI = ("ai", "assistant", "AIMessage", "AIMessageChunk")
_SAID = ("finish_reason", "stop_reason", "stopReason", "finishReason", "done_reason")
_SERVED = ("model_name", "model", "model_version")
_OF_A_BODY = {"choices", "candidates", "generations", "output"}
_WHOSE = {"id", "model", "system_fingerprint"}


def opened(value: Any) -> Any:
    """Return a parsed answer without what LangChain and other libraries put around a body or a message."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return _of_one(value[0], value)
    if not isinstance(value, dict):
        return value
    if "generations" in value:
        return _of_result(value)
    if "replies" in value:
        return replies.opened(value)
    message = _message(value)
    return {"role": "assistant"} | message if message.get("type") in _AI and "role" not in message else value


def is_unfinished(body: dict[str, Any]) -> bool:
    """Return whether a body is one chunk of a stream, or several put together that do not reach its end."""
    return str(body.get("object", "")).endswith(".chunk")


def is_json(text: str) -> bool:
    """Return whether a text is JSON, or the beginning of it."""
    try:
        _decode(text)
    except ValueError as error:
        return "truncated" in str(error)
    except RecursionError:
        return True
    return True


def is_body(value: Any) -> bool:
    """Return whether a parsed value is a body, or a part of one, rather than an answer in JSON."""
    return isinstance(value, dict) and not (_OF_A_BODY | {"object", "response_metadata"}).isdisjoint(value)


def is_cut(text: str) -> bool:
    """Return whether a text is the beginning of JSON, of which the end is missing."""
    try:
        _decode(text)
    except (ValueError, RecursionError) as error:
        return "truncated" in str(error)
    return False


def _of_one(item: dict[str, Any], items: list[Any]) -> Any:
    """What the only item of a list amounts to; the client made up the names of a body that it put into a list."""
    if _OF_A_BODY.isdisjoint(item) or "role" in item:
        found = opened(item)
        return items if found is item else [found]
    body = opened(item)
    return {name: value for name, value in body.items() if name not in _WHOSE}


def _of_result(result: dict[str, Any]) -> dict[str, Any]:
    """LangChain's LLMResult, of which the first generation counts, as a body of chat completions."""
    first = _first(_first(result.get("generations")))
    if not isinstance(first, dict):
        return {}
    told, message = _dict(first.get("generation_info")), _message(_dict(first.get("message")))
    told_by = (told, _dict(message.get("response_metadata")), _dict(result.get("llm_output")))  # the nearest first
    meta = told_by[2] | told_by[1] | told_by[0]
    content = message.get("content", first.get("text"))
    more = _dict(message.get("additional_kwargs"))
    calls = message.get("tool_calls") or more.get("tool_calls")
    whole = {"role": "assistant", "content": content, "tool_calls": calls, "refusal": more.get("refusal")}
    return {
        "id": _dict(message.get("response_metadata")).get("id"),
        "model": next((part[name] for part in told_by for name in _SERVED if part.get(name)), None),
        "system_fingerprint": meta.get("system_fingerprint"),
        "choices": [
            {
                "finish_reason": next((meta[name] for name in _SAID if meta.get(name)), None),
                "message": whole,
            }
        ],
        "usage_metadata": message.get("usage_metadata") or meta.get("token_usage"),
    }


def _message(value: dict[str, Any]) -> dict[str, Any]:
    """A message of LangChain, as its constructor was called or as a dict."""
    inner = value.get("kwargs") if value.get("lc") and value.get("type") == "constructor" else None
    return inner if isinstance(inner, dict) else value


def _first(items: Any) -> Any:
    return items[0] if isinstance(items, list) and items else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
