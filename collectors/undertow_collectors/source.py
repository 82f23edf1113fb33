"""What a source of messages is, and how it says what state it is in."""

import logging
import math
import threading
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from undertow.batch import Sink

log = logging.getLogger(__name__)

State = Literal[
    "stopped",
    "store_refused",
    "broker_unavailable",
    "access_denied",
    "broker_error",
    "group_conflict",
    "offset_out_of_range",
    "unreadable_batch",
    "topic_replaced",
    "topic_missing",
    "connecting",
    "rebalancing",
    "paused",
    "running",
]
"""What a source can be doing; of several at once the first here is told."""


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """How far one partition was read: `position` is the next offset to be stored, `lag` how many messages are left.

    None is not known yet.
    """

    topic: str
    partition: int
    position: int | None
    lag: int | None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What a source is doing. `detail` is a sentence for people, empty when there is nothing to say."""

    state: State
    detail: str = ""
    partitions: tuple[PartitionStatus, ...] = ()


class Source(Protocol):
    """Brings messages to a sink until it is told to stop.

    Promised: per partition in order, each message committed exactly once into a sink that commits rows and offsets
    together, also over kills and rebalances. Not promised: an order between partitions, except that during catch-up
    they are brought in event-time order as well as can be.
    """

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Deliver to `sink` until `stop` is set; raises what the sink raised."""
        ...

    def status(self) -> SourceStatus:
        """The state right now; callable from any thread."""
        ...


class Board:
    """The conditions that hold at the moment, each with its sentence; a change of the told state is a log line."""

    def __init__(self) -> None:
        self._conditions: dict[State, str] = {}
        self._until: dict[State, float] = {}
        self._told: tuple[State, str] = ("running", "")

    def set(self, state: State, detail: str = "", until: float = -math.inf) -> None:
        """`state` holds from now on, and is told until then (Unix seconds) at least."""
        self._until[state] = until
        self._change({**self._conditions, state: detail})

    def clear(self, *states: State, now: float = math.inf) -> None:
        """None of `states` holds any more, but for those that are told for longer than `now`."""
        over = {s for s in states if self._until.get(s, -math.inf) <= now}
        self._change({s: detail for s, detail in self._conditions.items() if s not in over})

    def told(self) -> tuple[State, str]:
        """The state to report and its detail."""
        return self._told

    def holds(self, *states: State) -> bool:
        """Whether any of `states` does, told or not."""
        return any(state in self._conditions for state in states)

    def _change(self, conditions: dict[State, str]) -> None:
        self._conditions = conditions
        state: State = next((s for s in get_args(State) if s in conditions), "running")
        told = (state, conditions.get(state, ""))
        if told != self._told:
            self._told = told
            calm = state in ("running", "connecting", "rebalancing", "stopped")
            log.log(
                logging.INFO if calm else logging.WARNING, "source is %s%s", state, f": {told[1]}" if told[1] else ""
            )
