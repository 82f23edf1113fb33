"""Whether others in the consumer group take messages that this database will never see."""

import math
from collections.abc import Collection

from undertow_collectors.client import Member, Partition, View, listed

REJOIN_S = 6.0
"""How long before they are handed out anew: past the discovery of new partitions.

A static member that comes back with other topics is given what it had, until somebody asks.
"""

UNSEEN_S = 20.0
"""How long partitions may be with nobody we know: past a rebalance and the discovery of new partitions."""

REMEDY = "give each database a group of its own"


class Rivals:
    """Compares what the group looks like, time and again, with what a settled group of one member would be."""

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        self._unseen_since = math.inf
        self._asked = False

    def should_rejoin(self, now: float) -> bool:
        """Whether partitions are with nobody we know, so that handing out anew may bring them; True once."""
        should = not self._asked and now - self._unseen_since >= REJOIN_S
        self._asked |= should
        return should

    def conflict(self, view: View, assigned: Collection[Partition], now: float, *, settled: bool) -> str:
        """A sentence about who else is there, empty where nobody is; `settled` is whether no rebalance is under way."""
        elsewhere = view.partitions - set(assigned)
        others = [m for m in view.others if m.client_id != self._instance_id]
        if others:
            self._unseen_since = math.inf
            return f"kafka.group_id is shared with {named(others)}, {_effect(assigned, elsewhere)}; {REMEDY}"
        self._asked &= bool(elsewhere)
        if not settled:
            elsewhere = frozenset()
        self._unseen_since = min(self._unseen_since, now) if elsewhere else math.inf
        if now - self._unseen_since < UNSEEN_S:
            return ""
        return (
            f"{len(elsewhere)} of {len(view.partitions)} partitions are read by another member of kafka.group_id, "
            f"which the broker does not name: {listed(elsewhere)}; {REMEDY}"
        )


def named(others: Collection[Member]) -> str:
    """Members in words."""
    return "; ".join(map(str, others))


def _effect(assigned: Collection[Partition], elsewhere: Collection[Partition]) -> str:
    if assigned and not elsewhere:
        return "so its coming and going interrupts reading here, and it may be given a part of the traffic"
    return "so only a part of the traffic arrives here"
