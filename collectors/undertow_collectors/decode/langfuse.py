"""Langfuse: batches of its ingestion API, and events without their batch.

Written against Langfuse's API definition of August 2026, where this endpoint is deprecated for OTLP. A generation is
what all its events say together: those of one message are put together by their body's id, in the order of their
timestamps. One that has begun and not ended is skipped as `unfinished`: the update that ends it, in a later message, is
the call, as far as it says itself which model it was. Other traps: usage in tokens, characters or OpenAI's own words,
whose parts exclude each other; times down to nanoseconds; failures are a level and a sentence.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from undertow.batch import Decoded
from undertow_collectors.decode import answer, failures
from undertow_collectors.decode.coerce import count, literal, mapping, number
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import Call, JsonLog
from undertow_collectors.decode.usage import of_parts

_OPERATIONS = {"generation": "chat", "embedding": "embeddings"}
_SKIPPED = {"tool": "tool", "agent": "agent"}
_DEFAULT_NAME = re.compile(r"(?:Azure)?OpenAI(?:-generation|\.\w+)")
_NOT_TOKENS = {"CHARACTERS", "MILLISECONDS", "SECONDS", "IMAGES", "REQUESTS"}

FIELDS = FieldMap(
    {
        "gateway": always("langfuse"),
        "span_id": at("id"),
        "trace_id": at("traceId"),
        "started_at": at("startTime", unit="rfc3339"),
        "first_token_at": at("completionStartTime", unit="rfc3339"),
        "ended_at": at("endTime", unit="rfc3339"),
        "provider": at("metadata.ls_provider"),
        "model": at("model"),
        "response_model": at("responseModel"),
        "operation": at("operation"),
        "route": at("name"),
        "prompt_name": at("promptName"),
        "prompt_version": at("promptVersion"),
        "max_tokens": at("modelParameters.maxTokens"),
        "stream": at("modelParameters.stream"),
        "cost_usd": at("costDetails.total", "usage.totalCost", unit="usd"),
        "request_body": at("modelParameters"),
    },
    beside=("usage", "usageDetails", "costDetails", "level", "statusMessage", "output", "metadata", "type"),
)


def _calls(record: dict[str, Any]) -> Iterable[Call]:
    batch = record.get("batch")
    events = batch if isinstance(batch, list) else [record]
    return [*(None for event in events if not isinstance(event, dict)), *_generations(events)]


def _generations(events: list[Any]) -> Iterator[Call]:
    """One call for each generation of a message, and for each other event the reason why it is none."""
    found: dict[Any, dict[str, Any]] = {}
    told = [event for event in events if isinstance(event, dict)]
    for event in sorted(told, key=lambda event: str(event.get("timestamp"))):
        body = mapping(event.get("body"))
        kind = str(body.get("type") if str(event.get("type")).startswith("observation-") else event.get("type")).lower()
        kind = kind.removesuffix("-create").removesuffix("-update")
        if kind in _OPERATIONS:
            name = body.get("id")
            key = name if isinstance(name, str) else id(event)
            _take(found.setdefault(key, {"operation": _OPERATIONS[kind]}), body)
        else:
            yield _SKIPPED.get(kind, "not_llm_call")
    for generation in found.values():
        yield generation if generation.get("endTime") else "unfinished"


def _take(generation: dict[str, Any], body: dict[str, Any]) -> None:
    """Put the next event's body over what is known; a second model is the one that answered."""
    told = {name: value for name, value in body.items() if value is not None}
    if "model" in told and generation.get("model", told["model"]) != told["model"]:
        told["responseModel"] = told.pop("model")
    generation.update(told)


def _adjust(fields: dict[str, Any], body: dict[str, Any]) -> Iterable[str]:
    inferred = [] if fields.get("started_at") is not None else ["started_at"]
    fields.update(_tokens(body))
    if _DEFAULT_NAME.fullmatch(str(fields.get("route"))):
        fields["route"] = None
    if fields.get("first_token_at") is not None and fields.get("stream") is None:
        fields["stream"] = True
        inferred.append("stream")
    if fields.get("cost_usd") is None:
        costs = [cost for value in mapping(body.get("costDetails")).values() if (cost := number(value)) is not None]
        fields["cost_usd"] = sum(costs) if costs else None
    if body.get("level") == "ERROR":
        fields.update(failures.told(str(body.get("statusMessage") or "")[:1000]))
    message = _message(body.get("output"))
    if message is not None:
        fields["response_body"] = message if "choices" in message else {"choices": [{"message": message}]}
    return inferred


def _tokens(body: dict[str, Any]) -> dict[str, int]:
    details, usage = mapping(body.get("usageDetails")), mapping(body.get("usage"))
    if details:
        return of_parts(details)
    if str(usage.get("unit")) in _NOT_TOKENS:
        return {}
    names = {"promptTokens": "input_tokens", "completionTokens": "output_tokens"}
    names |= {"input": "input_tokens", "output": "output_tokens"}
    found = {field: count(usage[name]) for name, field in names.items() if name in usage}
    return {field: value for field, value in found.items() if value is not None} or answer.usage({"usage": usage})


def _message(output: Any) -> dict[str, Any] | None:
    """The answer's message in what the application called its output, a bare text most often."""
    found = literal(output)
    last = found[-1] if isinstance(found, list) and found else found
    if isinstance(last, dict) and not last.keys().isdisjoint(("role", "content", "choices")):
        return last
    return {"role": "assistant", "content": output} if isinstance(output, str) else None


_LOG = JsonLog("langfuse", FIELDS, _calls, _adjust, ("metadata",))


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of a message of ingestion events: a batch, an array of events, which is one too, or one a line."""
    body = value.strip()
    return _LOG.decode(
        b'{"batch":' + body + b"}" if body.startswith(b"[") and b'"batch"' not in body else value, context
    )
