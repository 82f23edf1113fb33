"""Spans as gateways would log them: the inverse of the decoders, for simulated traffic.

Each form shows what its original shows and hides what it hides: LiteLLM, for one, puts its own alias where the
provider's snapshot should be (BerriAI/litellm#22709).
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from undertow.span import Span

LITELLM_PROVIDERS = {"azure.ai.openai": "azure", "mistral_ai": "mistral", "aws.bedrock": "bedrock"}
"""Where LiteLLM's name of a provider differs from OpenTelemetry's."""

_LITELLM_ERRORS = {
    "rate_limited": ("RateLimitError", "429_RATE_LIMIT_EXCEEDED"),
    "server_error": ("InternalServerError", "500_PROVIDER_INTERNAL_ERROR"),
    "timeout": ("Timeout", "408_UPSTREAM_TIMEOUT"),
}


def native(span: Span) -> bytes:
    """One JSON object of `undertow.span/v1`, unknown fields left out."""
    return msgspec.json.encode({k: v for k, v in msgspec.structs.asdict(span).items() if v is not None})


def litellm(span: Span) -> bytes:
    """A StandardLoggingPayload of litellm 1.106, without prompts, headers and prices (under 1 kB)."""
    provider = LITELLM_PROVIDERS.get(span.provider, span.provider)
    ended_at = span.ended_at
    return msgspec.json.encode(
        {
            "id": span.response_id or span.span_id,
            "trace_id": span.trace_id,
            "call_type": "acompletion",
            "stream": span.stream or None,
            "status": "success" if span.status == "ok" else "failure",
            "custom_llm_provider": provider,
            "prompt_tokens": span.input_tokens if span.status == "ok" else 0,
            "completion_tokens": span.output_tokens or 0,
            "response_cost": span.cost_usd or 0.0,
            "startTime": span.started_at,
            "endTime": ended_at,
            "completionStartTime": ended_at if span.ttft_s is None else span.started_at + span.ttft_s,
            "model": f"{provider}/{span.sent_model}",
            "model_group": span.model,
            "model_id": span.deployment,
            "metadata": {"requester_metadata": _requester(span)},
            "model_parameters": {
                "temperature": span.temperature,
                "max_tokens": span.max_tokens,
                "stream": bool(span.stream),
            },
            "response": _response(span),
        }
        | _error(span)
    )


def attributes(span: Span) -> dict[str, Any]:
    """The OTel GenAI attributes of one inference span, unknown ones left out."""
    found: dict[str, Any] = {
        "gen_ai.operation.name": span.operation,
        "gen_ai.provider.name": span.provider,
        "gen_ai.request.model": span.model,
        "gen_ai.request.max_tokens": span.max_tokens,
        "gen_ai.request.temperature": span.temperature,
        "gen_ai.request.stream": span.stream,
        "gen_ai.response.id": span.response_id,
        "gen_ai.response.model": span.response_model,
        "gen_ai.response.finish_reasons": None if span.finish_reason is None else (span.finish_reason,),
        "gen_ai.response.time_to_first_chunk": span.ttft_s,
        "gen_ai.usage.input_tokens": span.input_tokens if span.status == "ok" else None,
        "gen_ai.usage.output_tokens": span.output_tokens,
        "gen_ai.prompt.version": span.prompt_version,
        "openai.response.system_fingerprint": span.system_fingerprint,
        "error.type": None if span.http_status is None else str(span.http_status),
    } | _own(span)
    return {name: value for name, value in found.items() if value is not None}


def readable(span: Span) -> ReadableSpan:
    """`span` as an ended span of opentelemetry-sdk; its ids are those in `span_id`, `<trace>:<span>` in hex."""
    trace_id, _, own_id = span.span_id.partition(":")
    return ReadableSpan(
        name=f"{span.operation} {span.model}",
        context=SpanContext(int(trace_id, 16), int(own_id, 16), is_remote=False, trace_flags=TraceFlags(1)),
        resource=Resource({"service.name": span.gateway or "unknown_service"}),
        attributes=attributes(span),
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.UNSET if span.status == "ok" else StatusCode.ERROR),
        start_time=int(span.started_at * 1e9),
        end_time=int(span.ended_at * 1e9),
    )


def otlp(spans: Sequence[Span]) -> bytes:
    """An ExportTraceServiceRequest in protobuf; several of them, one after another, are one larger request."""
    return encode_spans([readable(span) for span in spans]).SerializeToString()


def _own(span: Span) -> dict[str, Any]:
    return {
        "undertow.route": span.route,
        "undertow.deployment": span.deployment,
        "undertow.cost_usd": span.cost_usd,
        "undertow.response_chars": span.response_chars,
        "undertow.parse_ok": span.parse_ok,
        "undertow.refusal": span.refusal,
    }


def _requester(span: Span) -> dict[str, Any]:
    fields = {
        "route": span.route,
        "prompt_version": span.prompt_version,
        "parse_ok": span.parse_ok,
        "refusal": span.refusal,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _response(span: Span) -> dict[str, Any]:
    if span.status != "ok":
        return {}
    message = {"role": "assistant", "provider_specific_fields": {"refusal": None}}
    return {
        "id": span.response_id,
        "model": span.model,
        "object": "chat.completion",
        "system_fingerprint": span.system_fingerprint,
        "choices": [{"index": 0, "finish_reason": span.finish_reason, "message": message}],
    }


def _error(span: Span) -> dict[str, Any]:
    if span.error_class is None:
        return {}
    name, normalized = _LITELLM_ERRORS[span.error_class]
    return {
        "error_str": f"litellm.{name}",
        "error_information": {
            "error_code": str(span.http_status),
            "error_class": name,
            "normalized_error": normalized,
            "llm_provider": LITELLM_PROVIDERS.get(span.provider, span.provider),
        },
    }
