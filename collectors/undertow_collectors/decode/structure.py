"""The structure of a JSON answer: its key paths and types, without a value."""

import hashlib
import re
from typing import Any

MAX_DEPTH = 12
"""Levels that are told apart; deeper ones count by the type of what holds them."""

MAX_PATHS = 1_000
"""Distinct paths; an answer with more is keyed by data and has no schema."""

MAX_VALUES = 20_000
"""Values that are looked at; an answer with more has no fingerprint."""

ITEMS = 64
"""Items of one array that are looked at."""

_SPECIAL = re.compile(r"[^\w -]")
_TYPES = {dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "boolean"}


def fingerprint(value: Any) -> str | None:
    """16 hex digits that answers of one structure share, whatever their values and the order of their keys.

    The items of an array count as one. None where there are more than MAX_PATHS paths or MAX_VALUES values.
    """
    paths: set[str] = set()
    todo: list[tuple[str, int, Any]] = [("$", 0, value)]
    looked = 0
    while todo:
        path, depth, item = todo.pop()
        paths.add(f"{path}:{_TYPES.get(type(item), 'null')}")
        looked += 1
        if looked > MAX_VALUES or len(paths) > MAX_PATHS:
            return None
        if depth < MAX_DEPTH:
            if isinstance(item, dict):
                todo += [(f"{path}.{_plain(key)}", depth + 1, inner) for key, inner in item.items()]
            elif isinstance(item, list):
                todo += [(path + "[]", depth + 1, inner) for inner in item[:ITEMS]]
    return hashlib.sha256("\n".join(sorted(paths)).encode("utf-8", "replace")).hexdigest()[:16]


def _plain(key: str) -> str:
    """A key that cannot be mistaken for a path of several."""
    return key if key.isidentifier() else _SPECIAL.sub(r"\\\g<0>", key)
