"""Nested tables and environment variables into typed Structs; whatever is wrong is told by its full key.

It knows nothing of Undertow's own settings: those are the Structs of undertow.config.
"""

import difflib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec

from undertow.errors import ConfigError
from undertow.objections import objection

S = TypeVar("S", bound=msgspec.Struct)


class Secret:
    """A value that prints as `<secret>`; only `reveal` gives it away. An empty one is false."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, to be used and not kept."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "<secret>"


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that stands in an environment variable, still as text."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: a file and the keys that lead to it."""

    file: str
    keys: tuple[str, ...] = ()

    def __truediv__(self, key: str | int) -> "Place":
        if isinstance(key, int):
            return Place(self.file, (*self.keys[:-1], f"{self.keys[-1]}[{key}]"))
        return Place(self.file, (*self.keys, key))

    def error(self, text: str, value: Any = None) -> ConfigError:
        """A ConfigError at this place; a value from the environment is blamed on its variable."""
        where = f"environment variable {value.name}" if isinstance(value, Variable) else self.file
        return ConfigError(": ".join(filter(None, (where, ".".join(self.keys), text))))


def overlay(table: dict[str, Any], environ: Mapping[str, str], prefix: str, place: Place) -> None:
    """Put every variable `PREFIX_A__B` into `table` at a.b; a number is an index into a list of tables.

    Variables without a double underscore are left alone: Kubernetes makes such names from the names of services.
    """
    for name in sorted(environ):
        if name.startswith(prefix) and "__" in name:
            keys = name.removeprefix(prefix).lower().split("__")
            _put(table, keys, Variable(name, environ[name]), place)


def _put(table: Any, keys: list[str], variable: Variable, place: Place) -> None:
    head, *rest = keys
    if isinstance(table, list):
        _put_item(table, head, rest, variable, place)
    elif not isinstance(table, dict):
        raise place.error("is a single value and has no keys below it", variable)
    elif not rest:
        table[head] = variable
    else:
        _put(table.setdefault(head, [] if rest[0].isdecimal() else {}), rest, variable, place / head)


def _put_item(items: list[Any], head: str, rest: list[str], variable: Variable, place: Place) -> None:
    if head not in map(str, range(len(items) + 1)):
        raise place.error(f"expected an index from 0 to {len(items)}, got {head!r}", variable)
    if not rest:
        raise place.error("names a whole table; name one of its keys", variable)
    index = int(head)
    if index == len(items):
        items.append({})
    _put(items[index], rest, variable, place / index)


def read(raw: Any, kind: type[S], place: Place) -> S:
    """The Struct `kind` from a table, all values checked. Raises ConfigError naming file, key and mistake."""
    raw = _json_table(raw, place)
    infos = {info.name: info for info in msgspec.structs.fields(kind)}
    for key in raw:
        if key not in infos:
            raise (place / key).error(f"unknown key{nearest(key, infos)}", _first_variable(raw[key]))
    raw = _with_secret_files(raw, infos, place)
    for name, info in infos.items():
        if info.required and name not in raw:
            raise (place / name).error("is missing and has no default")
    return kind(**{key: _value(value, infos[key].type, place / key) for key, value in raw.items()})


def nearest(key: str, known: Mapping[str, Any]) -> str:
    """A hint at the known key that was probably meant."""
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; known here: {', '.join(sorted(known))}"


def _first_variable(value: Any) -> Variable | None:
    while isinstance(value, dict | list) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return value if isinstance(value, Variable) else None


def _json_table(raw: Any, place: Place) -> dict[str, Any]:
    table = _json(raw, place) if isinstance(raw, Variable) else raw
    if not isinstance(table, dict):
        raise place.error("expected a table", raw)
    return table


def _json(variable: Variable, place: Place) -> Any:
    try:
        return msgspec.json.decode(variable.text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise place.error("is not JSON", variable) from None


def _with_secret_files(raw: dict[str, Any], infos: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """`raw` with each secret read from its `*_file`; empty secrets and file names count as absent."""
    secrets = [name for name, info in infos.items() if bare(info.type) is Secret]
    dull = {key for name in secrets for key in (name, f"{name}_file") if _text(raw.get(key)) == ""}
    kept = {key: value for key, value in raw.items() if key not in dull}
    for name in secrets:
        path = kept.get(f"{name}_file")
        if path is None:
            continue
        if name in kept:
            raise (place / name).error(f"is set together with {name}_file; keep one of them", kept[name])
        kept[name] = _file_text(path, place / f"{name}_file")
    return kept


def _file_text(path: Any, place: Place) -> str:
    try:
        text = Path(_text(path)).read_text(encoding="utf-8").strip()
    except (OSError, TypeError, ValueError) as error:
        raise place.error(f"cannot be read: {getattr(error, 'strerror', None) or 'not a text file'}", path) from None
    if not text:
        raise place.error("is empty", path)
    return text


def _text(value: Any) -> Any:
    return value.text if isinstance(value, Variable) else value


def bare(kind: Any) -> Any:
    """A type without its constraints and without None."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        return bare(next(option for option in get_args(kind) if option is not type(None)))
    return kind


def _value(value: Any, kind: Any, place: Place) -> Any:
    inner = bare(kind)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        return read(_spelled_out(value, inner), inner, place)
    if get_origin(inner) is dict:
        return {k: _value(v, get_args(inner)[1], place / k) for k, v in _json_table(value, place).items()}
    if get_origin(inner) is list:
        return [_value(v, get_args(inner)[0], place / i) for i, v in enumerate(_items(value, place))]
    return _leaf(value, kind, place)


def _spelled_out(value: Any, kind: type[msgspec.Struct]) -> Any:
    """The table that a bare text stands for, where a Struct names the key that is meant as its SHORT."""
    short, text = getattr(kind, "SHORT", None), _text(value)
    return {short: value} if short and isinstance(text, str) and text[:1] != "{" else value


def _items(value: Any, place: Place) -> list[Any]:
    items = value
    if isinstance(value, Variable):
        text = value.text.strip()
        items = _json(value, place) if text[:1] in ("[", "{") else [i.strip() for i in text.split(",") if i.strip()]
    if not isinstance(items, list):
        raise place.error("expected a list", value)
    return items


def _leaf(value: Any, kind: Any, place: Place) -> Any:
    try:
        return msgspec.convert(_text(value), kind, strict=not isinstance(value, Variable), dec_hook=_secret)
    except msgspec.ValidationError as error:
        raise place.error(objection(_text(value), get_args(bare(kind)), str(error)), value) from None


def _secret(kind: type, value: Any) -> Secret:
    if kind is not Secret or not isinstance(value, str):
        raise ValueError("Expected a string")
    return Secret(value)
