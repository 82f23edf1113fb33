"""confluent-kafka (librdkafka) as a client of the source: the extra for more than kafka-python can read."""

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from undertow.batch import Message, Origin
from undertow.config import KafkaConfig
from undertow.veil import Veil, veil
from undertow_collectors.client import (
    REQUEST_S,
    FencedError,
    Member,
    OutOfRangeError,
    Partition,
    Rebalance,
    UnavailableError,
    View,
    seconds,
)
from undertow_collectors.identity import Identity, spelled

log = logging.getLogger(__name__)

MOST = 2_000  # messages of one poll
LEAVE_S = 2.0


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
        self._connection = connection(config) | {"client.id": instance_id}
        self._reading: set[Partition] = set()
        self._at_end: set[Partition] = set()
        self._trouble: Exception | None = None
        self._sees_members = True
        self._is_member = False
        self._gives_ids: bool | None = None
        self._prober: Any = None
        member = DYNAMIC if config.api_version else {"group.instance.id": instance_id}
        options = self._connection | member | CONSUMER | {"group.id": config.group_id, "on_commit": self._committed}
        with _translated(self._veil):
            self._admin = AdminClient(self._connection, logger=logger)
            self._consumer = Consumer(options, logger=logger)

    def join(self, rebalance: Rebalance) -> None:
        """Subscribe; joining happens inside `poll`."""

        def assigned(consumer: Any, partitions: list[Any]) -> None:
            consumer.assign([])  # they stand still until `seek`
            self._is_member = True
            rebalance.assigned([_plain(tp) for tp in partitions])

        def revoked(_consumer: Any, partitions: list[Any]) -> None:
            rebalance.revoked([_plain(tp) for tp in partitions])
            self._reading.clear()
            self._at_end.clear()
            self._is_member = False

        with _translated(self._veil):
            self._consumer.subscribe(self._topics, on_assign=assigned, on_revoke=revoked, on_lost=revoked)

    def poll(self, timeout_s: float) -> list[Message]:
        """What has arrived; what went wrong behind it is raised by the next call."""
        if self._trouble:
            trouble, self._trouble = self._trouble, None
            raise trouble
        with _translated(self._veil):
            polled = self._consumer.consume(MOST, timeout_s)
        return [self._message(m) for m in polled if not self._is_event(m)]

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Begin to read these, or read them on from elsewhere."""
        named = [TopicPartition(*partition, offset) for partition, offset in positions.items()]
        self._at_end -= positions.keys()
        with _translated(self._veil):
            if self._reading >= positions.keys():
                for tp in named:
                    self._consumer.seek(tp)
            else:
                self._consumer.assign(named)
        self._reading |= positions.keys()

    def pause(self, partitions: Collection[Partition]) -> None:
        """Bring nothing of these until they are resumed."""
        self._consumer.pause(_named(partitions))

    def resume(self, partitions: Collection[Partition]) -> None:
        """Bring messages of these again."""
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
        with _translated(self._veil):
            cluster = self._admin.cluster_id(REQUEST_S) or ""
        if self._gives_ids is False:
            return {topic: Identity(cluster) for topic in topics}
        asked = self._admin.describe_topics(TopicCollection(list(topics)), request_timeout=REQUEST_S)
        found = {}
        for topic, answer in asked.items():
            try:
                found[topic] = Identity(cluster, spelled(str(answer.result().topic_id)))
            except KafkaException as error:
                if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                if self._gives_ids:
                    raise UnavailableError(self._veil(str(error))) from None
                log.info("the broker does not describe topics: %s", self._veil(str(error)))
                self._gives_ids = False
                return {topic: Identity(cluster) for topic in topics}
        self._gives_ids = True
        return found

    def message_at(self, partition: Partition, offset: int) -> Message | None:
        """By a consumer of its own, which joins no group."""
        with _translated(self._veil):
            if self._prober is None:
                options = self._connection | CONSUMER | {"group.id": self._group_id}
                self._prober = Consumer(options, logger=_Logger(self._veil))
            self._prober.assign([TopicPartition(*partition, offset)])
            polled = self._prober.consume(1, REQUEST_S)
            self._prober.assign([])
        found = [m for m in polled if m.error() is None and m.offset() == offset]
        return _message(found[0]) if found else None

    def look(self, partitions: Collection[Partition]) -> View:
        """Ends, missing topics and other members."""
        ends = {p: end for p, (_, end) in self.ranges(partitions).items()}
        return View(ends, tuple(self._missing()), tuple(self._others()))

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
        if self._prober is not None:
            self._prober.close()

    def _message(self, m: Any) -> Message:
        self._at_end.discard((m.topic(), m.partition()))
        return _message(m)

    def _is_event(self, m: Any) -> bool:
        """Whether `m` is no message but news."""
        error = m.error()
        if error is None:
            return False
        partition = (m.topic(), m.partition())
        if error.code() == KafkaError._PARTITION_EOF:
            self._at_end.add(partition)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._trouble = OutOfRangeError({partition: m.offset()})
        elif error.code() == KafkaError.FENCED_INSTANCE_ID:
            self._trouble = FencedError()
        elif error.fatal():
            self._trouble = UnavailableError(self._veil(str(error)))
        else:
            log.debug("librdkafka says: %s", self._veil(str(error)))
        return True

    def _committed(self, error: Any, _partitions: object) -> None:
        if error is not None and error.code() == KafkaError.FENCED_INSTANCE_ID:
            self._trouble = FencedError()

    def _range(self, partition: Partition) -> tuple[int, int]:
        with _translated(self._veil):
            found = self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=REQUEST_S)
        if found is None:
            raise UnavailableError(f"no answer within {REQUEST_S:.0f} s")
        first, end = found
        return first, end

    def _missing(self) -> Iterator[str]:
        with _translated(self._veil):
            for topic in self._topics:  # one by one, for a cluster may have thousands
                if self._consumer.list_topics(topic, REQUEST_S).topics[topic].error is not None:
                    yield topic

    def _others(self) -> Iterator[Member]:
        """The other members; nobody where we may not ask, or where the broker (librdkafka's mock) cannot tell."""
        if not self._sees_members:
            return
        asked = self._admin.describe_consumer_groups([self._group_id], request_timeout=REQUEST_S)
        try:
            members = asked[self._group_id].result(REQUEST_S).members
        except (KafkaException, TimeoutError) as error:
            log.info("cannot see whether others are in the group: %s", self._veil(repr(error)))
            self._sees_members = False
            return
        ours = self._consumer.memberid()
        for member in members:
            if member.member_id == ours:
                continue
            if member.group_instance_id == self._instance_id and self._reading:
                self._trouble = FencedError()
            held = member.assignment.topic_partitions if member.assignment else ()
            yield Member(member.client_id, member.host, member.group_instance_id, tuple(map(_plain, held)))


DYNAMIC = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000}  # a killed member is waited for that long
CONSUMER = {
    "allow.auto.create.topics": False,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",  # else a lost range would be skipped silently
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 100,
    "topic.metadata.refresh.interval.ms": 5_000,
    "queued.max.messages.kbytes": 32_768,
}


