"""kafka-python as a client of the source: the default, pure Python."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import FencedInstanceIdError, KafkaError, TopicAuthorizationFailedError
from kafka.errors import UnknownTopicOrPartitionError as Unknown

from undertow.batch import Message, Origin
from undertow.config import KafkaConfig
from undertow.veil import veil
from undertow_collectors.client import (
    READ_HINT,
    REQUEST_S,
    FencedError,
    Member,
    Partition,
    Rebalance,
    UnreadableError,
    View,
    seconds,
)
from undertow_collectors.identity import Identity, spelled
from undertow_collectors.kafka_python_errors import translated
from undertow_collectors.kafka_python_groups import Group
from undertow_collectors.kafka_python_network import network
from undertow_collectors.kafka_python_records import Records
from undertow_collectors.kafka_python_tls import Tls
from undertow_collectors.single import record_at

log = logging.getLogger(__name__)

REQUEST_MS = int(REQUEST_S * 1000)
MISSING, DENIED = Unknown.errno, TopicAuthorizationFailedError.errno
METADATA_MS = 5_000  # how soon a new topic or partition is seen
READING = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",  # else a lost range would be skipped silently
    "isolation_level": "read_committed",
    "fetch_max_wait_ms": 100,
}
DYNAMIC = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 2_000}  # a killed member is waited for that long


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # no types in kafka-python
    """Runs on the client's own thread. Keeps new partitions still until the source says where they begin."""

    def __init__(self, consumer: Any, rebalance: Rebalance) -> None:
        self._consumer = consumer
        self._rebalance = rebalance

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        self._rebalance.revoked([_plain(tp) for tp in revoked])

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        for tp in assigned:
            self._consumer.seek(tp, 0)  # else it would ask for the group's offsets, which are not ours to trust
            self._consumer.pause(tp)
        self._rebalance.assigned([_plain(tp) for tp in assigned])


