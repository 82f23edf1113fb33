"""A run of messages as one part of a batch; the end of every fast way (`runs.py`)."""

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow import instrumentation
from undertow.batch import REPAIRED, Decoded, Message, Part, run_of
from undertow.columns import Integers, Place, of_values, repeated
from undertow_collectors.decode import cost, settle
from undertow_collectors.decode.reach import OddError

_DEFAULTS = {"operation": "chat", "status": "ok"}
WHOLES = (
    ("cached_input_tokens", "input_tokens"),
    ("reasoning_tokens", "output_tokens"),
)
"""Fields that count a part of another one."""
_TIMES = pa.array(["ttft_s", "duration_s"])
"""Fields of which one becomes unknown where the first token seems to come after the end."""


def parts_of(
    messages: Sequence[Message],
    name: str,
    values: Mapping[str, Sequence[Any]],
    counts: Sequence[int] | None = None,
    derived: Iterable[str] = (),
    told: Sequence[Decoded] = (),
    writers: Sequence[str] = (),
) -> list[Part]:
    """Return what `messages` of one partition became in the format `name`: checked values by field, in order.

    `counts` says how many spans each message has; without it each has one. Fields that are `derived` are counted.
    `told` is what each message counts besides, where any does; each is then a part of its own. `writers` are who wrote
    the spans of each message, encoded, where that is not their format. Raises OddError for a span whose values
    contradict each other in a way that is left to the slow way.
    """
    first, last = messages[0].origin, messages[-1].origin
    table = of_values(_priced(values), Place(first.topic, first.partition, name), *_places(messages, counts))
    _refuse_contradictions(table, values.keys())
    if "ttft_s" in values and "duration_s" in values:
        table = _settle_times(table)
    if writers:
        table = table.append_column(instrumentation.COLUMN, repeated(writers, counts or [1] * len(messages)))
    if not told:
        return [Part(first, run_of(name, table, derived), last.offset + 1)]
    return _cut(messages, name, table, counts or [1] * len(messages), told)


def _cut(
    messages: Sequence[Message], name: str, table: pa.Table, sizes: Sequence[int], told: Sequence[Decoded]
) -> list[Part]:
    """A part for each message, with what it counts."""
    parts: list[Part] = []
    at = 0
    for message, size, counted in zip(messages, sizes, told, strict=True):
        run = run_of(name, table.slice(at, size))
        run.coerced, run.unknown = counted.coerced, counted.unknown
        run.derived += counted.derived
        parts.append(Part(message.origin, run, message.origin.offset + 1))
        at += size
    return parts


def _settle_times(table: pa.Table) -> pa.Table:
    """The table after `settle.times` of each row; REPAIRED names the fields that became unknown, if any did."""
    first, whole = (table[name].to_numpy() for name in ("ttft_s", "duration_s"))  # unknown is NaN
    odd = first > whole + settle.TOLERANCE_S
    if not odd.any():
        return table
    slow = first >= settle.MILLISECONDS
    first, whole = np.where(odd & slow, np.nan, first), np.where(odd & ~slow, np.nan, whole)
    ended_at = table["started_at"].to_numpy() + np.nan_to_num(whole)
    for name, values in (("ttft_s", first), ("duration_s", whole), ("ended_at", ended_at)):
        column = pa.array(values, from_pandas=True)
        table = table.set_column(table.column_names.index(name), name, column)
    repaired = pa.DictionaryArray.from_arrays(pa.array(np.where(slow, 0, 1), pa.int8(), mask=~odd), _TIMES)
    return table.append_column(REPAIRED, repaired)


def _refuse_contradictions(table: pa.Table, known: Set[str]) -> None:
    """Leave to the slow way what `settle` has to say something about; raises OddError."""
    pairs = [(table[part], table[whole]) for part, whole in WHOLES if part in known and whole in known]
    odd = [row for part, whole in pairs if (row := pc.index(pc.greater(part, whole), True).as_py()) >= 0]
    if odd:
        raise OddError(min(odd))


def _priced(values: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
    """`values` with the costs that follow from list prices, where no cost is told."""
    told = values.get("cost_usd") or [None] * len(values["model"])
    if None not in told:
        return values
    fields = [values.get(name) or repeat(_DEFAULTS.get(name)) for name in cost.Call.__struct_fields__]
    calls = map(cost.Call, *fields)
    found = cost.each([call if cost_usd is None else None for cost_usd, call in zip(told, calls, strict=True)])
    if not any(price is not None for price in found):
        return values
    costs = [cost_usd if price is None else price for cost_usd, price in zip(told, found, strict=True)]
    return {**values, "cost_usd": costs, "cost_derived": [None if price is None else True for price in found]}


def _places(messages: Sequence[Message], counts: Sequence[int] | None) -> tuple[Integers, Integers]:
    """For each span the offset of its message, and its place in the message."""
    size, first, last = len(messages), messages[0].origin.offset, messages[-1].origin.offset
    if last - first == size - 1:
        offsets = np.arange(first, last + 1)
    else:
        offsets = np.fromiter((message.origin.offset for message in messages), np.int64, size)
    if counts is None:
        return offsets, np.zeros(size, np.int32)
    sizes = np.array(counts)
    before = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(offsets, sizes), np.arange(len(before)) - before
