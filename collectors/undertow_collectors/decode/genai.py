"""OpenTelemetry GenAI spans: one table from attribute names, current and gone, to fields; and which spans are calls.

Names: open-telemetry/semantic-conventions-genai (Development), the deprecated ones of semantic-conventions 1.27 to
1.36, and what LiteLLM, Traceloop and OpenLIT put on the wire beside them.
"""

from typing import Any, NamedTuple

from undertow.batch import Decoded
from undertow.span import FIELDS, Rejected, Span, build
from undertow_collectors.decode import names
from undertow_collectors.decode.coerce import BY_FIELD, literal, mapping, put, text
from undertow_collectors.decode.context import CALLER_FIELDS, LABEL, Context, add_labels, count_unknown, forget_zeros
from undertow_collectors.decode.records import Record, Source

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "operation": ("gen_ai.operation.name", "llm.request.type"),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "model": ("litellm.model_group", "gen_ai.request.model"),
    "sent_model": ("litellm.provider.model",),
    "response_id": ("gen_ai.response.id",),
    "response_model": ("gen_ai.response.model",),
    "system_fingerprint": (
        "openai.response.system_fingerprint",
        "gen_ai.openai.response.system_fingerprint",
        "gen_ai.response.system_fingerprint",
    ),
    "server_address": ("server.address", "gen_ai.openai.api_base"),
    "region": ("cloud.region", "aws.region"),
    "prompt_name": ("gen_ai.prompt.name",),
    "prompt_version": ("gen_ai.prompt.version", "litellm.metadata.requester_metadata.prompt_version"),
    "route": (
        "litellm.metadata.requester_metadata.route",
        "litellm.metadata.user_api_key_alias",
        "metadata.user_api_key_alias",
        "litellm.team.alias",
        "metadata.user_api_key_team_alias",
    ),
    "stream": ("gen_ai.request.stream", "litellm.request.streaming", "gen_ai.is_streaming", "llm.is_streaming"),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cached_input_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    "max_tokens": ("gen_ai.request.max_tokens", "llm.request.max_tokens"),
    "temperature": ("gen_ai.request.temperature", "llm.request.temperature"),
    "ttft_s": ("gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"),
    "cost_usd": ("litellm.cost.total", "gen_ai.cost.total_cost", "gen_ai.usage.cost"),
    "http_status": ("http.response.status_code",),
}
"""Field of the span -> attribute names, the one that counts first."""

_SIDE = {
    "finish_reasons": "gen_ai.response.finish_reasons",
    "error_type": "error.type",
    "error_code": "litellm.provider.error.code",
    "error_code_v1": "error.code",
    "call_id": "litellm.call_id",
    "hidden_params": "hidden_params",
    "requester": "metadata.requester_metadata",
    "openinference": "openinference.span.kind",
    "traceloop": "traceloop.span.kind",
}
"""What is read, but is no field by itself."""

WRAPPERS = {"raw_gen_ai_request", "litellm_proxy_request", "fastapi.dependencies"}
"""Spans that repeat a call which another span reports."""

_OWN = "undertow."
_CHUNKS = {"gen_ai.content.completion.chunk", "First Token Stream Event"}


class Slot(NamedTuple):
    """Where an attribute goes: the best `rank` wins a `name`."""

    name: str
    rank: int


PLAN: dict[str, Slot] = {
    **{attribute: Slot("." + name, 0) for name, attribute in _SIDE.items()},
    **{a: Slot(field, rank) for field, found in ATTRIBUTES.items() for rank, a in enumerate(found, 1)},
    **{
        _OWN + f.name: Slot(f.name, 0) for f in FIELDS if f.name in BY_FIELD and f.name not in ("span_id", "started_at")
    },
}
"""Every attribute that is read; `undertow.<field>` sets a field of the span directly, before all others."""


class Reading(NamedTuple):
    """What the attributes of one span said: values by slot, names of the others, and those wanted as labels."""

    values: dict[str, Any]
    unread: list[str]
    labels: dict[str, Any]


def read(record: Record, keep: frozenset[str]) -> Reading:
    """The attributes of a span that mean something here, by slot."""
    values: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    unread: list[str] = []
    for attribute in record.attributes:
        slot = PLAN.get(attribute)
        if slot is None:
            unread.append(attribute)
            continue
        name, rank = slot
        if rank < ranks.get(name, 99):
            value = record.read(record.attributes[attribute])
            if value is not None and value != "":
                values[name] = value
                ranks[name] = rank
    return Reading(values, unread, {name: record.read(record.attributes[name]) for name in keep.intersection(unread)})


def skip_reason(record: Record, values: dict[str, Any]) -> str | None:
    """Why a span is not counted as an LLM call, None if it is one.

    Raises Rejected with reason `unsupported_format` for a call in a convention that is not decoded yet.
    """
    if record.name in WRAPPERS:
        return "wrapper"
    if ".openinference" in values:
        if values[".openinference"] in ("LLM", "EMBEDDING"):
            raise Rejected("unsupported_format", "OpenInference")
        return "not_llm_call"
    operation = str(values.get("operation", ""))
    if operation in names.OTHER_OPERATIONS:
        return names.OTHER_OPERATIONS[operation]
    if ".traceloop" in values:
        return "wrapper"
    if names.operation(operation):
        return None
    answered = not values.keys().isdisjoint(("response_id", "input_tokens", "output_tokens"))
    if answered and "provider" in values and "model" in values:
        return None
    return "wrapper" if "model" in values else "not_llm_call"


