"""The attributes of one span by what they mean, whichever of its names each of them goes by."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from undertow_collectors.decode import providers
from undertow_collectors.decode.attributes import ANSWERS, COUNTED, PLAN, QUESTIONS, Slot
from undertow_collectors.decode.records import Record

_NOUGHT = 1000
"""What a rank loses by a zero, or by a framework in place of a provider, so that anything else comes first."""


class Reading(NamedTuple):
    """What the attributes of one span said.

    `values` by slot, `sources` the attribute behind each; `answer` the attributes that hold an answer piece by piece;
    `unread` the names of all others, and `labels` those of them that are wanted as labels.
    """

    values: dict[str, Any]
    sources: dict[str, str]
    answer: dict[str, Any]
    unread: list[str]
    labels: dict[str, Any]


def read(record: Record, keep: frozenset[str], plan: Mapping[str, Slot] = PLAN) -> Reading:
    """Return the attributes of a span that mean something, by slot; the `plan` is what they mean to who wrote them."""
    found: dict[str, tuple[int, str]] = {}
    values: dict[str, Any] = {}
    answer: list[str] = []
    unread: list[str] = []
    for attribute in record.attributes:
        slot = plan.get(attribute)
        if slot is None:
            if attribute.startswith(ANSWERS):
                answer.append(attribute)
            elif not attribute.startswith(QUESTIONS):
                unread.append(attribute)
            continue
        name, rank = slot
        if name not in found or rank < found[name][0]:
            value = record.read(record.attributes[attribute])
            if (name in COUNTED and value in (0, "0")) or (name == "provider" and providers.is_framework(value)):
                rank += _NOUGHT
            if says(name, value) and (name not in found or rank < found[name][0]):
                values[name] = value
                found[name] = (rank, attribute)
    return Reading(
        values,
        {name: attribute for name, (_, attribute) in found.items()},
        {name: record.read(record.attributes[name]) for name in answer},
        unread,
        {name: record.read(record.attributes[name]) for name in keep.intersection(unread)},
    )


def says(name: str, value: Any) -> bool:
    """Return whether there is something in an attribute, which goes into the slot `name`.

    Of nothing Python says `None`, and Micrometer `none`, which as an answer is a word.
    """
    if value == "none":
        return name[0] == "." and name != ".finish_reasons"
    return value is not None and value != "" and value != "None"
