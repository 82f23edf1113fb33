"""Genkit (Go and JavaScript): actions whose subtype is `model` or `embedder` are calls; what they sent and got is JSON.

Written after genkit 1.42.0 (npm: core, ai and its model plugins) and github.com/firebase/genkit/go 1.4.0. An action's
name is `plugin/model`. Where a plugin keeps the provider's own body (`raw`, or `custom`), that says most: Genkit's own
words have no name for an answer that calls tools, and its usage may leave out what a cache gave.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from undertow_collectors.decode import answer, settle
from undertow_collectors.decode.coerce import count
from undertow_collectors.decode.records import Record, text_of

KINDS = {"model": None, "embedder": None, "tool": "tool", "tool.v2": "tool", "agent": "agent"}
"""Subtype of an action -> why it is no call, None if it is one; all others are not_llm_call."""

GENERATE = "generate"
"""The function around the calls of a model and of its tools; its span repeats what the last one answered."""

_USAGE = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cached_input_tokens": "cachedContentTokens",
    "reasoning_tokens": "thoughtsTokens",
}
_BODIES = {"choices", "candidates", "content", "output", "usage", "usageMetadata", "message"}
_FINISH = {"blocked": "content_filter", "unknown": None}
"""Genkit's words for the end of an answer that are not those of a provider."""


def skip_reason(values: Mapping[str, Any]) -> str | None:
    """Return why the span of an action is no call, None where it is one."""
    kind = str(values[".genkit"])
    if kind == "util" and values.get(".model_name") == GENERATE:
        return "wrapper"
    return KINDS.get(kind, "not_llm_call")


def found(values: dict[str, Any], record: Record) -> Iterator[tuple[str, Any, str]]:
    """What an action's span says: field, value, and the clue that it came from."""
    plugin, slash, model = str(values.get(".model_name") or record.name).partition("/")
    yield "model", model if slash else plugin, ".model_name"
    yield "provider", plugin if slash else None, ".model_name"
    yield "operation", "embeddings" if values[".genkit"] == "embedder" else "chat", ".genkit"
    config = _mapping(answer.opened(values, ".request").get("config"))
    yield "temperature", config.get("temperature"), ".request"
    yield "max_tokens", config.get("maxOutputTokens"), ".request"
    output = answer.opened(values, ".returned")
    body = _provider_body(output)
    for name, value in (answer.usage(body) or _usage(_mapping(output.get("usage")))).items():
        yield name, value, ".returned"
    for field, told in answer.identity(body).items():
        yield field, told, ".returned"
    yield "system_fingerprint", body.get("systemFingerprint"), ".returned"


def answered(values: dict[str, Any], _: Record) -> tuple[Any, dict[str, Any]]:
    """Return the answer, as a provider's body or a list of one message, and the parameters that name its format."""
    output = answer.opened(values, ".returned")
    body = _provider_body(output)
    known = not body.keys().isdisjoint(("choices", "candidates", "content"))
    return (body if known else _message(output)), _asked_for(answer.opened(values, ".request"))


def _provider_body(output: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider sent, or the names that a plugin took out of it; empty where neither is kept."""
    bodies = [_mapping(output.get(name)) for name in ("raw", "custom")]
    return next((body for body in bodies if not body.keys().isdisjoint(_BODIES)), bodies[0] or bodies[1])


def _usage(told: Mapping[str, Any]) -> dict[str, int]:
    """Genkit's own count, in which what the total shows to stand beside a whole becomes part of it."""
    usage: dict[str, int] = {
        name: number for name, key in _USAGE.items() if (number := count(told.get(key))) is not None
    }
    beside = _mapping(told.get("custom"))
    read, written = count(beside.get("cache_read_input_tokens")), count(beside.get("cache_creation_input_tokens"))
    if "input_tokens" in usage and (read or written):  # Anthropic's plugin, whose input leaves both out
        usage["input_tokens"] += (read or 0) + (written or 0)
        usage["cached_input_tokens"] = read or 0
    settle.tokens(usage, Counter(), count(told.get("totalTokens")))
    return usage


def _message(output: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Genkit's own message, of the first candidate where it has several, in the words of the others."""
    candidates = output.get("candidates")
    first = _mapping(candidates[0]) if isinstance(candidates, list) and candidates else {}
    said = output if "message" in output else first
    message = _mapping(said.get("message"))
    content = message.get("content")
    if not isinstance(content, list):
        return []
    parts = [{"type": "tool_call"} if "toolRequest" in part else part for part in map(_mapping, content)]
    reason = text_of(said.get("finishReason"))
    finish = _FINISH.get(reason, reason) if reason else None
    if finish == "stop" and {"type": "tool_call"} in parts:
        finish = "tool_calls"
    return [{"role": "assistant", "content": parts, "finish_reason": finish}]


def _asked_for(request: Mapping[str, Any]) -> dict[str, Any]:
    """The format that the provider was bound to; where it is not, a prompt asks for it, and fences may be around."""
    output = _mapping(request.get("output"))
    if output.get("constrained") is not True:
        return {}
    schema = output.get("schema") or output.get("jsonSchema")
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
