"""Langfuse's own spans: `langfuse.observation.*` attributes, most of them JSON in a string.

Written against the Python SDK 3 (langfuse/langfuse-python, langfuse/_client/attributes.py).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from undertow_collectors.decode import answer
from undertow_collectors.decode.coerce import leading, mapping
from undertow_collectors.decode.context import max_tokens
from undertow_collectors.decode.usage import of_parts


def found(values: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """What stands in the attributes of an observation: field, value, and the clue that it came from."""
    parameters = leading(values.get(".parameters"))
    yield "model", values.get(".model_name"), ".model_name"
    yield "operation", "embeddings" if values[".langfuse"] == "embedding" else "chat", ".langfuse"
    yield "max_tokens", max_tokens(parameters), ".parameters"
    yield "temperature", parameters.get("temperature"), ".parameters"
    yield "stream", parameters.get("stream"), ".parameters"
    for name, tokens in of_parts(mapping(values.get(".usage"))).items():
        yield name, tokens, ".usage"
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
