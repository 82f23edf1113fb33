"""Ordinary answers in LiteLLM's payloads straight into columns: a success with one text, in the envelope of a callback
of LiteLLM's, or without texts as Undertow's own callback ships it.

Whom was asked for what and how is the same in many calls: `litellm.py` reads it once for each combination, and here
only what is new in each call is read, over many messages. All else goes the slow way.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import repeat, takewhile
from typing import Any, NamedTuple, get_type_hints

import msgspec

from undertow.batch import Decoded, Message, Part
from undertow.span import Span
from undertow_collectors.decode import answer, layout, litellm, litellm_shapes, names, refusals, screen
from undertow_collectors.decode.context import CALLER_FIELDS, add_labels
from undertow_collectors.decode.parts import parts_of
from undertow_collectors.decode.reach import OddError, Reach
from undertow_collectors.decode.wanted import wanted

MAX_COMMON = 1024
"""Combinations remembered; when there are more, all are forgotten."""

_OF_ANSWER = ("response_chars", "refusal", "response_sha256", "signals", "tool_call_count", "parse_ok")
_DERIVED = (*_OF_ANSWER, "schema_fingerprint")
_HINTS = get_type_hints(Span, include_extras=True)
_COMMON = (
    *("gateway", "server_address", "provider", "sent_model", "model", "deployment", "attempt", "fallback"),
    *("operation", "max_tokens", "temperature", "stream", "prompt_name", "status", "labels", "http_status"),
    *(name for name in CALLER_FIELDS if name not in _DERIVED),
)
_NO_HIDDEN, _NO_HEADERS = litellm_shapes.Hidden(), litellm_shapes.Headers()
_NO_RESPONSE = litellm_shapes.Stub()

Values = dict[str, Sequence[Any]]
Columns = dict[str, tuple[Any, ...]]

_reach = Reach()


def take(messages: Sequence[Message], keep_labels: frozenset[str]) -> list[Part]:
    """The run at the beginning of `messages` that holds nothing but ordinary answers."""
    found = _opened(messages[: _reach.size])
    return _reach.attempt(found, lambda some: _read(messages[: len(some)], some, keep_labels))


class Layout(NamedTuple):
    """A way to lay a payload out in a message: how that begins, so that it is LiteLLM's, and what is in it."""

    begins: re.Pattern[bytes]
    decode: Callable[[bytes], litellm_shapes.Call]

    def has(self, body: bytes) -> bool:
        """Whether a message is laid out so, on one line."""
        return self.begins.match(body) is not None and b"\n" not in body


_LAYOUTS = (
    Layout(re.compile(rb'\{\s*"(?:_event|standard_logging_object)"\s*:'), litellm_shapes.enveloped),
    Layout(re.compile(rb'\{\s*"id"\s*:\s*"[^"\\]*"\s*,\s*"litellm_call_id"\s*:'), litellm_shapes.shipped),
)


def _opened(messages: Sequence[Message]) -> list[litellm_shapes.Call]:
    """The payloads of the messages before the first of another layout than the first, or not of the usual types."""
    layout = next((one for one in _LAYOUTS if one.has(messages[0].value)), None)
    if layout is None:
        return []
    bodies = list(takewhile(layout.has, (message.value for message in messages)))
    found: list[litellm_shapes.Call] = []
    with suppress(ValueError, RecursionError):
        found.extend(map(layout.decode, bodies[: screen.clean(bodies)]))  # keeps those before the one that raises
    return found


class Common(NamedTuple):
    """What calls have in common: the values of _COMMON, and the request's parameters where they ask for JSON."""

    values: tuple[Any, ...]
    parameters: dict[str, Any]
    asks: bool


class Memo(dict[tuple[Any, ...], Common]):
    """By what `_keys` gives of a call."""

    def __init__(self, keep_labels: frozenset[str]) -> None:
        super().__init__()
        self._keep = keep_labels

    def __missing__(self, key: tuple[Any, ...]) -> Common:
        if len(self) >= MAX_COMMON:
            self.clear()
        found = self[key] = _common(key, self._keep)
        return found


_memo = lru_cache(4)(Memo)


