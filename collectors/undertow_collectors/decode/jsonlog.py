"""What all JSON request logs share: records out of a message, a field map over each, and a span out of its fields."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, get_args

import msgspec

from undertow.batch import Decoded, Reject
from undertow.instrumentation import named
from undertow.span import ErrorClass, Rejected, Span
from undertow_collectors.decode import answer, names, providers, settle, strictjson
from undertow_collectors.decode.attributes import COUNTED
from undertow_collectors.decode.coerce import mapping, put, text
from undertow_collectors.decode.context import CALLER_FIELDS, Context, add_labels, count_unknown, forget_zeros
from undertow_collectors.decode.fieldmap import FieldMap
from undertow_collectors.decode.paths import finder

_CLASSES = frozenset(get_args(ErrorClass))
_PARAMETERS = {
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "temperature": ("temperature",),
    "stream": ("stream",),
}


Call = dict[str, Any] | str | None
"""A call, the reason why something is none, or None for what is no object."""


def whole(record: dict[str, Any]) -> Iterable[Call]:
    """A record that is one call."""
    return (record,)


def each(items: Iterable[Any], call: Callable[[dict[str, Any]], Call]) -> Iterable[Call]:
    """What `call` makes of each item of an envelope."""
    return [call(item) if isinstance(item, dict) else None for item in items]


@dataclass(frozen=True, slots=True)
class JsonLog:
    """One format of request log.

    `calls` gives the calls of a record, or for one that is none the reason for skipping it; `adjust` changes the fields
    of a call as a table cannot, and returns the names of those that it inferred; `caller` are paths of objects that
    hold what the application sent along.
    """

    name: str
    fields: FieldMap
    calls: Callable[[dict[str, Any]], Iterable[Call]] = whole
    adjust: Callable[[dict[str, Any], dict[str, Any]], Iterable[str] | None] | None = None
    caller: tuple[str, ...] = ()

    def decode(self, value: bytes, context: Context) -> Decoded:
        """Spans of a message of such records: one object, an array of them, or one a line."""
        decoded = Decoded(self.name)
        places = count()
        for document in strictjson.documents(value):
            try:
                calls = self.calls(_record(document))
            except Rejected as rejected:
                _reject(rejected, next(places), context, decoded)
                continue
            for call in calls:
                self._add(call, next(places), context, decoded)
        return decoded

    def _add(self, call: Call, index: int, context: Context, decoded: Decoded) -> None:
        if isinstance(call, str):
            decoded.skipped[call] += 1
            context.close(call)
            return
        if call is None:
            _reject(Rejected("not_an_object", "an entry is a JSON object"), index, context, decoded)
            return
        try:
            span = self._span(call, index, context, decoded)
        except Rejected as rejected:
            _reject(rejected, index, context, decoded, self.fields.unread(call, leaves=True))
            return
        decoded.spans.append(span)
        if not self.fields.reads_all(call):
            unread = (name for name in self.fields.unread(call) if name not in context.keep_labels)
            count_unknown(decoded.unknown, unread)
        if context.sources is not None:
            context.close(span, self.fields.unread(call, leaves=True))

    def _span(self, call: dict[str, Any], index: int, context: Context, decoded: Decoded) -> Span:
        fields = self.fields.read(call, decoded, context)
        if self.adjust is not None:
            before = dict(fields) if context.sources is not None else fields
            inferred = set(self.adjust(fields, call) or ())
            decoded.derived.update(inferred)
            for name in fields if before is not fields else ():
                if fields[name] != before.get(name):
                    context.note(name, "derived: other keys" if name in inferred else "other keys")
        version = text((fields.get("labels") or {}).get("gateway_version"))
        for path in self.caller:
            sent = mapping(finder(path)(call, {}))
            for name in CALLER_FIELDS:
                if name in sent:
                    put(fields, name, sent[name], decoded.coerced)
                    context.note(name, f"{path}.{name}", sent[name])
            add_labels(fields, sent, context.keep_labels)
        if context.keep_labels:
            add_labels(fields, {name: finder(name)(call, {}) for name in context.keep_labels}, context.keep_labels)
        span = complete(fields, index, context, decoded)
        decoded.instrumentations[named(self.name, version)] += 1
        return span


def complete(fields: dict[str, Any], index: int, context: Context, decoded: Decoded) -> Span:
    """A span out of what a field map read: vocabulary, identity and outcome as every format has them.

    Raises Rejected as `build` does, and with reason `invalid_status`.
    """
    request: dict[str, Any] = fields.pop("request_body", None) or {}
    response: dict[str, Any] = fields.pop("response_body", None) or {}
    text = fields.pop("response_text", None)
    _times(fields, context)
    if request:
        _request(fields, request, context, decoded)
    if response:
        _response(fields, response, context, decoded)
    _identity(fields, context, decoded)
    _outcome(fields, context)
    if (response or text) and fields["status"] == "ok" and names.generates(fields["operation"]):
        found = answer.features(response, request) if response else answer.of_text(text, request)
        _answer(fields, found, context, decoded)
    context.identify(fields, index, decoded.derived)
    if fields.get("started_at") is None:
        raise Rejected("missing_started_at", "neither in the record nor from Kafka, whose clock files do not have")
    settle.tokens(fields, decoded.derived)
    if not names.generates(fields["operation"]):
        fields["output_tokens"] = fields["reasoning_tokens"] = None
    if fields.get("stream") is False:
        fields.pop("ttft_s", None)
    forget_zeros(fields)
    return settle.build(fields, decoded.repaired)


def _record(document: bytes | msgspec.Raw) -> dict[str, Any]:
    record = strictjson.parse_any(document)
    if not isinstance(record, dict):
        raise Rejected("not_an_object", "a record is a JSON object")
    return record


def _reject(rejected: Rejected, index: int, context: Context, decoded: Decoded, unread: Iterable[str] = ()) -> None:
    reject = Reject(rejected.reason, rejected.detail, index)
    decoded.rejects.append(reject)
    if context.sources is not None:
        context.close(reject, unread)


def _times(fields: dict[str, Any], context: Context) -> None:
    start, end, first = fields.get("started_at"), fields.pop("ended_at", None), fields.pop("first_token_at", None)
    duration = fields.get("duration_s")
    if end is None and first is None:
        return
    if end is not None and start is None:
        fields["started_at"] = start = end - (duration or 0.0)
        context.note("started_at", "ended_at less the duration")
    elif end is not None and duration is None and end >= start:
        fields["duration_s"] = round(end - start, 6)  # Unix seconds in a float know no more
        context.note("duration_s", "ended_at less started_at")
    if first is not None and start is not None and start <= first and fields.get("ttft_s") is None:
        fields["ttft_s"] = round(first - start, 6)
        context.note("ttft_s", "first_token_at less started_at")


def _request(fields: dict[str, Any], request: dict[str, Any], context: Context, decoded: Decoded) -> None:
    for name, keys in _PARAMETERS.items():
        for key in keys:
            if fields.get(name) is None and request.get(key) is not None:
                put(fields, name, request[key], decoded.coerced)
                context.note(name, f"request_body.{key}")


def _response(fields: dict[str, Any], response: dict[str, Any], context: Context, decoded: Decoded) -> None:
    for name, value in (answer.identity(response) | answer.usage(response)).items():
        if fields.get(name) is None or (name in COUNTED and not fields[name]):
            put(fields, name, value, decoded.coerced)
            context.note(name, "response_body")


def _identity(fields: dict[str, Any], context: Context, decoded: Decoded) -> None:
    model = fields.get("model")
    if not model:
        model = fields["model"] = fields.get("sent_model") or fields.get("response_model")
        decoded.derived["model"] += bool(model)
        context.note("model", "derived: the model that was sent or that answered")
    provider = fields.get("provider")
    if provider:
        fields["provider"] = providers.canonical(provider)
    else:
        fields["provider"] = providers.guess(model or "", fields.get("server_address"))
        decoded.derived["provider"] += 1
        context.note("provider", "derived: the host or the model's prefix")
    operation = fields.get("operation") or "chat"
    fields["operation"] = names.operation(operation) or operation


def _outcome(fields: dict[str, Any], context: Context) -> None:
    code, kind, word = names.http_status(fields.get("http_status")), fields.get("error_class"), fields.get("status")
    if word and code is None:
        code = names.http_status(word)
    fields["http_status"] = code
    status = names.status(word) if word else "error" if kind else "ok"
    if status is None:
        raise Rejected("invalid_status", "a word that says neither success nor failure; name it in `values`")
    if code == 499 or (kind and names.is_disconnect(kind)):
        status = "cancelled"
    elif status == "ok" and code is not None:
        status = names.status_of(code)
    if not word and (kind or code):
        context.note("status", "derived: http_status and error_class")
    fields["status"] = status
    fields["error_class"] = _error_class(kind, code, context) if status == "error" else None
    if fields.get("finish_reason"):
        fields["finish_reason"] = names.finish_reason(fields["finish_reason"])


def _error_class(kind: str | None, code: int | None, context: Context) -> str:
    if kind and kind in _CLASSES:
        return kind
    if not kind:
        context.note("error_class", "derived: http_status")
    return names.error_class(kind, str(code) if code and code >= 400 else None)


def _answer(fields: dict[str, Any], found: dict[str, Any], context: Context, decoded: Decoded) -> None:
    for name in found:
        if fields.get(name) is None:
            context.note(name, "response_body" if name == "finish_reason" else "derived: the answer's text")
    answer.add(fields, found, decoded.derived)
