"""A run of messages as one part of a batch; the end of every fast way (`runs.py`)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from undertow.batch import Decoded, Message, Part
from undertow.columns import Integers, Place, of_values
from undertow_collectors.decode import cost

_DEFAULTS = {"operation": "chat", "status": "ok"}


def part_of(
    messages: Sequence[Message], name: str, values: Mapping[str, Sequence[Any]], counts: Sequence[int] | None = None
) -> Part:
    """What `messages` of one partition became in the format `name`: checked values by field, in order.

    `counts` says how many spans each message has; without it each has one.
    """
    first, last = messages[0].origin, messages[-1].origin
    values, derived = _priced(values)
    table = of_values(values, Place(first.topic, first.partition, name), *_places(messages, counts))
    return Part(first, Decoded(name, columns=table, derived=derived), last.offset + 1)


def _priced(values: Mapping[str, Sequence[Any]]) -> tuple[Mapping[str, Sequence[Any]], Counter[str]]:
    """`values` with the costs that follow from list prices, and how many do."""
    told = values.get("cost_usd") or [None] * len(values["model"])
    if None not in told:
        return values, Counter()
    fields = [values.get(name) or repeat(_DEFAULTS.get(name)) for name in cost.Call.__struct_fields__]
    calls = map(cost.Call, *fields)
    found = [cost.safely(call) if cost_usd is None else None for cost_usd, call in zip(told, calls, strict=True)]
    derived = len(found) - found.count(None)
    if not derived:
        return values, Counter()
    costs = [cost_usd if price is None else price for cost_usd, price in zip(told, found, strict=True)]
    marks = [None if price is None else True for price in found]
    return {**values, "cost_usd": costs, "cost_derived": marks}, Counter(cost_usd=derived)


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
