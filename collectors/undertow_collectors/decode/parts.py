"""A run of messages as one part of a batch; the end of every fast way (`runs.py`)."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from undertow.batch import Decoded, Message, Part, run_of
from undertow.columns import Integers, Place, of_values
from undertow_collectors.decode import cost

_DEFAULTS = {"operation": "chat", "status": "ok"}


def part_of(
    messages: Sequence[Message],
    name: str,
    values: Mapping[str, Sequence[Any]],
    counts: Sequence[int] | None = None,
    derived: Iterable[str] = (),
) -> Part:
    """What `messages` of one partition became in the format `name`: checked values by field, in order.

    `counts` says how many spans each message has; without it each has one. Fields that are `derived` are counted.
    """
    first, last = messages[0].origin, messages[-1].origin
    table = of_values(_priced(values), Place(first.topic, first.partition, name), *_places(messages, counts))
    return Part(first, run_of(name, table, derived), last.offset + 1)


def parts_of(part: Part, messages: Sequence[Message], sizes: Sequence[int], counts: Sequence[Decoded]) -> list[Part]:
    """A part of several messages as one for each of them, with what each counts besides."""
    parts: list[Part] = []
    table, at = part.decoded.columns, 0
    assert table is not None  # noqa: S101
    for message, size, counted in zip(messages, sizes, counts, strict=True):
        run = run_of(part.decoded.format, table.slice(at, size))
        run.coerced, run.unknown = counted.coerced, counted.unknown
        run.derived += counted.derived
        parts.append(Part(message.origin, run, message.origin.offset + 1))
        at += size
    return parts


def _priced(values: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
    """`values` with the costs that follow from list prices, where no cost is told."""
    told = values.get("cost_usd") or [None] * len(values["model"])
    if None not in told:
        return values
    fields = [values.get(name) or repeat(_DEFAULTS.get(name)) for name in cost.Call.__struct_fields__]
    calls = map(cost.Call, *fields)
    found = [cost.safely(call) if cost_usd is None else None for cost_usd, call in zip(told, calls, strict=True)]
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
