"""Bifrost: entries of its log store, and the traces that its Kafka connector publishes.

Written against the log store and the connector's documentation of 2026. Its traps: an entry is there before its call
is over, as `processing`; a fallback is an entry of its own, whose parent is the first one's id; usage and other parts
are JSON in strings where they come straight out of the database. In a trace the attempts are the spans of the kinds
`llm.call` and `retry`; the root repeats what the last of them says.
"""

from collections.abc import Iterable
from typing import Any

from undertow.batch import Decoded
from undertow_collectors.decode import answer
from undertow_collectors.decode.coerce import count, literal, mapping, number
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import Call, JsonLog, each
from undertow_collectors.decode.paths import finder

_OPERATIONS = {"chat.completion": "chat", "chat_completion": "chat", "text.completion": "text_completion"}
_NOT_CALLS = ("list_", "count_", "file_", "batch_", "container_", "video_list", "video_retrieve", "video_delete")
_NO = "not_llm_call"
_KINDS = {"llm.call": "", "retry": "", "http.request": "wrapper", "fallback": "wrapper", "mcp.tool": "tool"}
_CUT = {"request_cancelled": "cancelled"}
_SAID, _FAULT, _TOKENS = "raw_response", "error_details", "token_usage"

ENTRIES = FieldMap(
    {
        "gateway": always("bifrost"),
        "span_id": at("id"),
        "trace_id": at("parent_request_id", "id"),
        "started_at": at("timestamp", unit="rfc3339"),
        "duration_s": at("latency", unit="ms"),
        "provider": at("provider"),
        "model": at("alias", "model"),
        "sent_model": at("model"),
        "deployment": at("selected_key_name", "selected_key_id"),
        "operation": at("object"),
        "route": at("virtual_key_name"),
        "prompt_name": at("selected_prompt_name"),
        "prompt_version": at("selected_prompt_version"),
        "attempt": at("number_of_retries"),
        "stream": at("stream"),
        "status": at("status"),
        "http_status": at(f"{_FAULT}.status_code"),
        "error_class": at(f"{_FAULT}.type", f"{_FAULT}.error.code", f"{_FAULT}.error.type", values=_CUT),
        "finish_reason": at("stop_reason"),
        "response_id": at(f"{_SAID}.id"),
        "response_model": at(f"{_SAID}.model"),
        "system_fingerprint": at(f"{_SAID}.system_fingerprint"),
        "input_tokens": at(f"{_TOKENS}.prompt_tokens", "prompt_tokens"),
        "output_tokens": at(f"{_TOKENS}.completion_tokens", "completion_tokens"),
        "cached_input_tokens": at(
            f"{_TOKENS}.prompt_tokens_details.cached_read_tokens", f"{_TOKENS}.prompt_tokens_details.cached_tokens"
        ),
        "reasoning_tokens": at(f"{_TOKENS}.completion_tokens_details.reasoning_tokens"),
        "max_tokens": at("params.max_completion_tokens", "params.max_tokens", "params.max_output_tokens"),
        "temperature": at("params.temperature"),
        "cost_usd": at("cost", unit="usd"),
        "request_body": at("params"),
    },
    beside=("fallback_index", "total_tokens", "output_message", "responses_output", "cache_debug", "metadata"),
)

_A = "Attributes."
ATTEMPTS = FieldMap(
    {
        "gateway": always("bifrost"),
        "span_id": at("SpanID"),
        "trace_id": at("TraceID"),
        "started_at": at("StartTime", unit="rfc3339"),
        "ended_at": at("EndTime", unit="rfc3339"),
        "provider": at(f"{_A}gen_ai.provider.name", f"{_A}bifrost.provider.name"),
        "model": at(f"{_A}bifrost.alias", f"{_A}gen_ai.request.model"),
        "sent_model": at(f"{_A}gen_ai.request.model"),
        "deployment": at(f"{_A}bifrost.selected_key.name", f"{_A}gen_ai.selected_key_name"),
        "operation": at(f"{_A}gen_ai.operation.name", f"{_A}request.type"),
        "route": at(f"{_A}bifrost.virtual_key.name", f"{_A}gen_ai.virtual_key_name"),
        "attempt": at(f"{_A}bifrost.retries", f"{_A}gen_ai.number_of_retries", f"{_A}retry.count"),
        "status": at("Status", values={"unset": "ok"}),
        "http_status": at(f"{_A}http.response.status_code"),
        "error_class": at(f"{_A}gen_ai.error.code", f"{_A}error.type", f"{_A}gen_ai.error.type", values=_CUT),
        "finish_reason": at(f"{_A}gen_ai.response.finish_reason", f"{_A}gen_ai.response.finish_reasons"),
        "response_id": at(f"{_A}gen_ai.response.id"),
        "response_model": at(f"{_A}gen_ai.response.model"),
        "system_fingerprint": at(f"{_A}gen_ai.response.system_fingerprint"),
        "input_tokens": at(f"{_A}gen_ai.usage.input_tokens", f"{_A}gen_ai.usage.prompt_tokens"),
        "output_tokens": at(f"{_A}gen_ai.usage.output_tokens", f"{_A}gen_ai.usage.completion_tokens"),
        "cached_input_tokens": at(
            f"{_A}gen_ai.usage.cache_read.input_tokens", f"{_A}gen_ai.usage.prompt_token_details.cached_read_tokens"
        ),
        "reasoning_tokens": at(
            f"{_A}gen_ai.usage.reasoning.output_tokens",
            f"{_A}gen_ai.usage.completion_token_details.reasoning_tokens",
        ),
        "max_tokens": at(f"{_A}gen_ai.request.max_tokens"),
        "temperature": at(f"{_A}gen_ai.request.temperature"),
        "ttft_s": at(f"{_A}gen_ai.response.time_to_first_chunk", unit="s"),
        "cost_usd": at(f"{_A}gen_ai.usage.cost", unit="usd"),
    },
    beside=(
        f"{_A}gen_ai.response.time_to_first_token",
        f"{_A}gen_ai.request.response_format",
        f"{_A}gen_ai.output.messages",
        f"{_A}bifrost.fallback_index",
        f"{_A}gen_ai.fallback_index",
    ),
)


