"""LiteLLM's StandardLoggingPayload: bare, in the envelope of a logging callback, in arrays or one a line.

Written against litellm 1.106 and 1.108. Its traps: the response's model is the gateway's own alias except on fallback
answers (BerriAI/litellm#22709); a failed call reports zero tokens; a client that went away is logged as a success with
code 499; what the proxy refused by itself is logged as a failure. `id` is the key where the provider gave one: else
LiteLLM repeats its `litellm_call_id` there, which all attempts of one request share (and which 1.80 does not tell), and
only the start tells them apart. Undertow's own callback adds what the payload lacks under `undertow`, by the names of
the span's fields.
"""

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from undertow.batch import Decoded, Reject
from undertow.span import Rejected, Span
from undertow_collectors.decode import answer, names, providers, settle, strictjson
from undertow_collectors.decode.coerce import BY_FIELD, count, flag, mapping, number, put, text
from undertow_collectors.decode.context import CALLER_FIELDS, Context, add_labels, count_unknown, forget_zeros
from undertow_collectors.decode.paths import note_paths
from undertow_collectors.decode.provenance import OF_ANSWER
from undertow_collectors.decode.units import refuse_without_zone


class Payload(msgspec.Struct, gc=False):
    """The keys that are read; prompts, prices and stack traces are skipped unparsed. Nothing is known of the types."""

    standard_logging_object: "Payload | None" = None
    _event: Any = None
    id: Any = None
    litellm_call_id: Any = None
    trace_id: Any = None
    call_type: Any = None
    stream: Any = None
    status: Any = None
    custom_llm_provider: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    response_cost: Any = None
    startTime: Any = None  # noqa: N815  LiteLLM's spelling
    endTime: Any = None  # noqa: N815
    completionStartTime: Any = None  # noqa: N815
    response_time: Any = None
    model: Any = None
    model_group: Any = None
    model_id: Any = None
    api_base: Any = None
    cache_hit: Any = None
    metadata: Any = None
    hidden_params: Any = None
    model_parameters: Any = None
    response: Any = None
    error_information: Any = None
    undertow: Any = None


_FIXED = {"span_id", "started_at", "provider", "model", "status"}
_KNOWN_TO_LITELLM = {"attempt", "fallback", "response_model", "system_fingerprint", "finish_reason"}

