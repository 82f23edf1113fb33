"""Values of the wrong type made right, where only one meaning is possible; None where there is none.

Gateways send "True" for true, "120" for 120 and '["stop"]' for a list. A caller counts a coercion wherever what comes
out is not the very object that went in.
"""

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from undertow.span import FIELDS

MAX_COUNT = 2**53
MAX_LITERAL = 65_536
"""Characters of a Python repr that is read; JSON may be of any size."""

_INTEGER = re.compile(r"\s*-?[0-9]{1,19}\s*")
_MEMBER = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*:\s*')
_NEXT = re.compile(r"\s*,")
_member = json.JSONDecoder().raw_decode
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def text(value: Any) -> str | None:
    """A string; numbers are written out."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def count(value: Any) -> int | None:
    """A whole number from 0 to 2**53."""
    if type(value) is not int:
        value = _whole(value)
    return value if value is not None and 0 <= value <= MAX_COUNT else None


def number(value: Any) -> float | None:
    """A finite float."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def flag(value: Any) -> bool | None:
    """True or false."""
    if isinstance(value, bool):
        return value
    return _WORDS.get(str(value).lower()) if isinstance(value, str | int) else None


def literal(value: Any) -> Any:
    """The list or dict behind a string that holds JSON or a Python repr; anything else is returned as it is."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    if len(value) > MAX_LITERAL:
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return value


def mapping(value: Any) -> dict[str, Any]:
    """A dict, also out of a string that holds one; empty where there is none."""
    found = literal(value)
    return found if isinstance(found, dict) else {}


def leading(value: Any) -> dict[str, Any]:
    """The same of an object that may have been cut: the members that stand whole before the cut are true."""
    found = mapping(value)
    if found or not isinstance(value, str) or value[:1] != "{":
        return found
    at = 1
    while name := _MEMBER.match(value, at):
        try:
            key, (member, end) = json.loads(name[1]), _member(value, name.end())
        except (ValueError, RecursionError):
            break
        after = _NEXT.match(value, end)
        if after is None:  # a number may go on behind the cut
            break
        found[key] = member
        at = after.end()
    return found


BY_KIND: dict[str, Callable[[Any], Any]] = {"str": text, "int": count, "float": number, "bool": flag}
BY_FIELD: dict[str, Callable[[Any], Any]] = {f.name: BY_KIND[f.kind] for f in FIELDS if f.kind in BY_KIND}
"""How to coerce a value for a field of the span."""


def put(fields: dict[str, Any], name: str, value: Any, coerced: Counter[str]) -> None:
    """Set a field of the span, counting the coercion; an unusable value leaves it unknown, and is counted too."""
    if value is None or value == "":
        return
    found = BY_FIELD[name](value)
    if found is not value:
        coerced[name] += 1
    if found is not None:
        fields[name] = found


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None
