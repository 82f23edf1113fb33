"""Partitions that stand still, because what comes next in them cannot be read, while others are read on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from undertow_collectors.client import Partition, UnreadableError, listed
from undertow_collectors.source import Board, State

AGAIN_S = 10.0
"""How soon it is tried again; a permission may have been given, a message damaged only on its way."""

QUIET_S = 3.0
"""How long a partition without anything to read must then go without an error to count as read on."""

STATES: tuple[State, ...] = ("access_denied", "unreadable_batch")


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a partition stands at `offset`, until when it does, and since when it is tried again, if it is."""

    offset: int
    state: State
    why: str
    until: float
    tried_at: float | None = None


class Held:
    """The partitions that stand still. A hold ends when something behind it was read."""

    def __init__(self) -> None:
        self._holds: dict[Partition, Hold] = {}

    def hold(self, error: UnreadableError, partitions: Collection[Partition], now: float) -> None:
        """Let `partitions` stand still, which are some of those of `error`."""
        for partition in partitions:
            self._holds[partition] = Hold(error.positions[partition], error.state, str(error), now + AGAIN_S)

    def still(self) -> set[Partition]:
        """Those that nothing is to be brought of for now."""
        return {p for p, hold in self._holds.items() if hold.tried_at is None}

    def due(self, now: float) -> Mapping[Partition, int]:
        """Those to be tried again now, and from which offset."""
        due = {p: hold for p, hold in self._holds.items() if hold.tried_at is None and hold.until <= now}
        self._holds |= {p: replace(hold, tried_at=now) for p, hold in due.items()}
        return {p: hold.offset for p, hold in due.items()}

    def at_end(self, partition: Partition, now: float) -> None:
        """There is nothing to read in this one; where that stays so without an error, it is held no more."""
        hold = self._holds.get(partition)
        if hold and hold.tried_at is not None and now - hold.tried_at >= QUIET_S:
            del self._holds[partition]

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These were read on, or are not ours any more."""
        for partition in partitions:
            self._holds.pop(partition, None)

    def tell(self, board: Board) -> None:
        """Set the states of what is held, each with its sentences, and clear those of what is not."""
        for state in STATES:
            reasons: dict[str, list[Partition]] = {}
            for partition, hold in self._holds.items():
                if hold.state == state:
                    reasons.setdefault(hold.why, []).append(partition)
            if reasons:
                board.set(state, "; ".join(f"{listed(where)}: {why}" for why, where in reasons.items()))
            else:
                board.clear(state)