class KafkaPythonClient:
    """A Client (see client.py) on kafka-python 3."""

    def __init__(self, config: KafkaConfig, instance_id: str) -> None:
        self._topics = list(config.topics)
        self._group_id = config.group_id
        self._instance_id = instance_id
        self._veil = veil(config.hidden())
        self._connection = connection(config) | {"client_id": instance_id}
        self._admin_client: Any = None
        self._single: Any = None
        self._was_fenced = False
        self._group = Group(config.group_id, self._veil)
        with self._translated(), network(REQUEST_MS) as self._network:
            self._consumer = KafkaConsumer(
                **self._connection,
                **(DYNAMIC if config.api_version else {"group_instance_id": instance_id}),
                kafka_client=self._network,
                group_id=config.group_id,
                **READING,
                max_partition_fetch_bytes=1 << 20,
                metadata_max_age_ms=METADATA_MS,
            )
            self._network.reach()
        self._consumer._fetcher.PartitionRecords = Records

    def join(self, rebalance: Rebalance) -> None:
        """Subscribe; joining happens inside `poll`."""
        with self._translated():
            self._consumer.subscribe(self._topics, listener=_Listener(self._consumer, rebalance))
            self._network.reach()  # or it joins, learns of the topics and joins again

    def rejoin(self) -> None:
        """Ask the broker to hand out the partitions anew."""
        self._consumer._coordinator.request_rejoin()

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Read these, and join no group."""
        with self._translated():
            self._consumer.assign(_named(positions))
            self.seek(positions)

    def poll(self, timeout_s: float) -> list[Message]:
        """What has arrived, at most `max_poll_records` of the library."""
        if self._was_fenced:
            raise FencedError
        self._unpark()
        with self._translated():
            try:
                polled = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
            except TopicAuthorizationFailedError as error:
                self._refused(error)
                raise
        return [_message(record) for records in polled.values() for record in records]

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Read on from these offsets, also where a partition stood still."""
        for partition, offset in positions.items():
            self._consumer.seek(TopicPartition(*partition), offset)
            self._consumer.resume(TopicPartition(*partition))

    def pause(self, partitions: Collection[Partition]) -> None:
        """Bring nothing of these until they are resumed."""
        self._consumer.pause(*_named(partitions))

    def resume(self, partitions: Collection[Partition]) -> None:
        """Bring messages of these again."""
        self._consumer.resume(*_named(partitions))

    def at_end(self, partition: Partition) -> bool:
        """By the high water mark of the last fetch."""
        tp = TopicPartition(*partition)
        with self._translated():  # a position that is not in the log any more is told here, too
            position, end = self._consumer.position(tp, timeout_ms=0), self._consumer.highwater(tp)
        return position is not None and end is not None and position >= end

    def ranges(self, partitions: Collection[Partition]) -> dict[Partition, tuple[int, int]]:
        """The first offset that exists, and one past the last that is committed."""
        named = _named(partitions)
        with self._translated():
            first = self._consumer.beginning_offsets(named, timeout_ms=REQUEST_MS)
            end = self._consumer.end_offsets(named, timeout_ms=REQUEST_MS)
        return {_plain(tp): (first[tp], end[tp]) for tp in named}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka, without waiting; a rebalance in progress makes this fail, which does not matter."""
        wanted = {
            TopicPartition(*partition): OffsetAndMetadata(offset, self._instance_id, -1)
            for partition, offset in offsets.items()
        }
        self._consumer.commit_async(wanted, callback=self._committed)

    def identify(self, topics: Collection[str]) -> dict[str, Identity]:
        """By what describes them; brokers below 2.8 give no topic id."""
        with self._translated():
            found = {t["name"]: t.get("topic_id") for t in self._admin().describe_topics(list(topics)) if _exists(t)}
        cluster = self._network.client.cluster.cluster_id or ""
        return {topic: Identity(cluster, spelled(topic_id)) for topic, topic_id in found.items()}

    def message_at(self, partition: Partition, offset: int) -> Message | None:
        """By a consumer of its own, without a group."""
        if self._single is None:
            with self._translated(), network(REQUEST_MS) as made:
                self._single = KafkaConsumer(**self._connection, **READING, kafka_client=made, group_id=None)
        with self._translated():
            found = record_at(self._single, TopicPartition(*partition), offset, REQUEST_MS / 1000)
        return _message(found) if found else None

    def look(self, partitions: Collection[Partition]) -> View:
        """Ends, missing topics and other members, in three questions."""
        named = _named(partitions)
        with self._translated():
            ends = self._consumer.end_offsets(named, timeout_ms=REQUEST_MS) if named else {}
            topics = {t["name"]: t for t in self._admin().describe_topics(self._topics)}
        codes = {topic: topics[topic]["error_code"] if topic in topics else MISSING for topic in self._topics}
        return View(
            {_plain(tp): end for tp, end in ends.items()},
            missing=tuple(topic for topic, code in codes.items() if code and code != DENIED),
            others=tuple(self._others()),
            denied=tuple(topic for topic, code in codes.items() if code == DENIED),
            partitions=frozenset(
                (t, p["partition_index"]) for t in codes if not codes[t] for p in topics[t]["partitions"]
            ),
        )

    def leave(self) -> None:
        """By the admin's request, for the library's own consumers leave only where they are no static members."""
        try:
            self._admin().remove_group_members(self._group_id, [MemberToRemove(group_instance_id=self._instance_id)])
        except KafkaError as error:
            log.info("cannot leave the group: %s", self._veil(repr(error)))

    def close(self) -> None:
        """Leave; a static member stays known to the group until its session ends."""
        self._consumer.close(autocommit=False, timeout_ms=2_000)
        if self._admin_client is not None:
            self._admin_client.close()
        if self._single is not None:
            self._single.close(autocommit=False, timeout_ms=2_000)

    def _unpark(self) -> None:
        """Let go of a drained fetch: 3.0.12 takes it for unfinished and never goes back to what a pause set aside."""
        fetcher = self._consumer._fetcher
        if not fetcher._next_partition_records:
            fetcher._next_partition_records = None

    def _committed(self, _offsets: object, answer: object) -> None:
        if isinstance(answer, FencedInstanceIdError):
            self._was_fenced = True
        elif isinstance(answer, Exception):
            log.debug("offsets were not committed to Kafka (the store has them): %r", answer)

    def _admin(self) -> Any:
        if self._admin_client is None:
            with network(REQUEST_MS) as made:
                self._admin_client = KafkaAdminClient(
                    **self._connection, kafka_client=made, request_timeout_ms=REQUEST_MS
                )
        return self._admin_client

    def _others(self) -> Iterator[Member]:
        """The other members, as far as the broker tells."""
        ours = self._consumer.group_metadata().member_id
        for member_id, member in self._group.members(self._admin()).items():
            if member_id == ours:
                continue
            if member.instance_id == self._instance_id and self._consumer.assignment():
                self._was_fenced = True
            yield member

    def _refused(self, error: TopicAuthorizationFailedError) -> None:
        """Raise UnreadableError for what can be held back of topics we may not read; others are read on."""
        topics = set().union(*error.args[:1])
        reading = [tp for tp in self._consumer.assignment() - self._consumer.paused() if tp.topic in topics]
        if reading:
            positions = {_plain(tp): self._consumer.position(tp, timeout_ms=0) or 0 for tp in reading}
            raise UnreadableError(positions, READ_HINT, "access_denied")

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self._veil, lambda: self._network.cause)


def connection(config: KafkaConfig) -> dict[str, Any]:
    """The options of kafka-python that reach and convince a broker, for consumers, producers and admins alike."""
    options: dict[str, Any] = {
        "bootstrap_servers": [s.strip() for s in config.bootstrap_servers.split(",")],
        "bootstrap_timeout_ms": REQUEST_MS,
        "reconnect_backoff_max_ms": 2_000,
        "security_protocol": config.security_protocol,
        "ssl_context": Tls(config) if config.security_protocol.endswith("SSL") else None,
        "sasl_mechanism": config.sasl_mechanism,
        "sasl_plain_username": config.sasl_username,
        "sasl_plain_password": config.sasl_password.reveal() if config.sasl_password else None,
        "api_version": tuple(int(n) for n in config.api_version.split(".")) if config.api_version else None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _exists(described: Mapping[str, Any]) -> bool:
    return not described["error_code"]


def _message(record: Any) -> Message:
    origin = Origin(record.topic, record.partition, record.offset)
    return Message(origin, record.value or b"", seconds(record.timestamp))


def _plain(tp: Any) -> Partition:
    return tp.topic, tp.partition


def _named(partitions: Iterable[Partition]) -> list[Any]:
    return [TopicPartition(*partition) for partition in partitions]
