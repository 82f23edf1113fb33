"""APISIX's log of a request, as kafka-logger and its other loggers write it, with what ai-proxy adds.

Written against the source of Apache APISIX of August 2026; ai-proxy needs `logging: {summaries: true}`. Its traps:
`duration` is the time to the first token; numbers and booleans may be text; usage starts at 0; no key names the
provider, only the address that was called, and where several were, nginx lists them with commas; earlier versions gave
the time of failed calls in seconds.
"""

from collections.abc import Iterable
from typing import Any

from undertow_collectors.decode import endpoints
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import JsonLog

FIELDS = FieldMap(
    {
        "gateway": always("apisix"),
        "labels.gateway_version": at("server.version"),
        "labels.tenant": at("consumer.username"),
        "route": at("route_name", "route_id"),
        "span_id": at("apisix_request_id", "request_id", "response.headers.x-request-id"),
        "trace_id": at("trace_id", "apisix_request_id", "request_id", "response.headers.x-request-id"),
        "started_at": at("start_time", "@timestamp", "timestamp", unit="unix_ms"),
        "duration_s": at("llm_summary.upstream_response_time", "upstream_latency", "latency", unit="ms"),
        "ttft_s": at("llm_summary.duration", unit="ms"),
        "provider": at("llm_summary.provider"),
        "model": at("llm_summary.request_model", "llm_summary.model"),
        "sent_model": at("llm_summary.model"),
        "server_address": at("upstream_host", "upstream"),
        "stream": at("llm_summary.stream", "llm_request.stream"),
        "input_tokens": at("llm_summary.prompt_tokens"),
        "output_tokens": at("llm_summary.completion_tokens"),
        "cached_input_tokens": at("llm_summary.cache_read_input_tokens"),
        "reasoning_tokens": at("llm_summary.reasoning_tokens"),
        "signals.has_tool_calls": at("llm_summary.has_tool_calls", values={"true": True, "false": False}),
        "http_status": at("response.status", "status"),
        "request_body": at("request.body", "request_body"),
        "response_body": at("response.body", "response_body", "resp_body"),
        "response_text": at("llm_response_text.content"),
    },
    beside=("request.uri", "upstream_uri", "uri", "llm_summary.total_tokens", "llm_request.messages"),
)


def _calls(record: dict[str, Any]) -> Iterable[dict[str, Any] | str]:
    return (record if isinstance(record.get("llm_summary"), dict) else "not_llm_call",)


def _adjust(fields: dict[str, Any], record: dict[str, Any]) -> None:
    for uri in (record.get("upstream_uri"), record.get("uri"), _of(record, "request", "uri")):
        endpoints.fill(fields, uri)
    _addresses(fields)
    for name in ("cached_input_tokens", "reasoning_tokens"):
        fields[name] = fields.get(name) or None  # they start at 0 and stay there where the provider is silent
    if not fields.get("stream"):
        fields.pop("ttft_s", None)
    if (fields.get("http_status") or 0) >= 400:
        _whole_time(fields, record)
        fields.pop("signals", None)


def _addresses(fields: dict[str, Any]) -> None:
    """Where nginx lists several upstreams, the last one answered."""
    hosts = [part.strip().rpartition(":") for part in (fields.get("server_address") or "").split(",")]
    tried = [host or port for host, _, port in hosts]
    if not tried[-1]:
        return
    fields["server_address"] = tried[-1]
    if len(tried) > 1:
        fields["attempt"] = len(tried) - 1
        fields["fallback"] = any(host != tried[-1] for host in tried[:-1])


def _whole_time(fields: dict[str, Any], record: dict[str, Any]) -> None:
    """The duration of a failed call, by the clock that has the same unit in every version."""
    for name in ("upstream_latency", "latency"):
        value = record.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            fields["duration_s"] = value / 1000
            return
    fields.pop("duration_s", None)  # the summary's own may be seconds or milliseconds


def _of(record: dict[str, Any], *keys: str) -> Any:
    found: Any = record
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


decode = JsonLog("apisix", FIELDS, _calls, _adjust).decode
