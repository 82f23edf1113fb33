"""What the Kafka source needs of a client library; kafka_python.py and confluent.py provide it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from undertow.batch import Message
from undertow.config import KafkaConfig
from undertow_collectors.identity import Identity
from undertow_collectors.source import State

Partition = tuple[str, int]

REQUEST_S = 5.0
"""How long one question to the broker may take before the broker counts as away."""

CODECS = {0: "uncompressed", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""All that Kafka has, by their numbers in a batch."""

READ_HINT = "the user may not read the topic; allow Read on it"
LOGIN_HINT = "check kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password"
PERMISSIONS_HINT = "allow the user Describe and Read on kafka.topics, and Read on kafka.group_id"
GROUP_READ_HINT = "allow the user Read on kafka.group_id"
GROUP_HINT = "others use kafka.group_id with another protocol or assignor; give each a group of its own"
DAMAGED_HINT = (
    "it is tried again; if it stays so, delete the partition's records up to the end of that batch "
    "(kafka-delete-records), and what is behind it is read"
)


def tls_hint(text: str) -> str:
    """What to look at where a TLS handshake failed so."""
    if "certificate" in text.lower():
        return "check kafka.ssl_cafile, kafka.ssl_certfile and the names in the broker's certificate"
    return "check whether the broker speaks kafka.security_protocol there"


class UnavailableError(Exception):
    """No broker answers; trying again may help. `state` is what a source is in then."""

    state: State = "broker_unavailable"


class DeniedError(UnavailableError):
    """A broker answers and refuses us: the login, the certificate or a permission."""

    state = "access_denied"


class GroupDeniedError(DeniedError):
    """The user may not be a member of the group; there may be topics, too, that it may not see."""


class TopicDeniedError(DeniedError):
    """The user may not see these topics."""

    def __init__(self, topics: Collection[str]) -> None:
        super().__init__(f"the user may not see {', '.join(sorted(topics))}; allow Describe and Read")


class BrokerError(UnavailableError):
    """A broker answers with an error for which there is no name here."""

    state = "broker_error"


class GroupError(UnavailableError):
    """The group does not take us as a member, because others use it in another way."""

    state = "group_conflict"


class UnreadableError(Exception):
    """Nothing can be read of single partitions: `positions` says from where on, `state` and the text say why.

    What comes before has been brought, and other partitions can be read on.
    """

    def __init__(self, positions: Mapping[Partition, int], why: str, state: State = "unreadable_batch") -> None:
        super().__init__(why)
        self.positions = dict(positions)
        self.state = state


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


def listed(partitions: Collection[Partition], most: int = 8) -> str:
    """Partitions in words, the first `most` of them by name."""
    named = [f"{topic}[{partition}]" for topic, partition in sorted(partitions)]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more


@dataclass(frozen=True, slots=True)
class Member:
    """Another member of our consumer group; `protocol` is what it joined by, where the broker tells."""

    client_id: str
    host: str
    instance_id: str | None
    partitions: tuple[Partition, ...]
    protocol: str = ""

    def __str__(self) -> str:
        by = f", by the {self.protocol} group protocol" if self.protocol else ""
        return f"{self.client_id} at {self.host.lstrip('/')} (holds {listed(self.partitions) or 'nothing yet'}{by})"


@dataclass(frozen=True, slots=True)
class View:
    """What the cluster looks like: the end of each partition, topics that do not exist, others in our group.

    `denied` are topics that we may not see, `partitions` all that the others of our topics have.
    """

    ends: dict[Partition, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    others: tuple[Member, ...] = ()
    denied: tuple[str, ...] = ()
    partitions: frozenset[Partition] = frozenset()


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

    def rejoin(self) -> None:
        """Have the partitions of the group handed out anew."""
        ...

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Read these, instead of joining the group; nobody else notices."""
        ...

    def poll(self, timeout_s: float) -> list[Message]:
        """What has arrived, in order within each partition. Raises OutOfRangeError, UnreadableError, FencedError."""
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
