"""From the span of an LLM call, in any convention, to Undertow's: what the attributes mean together."""

from collections.abc import Callable, Iterable
from typing import Any

from undertow.batch import Decoded
from undertow.outcome import UNKNOWN
from undertow.span import Span
from undertow_collectors.decode import (
    adk,
    aigw,
    answer,
    content,
    ferro,
    genkit,
    haystack,
    langsmith,
    mlflow,
    names,
    observations,
    openinference,
    outcome,
    providers,
    settle,
)
from undertow_collectors.decode.attributes import COUNTED
from undertow_collectors.decode.coerce import BY_FIELD, count, leading, number, put, text
from undertow_collectors.decode.context import CALLER_FIELDS, LABEL, Context, add_labels, count_unknown, forget_zeros
from undertow_collectors.decode.reading import Reading
from undertow_collectors.decode.records import Record, Source

_ANSWER = "derived: from the answer"
_OPENLIT = "openlit"
_TOLD = {
    "span_id": "traceId and spanId",
    "trace_id": "traceId",
    "started_at": "startTimeUnixNano",
    "duration_s": "endTimeUnixNano less startTimeUnixNano",
    "ttft_s": "derived: from the first chunk",
    "stream": "derived: from the first chunk",
    "gateway": "resource: service.name",
    "labels": "resource: service.version",
    "operation": "default",
    "provider": "derived: from the server or the model",
    "model": "a failure that names none",
    "deployment": "hidden_params",
    "status": "status.code",
    "http_status": "error.code",
}
"""Where fields come from that no attribute of their own says."""

_Found = Callable[[dict[str, Any], dict[str, Any], Record], Iterable[tuple[str, Any, str]]]
_CONVENTIONS: dict[str, _Found] = {
    ".openinference": openinference.found,
    ".langsmith": langsmith.found,
    ".langfuse": lambda _, values, __: observations.found(values),
    ".genkit": lambda _, values, record: genkit.found(values, record),
    ".haystack": lambda _, values, record: haystack.found(values, record),
}
"""What reads the JSON in the attributes of a convention, by a clue that only it has."""

_NO_STREAM = {".vllm", ".mastra"}
"""Who tells the time of the first token of answers that came at once, too."""

_CHUNKS = {
    "gen_ai.content.completion.chunk",
    "First Token Stream Event",
    "llm.content.completion.chunk",
    mlflow.FIRST_CHUNK,
}


def span(record: Record, reading: Reading, source: Source, context: Context, decoded: Decoded, index: int) -> Span:
    """The span of one LLM call; raises Rejected where it lacks what a span must have."""
    values = reading.values
    fields: dict[str, Any] = {}
    if record.span_id:
        fields = {"span_id": f"{record.trace_id}:{record.span_id}", "trace_id": record.trace_id}
    _coerced(fields, reading, decoded)
    fields.setdefault("gateway", source.service)
    if source.version:
        fields["labels"] = {"gateway_version": source.version[:LABEL]}
    for clue, found in _CONVENTIONS.items():
        if clue in values:
            _take(fields, found(fields, values, record), reading, decoded)
    _of_library(fields, record, reading, source, decoded)
    _times(fields, record, values, decoded)
    context.identify(fields, index, decoded.derived)
    _names(fields, values, decoded)
    outcome.settle(fields, record, values)
    if "sent_model" in values or ".call_id" in values or source.scope == "litellm":
        _litellm(fields, values, decoded)
    if fields.get("status") in (None, "ok") and names.generates(fields["operation"]):
        _answer(fields, values, content.features(record, reading, fields), decoded)
    if source.scope.startswith(_OPENLIT):
        _openlit(fields, values)
    if source.scope == aigw.SCOPE:
        aigw.recount(fields, values, decoded.derived)
    _usage(fields, values, decoded)
    add_labels(fields, reading.labels, context.keep_labels)
    built = settle.build(fields, decoded.repaired)
    if context.sources is not None:
        _explain(built, reading, context)
    count_unknown(decoded.unknown, (name for name in reading.unread if name not in context.keep_labels))
    return built


