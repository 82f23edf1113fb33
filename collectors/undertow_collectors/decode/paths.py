"""Where a value stands in a JSON object: dotted paths with array indices, whose keys may hold dots themselves.

`gen_ai.request.model` is a flat key in one log and three levels in another. The longest key that is there is tried
first, at every level. Strings that hold JSON are looked into.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from undertow.span import Span
from undertow_collectors.decode.context import Context

MAX_TEXT = 4 * 2**20
"""Characters of a string that is still looked into as JSON."""

Opened = dict[int, Any]
"""What the strings of one record held, by their `id`, so that none is parsed twice."""
Find = Callable[[dict[str, Any], Opened], Any]
"""The value of a path in a record, None where there is none."""

Tree = dict[str, Any]
"""The keys that paths read, nested; an empty one is read whole."""


@cache
def finder(path: str) -> Find:
    """A function that finds `path`."""
    return _Path(path) if "." in path else lambda record, _: record.get(path)


class _Path:
    """A path of several parts, with the keys that may begin at each of them, the longest first."""

    def __init__(self, path: str) -> None:
        self._parts = path.split(".")
        ends = range(len(self._parts), 0, -1)
        self._keys = [[(".".join(self._parts[i:j]), j) for j in ends if j > i] for i in range(len(self._parts))]

    def __call__(self, record: dict[str, Any], opened: Opened) -> Any:
        return self._below(record, 0, opened)

    def _below(self, value: Any, start: int, opened: Opened) -> Any:
        if start == len(self._parts):
            return value
        if isinstance(value, str):
            value = inside(value, opened)
        if isinstance(value, dict):
            for key, following in self._keys[start]:
                found = self._below(value[key], following, opened) if key in value else None
                if found is not None:
                    return found
        elif isinstance(value, list):
            index = self._parts[start]
            if index.isdecimal() and len(index) < 10 and int(index) < len(value):
                return self._below(value[int(index)], start + 1, opened)
        return None


def note_paths(span: Span, record: dict[str, Any], table: Mapping[str, tuple[str, ...]], context: Context) -> None:
    """Note for each field that `span` has the first of its paths that holds a value, for decoders that read by hand."""
    for name, paths in table.items():
        value = getattr(span, name)
        found = next(((p, v) for p in paths if (v := finder(p)(record, {})) not in (None, "")), None)
        if value is not None and found is not None:
            path, raw = found
            context.note(name, path, raw, isinstance(raw, str) and not isinstance(value, str))


def inside(text: str, opened: Opened) -> Any:
    """The object or array behind a string, None where it holds none."""
    if text[:1] not in ("{", "[") or len(text) > MAX_TEXT:
        return None
    if id(text) not in opened:
        try:
            opened[id(text)] = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            opened[id(text)] = None
    return opened[id(text)]


def tree(paths: Iterable[str]) -> Tree:
    """The keys of `paths` as a tree, each path in every way that it may be split into keys.

    What one path reads whole, others do not take apart.
    """
    root: Tree = {}
    for path in sorted(paths, key=len):
        _grow(root, path.split("."))
    return root


def _grow(node: Tree, parts: list[str]) -> None:
    for size in range(1, len(parts) + 1):
        key = ".".join(parts[:size])
        if size == len(parts):
            node[key] = {}
        elif node.get(key) != {}:
            _grow(node.setdefault(key, {}), parts[size:])


def unread(record: dict[str, Any], read: Tree, leaves: bool = False) -> Iterator[str]:
    """Paths in `record` that `read` does not name; `leaves` names every scalar below them, too."""
    for key, value in record.items():
        below = read.get(key)
        if below is None:
            yield from _leaves(key, value) if leaves else (key,)
        elif below and isinstance(value, dict):
            for path in unread(value, below, leaves):
                yield f"{key}.{path}"


def _leaves(path: str, value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, dict) and value and depth < 16:
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner, depth + 1)
    else:
        yield path
