"""What the Kafka source needs of a client library; kafka_python.py and confluent.py provide it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from undertow.batch import Message
from undertow.config import KafkaConfig
from undertow_collectors.identity import Identity

Partition = tuple[str, int]

REQUEST_S = 5.0
"""How long one question to the broker may take before the broker counts as away."""


class UnavailableError(Exception):
    """No broker answers, or none that lets us in; trying again may help."""


class OutOfRangeError(Exception):
    """`positions` is what we wanted to read next, which the broker does not have."""

    def __init__(self, positions: dict[Partition, int]) -> None:
        super().__init__(str(positions))
        self.positions = positions


class RejoinError(Exception):
    """The membership is of no use any more: leave the group and join it anew."""


class ReplacedError(RejoinError):
    """`topic` is not the one any more that was read until now: its name is that of another."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} is another one than before")
        self.topic = topic


class FencedError(Exception):
    """Another process joined the group under our own instance id."""


def seconds(timestamp_ms: int | None) -> float | None:
    """A record's timestamp as Unix seconds; old brokers and clients give none, or one below the epoch."""
    return timestamp_ms / 1000 if timestamp_ms and timestamp_ms > 0 else None


@dataclass(frozen=True, slots=True)
class Member:
    """Another member of our consumer group."""

    client_id: str
    host: str
    instance_id: str | None
    partitions: tuple[Partition, ...]

    def __str__(self) -> str:
        held = ", ".join(f"{topic}[{partition}]" for topic, partition in self.partitions) or "nothing yet"
        return f"{self.client_id} at {self.host.lstrip('/')} (holds {held})"


@dataclass(frozen=True, slots=True)
class View:
    """What the cluster looks like: the end of each partition, topics that do not exist, others in our group."""

    ends: dict[Partition, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    others: tuple[Member, ...] = ()


class Rebalance(Protocol):
    """Told of changes of the assignment, while the reading thread stands still inside `poll` or `close`."""

    def assigned(self, partitions: Collection[Partition]) -> None:
        """These are ours; they stand still until `seek`."""
        ...

    def revoked(self, partitions: Collection[Partition]) -> None:
        """These will be somebody else's as soon as this returns."""
        ...


class Client(Protocol):
    """One connection. Every call may raise UnavailableError and is made by one thread."""

    def join(self, rebalance: Rebalance) -> None:
        """Become a member of the group."""
        ...

    def poll(self, timeout_s: float) -> list[Message]:
        """What has arrived, in order within each partition. Raises OutOfRangeError, FencedError."""
        ...

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Read assigned partitions on from these offsets."""
        ...

    def pause(self, partitions: Collection[Partition]) -> None:
        """Bring nothing of these until they are resumed."""
        ...

    def resume(self, partitions: Collection[Partition]) -> None:
        """Bring messages of these again."""
        ...

    def at_end(self, partition: Partition) -> bool:
        """Whether everything there is has been brought, as far as the last answer of the broker said."""
        ...

    def ranges(self, partitions: Collection[Partition]) -> dict[Partition, tuple[int, int]]:
        """The first offset that exists, and one past the last."""
        ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka how far we are, for lag tools; does not wait and does not fail."""
        ...

    def identify(self, topics: Collection[str]) -> dict[str, Identity]:
        """Which topics these are, of those that exist, by an answer of the broker that is asked now."""
        ...

    def message_at(self, partition: Partition, offset: int) -> Message | None:
        """The message at `offset`, read apart from the others; None where there is none."""
        ...

    def look(self, partitions: Collection[Partition]) -> View:
        """The cluster as it is now."""
        ...

    def leave(self) -> None:
        """Give up the membership, so that the next one is assigned anew; does not fail.

        A static member that merely comes again keeps what it was assigned, whatever became of the topics.
        """
        ...

    def close(self) -> None:
        """End, within a few seconds."""
        ...


Connect = Callable[[KafkaConfig, str], Client]
"""Makes a client from the configuration and the instance id of the database, which is its client id too."""
