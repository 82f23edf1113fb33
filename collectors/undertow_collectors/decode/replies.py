"""What a component of Haystack returned, as a body of chat completions: replies, and what the provider said of each.

Haystack's own tracer writes messages as JSON, OpenInference as Python writes them, and generators of Haystack 2 texts
with a list of `meta` beside them.
"""

from datetime import UTC, datetime
from typing import Any

from undertow_collectors.decode.coerce import literal
from undertow_collectors.decode.records import Record

FIRST_CHUNK = "completion_start_time"
_META = "_meta="
_ZONES_S = 900
"""The local times of all zones differ from each other by whole quarters of an hour."""


def opened(value: dict[str, Any]) -> dict[str, Any]:
    """Return the body behind the first of the `replies`; the value as it is where nothing says which model answered."""
    reply = _first(value.get("replies"))
    meta = _meta(reply) or _first(value.get("meta"))
    if not isinstance(meta, dict) or not isinstance(meta.get("model"), str):
        return value
    reason = next((meta[name] for name in ("finish_reason", "stop_reason", "status") if meta.get(name)), None)
    return {
        "id": meta.get("id"),
        "model": meta["model"],
        "choices": [{"finish_reason": reason, "message": _message(reply)}],
        "usage": meta.get("usage"),
        FIRST_CHUNK: meta.get(FIRST_CHUNK),
    }


def first_chunk_s(body: Any, record: Record) -> float | None:
    """Return how long the first chunk of a stream took, which Haystack tells as a time of day without its zone."""
    told = body.get(FIRST_CHUNK) if isinstance(body, dict) else None
    try:
        at = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return None
    if at is None:
        return None
    waited = ((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - record.start_ns / 1e9) % _ZONES_S
    return waited if waited <= (record.end_ns - record.start_ns) / 1e9 else None


def _meta(reply: Any) -> Any:
    if isinstance(reply, dict):
        return reply.get("meta") or reply.get("_meta")
    if isinstance(reply, str) and reply.startswith("ChatMessage("):
        return literal(reply.rpartition(_META)[2].removesuffix(")"))
    return None


def _message(reply: Any) -> dict[str, Any] | None:
    """The message; of one as Python writes it, whose text the instrumentation tells besides, nothing."""
    if isinstance(reply, str):
        return None if reply.startswith("ChatMessage(") else {"role": "assistant", "content": reply}
    content = reply.get("content", reply.get("_content")) if isinstance(reply, dict) else None
    if not isinstance(content, list):
        return {"role": "assistant", "content": content} if isinstance(content, str) else None
    return {"role": "assistant", "content": [_part(part) for part in content if isinstance(part, dict)]}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = next((kind for kind in ("tool_call", "reasoning") if kind in part), "")
    return {"type": kind} if kind else part


def _first(items: Any) -> Any:
    return items[0] if isinstance(items, list) and items else None
