"""Which of a span's attributes are read, and how, for spans that have the same ones in the same order."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from typing import NamedTuple

from undertow_collectors.decode.attributes import ANSWERS, COUNTED, PLAN, QUESTIONS
from undertow_collectors.decode.otlp_cells import BESIDE, INERT, Read, reader, skim
from undertow_collectors.decode.reach import OddError

MAX_PLANS = 1_000
"""Signatures that are remembered."""

_NEEDED = {"operation", "provider", "model"}

Signature = tuple[bytes, ...]
"""The encoded names of a span's attributes, in order."""


class Cells(NamedTuple):
    """How to read an attribute by its place; `name` is the field that it gives, empty where another one does."""

    place: int
    name: str
    read: Read


class Plan(NamedTuple):
    """How to read the spans of one signature; `skimmed` are the others by place, `unread` those that are counted.

    `doubled` are counts that have two names: where the first says zero, the other one may count.
    """

    cells: tuple[Cells, ...]
    skimmed: tuple[tuple[int, Callable[[Sequence[bytes]], None]], ...]
    unread: frozenset[str]
    doubled: frozenset[str]


def signature_of(cells: Sequence[bytes]) -> Signature:
    """The names in a span's cells; raises OddError where a cell is empty."""
    try:
        return tuple([cell[: cell[1] + 2] for cell in cells])
    except IndexError:
        raise OddError from None


@lru_cache(MAX_PLANS)
def planned(signature: Signature) -> Plan | None:
    """How to read spans of `signature`; None where they have attributes that are left to the slow way."""
    names = list(filter(None, map(_name, signature)))
    slots = {place: PLAN[attribute] for place, attribute in enumerate(names) if attribute in PLAN}
    if len(set(names)) < len(signature) or any(name.startswith(("undertow.", *ANSWERS)) for name in names):
        return None
    if not all(_is_plain(slot.name) for slot in slots.values()):
        return None
    counted = Counter(slot.name for slot in slots.values() if slot.name in COUNTED)
    first: dict[str, int] = {}
    for place, slot in sorted(slots.items(), key=lambda one: one[1].rank):
        first.setdefault(slot.name, place)
    if not first.keys() >= _NEEDED:
        return None
    filled = {place: _FIELDS.get(name, name) for name, place in first.items()}
    return Plan(
        tuple(Cells(place, filled.get(place, ""), _reader(signature[place])) for place in slots),
        tuple((place, partial(skim, key=key)) for place, key in enumerate(signature) if place not in slots),
        frozenset(name for name in names if name not in PLAN and not name.startswith(QUESTIONS)),
        frozenset(name for name, times in counted.items() if times > 1),
    )


def _is_plain(name: str) -> bool:
    return name != "sent_model" and (name[0] != "." or name in _FIELDS)


_FIELDS = {".finish_reasons": "finish_reason", **dict.fromkeys(INERT, ""), **{name: name for name in BESIDE}}
"""The slots with a dot before them that are read here, and the fields that they give."""


@cache
def _reader(key: bytes) -> Read:
    """One for each attribute of PLAN, so that what it remembers is shared."""
    return reader(key, PLAN[key[2:].decode()].name)


def _name(key: bytes) -> str | None:
    """The attribute's name, if it is all that `key` is, and not cut where it is counted."""
    try:
        return key[2:].decode() if key[0] == 0x0A and key[1] == len(key) - 2 < 128 else None
    except UnicodeDecodeError:
        return None
