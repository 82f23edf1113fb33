"""Native messages straight into columns: what `native.exact` accepts, without an object of 45 fields for each span.

Senders use half of the fields, and few names of models, routes and the like. So messages are parsed into a type that
knows the fields and the names that came so far, and no others: a parser that finds a name in its list makes no string.
What it refuses teaches it, as long as `native.exact` takes it. Only `cost_derived`, which nobody sends, is left out, so
that it always means that the cost was derived here.
"""

from bisect import bisect_right
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any, Literal, NamedTuple, get_type_hints

import msgspec

from undertow.batch import Message, Part
from undertow.span import Span
from undertow_collectors.decode import reach
from undertow_collectors.decode.native import exact
from undertow_collectors.decode.parts import parts_of
from undertow_collectors.decode.strictjson import MAX_ITEMS

MOST = 1_000
"""Messages of one run; more do not stay in the processor's cache between parsing and columns."""
WORDS = 32
"""Names known of a field; of one that has more, every text is taken."""

_NAMING = frozenset(
    (
        *("provider", "model", "gateway", "deployment", "region", "server_address", "sent_model", "response_model"),
        *("system_fingerprint", "operation", "route", "prompt_name", "prompt_version", "variant"),
    )
)
"""Fields that mostly have few values."""

_HINTS = get_type_hints(Span, include_extras=True)
_FIELDS = {info.name: info for info in msgspec.structs.fields(Span) if info.name != "cost_derived"}
_ALWAYS = [name for name, info in _FIELDS.items() if info.required or info.default is not None]
_keys_of_one = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_keys_of_many = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode

Words = frozenset[str] | None
"""The values that a field may have, besides null; None is any that the span allows."""


class Shape(NamedTuple):
    """Parsers of objects, and of arrays of them, that have these fields and words and no others."""

    fields: Mapping[str, Words]
    one: Callable[[bytes], Any]
    many: Callable[[bytes], list[Any]]


def shape_of(fields: Mapping[str, Words]) -> Shape:
    """The shape of spans of `fields`, apart from its words as strict as the span itself."""
    row: Any = msgspec.defstruct(
        "Row",
        [_typed(_FIELDS[name], words) for name, words in fields.items()],
        kw_only=True,
        gc=False,
        forbid_unknown_fields=True,
    )
    return Shape(fields, msgspec.json.Decoder(row).decode, msgspec.json.Decoder(list[row]).decode)


def _typed(info: msgspec.structs.FieldInfo, words: Words) -> tuple[Any, ...]:
    """A field for `defstruct`; by annotation only required ones and those with a default are never null."""
    if words is None:
        kind = _HINTS[info.name]
    else:
        kind = Literal[(*sorted(words), *(() if info.required or info.default else (None,)))]
    return (info.name, kind) if info.required else (info.name, kind, info.default)


def _refuse(_: bytes) -> Any:
    raise ValueError


_seen = Shape({}, _refuse, _refuse)  # what the senders of this process have used


def take(messages: Sequence[Message], _: frozenset[str]) -> list[Part]:
    """The run at the beginning of `messages` that is native without a mistake."""
    global _seen
    bodies = [message.value for message in messages[:MOST]]
    shape = _seen
    spans, counts = _read(shape, bodies)
    if not spans and (more := _learned(shape, bodies)) != shape.fields:
        _seen = shape = shape_of(more)
        spans, counts = _read(shape, bodies)
    if len(spans) < reach.LEAST:
        return []
    values = dict(zip(shape.fields, zip(*map(msgspec.structs.astuple, spans), strict=True), strict=True))
    try:
        return parts_of(messages[: len(counts or spans)], "native", values, counts)
    except reach.OddError as odd:
        return _before(odd.row or 0, messages, values, counts)


def _before(
    row: int, messages: Sequence[Message], values: Mapping[str, Sequence[Any]], counts: Sequence[int] | None
) -> list[Part]:
    """The run of the messages before that of an odd row; none where they are too few."""
    ends = list(accumulate(counts)) if counts else range(1, row + 1)
    whole = bisect_right(ends, row)
    size = ends[whole - 1] if whole else 0
    if size < reach.LEAST:
        return []
    some = {name: column[:size] for name, column in values.items()}
    return parts_of(messages[:whole], "native", some, counts[:whole] if counts else None)


def _read(shape: Shape, bodies: Sequence[bytes]) -> tuple[list[Any], list[int] | None]:
    """The spans of the messages before the first of another shape; how many each message has, None where one."""
    spans: list[Any] = []
    if bodies[0][:1] != b"[":
        with suppress(ValueError, RecursionError):
            spans.extend(map(shape.one, bodies))  # keeps those before the one that raises
        return spans, None
    counts: list[int] = []
    with suppress(ValueError, RecursionError):
        for body in bodies:
            found = shape.many(body) if body[:1] == b"[" else []
            if not 0 < len(found) <= MAX_ITEMS or len(spans) >= MOST:
                break
            spans += found
            counts.append(len(found))
    return spans, counts


def _learned(shape: Shape, bodies: Iterable[bytes]) -> Mapping[str, Words]:
    """The fields and words of the messages up to the first mistake, beside those of `shape`.

    Fields are in the order of the messages, in which a parser finds them soonest.
    """
    fields: dict[str, Words] = {}
    words = dict(shape.fields)
    for body in bodies:
        spans = exact(body, contradictions=True)
        if spans is None or not _FIELDS.keys() >= set(_keys(body)):
            break
        fields |= dict.fromkeys([*_keys(body), *_ALWAYS])
        for name in fields.keys() & _NAMING:
            known = words.get(name, frozenset())
            if known is not None:
                found = known.union(getattr(span, name) for span in spans) - {None}
                words[name] = found if len(found) <= WORDS else None
    return {name: words.get(name) for name in [*fields, *shape.fields]} if fields else shape.fields


def _keys(body: bytes) -> Iterable[str]:
    return ChainMap(*_keys_of_many(body)) if body[:1] == b"[" else _keys_of_one(body)