def _common(key: tuple[Any, ...], keep_labels: frozenset[str]) -> Common:
    """Read by `litellm.py`; raises OddError for what counts something or is no success."""
    provider, model, group, model_id, api_base, call_type, stream, hidden_id, retries, fallbacks, *rest = key
    alias, team, *raws = rest
    try:
        parameters, error, managed, requester = map(msgspec.json.decode, raws)
    except (ValueError, RecursionError):
        raise OddError from None
    if not all(isinstance(found, dict | None) for found in (parameters, error, managed, requester)):
        raise OddError
    headers = {"x-litellm-attempted-retries": retries, "x-litellm-attempted-fallbacks": fallbacks}
    payload = litellm.Payload(
        status="success",
        call_type=call_type,
        stream=stream,
        custom_llm_provider=provider,
        model=model,
        model_group=group,
        model_id=model_id,
        api_base=api_base,
        metadata={
            "user_api_key_alias": alias,
            "user_api_key_team_alias": team,
            "prompt_management_metadata": managed,
        },
        hidden_params={"model_id": hidden_id, "additional_headers": headers},
        model_parameters=parameters,
        error_information=error,
    )
    fields: dict[str, Any] = {"gateway": "litellm"}
    decoded = Decoded()
    litellm.identity(fields, payload, decoded)
    litellm.request(fields, payload, decoded)
    litellm.outcome(fields, payload)
    litellm.sent(fields, requester or {}, decoded)
    add_labels(fields, requester or {}, keep_labels)
    odd = decoded.coerced or decoded.derived or fields["status"] != "ok" or not provider
    if odd or not names.generates(fields["operation"]) or not fields.keys().isdisjoint(_DERIVED):
        raise OddError
    try:
        values = tuple(msgspec.convert(fields.get(name), _HINTS[name]) for name in _COMMON)
    except msgspec.ValidationError:
        raise OddError from None
    asks = wanted(parameters or {}) is not None
    return Common(values, parameters if asks else {}, asks)


def _read(messages: Sequence[Message], calls: Sequence[litellm_shapes.Call], keep_labels: frozenset[str]) -> list[Part]:
    own = _columns(calls)
    metadata = _columns(own["metadata"])
    common: list[Common] = []
    try:
        common.extend(map(_memo(keep_labels).__getitem__, _keys(own, metadata)))
    except OddError:
        raise OddError(len(common)) from None
    values: Values = dict(zip(_COMMON, zip(*(found.values for found in common), strict=True), strict=True))
    values |= _timed(own, values["stream"])
    values |= _used(own, metadata)
    values["trace_id"] = [found or None for found in own["trace_id"]]
    responses: list[Any] = [response or _NO_RESPONSE for response in own["response"]]
    values["response_id"] = [response.id or None for response in responses]
    values["system_fingerprint"] = [response.system_fingerprint or None for response in responses]
    served = zip((response.model for response in responses), values["model"], strict=True)
    values["response_model"] = [found if found and found != asked else None for found, asked in served]
    if isinstance(calls[0], litellm_shapes.Shipped):
        values |= _told(own["undertow"], values)
    else:
        values |= _answered([response.choices[0] for response in responses], common)
    known = {name: found for name, found in values.items() if found[0] is not None or found.count(None) < len(found)}
    return parts_of(messages, "litellm", known, derived=known.keys() & _DERIVED)


def _told(told: Sequence[litellm_shapes.Told], values: Values) -> Values:
    """What Undertow's callback tells itself, before all else."""
    found: Values = {}
    for name, column in _columns(told).items():
        before = values.get(name, repeat(None))
        found[name] = [old if new is None or new == "" else new for new, old in zip(column, before, strict=False)]
    return found


def _columns(rows: Sequence[Any]) -> Columns:
    return dict(zip(rows[0].__struct_fields__, zip(*map(msgspec.structs.astuple, rows), strict=True), strict=True))


