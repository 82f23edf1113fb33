"""Spans as Arrow columns: the types, and the way from values and back.

Decoders that read many messages at once go straight from values to columns, without an object for each span; the store
makes columns of the others. Both use what stands here, so that a span is one and the same row whichever way it came.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.span import FIELDS, Field, Span

ARROW: dict[str, pa.DataType] = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "map": pa.map_(pa.string(), pa.string()),
    "json": pa.string(),
}
"""Arrow type of each kind of span field; `json` is text."""

Integers = NDArray[np.integer[Any]]


class Place(NamedTuple):
    """What is the same for a run of messages; `format` is the decoder."""

    topic: str
    partition: int
    format: str


def plain(text: str) -> str:
    """`text` as UTF-8 can say it: lone surrogates, as in the name of an odd file, become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def of_spans(spans: Sequence[Span]) -> dict[str, pa.Array]:
    """A column for each field of the spans, and `ended_at`; all that it is given is checked.

    Raises ValueError, OverflowError, TypeError or ArrowException when a value fits no column. NaN and infinities do
    not, since one of them would spoil every quantile of its time.
    """
    columns = {field.name: column(field, list(map(attrgetter(field.name), spans))) for field in FIELDS}
    return columns | {"ended_at": pa.array([span.ended_at for span in spans], pa.float64())}


def of_values(values: Mapping[str, Sequence[Any]], place: Place, offsets: Integers, indexes: Integers) -> pa.Table:
    """The table of a run of messages of one partition, out of checked values by field.

    It has the columns of `of_spans`, without those of fields that are not in `values`, and where each span came from:
    what `place` says of all of them, the `offsets` of their messages, and `indexes` among the spans of their message.
    """
    size = len(offsets)
    columns = {field.name: _checked(field, values[field.name]) for field in FIELDS if field.name in values}
    columns["ended_at"] = columns["started_at"]
    if "duration_s" in columns:
        duration_s = columns["duration_s"].fill_null(0.0).to_numpy()
        columns["ended_at"] = pa.array(columns["started_at"].to_numpy() + duration_s)
    columns["topic"] = pa.repeat(pa.scalar(plain(place.topic), pa.string()), size)
    columns["partition"] = pa.repeat(pa.scalar(place.partition, pa.int32()), size)
    columns["offset"] = pa.array(offsets, pa.int64())
    columns["index"] = pa.array(indexes, pa.int32())
    columns["format"] = pa.repeat(pa.scalar(place.format, pa.string()), size)
    return pa.table(columns)


def repeated(values: Sequence[str], counts: Sequence[int]) -> pa.Array:
    """A column of text in which each of the values, few of them distinct, stands as often as its count says."""
    found = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(np.repeat(found.indices.to_numpy(), counts), found.dictionary)


def column(field: Field, values: Sequence[Any]) -> pa.Array:
    """The values of one field, None being unknown; raises as `of_spans` does."""
    if field.kind == "map":
        return _maps(values)
    if field.kind == "json":
        values = [None if value is None else msgspec.json.encode(value).decode() for value in values]
    elif field.kind == "str" and _is_constant(values):
        return pa.repeat(pa.scalar(values[0], ARROW["str"]), len(values))  # half the cost of visiting each
    found = pa.array(values, ARROW[field.kind])
    if field.kind == "float" and pc.all(pc.is_finite(found)).as_py() is False:
        raise ValueError(f"{field.name} is not finite")
    return found


def numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of numbers without nulls, shape (n,)."""
    found: NDArray[Any] = column.to_numpy()
    return found


def spans(table: pa.Table) -> list[Span]:
    """The rows of a table of `of_values` as objects again."""
    rows = table.select([field.name for field in FIELDS if field.name in table.column_names]).to_pylist()
    for row in rows:
        row["labels"] = None if row.get("labels") is None else dict(row["labels"])
        row["signals"] = None if row.get("signals") is None else msgspec.json.decode(row["signals"])
    return [Span(**row) for row in rows]


def _checked(field: Field, values: Sequence[Any]) -> pa.Array:
    """`column` of values that are known to be of the field's type and finite."""
    if field.kind == "int":
        with suppress(TypeError):  # None is no number, but numpy would make a NaN of it among floats
            return pa.array(np.fromiter(values, np.int64, len(values)))
    return pa.array(values, ARROW[field.kind]) if field.kind in ("int", "float") else column(field, values)


def _is_constant(values: Sequence[Any]) -> bool:
    return len(values) > 1 and values[0] == values[-1] and values.count(values[0]) == len(values)


def _maps(values: Sequence[dict[str, str] | None]) -> pa.Array:
    if not any(values):
        return pa.array([None if value is None else [] for value in values], ARROW["map"])
    offsets = [0, *accumulate(len(value or ()) for value in values)]
    starts = [None if value is None else start for value, start in zip(values, offsets, strict=False)]
    keys = pa.array([key for value in values if value for key in value], pa.string())
    items = pa.array([item for value in values if value for item in value.values()], pa.string())
    return pa.MapArray.from_arrays(pa.array([*starts, offsets[-1]], pa.int32()), keys, items)
