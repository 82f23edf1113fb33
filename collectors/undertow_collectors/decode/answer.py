"""What an answer's text says about itself. The text stays here: lengths, a hash and verdicts go on, words do not."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from undertow_collectors.decode import names

REDACTED = "redacted-by-litellm"
"""What LiteLLM puts in place of texts when the operator turned message logging off."""

_REFUSAL = re.compile(
    r"\W*((i['’]m|i am|we['’]re|we are)\s+(really\s+|very\s+)?sorry|sorry|i apologi[sz]e|unfortunately|as an ai[\w ]*)?"
    r"[,.;:]?\s*(but\s+)?(i|we)\s*(['’]m|am|are)?\s*"
    r"(can['’]?t|cannot|can not|won['’]t|will not|not able to|unable to|not allowed to)\s+"
    r"(help|assist|provide|comply|fulfil|answer|do that|create|generate|share|support|continue|engage|discuss|give)",
    re.IGNORECASE,
)


def features(response: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Fields of the span that a response body shows; `parameters` are the request's.

    Reads chat completions, text completions and the Responses API; the first choice counts.
    """
    if not isinstance(response, dict):
        return {}
    if isinstance(response.get("output"), list):
        return _of_responses(response, parameters)
    choices = response.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    found = _finish(choice.get("finish_reason"))
    if isinstance(message, dict):
        found |= _of_message(message, parameters)
    elif isinstance(choice.get("text"), str):
        found |= _of_text(choice["text"], parameters)
    return found


def _of_message(message: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    if "content" not in message:
        return {}
    calls = message.get("tool_calls")
    tools = len(calls) if isinstance(calls, list) else int(isinstance(message.get("function_call"), dict))
    found = {"tool_call_count": tools} | _of_text(_content(message["content"]), parameters, tools)
    if message.get("refusal") or _nested(message, "provider_specific_fields", "refusal"):
        found["refusal"] = True
    return found


def _of_responses(response: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    items = [item for item in response["output"] if isinstance(item, dict)]
    tools = sum(1 for item in items if str(item.get("type")).endswith("_call"))
    parts = "".join(_content(item.get("content")) for item in items if item.get("type") == "message")
    return {"tool_call_count": tools} | _of_text(parts, parameters, tools) | _finish_of_responses(response, tools)


def _of_text(text: str, parameters: dict[str, Any], tools: int = 0) -> dict[str, Any]:
    if text == REDACTED:
        return {}
    found: dict[str, Any] = {"response_chars": len(text), "refusal": _REFUSAL.match(text[:300]) is not None}
    if text:
        found["response_sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    if not tools and _wants_json(parameters):
        found["parse_ok"] = _parses(text)
    return found


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(_texts(content)) if isinstance(content, list) else ""


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            yield text


def _wants_json(parameters: dict[str, Any]) -> bool:
    wanted = parameters.get("response_format") or _nested(parameters, "text", "format")
    return isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema")


def _parses(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _finish(reason: Any) -> dict[str, Any]:
    return {"finish_reason": names.finish_reason(reason)} if isinstance(reason, str) and reason else {}


def _finish_of_responses(response: dict[str, Any], tools: int) -> dict[str, Any]:
    if response.get("status") == "incomplete":
        return _finish(_nested(response, "incomplete_details", "reason") or "length")
    return _finish("tool_calls" if tools else "stop") if response.get("status") == "completed" else {}


def _nested(value: dict[str, Any], *path: str) -> Any:
    found: Any = value
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found