def _of_library(fields: dict[str, Any], record: Record, reading: Reading, source: Source, decoded: Decoded) -> None:
    """What attributes mean to the library that wrote them, beyond the table of names."""
    values = reading.values
    if ".vercel" in values:
        _vercel(fields, values)
    if ".mlflow" in values or source.scope.startswith(mlflow.SCOPE):
        mlflow.correct(values, record)
        _take(fields, mlflow.found(values, record), reading, decoded)
    if ".asked_again" in values and values[".asked_again"] != fields.get("model"):
        fields.setdefault("response_model", values[".asked_again"])
    if number(values.get(".top_p")) == 0 and fields.get("temperature") == 0:
        fields["temperature"] = None  # Quarkus writes zeros for what was not asked for; nobody asks for such a top_p
    if ".ferro" in values or record.failed:
        ferro.correct(fields, values, record)
    if source.scope == aigw.SCOPE:
        aigw.mark(fields, values, record)
    if source.scope == adk.SCOPE:
        adk.correct(fields, values, decoded.derived)
        _take(fields, adk.found(values), reading, decoded)


def _coerced(fields: dict[str, Any], reading: Reading, decoded: Decoded) -> None:
    for name, value in reading.values.items():
        if name[0] != ".":
            coerce = BY_FIELD[name]
            found = value if coerce is text and type(value) is str else coerce(value)
            if found is not value:
                decoded.coerced[name] += 1
            fields[name] = found


def _take(fields: dict[str, Any], found: Iterable[tuple[str, Any, str]], reading: Reading, decoded: Decoded) -> None:
    for name, value, clue in found:
        unsaid = fields.get(name) is None or (name in COUNTED and not fields[name])
        if unsaid and value is not None:
            put(fields, name, value, decoded.coerced)
            reading.sources[name] = reading.sources.get(clue, clue)


def _explain(span: Span, reading: Reading, context: Context) -> None:
    """Say where each field of a span came from."""
    told = _TOLD | {"error_class": reading.sources.get(".error_type", "the exception event")}
    told["finish_reason"] = reading.sources.get(".finish_reasons", _ANSWER)
    if span.model != UNKNOWN:
        told["model"] = "resource: service.name"
    if span.provider == UNKNOWN:
        told["provider"] = "nothing names it"
    for name in span.__struct_fields__:
        value = getattr(span, name)
        if value is not None:
            source = reading.sources.get(name) or told.get(name, _ANSWER)
            was = reading.values.get(name, value)
            context.note(name, source, *([] if was == value else [was]))


def _times(fields: dict[str, Any], record: Record, values: dict[str, Any], decoded: Decoded) -> None:
    if record.start_ns > 0:
        fields["started_at"] = record.start_ns / 1e9
        if record.end_ns >= record.start_ns:
            fields["duration_s"] = (record.end_ns - record.start_ns) / 1e9
        if values.get(".logfire") == "log":
            _logged(fields, values)
        if ".opened" in values:
            del fields["duration_s"]
    waited = number(values.get(".first_chunk_ms"))
    if waited:  # a zero is no chunk at all
        fields.setdefault("ttft_s", waited / 1000)
    if fields.get("ttft_s") is None and fields.get("stream") is not False:
        fields["ttft_s"] = _first_chunk_s(fields, record, values)
        if fields["ttft_s"] is not None:
            decoded.derived["ttft_s"] += 1
    if fields.get("ttft_s") is not None and fields.get("stream") is None and values.keys().isdisjoint(_NO_STREAM):
        fields["stream"] = True
        decoded.derived["stream"] += 1
    if fields.get("stream") is False:
        fields["ttft_s"] = None  # OpenLIT gives the whole duration for answers that came at once


def _logged(fields: dict[str, Any], values: dict[str, Any]) -> None:
    """Logfire logs a stream at its end, with the seconds it took."""
    took = number(values.get(".logged_s"))
    if took is not None:
        fields |= {"duration_s": took, "started_at": max(0.0, fields["started_at"] - took), "stream": True}


def _first_chunk_s(fields: dict[str, Any], record: Record, values: dict[str, Any]) -> float | None:
    if ".first_chunk_at" in values:
        return observations.first_chunk_s(values, fields.get("started_at", 0.0))
    if ".late_events" in values:
        return None
    chunks = [event.time_ns for event in record.events() if event.name in _CHUNKS]
    return (min(chunks) - record.start_ns) / 1e9 if chunks and min(chunks) >= record.start_ns > 0 else None