def _entries(record: dict[str, Any]) -> Iterable[Call]:
    found = record.get("logs", record.get("payload"))
    entries = found if isinstance(found, list) else [found] if isinstance(found, dict) else [record]
    return each(entries, _entry)


def _entry(entry: dict[str, Any]) -> Call:
    if "tool_name" in entry and "provider" not in entry:
        return "tool"
    if entry.get("status") == "processing":
        return "unfinished"
    if mapping(entry.get("cache_debug")).get("cache_hit") is True:
        return "cached_answer"
    if str(entry.get("object")).startswith(_NOT_CALLS):
        return _NO
    return entry


def _adjust_entry(fields: dict[str, Any], entry: dict[str, Any]) -> None:
    if not fields.get("input_tokens"):  # streams of the Responses API are counted as zero
        fields.update(_usage_of(answer.body(entry.get(_SAID))))
    _names(fields, entry.get("object"), entry.get("fallback_index"))
    output, message = literal(entry.get("responses_output")), mapping(entry.get("output_message"))
    if message:
        fields["response_body"] = {"choices": [{"message": message}]}
    elif isinstance(output, list):
        fields["response_body"] = {"output": output}


def _usage_of(raw: Any) -> dict[str, int]:
    """Usage as the provider's own answer tells it, which may be the last event of a stream."""
    inner = raw.get("response") if isinstance(raw, dict) else None
    return answer.usage(inner if isinstance(inner, dict) else raw)


def _attempts(trace: dict[str, Any]) -> Iterable[Call]:
    spans = trace.get("Spans")
    return each(spans if isinstance(spans, list) else [], lambda span: _KINDS.get(str(span.get("Kind")), _NO) or span)


_legacy_ttft = finder(f"{_A}gen_ai.response.time_to_first_token")
_request_type = finder(f"{_A}request.type")
_fallback = finder(f"{_A}bifrost.fallback_index")
_fallback_before = finder(f"{_A}gen_ai.fallback_index")
_messages = finder(f"{_A}gen_ai.output.messages")
_format = finder(f"{_A}gen_ai.request.response_format")


def _adjust_attempt(fields: dict[str, Any], span: dict[str, Any]) -> Iterable[str]:
    if fields.get("span_id") and fields.get("trace_id"):
        fields["span_id"] = f"{fields['trace_id']}:{fields['span_id']}"
    fallback = _fallback(span, {})
    _names(fields, _request_type(span, {}), _fallback_before(span, {}) if fallback is None else fallback)
    nanoseconds = number(_legacy_ttft(span, {}))
    if fields.get("ttft_s") is None and nanoseconds is not None:
        fields["ttft_s"] = nanoseconds / 1e9
    inferred = []
    if fields.get("ttft_s") is not None and fields.get("stream") is None:
        fields["stream"] = True
        inferred.append("stream")
    fields["request_body"] = {"response_format": mapping(_format(span, {}))}
    messages = answer.body(_messages(span, {}))
    if isinstance(messages, list) and messages:
        fields["response_body"] = {"choices": [{"message": messages[-1]}]}
    return inferred


def _names(fields: dict[str, Any], kind: Any, fallback: Any) -> None:
    """The operation in the vocabulary of `names`; a stream where the type of request says so; and the fallback."""
    operation = str(fields.get("operation") or "chat")
    plain = operation.removesuffix(".chunk").removesuffix("_stream")
    fields["operation"] = _OPERATIONS.get(plain, plain)
    if str(kind).endswith("_stream"):
        fields["stream"] = True
    index = count(fallback)
    fields["fallback"] = None if index is None else index > 0


_LOGS = JsonLog("bifrost", ENTRIES, _entries, _adjust_entry, ("metadata",))
_TRACES = JsonLog("bifrost", ATTEMPTS, _attempts, _adjust_attempt)


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of a message of log entries or of traces."""
    return (_TRACES if b'"RootSpan"' in value else _LOGS).decode(value, context)
