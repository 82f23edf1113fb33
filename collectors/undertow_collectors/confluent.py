"""confluent-kafka (librdkafka) as a client of the source: the extra for more than kafka-python can read."""

import logging
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupType,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from undertow.batch import Message, Origin
from undertow.config import KafkaConfig
from undertow.veil import Veil, veil
from undertow_collectors.client import (
    REQUEST_S,
    FencedError,
    Member,
    Partition,
    Rebalance,
    UnavailableError,
    UnreadableError,
    View,
    seconds,
)
from undertow_collectors.confluent_errors import Causes, of_group, of_partition, translated
from undertow_collectors.confluent_options import CONSUMER, connection
from undertow_collectors.confluent_topics import Single, TopicIds
from undertow_collectors.identity import Identity

log = logging.getLogger(__name__)

DENIED = KafkaError.TOPIC_AUTHORIZATION_FAILED
MOST = 2_000  # messages of one poll
LEAVE_S = 2.0
DYNAMIC = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000}  # a killed member is waited for that long


class _Logger:
    """What librdkafka logs to; a broker that refuses a login may repeat it."""

    def __init__(self, hide: Veil) -> None:
        self._hide = hide

    def log(self, level: int, text: str, *args: object) -> None:
        """One line."""
        log.log(level, "%s", self._hide(text % args))


