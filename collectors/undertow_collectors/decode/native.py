"""The native format: one JSON object of `undertow.span/v1`, an array of them, or one a line (CONTRACTS 1).

What is exactly right is parsed straight into spans. What is not is looked at object by object, so that one mistake
costs one object and has a name.
"""

import re
from datetime import datetime
from typing import Any

import msgspec

from undertow.batch import Decoded, Reject
from undertow.span import FIELDS, Rejected, Span
from undertow_collectors.decode import settle, strictjson
from undertow_collectors.decode.context import Context, add_labels, count_unknown

_one = msgspec.json.Decoder(Span).decode
_many = msgspec.json.Decoder(list[Span]).decode
_NAMES = frozenset(f.name for f in FIELDS)
_COUNTS = tuple(f.name for f in FIELDS if f.kind == "int")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def decode(value: bytes, context: Context) -> Decoded:
    """Spans of a native message."""
    spans = exact(value) if context.sources is None else None
    return _one_by_one(value, context) if spans is None else Decoded("native", spans)


def exact(value: bytes, *, contradictions: bool = False) -> list[Span] | None:
    """Return the spans of a message that is native without a mistake, else None.

    Spans whose values contradict each other are among them only where the caller settles `contradictions`.
    """
    try:
        spans = _many(value) if value[:1] == b"[" else [_one(value)]
    except (ValueError, RecursionError):
        return None
    if not 0 < len(spans) <= strictjson.MAX_ITEMS:
        return None
    return spans if contradictions or not any(map(_contradicts_itself, spans)) else None


def _contradicts_itself(span: Span) -> bool:
    """Whether `settle` has something to say."""
    first, cached, reasoning = span.ttft_s, span.cached_input_tokens, span.reasoning_tokens
    return (
        (first is not None and span.duration_s is not None and first > span.duration_s + settle.TOLERANCE_S)
        or bool(cached and span.input_tokens is not None and cached > span.input_tokens)
        or bool(reasoning and span.output_tokens is not None and reasoning > span.output_tokens)
    )


def _one_by_one(value: bytes, context: Context) -> Decoded:
    decoded = Decoded("native")
    for index, document in enumerate(strictjson.documents(value)):
        try:
            decoded.spans.append(_span(document, context, decoded))
        except Rejected as rejected:
            decoded.rejects.append(Reject(rejected.reason, rejected.detail, index))
            context.close(decoded.rejects[-1])
    return decoded


def _span(document: bytes | msgspec.Raw, context: Context, decoded: Decoded) -> Span:
    found = strictjson.parse_any(document)
    if not isinstance(found, dict):
        raise Rejected("not_an_object", "a span is a JSON object")
    fields = {name: value for name, value in found.items() if name in _NAMES}
    if not fields:
        raise Rejected("unrecognised_format", "no key of the object is a field of a span")
    _repair(fields, decoded)
    unread = {name: value for name, value in found.items() if name not in _NAMES}
    add_labels(fields, unread, context.keep_labels)
    settle.tokens(fields, decoded.derived)
    span = settle.build(fields, decoded.repaired)
    count_unknown(decoded.unknown, unread.keys() - context.keep_labels)
    if context.sources is not None:
        for name, value in fields.items():
            context.note(name, name, found.get(name), type(found.get(name)) is float and type(value) is int)
        context.close(span, sorted(unread.keys() - context.keep_labels))
    return span


def _repair(fields: dict[str, Any], decoded: Decoded) -> None:
    if isinstance(fields.get("started_at"), str):
        fields["started_at"] = _unix_seconds(fields["started_at"])
    for name in _COUNTS:
        value = fields.get(name)
        if type(value) is float and value.is_integer():
            fields[name] = int(value)
            decoded.coerced[name] += 1


def _unix_seconds(text: str) -> float:
    upper = text.upper()
    if not _RFC3339.fullmatch(upper):
        raise Rejected("invalid_started_at", "neither Unix seconds nor RFC 3339 with a zone")
    try:
        return datetime.fromisoformat(upper).timestamp()
    except (ValueError, OverflowError):
        raise Rejected("invalid_started_at", "no such moment") from None
