"""What the values of one call must mean together, in every format: a part is not larger than its whole, the first token
does not come after the end, and one field that cannot be used does not cost the call.

Tokens of a span follow OpenTelemetry's GenAI conventions: input includes what came from a cache or was written into
one, output includes reasoning. Libraries that count the parts beside the whole are found by the total where there is
one, by arithmetic where there is not.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from undertow import span
from undertow.span import FIELDS, Rejected, Span

MILLISECONDS = 20.0
"""A first token that took longer than this and came after the end was counted in milliseconds; one that took less
belongs to a span that was closed when its stream began.
"""

TOLERANCE_S = 0.001
"""Two clocks, or two roundings to milliseconds, of one call differ by so much."""

_HINTS = get_type_hints(Span, include_extras=True)
_ESSENTIAL = {"started_at", "provider", "model", "status"}
"""Fields without which, or with a wrong one of which, there is no call to speak of."""

_TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
_HASHED = {"span_id", "trace_id", "response_id"}
"""Ids, which must stay different where they were different."""

_LONGEST = 512
_LONGEST_LABEL = 256
_MOST = {"labels": 32, "signals": 64}
_TRIES = 2 * len(FIELDS)


def tokens(
    fields: dict[str, Any], derived: Counter[str], total: int | None = None, cache_write: int | None = None
) -> None:
    """Count the parts of usage into `input_tokens` and `output_tokens` where they stand beside them.

    `total` is all tokens of the call, and `cache_write` those written into a cache, where the log says them. What a
    part cannot be part of becomes unknown.
    """
    given, made, cached, reasoning = (_known(fields.get(name)) for name in _TOKENS)
    beside = cached + (cache_write or 0)
    if fields.get("input_tokens") is not None and beside and _is_beside(given, beside, (made, reasoning), total):
        rest = made + reasoning if total == given + beside + made + reasoning else made
        given = fields["input_tokens"] = _whole_input(given, beside, rest, total, known=cache_write is not None)
        derived["input_tokens"] += 1
    if fields.get("output_tokens") is not None and reasoning and _is_beside(made, reasoning, (given, 0), total):
        fields["output_tokens"] = made + reasoning
        derived["output_tokens"] += 1


def _known(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _is_beside(whole: int, parts: int, rest: tuple[int, int], total: int | None) -> bool:
    """Whether `parts` are no part of `whole`; `rest` is what else the total counts, and what it may count besides."""
    if parts > whole:
        return True
    others, more = rest
    if total is None or total in (whole + others, whole + others + more):
        return False
    return total in (whole + parts + others, whole + parts + others + more)


def _whole_input(given: int, beside: int, made: int, total: int | None, *, known: bool) -> int:
    """The input with its parts; what is over of a total is what was written into the cache, where nothing says that."""
    if total is not None and not known and total - made > given + beside:
        return total - made
    return given + beside


def times(fields: dict[str, Any], repaired: Counter[str]) -> None:
    """Make unknown whichever of `ttft_s` and `duration_s` cannot be, where the first token comes after the end."""
    first, whole = fields.get("ttft_s"), fields.get("duration_s")
    if not isinstance(first, float | int) or not isinstance(whole, float | int) or first <= whole + TOLERANCE_S:
        return
    wrong = "ttft_s" if first >= MILLISECONDS else "duration_s"
    fields[wrong] = None
    repaired[wrong] += 1


def build(fields: dict[str, Any], repaired: Counter[str]) -> Span:
    """A checked span; an optional field that cannot be used is cut, hashed or made unknown, and counted.

    Raises Rejected as `undertow.span.build` does, for what a span cannot do without.
    """
    times(fields, repaired)
    for _ in range(_TRIES):
        try:
            return span.build(fields)
        except Rejected as rejected:
            unusable = _unusable(rejected, fields)
            if not unusable:
                raise
            for name in unusable:
                fields[name] = _repaired(name, fields[name])
                repaired[name] += 1
            if "cost_usd" in unusable:
                fields["cost_derived"] = False  # the log has a cost, though nobody knows which
    raise Rejected("invalid_span")


def _unusable(rejected: Rejected, fields: Mapping[str, Any]) -> list[str]:
    if rejected.reason == "invalid_unicode":
        return [name for name, value in fields.items() if name not in _ESSENTIAL and not _is_text(value)]
    name = rejected.reason.removeprefix("invalid_")
    hopeless = name == "span_id" and not isinstance(fields.get(name), str)
    return [name] if name in fields and name not in _ESSENTIAL and not hopeless else []


def _is_text(value: Any) -> bool:
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return False
    return True


def _repaired(name: str, value: Any) -> Any:
    """What is left of a value that the field refuses; None where that is nothing."""
    if name in _MOST and isinstance(value, dict):
        entries = ((_label(key), _label(one)) for key, one in value.items())
        return dict([(key, one) for key, one in entries if _fits(name, key, one)][: _MOST[name]]) or None
    if not isinstance(value, str):
        return None
    if name in _HASHED:
        return f"sha256:{hashlib.sha256(value.encode(errors='surrogatepass')).hexdigest()}"
    if not _is_text(value):
        return None
    return value[:_LONGEST] if _fits_field(name, value[:_LONGEST]) else None


def _label(value: Any) -> Any:
    return value[:_LONGEST_LABEL] if isinstance(value, str) else value


def _fits(name: str, key: Any, value: Any) -> bool:
    return _is_text([key, value]) and _fits_field(name, {key: value})


def _fits_field(name: str, value: Any) -> bool:
    try:
        msgspec.convert(value, _HINTS[name])
    except msgspec.ValidationError:
        return False
    return True
