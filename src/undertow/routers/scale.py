"""The operator's own weights, scaled: what every adapter does with the places in a document where weights stand.

A document that was written before holds scaled weights, so that what the operator had is remembered beside what was
written; a weight that somebody else has changed since is the operator's new own one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from undertow.routers.feed import Deployment, of

Document = Any
Memory = dict[str, list[float]]
"""Slot to the operator's own weight, and those that may have been written since."""
FINENESS = 100
"""Whole numbers are multiplied by this where a share would be lost in rounding."""


class Slot(NamedTuple):
    """One place for a weight: `holder[place]`, 1 or `usual` where nothing stands there.

    `key` tells it from the others of its document, for the memory; `names` are what the feed may call its target, and
    none where the weight must stay the operator's own.
    """

    key: str
    names: tuple[Deployment, ...]
    holder: Any
    place: str | int
    usual: float = 1

    @property
    def weight(self) -> float:
        """What stands there."""
        found = self.holder.get(self.place) if isinstance(self.holder, dict) else self.holder[self.place]
        return self.usual if found is None else found


class Adapter(NamedTuple):
    """How one kind of document holds weights: groups of slots, and between which whole numbers they must lie.

    `most` is None where weights may be fractions; `most_together` bounds the sum of a group, None where nothing does.
    """

    groups: Callable[[Document], Iterator[list[Slot]]]
    least: int = 0
    most: int | None = None
    most_together: int | None = None


def applied(
    adapter: Adapter, document: Document, weights: Sequence[Mapping[str, Any]], memory: Memory
) -> tuple[Document, Memory]:
    """`document` with every weight scaled as `weights`, the feed's entries, say, and what to remember; both anew.

    A group in which nothing is lowered, or nothing would be left, gets the operator's own weights back exactly.
    """
    made, remembered = deepcopy(document), Memory()
    for group in adapter.groups(made):
        own = [_own(slot, memory) for slot in group]
        found = [min((of(name, list(weights)) for name in slot.names), default=1.0) for slot in group]
        scaled = [weight * multiplier for weight, multiplier in zip(own, found, strict=True)]
        written = own if found == [1] * len(found) or not any(scaled) else _fitting(scaled, adapter)
        for slot, before, after in zip(group, own, written, strict=True):
            if after != slot.weight:
                slot.holder[slot.place] = after
            if after != before:
                remembered[slot.key] = [before, after]
    return made, remembered


def _own(slot: Slot, memory: Memory) -> float:
    own, *written = memory.get(slot.key, [slot.weight])
    return own if slot.weight in written else slot.weight


def _fitting(scaled: Sequence[float], adapter: Adapter) -> list[float]:
    """Whole numbers in the same proportion, where the document needs them; only nothing becomes nothing."""
    if adapter.most is None:
        return list(scaled)
    exact = all(weight == int(weight) and weight >= adapter.least for weight in scaled)
    factor = 1.0 if exact else float(FINENESS)
    factor = min(factor, adapter.most / max(scaled))
    if adapter.most_together:
        factor = min(factor, (adapter.most_together - len(scaled)) / sum(scaled))  # rounding adds less than 1 to each
    return [max(adapter.least, int(weight > 0), min(adapter.most, round(weight * factor))) for weight in scaled]
