"""Haystack's own tracer: components that are generators or embedders are calls, if content is traced.

Written after haystack-ai 2.31.0, and 3.4.1 with opentelemetry-haystack 2.0.0. Only what a component returned names a
model, the one that answered, and nothing of it is there without HAYSTACK_CONTENT_TRACING_ENABLED.
"""

import re
from collections.abc import Iterator
from typing import Any

from undertow_collectors.decode import answer, providers, replies
from undertow_collectors.decode.context import max_tokens
from undertow_collectors.decode.records import Record

_COMPONENT = re.compile(r"(\w*?)(?:Chat|Responses|Text|Document)*(Generator|Embedder)")
_FALLBACK = "Fallback"
_SKIPPED = {"Agent": "agent", "LLM": "agent", "ToolInvoker": "tool"}
"""Components that are no calls -> why; all others are not_llm_call."""


def skip_reason(record: Record, values: dict[str, Any], unrecognised: str) -> str | None:
    """Return why the span of a component is no call, None where it is one.

    A generator of which nothing says what it returned is `unrecognised`.
    """
    kind = str(values[".haystack"])
    if kind[:1] == "{":  # an agent's step, which has no component of its own
        return None if record.failed or _model(values) else unrecognised
    component = _COMPONENT.fullmatch(kind)
    if component is None or component[1].endswith("Image"):
        return _SKIPPED.get(kind, "not_llm_call")
    if component[2] == "Embedder":
        return None if _model(values) or (record.failed and providers.in_class_name(kind)) else "not_llm_call"
    if record.failed and component[1] == _FALLBACK:
        return "wrapper"
    return None if record.failed or _model(values) else unrecognised


def found(values: dict[str, Any], record: Record) -> Iterator[tuple[str, Any, str]]:
    """What the span of a component says: field, value, and the clue that it came from."""
    component = _COMPONENT.fullmatch(str(values[".haystack"]))
    yield "provider", providers.in_class_name(str(values[".haystack"])), ".haystack"
    embeds = component is not None and component[2] == "Embedder"
    yield "operation", "embeddings" if embeds else "chat", ".haystack"
    asked = _asked_for(values)
    yield "temperature", asked.get("temperature"), ".request"
    yield "max_tokens", max_tokens(asked), ".request"
    body = answer.opened(values, ".returned")
    yield "model", _model(values), ".returned"
    yield "response_model", _model(values), ".returned"
    for name, value in (answer.identity(body) | answer.usage(body)).items():
        yield name, value, ".returned"
    yield "ttft_s", replies.first_chunk_s(body, record), ".returned"


def answered(values: dict[str, Any], _: Record) -> tuple[Any, dict[str, Any]]:
    """Return the answer, as a body of chat completions, and the parameters that name its format."""
    return answer.opened(values, ".returned"), _asked_for(values)


def _model(values: dict[str, Any]) -> str | None:
    """The model that answered, of a generator or of an embedder."""
    body = answer.opened(values, ".returned")
    meta = body.get("meta")
    named = body.get("model") or (meta.get("model") if isinstance(meta, dict) else None)
    return named if isinstance(named, str) else None


def _asked_for(values: dict[str, Any]) -> dict[str, Any]:
    """What the call was asked for beyond what its generator was made with."""
    asked = answer.opened(values, ".request").get("generation_kwargs")
    return asked if isinstance(asked, dict) else {}
