"""What one attribute says in many spans at once.

A cell is an encoded KeyValue. Most attributes have few values, and a gateway writes a value always with the same bytes;
so cells are looked up by their bytes, and only new ones are decoded. Decimal numbers and ids are new in each span, but
all alike in length: they are taken out of one block.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, get_type_hints

import msgspec
import numpy as np
from numpy.typing import NDArray

from undertow.span import Span
from undertow_collectors.decode import names, outcome, providers
from undertow_collectors.decode.coerce import BY_FIELD, number, text
from undertow_collectors.decode.otlp_schema import DecodeError, value_of
from undertow_collectors.decode.reach import OddError
from undertow_collectors.decode.reading import says

MAX_CELLS = 8192
"""Cells remembered of one attribute; when there are more, all are forgotten."""

INERT = (".output_type", ".schema")
"""Slots that say something only beside others, which are not read here."""

BESIDE = (".cache_write", ".total")
"""Slots that say how tokens are counted; what they say of a plain call is that nothing is to be added."""

_HINTS = get_type_hints(Span, include_extras=True)


class MixedError(Exception):
    """A cell of another attribute than the others."""


class Said(NamedTuple):
    """The values of an attribute in many spans, and the places of those that had to be repaired."""

    values: list[Any]
    repaired: Sequence[int]


Read = Callable[[Sequence[bytes]], Said]
"""Cells of one attribute to values; raises OddError where one of them is not plain, or MixedError."""


def reader(key: bytes, name: str) -> Read:
    """How to read the cells that begin with the encoded `key` for the slot `name` of `attributes.PLAN`."""
    memo = Memo(key, name)
    if BY_FIELD.get(name) is number:
        return lambda cells: _numbers(cells, key, name) or memo.read(cells)
    if name == "response_id":
        return lambda cells: _ids(cells, key) or memo.read(cells)
    return memo.read


def skim(cells: Sequence[bytes], key: bytes) -> None:
    """Make sure of cells that are not read that they are cells; raises as a Read does."""
    for cell in cells:
        _encoded(cell, key)


class Memo(dict[bytes, Any]):
    """Values by cell, made where they are missing."""

    def __init__(self, key: bytes, name: str) -> None:
        super().__init__()
        self._key, self._name = key, name
        self._repaired: set[bytes] = set()

    def __missing__(self, cell: bytes) -> Any:
        if len(self) >= MAX_CELLS:
            self.clear()
            self._repaired.clear()
        try:
            value = value_of(_encoded(cell, self._key))
        except (DecodeError, IndexError, RecursionError):
            raise OddError from None
        if not says(self._name, value):
            raise OddError
        if self._name[0] != ".":
            coerce = BY_FIELD[self._name]
            found = value if coerce is text and type(value) is str else coerce(value)
            if found is None:
                raise OddError
            if found is not value:
                self._repaired.add(cell)
            value = found
        self[cell] = found = _MEANING.get(self._name, _valid)(self._name, value)
        return found

    def read(self, cells: Sequence[bytes]) -> Said:
        """The values of cells."""
        values: list[Any] = []
        try:
            values.extend(map(self.__getitem__, cells))
        except OddError:
            raise OddError(len(values)) from None
        return Said(values, [at for at, cell in enumerate(cells) if cell in self._repaired] if self._repaired else ())


def _encoded(cell: bytes, key: bytes) -> bytes:
    """The value of a cell that is nothing but `key` and a value."""
    if not cell.startswith(key):
        raise MixedError
    start = len(key)
    size, at = 0, start + 1
    for place, byte in enumerate(cell[at : at + 4]):
        size |= (byte & 127) << 7 * place
        if byte < 128:
            at += place + 1
            break
    if cell[start : start + 1] != b"\x12" or len(cell) - at != size:
        raise OddError
    return cell[at:]


def _valid(name: str, value: Any) -> Any:
    """`value`, if the field of the span takes it."""
    try:
        return msgspec.convert(value, _HINTS[name])
    except msgspec.ValidationError:
        raise OddError from None


def _operation(name: str, value: Any) -> Any:
    found = names.operation(value)
    if names.other_operation(value) or found is None or not names.generates(found):
        raise OddError
    return _valid(name, found)


def _http_status(name: str, value: Any) -> Any:
    if not 100 <= value < 400:  # whether that is a failure, other attributes say
        raise OddError
    return _valid(name, value)


def _server_address(name: str, value: Any) -> Any:
    if "/" in value:
        raise OddError
    return _valid(name, value)


def _provider(name: str, value: Any) -> Any:
    if providers.is_framework(value):
        raise OddError
    return _valid(name, providers.canonical(value))


def _finish(_: str, value: Any) -> Any:
    if outcome.is_failure(value) or outcome.is_left(value):
        raise OddError
    return outcome.finish_reason(value)


_MEANING: dict[str, Callable[[str, Any], Any]] = {
    "operation": _operation,
    "provider": _provider,
    "server_address": _server_address,
    "http_status": _http_status,
    ".finish_reasons": _finish,
} | dict.fromkeys((*INERT, *BESIDE), lambda _, value: value)


def _numbers(cells: Sequence[bytes], key: bytes, name: str) -> Said | None:
    """The values of cells that are all doubles, and valid ones; else None."""
    block = _block(cells, key + b"\x12\x09\x21", len(key) + 11)
    if block is None:
        return None
    values = block.copy().view("<f8")[:, 0]
    with suppress(OddError):
        if np.isfinite(values).all() and _valid(name, float(values.min())) <= _valid(name, float(values.max())):
            return Said(values.tolist(), ())
    return None


def _ids(cells: Sequence[bytes], key: bytes) -> Said | None:
    """The values of cells that are all ASCII strings of one length; else None."""
    length = len(cells[0]) - len(key) - 4
    block = _block(cells, key + bytes((0x12, length + 2, 0x0A, length)), len(cells[0])) if 0 < length < 126 else None
    if block is None or block.max() > 127:
        return None
    joined = block.tobytes().decode("ascii")
    return Said([joined[at : at + length] for at in range(0, len(joined), length)], ())


def _block(cells: Sequence[bytes], head: bytes, size: int) -> NDArray[np.uint8] | None:
    """What follows `head` in each of n cells of `size` bytes, shape (n, size - len(head)); None if they are others."""
    if set(map(len, cells)) != {size}:
        return None
    table = np.frombuffer(b"".join(cells), np.uint8).reshape(-1, size)
    if (table[:, : len(head)] != np.frombuffer(head, np.uint8)).any():
        return None
    return table[:, len(head) :]
