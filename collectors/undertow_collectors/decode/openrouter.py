"""OpenRouter: generation objects of `GET /api/v1/generation`, bare or under `data`.

Written against OpenRouter's API reference of 2026. Its traps: the tokens to count are the native ones, the others are
those of one tokenizer for all; `latency` is the whole call in some and the first token in others, so the longer of it
and `generation_time` counts; a generation that failed has no status but those of the providers that were tried.
"""

from collections.abc import Iterable
from typing import Any

from undertow_collectors.decode.coerce import count, number, text
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import Call, JsonLog

_PROVIDERS = {"google": "gcp.vertex_ai", "google ai studio": "gcp.gemini", "amazon bedrock": "aws.bedrock"}

FIELDS = FieldMap(
    {
        "gateway": always("openrouter"),
        "span_id": at("id"),
        "trace_id": at("request_id"),
        "response_id": at("id"),
        "started_at": at("created_at", unit="rfc3339"),
        "provider": at("provider_name"),
        "model": at("router", "model"),
        "sent_model": at("model"),
        "region": at("data_region"),
        "operation": at("api_type", values={"completions": "chat"}),
        "stream": at("streamed"),
        "input_tokens": at("native_tokens_prompt", "tokens_prompt"),
        "output_tokens": at("native_tokens_completion", "tokens_completion"),
        "cached_input_tokens": at("native_tokens_cached"),
        "reasoning_tokens": at("native_tokens_reasoning"),
        "cost_usd": at("total_cost", "usage", unit="usd"),
        "finish_reason": at("finish_reason", "native_finish_reason"),
    },
    beside=("latency", "generation_time", "provider_responses", "cancelled", "is_byok", "upstream_inference_cost"),
)


def _calls(record: dict[str, Any]) -> Iterable[Call]:
    inner = record.get("data")
    return (inner if isinstance(inner, dict) else record,)


def _adjust(fields: dict[str, Any], generation: dict[str, Any]) -> None:
    times = [found for name in ("latency", "generation_time") if (found := number(generation.get(name))) is not None]
    if times:
        fields["duration_s"] = max(times) / 1000
    if fields.get("region") == "global":
        del fields["region"]
    upstream = number(generation.get("upstream_inference_cost"))
    if generation.get("is_byok") is True and upstream is not None:  # the provider bills it beside OpenRouter's fee
        fields["cost_usd"] = upstream + (fields.get("cost_usd") or 0.0)
    _tried(fields, generation.get("provider_responses"))
    provider = fields.get("provider")
    if isinstance(provider, str):
        fields["provider"] = _PROVIDERS.get(provider.lower(), provider)
    if generation.get("cancelled") is True:
        fields["status"] = "cancelled"
    elif fields.get("finish_reason") == "error":
        del fields["finish_reason"]
        fields["status"] = "error"


def _tried(fields: dict[str, Any], responses: Any) -> None:
    """What became of the providers that were tried, the last of which answered or was the last to fail."""
    tried = [one for one in responses if isinstance(one, dict)] if isinstance(responses, list) else []
    if tried:
        fields["http_status"] = count(tried[-1].get("status"))
        fields["fallback"] = len(tried) > 1
        fields["provider"] = fields.get("provider") or text(tried[-1].get("provider_name"))


decode = JsonLog("openrouter", FIELDS, _calls, _adjust).decode