_decoder = msgspec.json.Decoder(Payload)


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of a message of StandardLoggingPayloads."""
    decoded = Decoded("litellm")
    for index, document in enumerate(strictjson.documents(value)):
        try:
            _add(strictjson.parse(document, _decoder), index, context, decoded)
        except Rejected as rejected:
            decoded.rejects.append(Reject(rejected.reason, rejected.detail, index))
            context.close(decoded.rejects[-1])
    return decoded


def _add(outer: Payload, index: int, context: Context, decoded: Decoded) -> None:
    payload = outer.standard_logging_object or outer
    reason = _not_a_call(payload)
    if reason:
        decoded.skipped[reason] += 1
        context.close(reason)
        return
    span = _span(payload, index, context, decoded)
    decoded.spans.append(span)
    if context.sources is not None:
        _explain(span, payload, context)


def _not_a_call(payload: Payload) -> str | None:
    if str(payload._event).startswith("fallback_"):
        return "fallback_event"
    if flag(payload.cache_hit) is True or flag(mapping(payload.hidden_params).get("cache_hit")) is True:
        return "cached_answer"
    if payload.status == "failure" and not (payload.api_base or payload.model_id or payload.model_group):
        return None if mapping(payload.error_information).get("llm_provider") else "refused_by_gateway"
    name = payload.call_type
    known = not name or names.operation(str(name)) or count(payload.completion_tokens)
    return None if known else "not_llm_call"


def _span(payload: Payload, index: int, context: Context, decoded: Decoded) -> Span:
    fields: dict[str, Any] = {"gateway": "litellm"}
    requester = mapping(mapping(payload.metadata).get("requester_metadata"))
    identity(fields, payload, decoded)
    _times(fields, payload, decoded)
    context.identify(fields, index, decoded.derived)
    request(fields, payload, decoded)
    _usage(fields, payload, decoded)
    outcome(fields, payload)
    forget_zeros(fields)
    if fields["status"] != "error":
        _answered(fields, payload, decoded)
    if payload.undertow is not None:
        _told(fields, mapping(payload.undertow), decoded)
    sent(fields, requester, decoded)
    add_labels(fields, requester, context.keep_labels)
    return settle.build(fields, decoded.repaired)


def identity(fields: dict[str, Any], payload: Payload, decoded: Decoded) -> None:
    """Who was asked, by whose account, and which attempt it was."""
    headers = mapping(mapping(payload.hidden_params).get("additional_headers"))
    if isinstance(payload.api_base, str):
        put(fields, "server_address", _host(payload.api_base), decoded.coerced)
    provider = text(payload.custom_llm_provider)
    if not provider:
        decoded.derived["provider"] += 1
    fields["provider"], upstream = _named(provider, text(payload.model) or "", fields.get("server_address"))
    put(fields, "sent_model", upstream, decoded.coerced)
    put(fields, "model", payload.model_group or upstream, decoded.coerced)
    put(fields, "trace_id", payload.trace_id, decoded.coerced)
    put(fields, "deployment", payload.model_id or mapping(payload.hidden_params).get("model_id"), decoded.coerced)
    put(fields, "attempt", headers.get("x-litellm-attempted-retries"), decoded.coerced)
    fallbacks = count(headers.get("x-litellm-attempted-fallbacks"))
    fields["fallback"] = None if fallbacks is None else fallbacks > 0
    own = payload.id and (payload.status == "failure" or payload.id == payload.litellm_call_id)
    put(fields, "span_id", f"{payload.id}:{payload.startTime}" if own else payload.id, decoded.coerced)


def _times(fields: dict[str, Any], payload: Payload, decoded: Decoded) -> None:
    refuse_without_zone(payload.startTime)
    put(fields, "started_at", payload.startTime, decoded.coerced)
    start, end, first = fields.get("started_at"), number(payload.endTime), number(payload.completionStartTime)
    if start is None or end is None or end < start:
        put(fields, "duration_s", payload.response_time, decoded.coerced)
        return
    fields["duration_s"] = end - start or (0.0 if payload.status != "failure" else None)  # nobody measured it
    if first is not None and start <= first < end:  # without a first chunk LiteLLM repeats the end
        fields["ttft_s"] = first - start


def request(fields: dict[str, Any], payload: Payload, decoded: Decoded) -> None:
    """What was asked for, and how."""
    parameters = mapping(payload.model_parameters)
    call_type = text(payload.call_type) or "acompletion"
    fields["operation"] = names.operation(call_type) or call_type
    put(fields, "max_tokens", parameters.get("max_tokens") or parameters.get("max_completion_tokens"), decoded.coerced)
    put(fields, "temperature", parameters.get("temperature"), decoded.coerced)
    stream = parameters.get("stream") if payload.stream is None else payload.stream  # null for cut streams too
    put(fields, "stream", stream, decoded.coerced)
    if not fields.get("stream"):
        fields.pop("ttft_s", None)
    metadata = mapping(payload.metadata)
    put(fields, "route", metadata.get("user_api_key_alias") or metadata.get("user_api_key_team_alias"), decoded.coerced)
    managed = mapping(metadata.get("prompt_management_metadata"))
    put(fields, "prompt_name", managed.get("prompt_id"), decoded.coerced)


def _usage(fields: dict[str, Any], payload: Payload, decoded: Decoded) -> None:
    """Tokens by the payload, whose parts stand in the usage that LiteLLM put together, or in the provider's own."""
    response = payload.response if isinstance(payload.response, dict) else {}
    usages = (mapping(mapping(payload.metadata).get("usage_object")), mapping(response.get("usage")))
    told = [answer.usage({"usage": usage}) for usage in usages]
    put(fields, "input_tokens", payload.prompt_tokens, decoded.coerced)
    put(fields, "output_tokens", payload.completion_tokens, decoded.coerced)
    for name in ("input_tokens", "output_tokens"):
        if not fields.get(name):  # of pass-through requests LiteLLM counts nothing
            put(fields, name, next((one[name] for one in told if one.get(name)), None), decoded.coerced)
    put(fields, "cost_usd", payload.response_cost, decoded.coerced)
    for name in ("cached_input_tokens", "reasoning_tokens"):
        found = [one[name] for one in told if name in one]
        put(fields, name, next(filter(None, found), found[0] if found else None), decoded.coerced)
    settle.tokens(fields, decoded.derived)
    if not names.generates(fields["operation"]):
        fields["output_tokens"] = fields["reasoning_tokens"] = None


def outcome(fields: dict[str, Any], payload: Payload) -> None:
    """Whether it worked, and if not, why."""
    error = mapping(payload.error_information)
    kind, code = text(error.get("error_class")), text(error.get("error_code"))
    fields["status"] = "error" if payload.status == "failure" else "ok"
    if names.is_disconnect(kind, code):
        fields["status"] = "cancelled"
    elif fields["status"] == "error":
        normalized = text(error.get("normalized_error")) or ""
        fields["error_class"] = names.error_class(kind, code or normalized.partition("_")[0])
    fields["http_status"] = names.http_status(code)


