"""Envoy AI Gateway's access log in JSON, with the keys of its documentation.

Written against Envoy AI Gateway 0.4 to 1.1. Its traps: the operator names the keys; `gen_ai.provider.name` is the path
of a backend in Kubernetes, not a provider; `-` means unknown; calls of MCP stand in the same log with null models; a
stream that broke has the status 200, and only the response flags tell.
"""

import re
from collections.abc import Iterable
from typing import Any

from undertow.span import ErrorClass
from undertow_collectors.decode import endpoints, providers
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import JsonLog

MODEL = ("gen_ai.request.model", "genai_model_name", "gen_ai.original.model")
PATH = ("x-envoy-origin-path", "request.path", "path", ":path")
FIELDS = FieldMap(
    {
        "gateway": always("envoy-ai-gateway"),
        "route": at("route_name"),
        "span_id": at("x-request-id"),
        "trace_id": at("x-request-id"),
        "started_at": at("start_time"),
        "duration_s": at("duration", unit="ms"),
        "model": at(*MODEL),
        "sent_model": at("gen_ai.request.model_override", "genai_model_name_override"),
        "response_model": at("gen_ai.response.model", "genai_response_model"),
        "deployment": at("gen_ai.provider.name", "genai_backend_name"),
        "server_address": at(":authority", "upstream_host"),
        "input_tokens": at("gen_ai.usage.input_tokens", "genai_tokens_input"),
        "output_tokens": at("gen_ai.usage.output_tokens", "genai_tokens_output"),
        "cached_input_tokens": at("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cached_input_tokens"),
        "reasoning_tokens": at("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
        "cost_usd": at("gen_ai.usage.cost"),
        "http_status": at("response_code"),
    },
    blanks=("", "-"),
    beside=(*PATH, "response_flags", "upstream_host", "gen_ai.usage.total_tokens", "genai_tokens_total"),
)
_FLAGS: dict[str, ErrorClass] = {
    "UT": "timeout",
    "SI": "timeout",
    "DT": "timeout",
    "RL": "rate_limited",
    "RLSE": "rate_limited",
    "UAEX": "auth",
    **dict.fromkeys(("UF", "UH", "UC", "LR", "UR", "URX", "UPE", "UO", "DPE"), "connection"),
}
"""Response flags of Envoy that mean a failure -> its class."""

_WENT_AWAY = frozenset({"DC", "DR"})


def _calls(record: dict[str, Any]) -> Iterable[dict[str, Any] | str]:
    called = any(record.get(key) not in (None, "", "-") for key in MODEL)
    return (record if called else "not_llm_call",)


def _adjust(fields: dict[str, Any], record: dict[str, Any]) -> Iterable[str]:
    endpoints.fill(fields, next((record[key] for key in PATH if record.get(key)), None))
    _flags(fields, record.get("response_flags"))
    fields["server_address"] = _host(fields, record.get("upstream_host"))
    found = providers.guess(fields.get("model") or "", fields["server_address"])
    backend = fields.get("deployment") or ""
    fields["provider"] = found if found != "unknown" else _provider_in(backend)
    fields["deployment"] = backend.partition("/route/")[0] or None  # rules are renumbered, backends are not
    return ("provider",)


def _flags(fields: dict[str, Any], told: Any) -> None:
    """What Envoy's own verdict says beside, or against, the HTTP status."""
    flags = told.split(",") if isinstance(told, str) else []
    broke = next((_FLAGS[flag] for flag in flags if flag in _FLAGS), None)
    if _WENT_AWAY.intersection(flags):
        fields["status"] = "cancelled"
    elif broke:
        fields |= {"status": "error", "error_class": broke}


def _host(fields: dict[str, Any], upstream: Any) -> str | None:
    """The name that was called, where the gateway rewrote `:authority` to it, else the upstream's address."""
    authority = (fields.get("server_address") or "").partition(":")[0]
    if providers.guess("", authority) != "unknown":
        return authority
    address = upstream.rpartition(":")[0] if isinstance(upstream, str) else ""
    return address or None


def _provider_in(backend: str) -> str:
    """The provider that the name of a backend speaks of: `default/azure-openai-eu/route/…`, else `unknown`."""
    parts = backend.lower().split("/")
    words = re.split(r"[-_.]", parts[1] if len(parts) > 1 else parts[0])
    for size in range(len(words), 0, -1):
        for start in range(len(words) - size + 1):
            found = providers.guess("-".join(words[start : start + size]) + "/", None)
            if found != "unknown":
                return found
    return "unknown"


decode = JsonLog("envoy", FIELDS, _calls, _adjust).decode