def connection(config: KafkaConfig) -> dict[str, Any]:
    """The options of librdkafka that reach and convince a broker."""
    options: dict[str, Any] = {
        "bootstrap.servers": config.bootstrap_servers,
        "security.protocol": config.security_protocol,
        "ssl.ca.location": config.ssl_cafile,
        "ssl.certificate.location": config.ssl_certfile,
        "ssl.key.location": config.ssl_keyfile,
        "ssl.key.password": config.ssl_password.reveal() if config.ssl_password else None,
        "ssl.endpoint.identification.algorithm": "https" if config.ssl_check_hostname else "none",
        "sasl.mechanism": config.sasl_mechanism,
        "sasl.username": config.sasl_username,
        "sasl.password": config.sasl_password.reveal() if config.sasl_password else None,
    }
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def _translated(hide: Veil) -> Iterator[None]:
    """Errors of librdkafka in the words of client.py, without a password that a broker repeats."""
    try:
        yield
    except KafkaException as error:
        raise UnavailableError(hide(str(error))) from None


def _message(m: Any) -> Message:
    return Message(Origin(m.topic(), m.partition(), m.offset()), m.value() or b"", seconds(m.timestamp()[1]))


def _plain(tp: Any) -> Partition:
    return tp.topic, tp.partition


def _named(partitions: Iterable[Partition]) -> list[Any]:
    return [TopicPartition(*partition) for partition in partitions]