def _names(fields: dict[str, Any], values: dict[str, Any], decoded: Decoded) -> None:
    operation = fields.get("operation") or "chat"
    fields["operation"] = names.operation(operation) or operation
    address = fields.get("server_address")
    if address and "/" in address:
        fields["server_address"] = address.partition("//")[2].partition("/")[0].partition(":")[0] or None
    if fields.get("provider") and not providers.is_framework(fields["provider"]):
        fields["provider"] = providers.canonical(fields["provider"])
    else:
        hint = fields.get("sent_model") or fields.get("model") or ""
        guessed = providers.guess(hint, fields.get("server_address"))
        fields["provider"] = "vllm" if ".vllm" in values else guessed
        if not fields.get("model") and ".vllm" in values:
            fields["model"] = fields.get("gateway")  # vLLM V1 names no model; its service is named after one
            decoded.derived["model"] += bool(fields["model"])
        decoded.derived["provider"] += 1
    if fields.get("sent_model"):
        fields["sent_model"] = providers.without_prefix(fields["sent_model"], fields["provider"])


def _answer(fields: dict[str, Any], values: dict[str, Any], found: dict[str, Any], decoded: Decoded) -> None:
    """Add what the answer shows; of one that did not come to its end, and of calls that are not shown, nothing."""
    known = fields.get("finish_reason")
    told = found.get("finish_reason") or known
    if fields.get("stream") and told is None and not fields.get("output_tokens"):
        return
    if known == "stop" and found.get("tool_call_count") and ".openinference" in values:
        fields["finish_reason"] = found.get("finish_reason")  # the Responses API has no word for it: clients write stop
    if told == "tool_calls" and found.get("tool_call_count") == 0:
        del found["tool_call_count"]
    answer.add(fields, found, decoded.derived)


def _litellm(fields: dict[str, Any], values: dict[str, Any], decoded: Decoded) -> None:
    aliased = ".openinference" in values and "sent_model" not in values  # by v1, which names no group beside it
    if aliased or fields.get("response_model") == fields.get("model"):
        fields["response_model"] = None  # the gateway's own alias, put over what the provider said
    if fields.get("response_id") == values.get(".call_id"):
        fields["response_id"] = None  # its own id, where the provider gave none
    if ".hidden_params" in values:
        put(fields, "deployment", leading(values[".hidden_params"]).get("model_id"), decoded.coerced)
        decoded.coerced["hidden_params"] += 1
    metadata = leading(values.get(".metadata"))
    requester = leading(values.get(".requester") or metadata.get("requester_metadata"))
    if ".requester" in values:
        decoded.coerced["requester_metadata"] += 1
    for name in CALLER_FIELDS:
        put(fields, name, requester.get(name), decoded.coerced)
    route = metadata.get("user_api_key_alias") or metadata.get("user_api_key_team_alias")
    if fields.get("route") is None:
        put(fields, "route", route, decoded.coerced)


def _vercel(fields: dict[str, Any], values: dict[str, Any]) -> None:
    """Vercel's AI SDK names the operation in its own way."""
    doing = str(values[".vercel"])
    fields.setdefault("operation", "embeddings" if doing.startswith("ai.embed") else "chat")
    fields.setdefault("stream", doing.startswith("ai.stream"))


def _openlit(fields: dict[str, Any], values: dict[str, Any]) -> None:
    """OpenLIT repeats Anthropic's own count of input tokens, which leaves out what went through the cache."""
    if fields["provider"] == "anthropic" and fields.get("input_tokens") is not None:
        fields["input_tokens"] += (fields.get("cached_input_tokens") or 0) + (count(values.get(".cache_write")) or 0)


def _usage(fields: dict[str, Any], values: dict[str, Any], decoded: Decoded) -> None:
    settle.tokens(fields, decoded.derived, count(values.get(".total")), count(values.get(".cache_write")))
    if not names.generates(fields["operation"]):
        fields["output_tokens"] = fields["reasoning_tokens"] = None
    forget_zeros(fields)