def _keys(own: Columns, metadata: Columns) -> Any:
    hidden = [found or _NO_HIDDEN for found in own["hidden_params"]]
    headers = [found.additional_headers or _NO_HEADERS for found in hidden]
    return zip(
        own["custom_llm_provider"],
        own["model"],
        own["model_group"],
        own["model_id"],
        own["api_base"],
        own["call_type"],
        own["stream"],
        [found.model_id for found in hidden],
        [found.retries for found in headers],
        [found.fallbacks for found in headers],
        metadata["user_api_key_alias"],
        metadata["user_api_key_team_alias"],
        map(bytes, own["model_parameters"]),
        map(bytes, own["error_information"]),
        map(bytes, metadata["prompt_management_metadata"]),
        map(bytes, metadata["requester_metadata"]),
        strict=True,
    )


def _timed(own: Columns, streams: Sequence[Any]) -> Values:
    starts, ends, ids = own["startTime"], own["endTime"], own["id"]
    if int in map(type, starts):
        raise OddError(list(map(type, starts)).index(int))
    if min(starts) < 0 or max(ends) > 253402300799 or True in own["cache_hit"]:
        raise OddError
    durations = [end - start for start, end in zip(starts, ends, strict=True)]
    if min(durations) < 0 or max(durations) > 1e9:
        raise OddError
    calls = zip(own["completionStartTime"], starts, ends, streams, strict=True)
    ttfts = [f - s if stream and f is not None and s <= f < e else None for f, s, e, stream in calls]
    named = zip(ids, own["litellm_call_id"], starts, strict=True)
    span_ids = [f"{own_id}:{start}" if own_id == call_id else own_id for own_id, call_id, start in named]
    if max(map(len, span_ids)) > 512:
        raise OddError
    return {"span_id": span_ids, "started_at": starts, "duration_s": durations, "ttft_s": ttfts}


def _used(own: Columns, metadata: Columns) -> Values:
    usages = metadata["usage_object"]
    answers = [getattr(response, "usage", None) for response in own["response"]]
    if None in own["completion_tokens"]:  # the usage beside may say more
        raise OddError(own["completion_tokens"].index(None))
    costs = own["response_cost"]
    if int in map(type, costs):
        raise OddError(list(map(type, costs)).index(int))
    if any(not 0 <= cost <= 1e12 for cost in filter(None, costs)):
        raise OddError
    return {
        "input_tokens": own["prompt_tokens"],
        "output_tokens": own["completion_tokens"],
        "cached_input_tokens": _either(_cached, usages, answers),
        "reasoning_tokens": _either(_reasoning, usages, answers),
        "cost_usd": [cost or None for cost in costs],
    }


Usage = litellm_shapes.Usage | None
Count = Callable[[Usage], int | None]


def _cached(usage: Usage) -> int | None:
    if usage is None:
        return None
    details, beside = usage.prompt_tokens_details, usage.cache_read_input_tokens
    found = None if details is None else details.cached_tokens
    return found or (found if beside is None else beside or found or beside)


def _reasoning(usage: Usage) -> int | None:
    details = None if usage is None else usage.completion_tokens_details
    return None if details is None else details.reasoning_tokens


def _either(of: Count, usages: Sequence[Usage], answers: Sequence[Usage]) -> list[int | None]:
    """The count of each usage, unless that of the answer beside says more than nothing or zero."""
    return [
        one if (one := of(usage)) or answer is None or (other := of(answer)) is None else other
        for usage, answer in zip(usages, answers, strict=True)
    ]


def _answered(choices: Sequence[litellm_shapes.Choice], common: Sequence[Common]) -> Values:
    texts = [choice.message.content for choice in choices]
    reasons = [choice.finish_reason or None for choice in choices]
    if "refusal" in reasons:
        raise OddError
    words = {reason: names.finish_reason(reason) if reason else None for reason in set(reasons)}
    values: dict[str, list[Any]] = {
        "finish_reason": [words[reason] for reason in reasons],
        "response_chars": list(map(len, texts)),
        "refusal": list(map(refusals.refuses, texts)),
        "response_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
        "signals": list(map(layout.shape, texts)),
        "tool_call_count": [0] * len(texts),
    }
    for at, (text, shared) in enumerate(zip(texts, common, strict=True)):
        if shared.asks or not answer.is_plain(text):
            found = answer.of_text(text, shared.parameters, 0)
            for name in _DERIVED:
                values.setdefault(name, [None] * len(texts))[at] = found.get(name)
    return dict(values)
