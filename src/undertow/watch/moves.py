"""Where traffic was sent by weights that consumers obeyed, for detectors that would else take it for a change."""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from undertow.span import Target
from undertow.watch.pool import members

KEPT_MOVES = 256
"""So many changes are remembered for the detectors; the store keeps all."""

Move = Mapping[str, Any]
"""What a multiplier was `before` and `after`, of which `target`, `at` which time, in which `mode`."""


class Moves:
    """The last changes of multipliers, in order of time."""

    def __init__(self, kept: Iterable[Move] = ()) -> None:
        self._kept = list(kept)

    def add(self, move: Move) -> None:
        """Remember one more, and forget the oldest of too many."""
        self._kept = [*self._kept[1 - KEPT_MOVES :], move]

    @property
    def last_at(self) -> float:
        """When a multiplier was last changed, minus infinity for never."""
        return float(self._kept[-1]["at"]) if self._kept else -math.inf

    def explain(self, target: Target, since: float, until: float) -> bool:
        """Whether consumers obeyed a change between two times that moved traffic of, or to, `target` or its pool."""
        groups = {group(member) for member in members(target)}
        return any(
            move["mode"] == "enforce" and since <= move["at"] <= until and group(Target(**move["target"])) in groups
            for move in self._kept
        )

    def waited(self, target: Target, since: float, until: float, now: float) -> float:
        """The seconds between two times, each counted by the multiplier of `target` in it, which is `now` at the end.

        A target at a twentieth of its weight is asked in an hour what it was else asked in three minutes.
        """
        moves = [m for m in self._kept if m["target"] == target.as_dict() and since < m["at"] <= until]
        bounds = [since, *(move["at"] for move in moves), until]
        weights = [*(move["before"] for move in moves), now]
        return float(
            sum(weight * (end - begin) for weight, (begin, end) in zip(weights, pairwise(bounds), strict=True))
        )

    def dump(self) -> list[Move]:
        """What `Moves` goes on from, for JSON."""
        return self._kept


def group(target: Target) -> tuple[str, str]:
    """Targets of one group serve the same model behind one gateway, so that traffic moves between them."""
    return target.gateway or "", target.model