def span(record: Record, reading: Reading, source: Source, context: Context, decoded: Decoded, index: int) -> Span:
    """The span of one LLM call; raises Rejected where it lacks what a span must have."""
    values = reading.values
    fields: dict[str, Any] = {"span_id": f"{record.trace_id}:{record.span_id}", "trace_id": record.trace_id}
    for name, value in values.items():
        if name[0] != ".":
            coerce = BY_FIELD[name]
            found = value if coerce is text and type(value) is str else coerce(value)
            if found is not value:
                decoded.coerced[name] += 1
            fields[name] = found
    fields.setdefault("gateway", source.service)
    if source.version:
        fields["labels"] = {"gateway_version": source.version[:LABEL]}
    _times(fields, record, decoded)
    context.identify(fields, index, decoded.derived)
    _names(fields, decoded)
    _outcome(fields, record, values)
    if "sent_model" in values or ".call_id" in values or source.scope == "litellm":
        _litellm(fields, values, decoded)
    _usage(fields)
    add_labels(fields, reading.labels, context.keep_labels)
    built = build(fields)
    count_unknown(decoded.unknown, (name for name in reading.unread if name not in context.keep_labels))
    return built


def _times(fields: dict[str, Any], record: Record, decoded: Decoded) -> None:
    if record.start_ns > 0:
        fields["started_at"] = record.start_ns / 1e9
        if record.end_ns >= record.start_ns:
            fields["duration_s"] = (record.end_ns - record.start_ns) / 1e9
    if fields.get("ttft_s") is None and fields.get("stream"):
        chunks = [event.time_ns for event in record.events() if event.name in _CHUNKS]
        if chunks and min(chunks) >= record.start_ns > 0:
            fields["ttft_s"] = (min(chunks) - record.start_ns) / 1e9
            decoded.derived["ttft_s"] += 1
    elif fields.get("ttft_s") is not None and "stream" not in fields:
        fields["stream"] = True
        decoded.derived["stream"] += 1
    if fields.get("stream") is False:
        fields["ttft_s"] = None  # OpenLIT gives the whole duration for answers that came at once


def _names(fields: dict[str, Any], decoded: Decoded) -> None:
    operation = fields.get("operation") or "chat"
    fields["operation"] = names.operation(operation) or operation
    address = fields.get("server_address")
    if address and "/" in address:
        fields["server_address"] = address.partition("//")[2].partition("/")[0].partition(":")[0] or None
    if fields.get("provider"):
        fields["provider"] = names.provider(fields["provider"])
    else:
        hint = fields.get("sent_model") or fields.get("model") or ""
        fields["provider"] = names.provider_of(hint, fields.get("server_address"))
        decoded.derived["provider"] += 1
    if fields.get("sent_model"):
        fields["sent_model"] = names.without_provider(fields["sent_model"], fields["provider"])


def _outcome(fields: dict[str, Any], record: Record, values: dict[str, Any]) -> None:
    kind = text(values.get(".error_type"))
    code = text(values.get(".error_code") or values.get(".error_code_v1"))
    if record.failed and kind is None:
        kind = next((event.kind for event in record.events() if event.kind), None)
    status = fields.get("http_status") or names.http_status(code) or names.http_status(kind)
    fields["http_status"] = status
    if names.is_disconnect(kind, code, str(status)):
        fields["status"] = "cancelled"
    elif record.failed or kind:
        fields.setdefault("status", "error")
        fields.setdefault("error_class", names.error_class(kind, code or text(status)))
    reasons = literal(values.get(".finish_reasons"))
    reason = reasons[0] if isinstance(reasons, list) and reasons else reasons
    if isinstance(reason, str):
        fields.setdefault("finish_reason", names.finish_reason(reason))


def _litellm(fields: dict[str, Any], values: dict[str, Any], decoded: Decoded) -> None:
    if fields.get("response_model") == fields.get("model"):
        fields["response_model"] = None  # the gateway's own alias, put over what the provider said
    if fields.get("response_id") == values.get(".call_id"):
        fields["response_id"] = None  # its own id, where the provider gave none
    if ".hidden_params" in values:
        put(fields, "deployment", mapping(values[".hidden_params"]).get("model_id"), decoded.coerced)
        decoded.coerced["hidden_params"] += 1
    if ".requester" in values:
        requester = mapping(values[".requester"])
        decoded.coerced["requester_metadata"] += 1
        for name in CALLER_FIELDS:
            put(fields, name, requester.get(name), decoded.coerced)


def _usage(fields: dict[str, Any]) -> None:
    if fields["operation"] not in names.GENERATING:
        fields["output_tokens"] = fields["reasoning_tokens"] = None
    forget_zeros(fields)
