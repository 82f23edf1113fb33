"""Langfuse's own spans: `langfuse.observation.*` attributes, most of them JSON in a string.

Written against the Python SDK 3 (langfuse/langfuse-python, langfuse/_client/attributes.py).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from undertow_collectors.decode import answer
from undertow_collectors.decode.coerce import mapping
from undertow_collectors.decode.context import MAX_TOKENS

_CACHED = ("input_cached_tokens", "cache_read_input_tokens", "input_cached", "input_cache_read")
_REASONING = ("output_reasoning_tokens", "output_reasoning")


def found(values: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """What stands in the attributes of an observation: field, value, and the clue that it came from."""
    parameters = mapping(values.get(".parameters"))
    yield "model", values.get(".model_name"), ".model_name"
    yield "operation", "embeddings" if values[".langfuse"] == "embedding" else "chat", ".langfuse"
    yield "max_tokens", next((parameters[n] for n in MAX_TOKENS if parameters.get(n)), None), ".parameters"
    yield "temperature", parameters.get("temperature"), ".parameters"
    yield "stream", parameters.get("stream"), ".parameters"
    for name, value in usage(mapping(values.get(".usage"))).items():
        yield name, value, ".usage"
    yield "cost_usd", mapping(values.get(".cost")).get("total"), ".cost"
    yield "response_id", str(values.get(".metadata_id", "")).strip('"') or None, ".metadata_id"
    body = answer.body(values.get(".response"))
    if isinstance(body, dict) and not body.keys().isdisjoint(("choices", "output", "usage")):  # else one of its items
        for name, value in answer.identity(body).items():
            yield name, value, ".response"


def first_chunk_s(values: dict[str, Any], started_at: float) -> float | None:
    """Seconds to the first chunk, out of a time in RFC 3339 that the SDK writes as a JSON string."""
    found = values.get(".first_chunk_at")
    try:
        moment = datetime.fromisoformat(str(found).strip('"')) if found else None
        waited = None if moment is None or moment.tzinfo is None else moment.timestamp() - started_at
    except (ValueError, OverflowError):
        return None
    return waited if waited is not None and waited >= 0 else None


def usage(details: dict[str, Any]) -> dict[str, Any]:
    """Tokens out of `usageDetails`: Langfuse's own keys are disjoint parts, a provider's are its own."""
    cached = next((details[name] for name in _CACHED if isinstance(details.get(name), int)), None)
    given = details.get("input")
    if isinstance(given, int):
        parts = (n for name, n in details.items() if name.startswith("input_") or "cache" in name)
        given += sum(n for n in parts if isinstance(n, int))
    told = answer.usage({"usage": details})
    own = {
        "input_tokens": given,
        "output_tokens": details.get("output"),
        "cached_input_tokens": cached,
        "reasoning_tokens": next((details[name] for name in _REASONING if details.get(name) is not None), None),
    }
    if isinstance(own["output_tokens"], int) and isinstance(own["reasoning_tokens"], int):
        own["output_tokens"] += own["reasoning_tokens"]
    return told | {name: value for name, value in own.items() if value is not None}