class ConfluentClient:
    """A Client (see client.py) on confluent-kafka. Its callbacks run inside `poll` and `close`."""

    def __init__(self, config: KafkaConfig, instance_id: str) -> None:
        self._topics = list(config.topics)
        self._group_id = config.group_id
        self._instance_id = instance_id
        self._veil = veil(config.hidden())
        logger = _Logger(self._veil)
        self._causes = Causes(self._veil)
        self._connection = connection(config) | {"client.id": instance_id, "error_cb": self._causes}
        self._reading: set[Partition] = set()
        self._at_end: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._next: dict[Partition, int] = {}
        self._stopped: set[Partition] = set()  # by an error, until they are sought
        self._troubles: deque[Exception] = deque()
        self._sees_members = True
        self._is_member = False
        member = DYNAMIC if config.api_version else {"group.instance.id": instance_id}
        options = self._connection | member | CONSUMER | {"group.id": config.group_id, "on_commit": self._committed}
        with translated(self._causes):
            self._admin = AdminClient(self._connection, logger=logger)
            self._consumer = Consumer(options, logger=logger)
        self._ids = TopicIds(self._admin, self._causes)
        single = self._connection | CONSUMER | {"group.id": config.group_id}
        self._single = Single(partial(Consumer, single, logger=logger), self._causes)

    def join(self, rebalance: Rebalance) -> None:
        """Subscribe; joining happens inside `poll`."""

        def assigned(consumer: Any, partitions: list[Any]) -> None:
            consumer.assign([])  # they stand still until `seek`
            self._is_member = True
            rebalance.assigned([_plain(tp) for tp in partitions])

        def revoked(_consumer: Any, partitions: list[Any]) -> None:
            rebalance.revoked([_plain(tp) for tp in partitions])
            for held in (self._reading, self._at_end, self._paused, self._stopped):
                held.clear()
            self._is_member = False

        callbacks = {"on_assign": assigned, "on_revoke": revoked, "on_lost": revoked}
        self._subscribe = partial(self._consumer.subscribe, self._topics, **callbacks)
        with translated(self._causes):
            self._subscribe()

    def rejoin(self) -> None:
        """Ask the broker to hand out the partitions anew."""
        with translated(self._causes):
            self._consumer.unsubscribe()
            self._subscribe()

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Read these, and join no group."""
        self.seek(positions)

    def poll(self, timeout_s: float) -> list[Message]:
        """What has arrived; what went wrong behind it is raised by the next call."""
        if self._troubles:
            raise self._troubles.popleft()
        with translated(self._causes):
            polled = self._consumer.consume(MOST, timeout_s)
        return [message for m in polled if (message := self._message(m))]

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Begin to read these, or read them on from elsewhere."""
        self._at_end -= positions.keys()
        self._stopped -= positions.keys()
        self._next |= positions
        with translated(self._causes):
            if self._reading >= positions.keys():
                self._move(positions)
            else:
                self._consumer.assign(_placed(positions))
        self._reading |= positions.keys()

    def _move(self, positions: Mapping[Partition, int]) -> None:
        try:
            for tp in _placed(positions):
                self._consumer.seek(tp)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:
                raise
            # After some damaged messages librdkafka reads on at an offset that it made up, and then no more at all.
            self._consumer.assign(_placed({p: self._next[p] for p in self._reading}))
            self._consumer.pause(_named(self._paused))

    def pause(self, partitions: Collection[Partition]) -> None:
        """Bring nothing of these until they are resumed."""
        self._paused |= set(partitions)
        self._consumer.pause(_named(partitions))

    def resume(self, partitions: Collection[Partition]) -> None:
        """Bring messages of these again."""
        self._paused -= set(partitions)
        self._consumer.resume(_named(partitions))

    def at_end(self, partition: Partition) -> bool:
        """By the library's own event."""
        return partition in self._at_end

    def ranges(self, partitions: Collection[Partition]) -> dict[Partition, tuple[int, int]]:
        """The first offset that exists, and one past the last."""
        return {p: self._range(p) for p in partitions}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka, without waiting; a rebalance in progress makes this fail, which does not matter."""
        named = [TopicPartition(*partition, offset, self._instance_id) for partition, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=named, asynchronous=True)
        except KafkaException as error:
            self._committed(error.args[0], named)

    def identify(self, topics: Collection[str]) -> dict[str, Identity]:
        """By what describes them; brokers below 2.8 give no topic id, and none answers without a controller."""
        return self._ids.identify(topics, REQUEST_S)

    def message_at(self, partition: Partition, offset: int) -> Message | None:
        """By a consumer of its own, which joins no group."""
        found = self._single.record_at(TopicPartition(*partition, offset), REQUEST_S)
        return _message(found) if found else None

    def look(self, partitions: Collection[Partition]) -> View:
        """Ends, missing topics and other members."""
        ends = {p: end for p, (_, end) in self.ranges(partitions).items()}
        topics = self._described()
        codes = {topic: one.error.code() if one.error else 0 for topic, one in topics.items()}
        return View(
            ends,
            missing=tuple(topic for topic, code in codes.items() if code and code != DENIED),
            others=tuple(self._others()),
            denied=tuple(topic for topic, code in codes.items() if code == DENIED),
            partitions=frozenset(
                (topic, n) for topic, code in codes.items() if not code for n in topics[topic].partitions
            ),
        )

    def leave(self) -> None:
        """By giving up the subscription, which a static member, too, tells the group."""
        try:
            self._consumer.unsubscribe()
            until = time.monotonic() + LEAVE_S
            while self._is_member and time.monotonic() < until:
                self._consumer.consume(1, 0.1)
        except KafkaException as error:
            log.info("cannot leave the group: %s", self._veil(str(error)))

    def close(self) -> None:
        """Leave; a static member stays known to the group until its session ends."""
        self._consumer.close()
        self._single.close()

    def _message(self, m: Any) -> Message | None:
        """`m` as a message, None where it is news, or was brought before."""
        topic, partition, offset = m.topic(), m.partition(), m.offset()
        if (error := m.error()) is not None:
            self._note(error, (topic, partition), offset)
            return None
        if (topic, partition) in self._stopped or offset < self._next.get((topic, partition), 0):
            return None  # librdkafka brings what precedes a damaged batch again and again
        self._next[topic, partition] = offset + 1
        self._at_end.discard((topic, partition))
        return _message(m)

    def _note(self, error: Any, partition: Partition, offset: int) -> None:
        """Keep what an event of a partition, or of none, means for the next call."""
        if error.code() == KafkaError._PARTITION_EOF:
            self._at_end.add(partition)
            return
        if partition in self._stopped:
            return
        if partition in self._reading:
            trouble = of_partition(error, partition, offset, self._next[partition], self._veil)
        else:
            trouble = of_group(error, self._veil)
        if isinstance(trouble, UnreadableError):
            self._stopped.add(partition)
        if trouble:
            self._troubles.append(trouble)
        else:
            log.debug("librdkafka says: %s", self._veil(str(error)))

    def _committed(self, error: Any, _partitions: object) -> None:
        if error is not None and error.code() == KafkaError.FENCED_INSTANCE_ID:
            self._troubles.append(FencedError())

    def _range(self, partition: Partition) -> tuple[int, int]:
        with translated(self._causes):
            found = self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=REQUEST_S)
        if found is None:
            raise UnavailableError(f"no answer within {REQUEST_S:.0f} s")
        self._causes.last = None
        first, end = found
        return first, end

    def _described(self) -> dict[str, Any]:
        """What the cluster says of each of our topics; one by one, for it may have thousands."""
        with translated(self._causes):
            found = {topic: self._consumer.list_topics(topic, REQUEST_S).topics[topic] for topic in self._topics}
        self._causes.last = None
        return found

    def _others(self) -> Iterator[Member]:
        """The other members; nobody where we may not ask, or where the broker (librdkafka's mock) cannot tell."""
        if not self._sees_members:
            return
        asked = self._admin.describe_consumer_groups([self._group_id], request_timeout=REQUEST_S)
        try:
            group = asked[self._group_id].result(REQUEST_S)
        except (KafkaException, TimeoutError) as error:
            log.info("cannot see whether others are in the group: %s", self._veil(repr(error)))
            self._sees_members = isinstance(error, KafkaException) and error.args[0].retriable()
            return
        ours = self._consumer.memberid()
        kind = group.type.name.lower() if group.type == ConsumerGroupType.CONSUMER else ""
        for member in group.members:
            if member.member_id == ours:
                continue
            if member.group_instance_id == self._instance_id and self._reading:
                self._troubles.append(FencedError())
            held = member.assignment.topic_partitions if member.assignment else ()
            yield Member(member.client_id, member.host, member.group_instance_id, tuple(map(_plain, held)), kind)


def _message(m: Any) -> Message:
    return Message(Origin(m.topic(), m.partition(), m.offset()), m.value() or b"", seconds(m.timestamp()[1]))


def _plain(tp: Any) -> Partition:
    return tp.topic, tp.partition


def _placed(positions: Mapping[Partition, int]) -> list[Any]:
    return [TopicPartition(*partition, offset) for partition, offset in positions.items()]


def _named(partitions: Iterable[Partition]) -> list[Any]:
    return [TopicPartition(*partition) for partition in partitions]
