"""Helicone: logs of its async logger, rows of its request API, its own queue's messages, and its webhooks.

Written against Helicone's documentation and source of 2026. Its traps: a client that went away has status -3, a call
that is not over -2; times are pairs of seconds and milliseconds; a stream is JSON lines in `textBody`; rows count
cached prompt tokens and reasoning apart; tool and vector database events are logged as requests; messages of the queue
carry the caller's key and, bodies being stored elsewhere, a model only behind Helicone's AI gateway.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from undertow_collectors.decode import answer, endpoints, failures
from undertow_collectors.decode.coerce import count, mapping
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import Call, JsonLog, each

_CANCELLED, _PENDING = -3, -2
_OF_HELPERS = (200, 500)
_NOT_CACHED = "00000000-0000-0000-0000-000000000000"
_EVENTS = {"tool": "tool", "vector_db": "not_llm_call", "data": "not_llm_call"}
_PROPERTY = "Helicone-Property-"
_ASKED, _SAID, _META = "providerRequest.json", "providerResponse.json", "providerRequest.meta"
_QUEUED, _DONE = "log.request", "log.response"

FIELDS = FieldMap(
    {
        "gateway": always("helicone"),
        "span_id": at("request_id", f"{_QUEUED}.id", f"{_META}.Helicone-Request-Id", f"{_SAID}.id"),
        "started_at": at("request_created_at", f"{_QUEUED}.requestCreatedAt", unit="rfc3339"),
        "duration_s": at("delay_ms", f"{_DONE}.delayMs", "metadata.latencyMs", unit="ms"),
        "ttft_s": at("time_to_first_token", f"{_DONE}.timeToFirstToken", "timing.timeToFirstToken", unit="ms"),
        "provider": at("heliconeMeta.gatewayProvider", f"{_QUEUED}.provider", "provider"),
        "model": at("heliconeMeta.gatewayModel", "request_model", "model", f"{_ASKED}.model"),
        "sent_model": at("heliconeMeta.providerModelId"),
        "stream": at(f"{_QUEUED}.isStream"),
        "input_tokens": at("metadata.promptTokens"),
        "output_tokens": at("metadata.completionTokens"),
        "cost_usd": at("cost", f"{_DONE}.cost", "metadata.cost"),
        "prompt_name": at("prompt_id", "heliconeMeta.promptId"),
        "prompt_version": at("prompt_version", "heliconeMeta.promptVersionId"),
        "error_class": at(f"{_SAID}.error.code", "response_body.error.code"),
        "request_body": at(_ASKED, "request_body"),
        "response_body": at(_SAID, "response_body"),
    },
    beside=(
        *("timing", "properties", "providerRequest.url", "target_url", "request_path", f"{_QUEUED}.targetUrl", _META),
        *("providerResponse.status", "response_status", f"{_DONE}.status", "providerResponse.textBody"),
        *("prompt_tokens", "completion_tokens", "prompt_cache_read_tokens", "prompt_cache_write_tokens"),
        *("reasoning_tokens", "cache_reference_id", f"{_QUEUED}.cacheReferenceId", f"{_QUEUED}.properties"),
    ),
)

_event = msgspec.json.Decoder().decode


def _calls(record: dict[str, Any]) -> Iterable[Call]:
    record = mapping(record.get("value")) or record  # Helicone's producer for Kafka puts a message into a message
    rows = record.get("data")
    if isinstance(rows, list):
        return each(rows, _call)
    return (_call(record),)


def _call(record: dict[str, Any]) -> Call:
    request, queued = mapping(record.get("providerRequest")), mapping(mapping(record.get("log")).get("request"))
    asked = mapping(request.get("json") or record.get("request_body"))
    kind = asked.get("_type")
    if isinstance(kind, str) and kind in _EVENTS:
        return _EVENTS[kind]
    if _status(record) == _PENDING:
        return "unfinished"
    if (record.get("cache_reference_id") or queued.get("cacheReferenceId") or _NOT_CACHED) != _NOT_CACHED:
        return "cached_answer"
    sent = mapping(record.get("properties") or queued.get("properties")) | _properties(mapping(request.get("meta")))
    return _with_stream(record) | {"properties": sent | {str(name).lower(): sent[name] for name in sent}}


def _status(record: dict[str, Any]) -> Any:
    response, done = mapping(record.get("providerResponse")), mapping(mapping(record.get("log")).get("response"))
    return next(
        (s for s in (record.get("response_status"), done.get("status"), response.get("status")) if s is not None), None
    )


def _properties(meta: dict[str, Any]) -> dict[str, Any]:
    return {name[len(_PROPERTY) :]: value for name, value in meta.items() if name.startswith(_PROPERTY)}


def _with_stream(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose answer stands in its body, also where it was streamed: events, one a line."""
    response = mapping(record.get("providerResponse"))
    text = response.get("textBody")
    if not isinstance(text, str) or response.get("json"):
        return record
    return record | {"providerResponse": response | {"json": answer.body(text) or answer.body(_events(text))}}


