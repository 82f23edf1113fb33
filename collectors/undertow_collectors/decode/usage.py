"""Tokens and identity as a response body itself declares them, for logs that hold nothing but bodies."""

from collections import Counter
from typing import Any

from undertow_collectors.decode import settle
from undertow_collectors.decode.coerce import count

_INPUT = ("prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "prompt_eval_count")
_OUTPUT = ("completion_tokens", "output_tokens", "outputTokens", "candidatesTokenCount", "eval_count")
_CACHED = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("cache_read_input_tokens",),
    ("cacheReadInputTokens",),
    ("cachedContentTokenCount",),
    ("prompt_cache_hit_tokens",),
    ("input_token_details", "cache_read"),
)
_REASONING = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "thinking_tokens"),
    ("thoughtsTokenCount",),
    ("output_token_details", "reasoning"),
)
_BESIDE_INPUT = {
    "input_tokens": ("cache_read_input_tokens", "cache_creation_input_tokens"),
    "inputTokens": ("cacheReadInputTokens", "cacheWriteInputTokens"),
    "promptTokenCount": ("toolUsePromptTokenCount",),
}
"""What Anthropic, Bedrock and Gemini count apart from the input, and a span counts as part of it."""

_IDENTITY = {
    "response_id": ("id", "responseId"),
    "response_model": ("model", "modelVersion"),
    "system_fingerprint": ("system_fingerprint",),
}


def usage(response: Any) -> dict[str, int]:
    """`input_tokens` (cached ones included), `output_tokens` (reasoning included), `cached_input_tokens` and
    `reasoning_tokens` of a response body; those that it does not tell are not there.
    """
    told = _told(response)
    name = _name_of(told, _INPUT)
    reasoning = _first(told, _REASONING)
    found = {
        "input_tokens": _input(told, name) if name else None,
        "output_tokens": _output(told, count(told.get(name)) if name else None, reasoning),
        "cached_input_tokens": _first(told, _CACHED),
        "reasoning_tokens": reasoning,
    }
    known = {name: value for name, value in found.items() if value is not None}
    settle.tokens(known, Counter(), count(told.get("total_tokens")))
    return known


def of_parts(details: dict[str, Any]) -> dict[str, int]:
    """The same out of Langfuse's `usageDetails`.

    Langfuse counts the parts of usage apart, whatever they are called; OpenAI's own words are taken as they are.

    Langfuse's JavaScript client has parts within the sums, which the total shows.
    """
    if "prompt_tokens" in details or any(isinstance(value, dict) for value in details.values()):
        return usage({"usage": details})
    parts = {name: number for name, value in details.items() if (number := count(value)) is not None}
    sums = {
        "input_tokens": [n for name, n in parts.items() if "input" in name],
        "output_tokens": [n for name, n in parts.items() if "output" in name],
        "cached_input_tokens": [
            n for name, n in parts.items() if "input" in name and ("cached" in name or "read" in name)
        ],
        "reasoning_tokens": [n for name, n in parts.items() if "output" in name and "reasoning" in name],
    }
    found = {field: sum(values) for field, values in sums.items() if values}
    if "input" in parts and "output" in parts and parts["input"] + parts["output"] == parts.get("total"):
        found |= {"input_tokens": parts["input"], "output_tokens": parts["output"]}
    return found


def identity(response: Any) -> dict[str, str]:
    """`response_id`, `response_model` and `system_fingerprint` of a response body, those that it tells."""
    if not isinstance(response, dict):
        return {}
    found = {field: next((response[n] for n in names if response.get(n)), None) for field, names in _IDENTITY.items()}
    return {field: value for field, value in found.items() if isinstance(value, str)}


def _told(response: Any) -> dict[str, Any]:
    if not isinstance(response, dict):
        return {}
    for name in ("usage", "usageMetadata", "usage_metadata", "meta"):
        told = response.get(name)
        if isinstance(told, dict):
            inner = told.get("tokens") or told.get("usage")  # Cohere; Haystack's embedders
            return inner if isinstance(inner, dict) else told
    return response if "eval_count" in response else {}


def _input(told: dict[str, Any], name: str) -> int | None:
    apart = sum(count(told.get(n)) or 0 for n in _BESIDE_INPUT.get(name, ()))
    return count((count(told[name]) or 0) + apart)


def _output(told: dict[str, Any], given: int | None, reasoning: int | None) -> int | None:
    name = _name_of(told, _OUTPUT)
    output = count(told[name]) if name else None
    if output is None or not reasoning:
        return reasoning if name is None and "thoughtsTokenCount" in told else output
    total = count(told.get("total_tokens"))
    apart = name == "candidatesTokenCount" or total == (given or 0) + output + reasoning  # Gemini; xAI
    return count(output + reasoning) if apart else output


def _name_of(told: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The name under which a count stands; a zero is one only where no other name has more."""
    known = [name for name in names if count(told.get(name)) is not None]
    return next((name for name in known if count(told[name])), known[0] if known else None)


def _first(told: dict[str, Any], paths: tuple[tuple[str, ...], ...]) -> int | None:
    """The first of the counts at `paths` that is not zero, else zero if there is one."""
    known: int | None = None
    for path in paths:
        found: Any = told
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        known = known or (value if (value := count(found)) is not None else known)
    return known
