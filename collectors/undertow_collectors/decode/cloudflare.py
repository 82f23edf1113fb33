"""Cloudflare AI Gateway: log entries of its API, and what Workers Logpush delivers.

Written against Cloudflare's API of 2026 and its documentation of Logpush. Its traps: the steps of a fallback chain are
entries of their own; `metadata` is JSON in a string; Logpush has capital names, neither ids nor times nor tokens, and
seals bodies and metadata with the customer's key, so that only an unsealed body says what it cost and who it was.
"""

from collections.abc import Iterable
from typing import Any

from undertow_collectors.decode import endpoints
from undertow_collectors.decode.coerce import flag
from undertow_collectors.decode.fieldmap import FieldMap, at
from undertow_collectors.decode.jsonlog import Call, JsonLog, each

_BLOCKED = 424
"""What the gateway answers where a guardrail or a DLP policy stopped a prompt or an answer."""

FIELDS = FieldMap(
    {
        "gateway": at("Gateway", default="cloudflare"),
        "span_id": at("id", "ResponseBody.id"),
        "trace_id": at("event_id"),
        "started_at": at("created_at", "Datetime", "ResponseBody.created", unit="auto"),
        "duration_s": at("duration", unit="ms"),
        "provider": at("provider", "Provider"),
        "model": at("model", "Model"),
        "http_status": at("status_code", "StatusCode"),
        "status": at("success"),
        "input_tokens": at("tokens_in"),
        "output_tokens": at("tokens_out"),
        "cost_usd": at("cost", unit="usd"),
        "stream": at("response_content_type", values={"text/event-stream": True, "application/json": False}),
        "error_class": at("response.error.code", "ResponseBody.error.code"),
        "request_body": at("request", "RequestBody"),
        "response_body": at("response", "ResponseBody"),
    },
    beside=("metadata", "Metadata", "path", "Endpoint", "step", "cached", "Cached"),
)


def _calls(record: dict[str, Any]) -> Iterable[Call]:
    entries = record.get("result")
    if isinstance(entries, list):
        return each(entries, _call)
    return (_call(record),)


def _call(entry: dict[str, Any]) -> Call:
    if flag(entry.get("cached")) or flag(entry.get("Cached")):
        return "cached_answer"
    return entry


def _adjust(fields: dict[str, Any], entry: dict[str, Any]) -> Iterable[str]:
    endpoints.fill(fields, entry.get("path") or entry.get("Endpoint"))
    step = entry.get("step")
    if type(step) is int:
        fields["fallback"] = step > 0
    if fields.get("http_status") == _BLOCKED:
        fields["error_class"] = "content_filter"
    pushed = "StatusCode" in entry and "id" not in entry  # what the answer says stands in for what Logpush does not
    return [name for name in ("span_id", "started_at") if pushed and fields.get(name) is not None]


decode = JsonLog("cloudflare", FIELDS, _calls, _adjust, ("metadata", "Metadata")).decode