def _events(text: str) -> list[Any]:
    try:
        return [_event(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return []


def _adjust(fields: dict[str, Any], record: dict[str, Any]) -> Iterable[str]:
    request, queued = mapping(record.get("providerRequest")), mapping(mapping(record.get("log")).get("request"))
    url = request.get("url") or record.get("target_url") or record.get("request_path") or queued.get("targetUrl")
    endpoints.fill(fields, url)
    status = _status(record)
    fields["http_status"] = count(status)
    if status == _CANCELLED:
        fields["status"] = "cancelled"
    inferred = _failed(fields, mapping(record.get("providerResponse")).get("textBody")) if status in _OF_HELPERS else []
    if fields.get("provider") == "CUSTOM":
        del fields["provider"]
    timing = mapping(record.get("timing"))
    start, end = _milliseconds(mapping(timing.get("startTime"))), _milliseconds(mapping(timing.get("endTime")))
    if start is not None and fields.get("started_at") is None:
        fields["started_at"] = start / 1000
    if start is not None and end is not None and end >= start and fields.get("duration_s") is None:
        fields["duration_s"] = (end - start) / 1000
    if "prompt_tokens" in record and not answer.usage(fields.get("response_body")):
        _counted(fields, record)
    answered = mapping(fields.get("response_body")).get("id")
    return [*inferred, "span_id"] if answered and fields.get("span_id") == answered else inferred


def _failed(fields: dict[str, Any], text: Any) -> list[str]:
    """Tell an error by the stack trace that it was logged as, and say which fields that is.

    Of Helicone's own loggers, the one for Python gives every call the status 200, the one for JavaScript every failure
    500.
    """
    sentence = failures.raised(text) if isinstance(text, str) else None
    if sentence is None:
        return []
    told = failures.told(sentence)
    fields.update(told)
    return [name for name, value in told.items() if value is not None]


def _milliseconds(pair: dict[str, Any]) -> int | None:
    """The Unix time of a pair of seconds and milliseconds."""
    seconds = count(pair.get("seconds"))
    return None if seconds is None else seconds * 1000 + (count(pair.get("milliseconds")) or 0)


def _counted(fields: dict[str, Any], row: dict[str, Any]) -> None:
    """Usage by the columns of a row, where the body does not say it: cached tokens and reasoning are counted apart."""
    cached, reasoning = count(row.get("prompt_cache_read_tokens")), count(row.get("reasoning_tokens"))
    prompt, output = count(row.get("prompt_tokens")), count(row.get("completion_tokens"))
    if prompt is not None:
        fields["input_tokens"] = prompt + (cached or 0) + (count(row.get("prompt_cache_write_tokens")) or 0)
        fields["cached_input_tokens"] = cached
    if output is not None:
        fields["output_tokens"] = output + (reasoning or 0)
        fields["reasoning_tokens"] = reasoning


decode = JsonLog("helicone", FIELDS, _calls, _adjust, ("properties",)).decode
