"""Field maps: a JSON object onto the fields of a span, by a table of paths, units and words.

A map is compiled once. It reads what is there and guesses nothing; what a span needs besides is `jsonlog.complete`'s.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from undertow.batch import Decoded
from undertow.fieldmaps import HELPERS, UNITS, is_path, is_target
from undertow_collectors.decode import answer, coerce, units
from undertow_collectors.decode.context import LABEL, Context
from undertow_collectors.decode.paths import Find, Opened, finder, tree, unread
from undertow_collectors.decode.units import Convert

WORDS = frozenset({"status", "error_class", "finish_reason", "provider", "operation"})
"""Fields whose words `jsonlog.complete` brings into the vocabulary of `names`; text or codes until then."""

_SHA256 = re.compile(r"(sha256[:-])?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Rule:
    """Where one field comes from: the first of `paths` that holds a value, else `default`.

    `unit` is one of `undertow.fieldmaps.UNITS`. `values` translates words (as text; `true` and `false` for booleans)
    and leaves others as they are, unless there is a default: then that is what others become.
    """

    paths: tuple[str, ...] = ()
    unit: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    default: Any = None


def at(*paths: str, unit: str | None = None, values: Mapping[str, Any] | None = None, default: Any = None) -> Rule:
    """The rule for a field that stands at the first of `paths`."""
    return Rule(paths, unit, values or {}, default)


def always(value: Any) -> Rule:
    """The rule for a field that is the same in every record."""
    return Rule(default=value)


class _Reader(NamedTuple):
    name: str
    key: str | None
    finders: tuple[tuple[str, Find], ...]
    values: Mapping[str, Any]
    convert: Convert
    default: Any


class FieldMap:
    """A compiled table: field of the span (`labels.NAME`, `signals.NAME` and HELPERS, too) -> its rule.

    `blanks` are texts that mean unknown; `beside` are paths that somebody else reads, so that they do not count as
    unread. Raises ValueError for a field, unit or path that cannot be.
    """

    def __init__(
        self, rules: Mapping[str, Rule], blanks: tuple[str, ...] = ("",), beside: tuple[str, ...] = ()
    ) -> None:
        self._readers = tuple(_reader(name, rule) for name, rule in rules.items())
        self._grouped = tuple((name, *name.split(".", 1)) for name in rules if "." in name)
        self._blanks = blanks
        paths = {*beside, *(path for rule in rules.values() for path in rule.paths)}
        self._whole = {path for path in paths if "." not in path}
        self._tree = tree(paths)

    def read(self, record: dict[str, Any], decoded: Decoded, context: Context) -> dict[str, Any]:
        """What the table finds in `record`, converted. Values that cannot be used are left out, and counted."""
        fields: dict[str, Any] = {}
        opened: Opened = {}
        blanks = self._blanks
        for reader in self._readers:
            name, key, finders, values, convert, default = reader
            value = None if key is None else record.get(key)
            if value is None or value in blanks:
                value = self._search(finders, record, opened)
            if value is None:
                found = default
                if name == "provider" and default is not None:
                    decoded.derived[name] += 1  # CONTRACTS 1, missing identity
            else:
                found = _converted(reader, value, decoded) if values else convert(value, name, decoded)
            if found is not None:
                fields[name] = found
        for name, group, rest in self._grouped:
            if name in fields:
                fields.setdefault(group, {})[rest] = fields.pop(name)
        if context.sources is not None:
            self._explain(record, context)
        return fields

    def reads_all(self, record: dict[str, Any]) -> bool:
        """Whether every key of a flat record is read; the quick answer before `unread`."""
        return record.keys() <= self._whole

    def unread(self, record: dict[str, Any], leaves: bool = False) -> Iterator[str]:
        """Paths that no rule names, by the shallowest name that says so; `leaves` gives every scalar."""
        return unread(record, self._tree, leaves)

    def _search(self, finders: tuple[tuple[str, Find], ...], record: dict[str, Any], opened: Opened) -> Any:
        for _, find in finders:
            value = find(record, opened)
            if value is not None and value not in self._blanks:
                return value
        return None

    def _explain(self, record: dict[str, Any], context: Context) -> None:
        """Note the path of every value. It reads once more, so that `read` stays quick."""
        opened: Opened = {}
        for reader in self._readers:
            found = ((path, self._search(((path, find),), record, opened)) for path, find in reader.finders)
            path, value = next(((path, value) for path, value in found if value is not None), (None, None))
            if path is not None:
                scratch = Decoded()
                _converted(reader, value, scratch)
                context.note(reader.name, path, value, bool(scratch.coerced))
            elif reader.default is not None:
                context.note(reader.name, "default" if reader.finders else "constant")


def _reader(name: str, rule: Rule) -> _Reader:
    if not is_target(name):
        raise ValueError(f"{name} is no field of the span")
    allowed = UNITS.get(name, ())
    if rule.unit is not None and rule.unit not in allowed:
        raise ValueError(f"{name}: unit {rule.unit} is none of {', '.join(allowed) or '(it takes none)'}")
    if not all(map(is_path, rule.paths)):
        raise ValueError(f"{name}: a path is keys with dots between them")
    key = rule.paths[0] if rule.paths and "." not in rule.paths[0] else None
    finders = tuple((path, finder(path)) for path in rule.paths)
    values = {word: _constant(name, value) for word, value in rule.values.items()}
    default = None if rule.default is None else _constant(name, rule.default)
    return _Reader(name, key, finders, values, _converter(name, rule.unit or next(iter(allowed), "")), default)


def _constant(name: str, value: Any) -> Any:
    """A value that the table itself names, in the units of the span."""
    found = _converter(name, next(iter(UNITS.get(name, ())), ""))(value, name, Decoded())
    if found is None:
        raise ValueError(f"{name} cannot be {value!r}")
    return found


def _converter(name: str, unit: str) -> Convert:
    if unit in units.DURATIONS:
        return units.duration(units.DURATIONS[unit])
    if unit in units.MONEY:
        return units.scaled(units.MONEY[unit])
    if unit:
        return units.moment(unit)
    if name in HELPERS:
        return _said if name == "response_text" else _body
    return _OF_FIELD.get(name.partition(".")[0]) or units.plain(name)


def _converted(reader: _Reader, value: Any, decoded: Decoded) -> Any:
    if reader.values:
        word = _word(value)
        if word is not None and word in reader.values:
            return reader.values[word]
        if reader.default is not None:
            return reader.default
    return reader.convert(value, reader.name, decoded)


def _word(value: Any) -> str | None:
    return str(value).lower() if isinstance(value, bool) else coerce.text(value)


def _text(value: Any, name: str, decoded: Decoded) -> str | None:
    """A word of a vocabulary: the first of a list, `true` and `false` for booleans."""
    first = value[0] if isinstance(value, list) and value else value
    found = _word(first)
    if found is None:
        decoded.coerced[name] += 1
    return found


def _body(value: Any, _: str, __: Decoded) -> dict[str, Any] | None:
    """An object, also out of a string that holds one, or the stream of one."""
    found = value if isinstance(value, dict) else answer.body(value)
    return found if isinstance(found, dict) else None


def _said(value: Any, _: str, __: Decoded) -> str | None:
    return value if isinstance(value, str) else None


def _label(value: Any, name: str, decoded: Decoded) -> Any:
    """One label's text, or all the scalars of an object as labels."""
    if name == "labels" and isinstance(value, dict):
        texts = ((key[:LABEL], _word(inner)) for key, inner in value.items())
        return dict([(key, text[:LABEL]) for key, text in texts if text is not None][:32])
    found = _text(value, name, decoded) if name != "labels" else None
    return found if found is None else found[:LABEL]


def _signal(value: Any, name: str, _: Decoded) -> Any:
    """One signal's value, or all the scalars of an object as signals."""
    if name == "signals" and isinstance(value, dict):
        scalars = ((key[:LABEL], _scalar(inner)) for key, inner in value.items())
        return dict([(key, inner) for key, inner in scalars if inner is not None][:64])
    return _scalar(value) if name != "signals" else None


def _scalar(value: Any) -> bool | float | str | None:
    if isinstance(value, str):
        return value[:LABEL]
    return value if isinstance(value, bool | int | float) else None


def _fingerprint(value: Any, name: str, decoded: Decoded) -> str | None:
    """A SHA-256 in hex; any other hash is hashed, because all that is asked of it is whether two answers are equal."""
    text = coerce.text(value)
    if text is None:
        decoded.coerced[name] += 1
        return None
    digits = _SHA256.fullmatch(text.lower())
    if digits:
        return digits[2]
    decoded.coerced[name] += 1
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


_OF_FIELD: dict[str, Convert] = {
    **dict.fromkeys(WORDS, _text),
    "labels": _label,
    "signals": _signal,
    "response_sha256": _fingerprint,
}
