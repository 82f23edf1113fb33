"""JSON as the store can hold it: what it cannot is refused here, each mistake under a name of its own."""

import json
import re
from typing import Any, TypeVar

import msgspec

from undertow.span import Rejected

T = TypeVar("T")

MAX_ITEMS = 100_000
"""Objects in one message."""

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some editors put before UTF-8."""

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DIGITS = bytes(ord("0") if chr(c) in "123456789" else c for c in range(256))
_BARE_INTEGER = re.compile(rb"[:,\[]\s*-?[0-9]{19,}\s*[,\]}]")
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_scan = json.JSONDecoder().raw_decode
_decode_any = msgspec.json.Decoder().decode


def looks_like_json(start: bytes) -> bool:
    """Whether a message that starts so is an object or an array.

    OTLP in protobuf starts with a line feed too, and its second byte, a length, may be a bracket; but JSON holds no
    control characters, and protobuf's next tags are some.
    """
    if start.removeprefix(BOM).lstrip()[:1] not in (b"{", b"["):
        return False
    return not (start.startswith(b"\n") and _CONTROL.search(start, 0, 1000))


def parse(value: bytes | msgspec.Raw, decoder: "msgspec.json.Decoder[T]") -> T:
    """`value` as the decoder's type.

    Raises Rejected with reason `invalid_json`, `non_finite_number` (NaN, Infinity, 1e999), `invalid_unicode`
    (lone surrogates, bad UTF-8), `integer_too_large` (past 64 bits), `too_deep` or `unexpected_type`.
    """
    try:
        _check(bytes(value))
        return decoder.decode(value)
    except (ValueError, RecursionError) as error:
        raise explain(bytes(value), error) from None


def parse_any(value: bytes | msgspec.Raw) -> Any:
    """`value` as plain Python objects; raises as `parse` does."""
    try:
        _check(bytes(value))
        return _decode_any(value)
    except (ValueError, RecursionError) as error:
        raise explain(bytes(value), error) from None


def documents(value: bytes) -> list[bytes | msgspec.Raw]:
    """The objects of a message that holds one, an array of them, or one a line. Each is yet to be parsed.

    Raises Rejected as `parse` does, and with reason `too_many_items` or `empty_message`.
    """
    body = value.strip()
    if not body:
        raise Rejected("empty_message")
    if body.startswith(b"["):
        found: list[bytes | msgspec.Raw] = _array(body)
    else:
        found = list(_lines(body)) if b"\n" in body else [body]
    if len(found) > MAX_ITEMS:
        raise Rejected("too_many_items", f"more than {MAX_ITEMS} in one message")
    return found


def explain(value: bytes, error: Exception) -> Rejected:
    """The named reason behind a parser's error; it never quotes the value."""
    text = str(error)
    if isinstance(error, RecursionError):
        return Rejected("too_deep")
    if isinstance(error, UnicodeDecodeError) or "surrogate" in text:
        return Rejected("invalid_unicode")
    if "out of range" in text or _is_constant(value, text):
        return Rejected("non_finite_number")
    if isinstance(error, msgspec.ValidationError):
        return Rejected("unexpected_type", text)
    if "truncated" in text and b"\\ud" in value.lower() and b"}" in value[-2:]:
        return Rejected("invalid_unicode")  # the parser looked for the second half of a surrogate pair past the end
    return Rejected("invalid_json", text)


def _check(value: bytes) -> None:
    """What a typed parser would let pass because it skips the value or has no limit for it."""
    if has_surrogates(value):
        _decode_any(value)
    if b"0" * 19 in value.translate(_DIGITS) and _BARE_INTEGER.search(value) and _has_huge(_decode_any(value)):
        raise Rejected("integer_too_large", "an integer past 64 bits")


def has_surrogates(value: bytes) -> bool:
    """Whether there are escapes of surrogates, lone or in pairs."""
    # one byte is found ten times sooner than three
    return b"\\" in value and (b"\\ud" in value or b"\\uD" in value)


def _has_huge(root: Any) -> bool:
    todo = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, int) and not -(2**63) <= item < 2**63:
            return True
    return False


def _array(body: bytes) -> list[bytes | msgspec.Raw]:
    try:
        return list(_decode_raws(body))
    except (ValueError, RecursionError) as error:
        why = explain(body, error)
        found = _items(body) if why.reason == "non_finite_number" else None
        if found is None:
            raise why from None
        return found


def _items(body: bytes) -> list[bytes | msgspec.Raw] | None:
    """The items of an array of which some hold NaN or Infinity, as Python writes them; None where it is damaged."""
    found: list[bytes | msgspec.Raw] = []
    try:
        text = body.decode()
        at = 1
        while text[at - 1] != "]":
            start = _after_space(text, at)
            _, end = _scan(text, start)
            found.append(text[start:end].encode())
            at = _after_space(text, end) + 1
            if text[at - 1] not in ",]":
                return None
    except (ValueError, IndexError, RecursionError):
        return None
    return found


def _after_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _lines(body: bytes) -> list[bytes]:
    """One object over several lines, or one a line: a line that is JSON by itself decides."""
    try:
        _decode_any(body)
    except (ValueError, RecursionError):
        lines = [line for line in (line.strip() for line in body.split(b"\n")) if line]
        return lines if any(map(_is_object, lines)) else [body]
    return [body]


def _is_object(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and isinstance(_decode_any(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_constant(value: bytes, text: str) -> bool:
    """Whether the parser stopped at NaN or Infinity, in any of the ways people write them."""
    place = re.search(r"\(byte (\d+)\)", text)
    if "invalid character" not in text or place is None:
        return False
    around = value[max(0, int(place[1]) - 4) : int(place[1]) + 8].lower()
    return re.search(rb"(^|[^a-z\"])-?(nan|inf)", around) is not None