def _answered(fields: dict[str, Any], payload: Payload, decoded: Decoded) -> None:
    response = payload.response if isinstance(payload.response, dict) else {}
    put(fields, "response_id", response.get("id"), decoded.coerced)
    put(fields, "system_fingerprint", response.get("system_fingerprint"), decoded.coerced)
    if response.get("model") != fields.get("model"):
        put(fields, "response_model", response.get("model"), decoded.coerced)
    if fields["status"] == "ok" and names.generates(fields["operation"]):
        found = answer.features(response, mapping(payload.model_parameters))
        decoded.derived.update(found.keys() - {"finish_reason"})
        fields.update(found)


def sent(fields: dict[str, Any], requester: dict[str, Any], decoded: Decoded) -> None:
    """What the application itself sent along."""
    for name in _SENT.keys() & requester.keys():
        put(fields, name, requester[name], decoded.coerced)


def _told(fields: dict[str, Any], told: dict[str, Any], decoded: Decoded) -> None:
    """What Undertow's callback knew beside the payload, or saw in an answer that it did not send along."""
    for name, value in told.items():
        if value is None:
            continue
        if name == "signals":
            fields[name] = value
        elif name in BY_FIELD and name not in _FIXED:
            put(fields, name, value, decoded.coerced)
        else:
            count_unknown(decoded.unknown, (name,))
            continue
        if name not in _KNOWN_TO_LITELLM:
            decoded.derived[name] += 1


_SOURCES: dict[str, tuple[str, ...]] = {
    "span_id": ("id",),
    "trace_id": ("trace_id",),
    "provider": ("custom_llm_provider",),
    "model": ("model_group", "model"),
    "sent_model": ("model",),
    "deployment": ("model_id", "hidden_params.model_id"),
    "server_address": ("api_base",),
    "attempt": ("hidden_params.additional_headers.x-litellm-attempted-retries",),
    "fallback": ("hidden_params.additional_headers.x-litellm-attempted-fallbacks",),
    "started_at": ("startTime",),
    "duration_s": ("endTime", "response_time"),
    "ttft_s": ("completionStartTime",),
    "operation": ("call_type",),
    "stream": ("stream", "model_parameters.stream"),
    "max_tokens": ("model_parameters.max_tokens", "model_parameters.max_completion_tokens"),
    "temperature": ("model_parameters.temperature",),
    "route": ("metadata.user_api_key_alias", "metadata.user_api_key_team_alias"),
    "prompt_name": ("metadata.prompt_management_metadata.prompt_id",),
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
    "cached_input_tokens": ("metadata.usage_object.prompt_tokens_details.cached_tokens",),
    "reasoning_tokens": ("metadata.usage_object.completion_tokens_details.reasoning_tokens",),
    "cost_usd": ("response_cost",),
    "status": ("status",),
    "error_class": ("error_information.error_class", "error_information.error_code"),
    "http_status": ("error_information.error_code",),
    "response_id": ("response.id",),
    "response_model": ("response.model",),
    "system_fingerprint": ("response.system_fingerprint",),
    "finish_reason": ("response.choices.0.finish_reason",),
}
"""Where the fields stand, for `undertow decode --explain`; the functions above do the reading."""

_TOLD = {name: (f"undertow.{name}",) for name in BY_FIELD if name not in _FIXED}
_SENT = {name: (f"metadata.requester_metadata.{name}",) for name in CALLER_FIELDS}


def _explain(span: Span, payload: Payload, context: Context) -> None:
    context.note("gateway", "constant")
    for name in OF_ANSWER:
        context.note(name, "derived: the answer in response")
    note_paths(span, msgspec.to_builtins(payload), _SOURCES, context)
    note_paths(span, msgspec.to_builtins(payload), _SENT, context)
    note_paths(span, msgspec.to_builtins(payload), _TOLD, context)
    context.close(span)


@lru_cache(1024)
def _named(provider: str | None, model: str, address: str | None) -> tuple[str, str]:
    """The provider's OTel name, guessed where LiteLLM gives none, and the model without it."""
    found = providers.canonical(provider) if provider else providers.guess(model, address)
    return found, providers.without_prefix(model, found)


@lru_cache(1024)
def _host(api_base: str) -> str | None:
    try:
        return urlsplit(api_base).hostname if "//" in api_base else None
    except ValueError:
        return None
