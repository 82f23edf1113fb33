"""kafka-python as a client of the source: the default, pure Python."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import FencedInstanceIdError, KafkaError, OffsetOutOfRangeError
from kafka.net.compat import KafkaNetClient

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
from undertow_collectors.single import record_at

log = logging.getLogger(__name__)

REQUEST_MS = int(REQUEST_S * 1000)
METADATA_MS = 5_000  # how soon a new topic or partition is seen
READING = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",  # else a lost range would be skipped silently
    "isolation_level": "read_committed",
    "fetch_max_wait_ms": 100,
}
DYNAMIC = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 2_000}  # a killed member is waited for that long


class _NetClient(KafkaNetClient):  # type: ignore[misc]  # no types in kafka-python
    """3.0.12 does not hand the setting down, so that asking for a topic would create it."""

    def __init__(self, *args: Any, **configs: Any) -> None:
        super().__init__(*args, **configs)
        self.cluster.config["allow_auto_create_topics"] = False
        bootstrap = self._manager.bootstrap_async  # without a limit, where the library itself begins one
        self._manager.bootstrap_async = lambda timeout_ms=None, refresh=True: bootstrap(
            REQUEST_MS if timeout_ms is None else timeout_ms, refresh
        )

    def reach(self) -> None:
        """Fetch metadata anew within REQUEST_MS."""
        self._manager.bootstrap(REQUEST_MS)


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
        self._sees_members = True
        with _translated(self._veil), _network() as self._network:
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

    def join(self, rebalance: Rebalance) -> None:
        """Subscribe; joining happens inside `poll`."""
        with _translated(self._veil):
            self._consumer.subscribe(self._topics, listener=_Listener(self._consumer, rebalance))
            self._network.reach()  # or it joins, learns of the topics and joins again

    def poll(self, timeout_s: float) -> list[Message]:
        """What has arrived, at most `max_poll_records` of the library."""
        if self._was_fenced:
            raise FencedError
        self._unpark()
        with _translated(self._veil):
            polled = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
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
        with _translated(self._veil):  # a position that is not in the log any more is told here, too
            position, end = self._consumer.position(tp, timeout_ms=0), self._consumer.highwater(tp)
        return position is not None and end is not None and position >= end

    def ranges(self, partitions: Collection[Partition]) -> dict[Partition, tuple[int, int]]:
        """The first offset that exists, and one past the last that is committed."""
        named = _named(partitions)
        with _translated(self._veil):
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
        with _translated(self._veil):
            found = {t["name"]: t.get("topic_id") for t in self._admin().describe_topics(list(topics)) if _exists(t)}
        cluster = self._network.client.cluster.cluster_id or ""
        return {topic: Identity(cluster, spelled(topic_id)) for topic, topic_id in found.items()}

    def message_at(self, partition: Partition, offset: int) -> Message | None:
        """By a consumer of its own, without a group."""
        if self._single is None:
            with _translated(self._veil), _network() as network:
                self._single = KafkaConsumer(**self._connection, **READING, kafka_client=network, group_id=None)
        with _translated(self._veil):
            found = record_at(self._single, TopicPartition(*partition), offset, REQUEST_MS / 1000)
        return _message(found) if found else None

    def look(self, partitions: Collection[Partition]) -> View:
        """Ends, missing topics and other members, in three questions."""
        named = _named(partitions)
        with _translated(self._veil):
            ends = self._consumer.end_offsets(named, timeout_ms=REQUEST_MS) if named else {}
            known = {t["name"] for t in self._admin().describe_topics(self._topics) if _exists(t)}
        missing = tuple(topic for topic in self._topics if topic not in known)
        return View({_plain(tp): end for tp, end in ends.items()}, missing, tuple(self._others()))

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
            with _network() as network:
                self._admin_client = KafkaAdminClient(
                    **self._connection, kafka_client=network, request_timeout_ms=REQUEST_MS
                )
        return self._admin_client

    def _others(self) -> Iterator[Member]:
        """The other members; nobody where we may not ask, or where the broker (librdkafka's mock) cannot tell."""
        if not self._sees_members:
            return
        try:
            group = self._admin().describe_groups([self._group_id])[self._group_id]
        except KafkaError as error:
            log.info("cannot see whether others are in the group: %s", self._veil(repr(error)))
            self._sees_members = False
            return
        ours = self._consumer.group_metadata().member_id
        for member in group["members"]:
            if member["member_id"] == ours:
                continue
            if member.get("group_instance_id") == self._instance_id and self._consumer.assignment():
                self._was_fenced = True
            held = (member["member_assignment"] or {}).get("assigned_partitions", ())
            partitions = tuple((a["topic"], p) for a in held for p in a["partitions"])
            yield Member(member["client_id"], member["client_host"], member.get("group_instance_id"), partitions)


def connection(config: KafkaConfig) -> dict[str, Any]:
    """The options of kafka-python that reach and convince a broker, for consumers, producers and admins alike."""
    options: dict[str, Any] = {
        "bootstrap_servers": [s.strip() for s in config.bootstrap_servers.split(",")],
        "bootstrap_timeout_ms": REQUEST_MS,
        "reconnect_backoff_max_ms": 2_000,
        "security_protocol": config.security_protocol,
        "ssl_check_hostname": config.ssl_check_hostname,
        "ssl_cafile": config.ssl_cafile,
        "ssl_certfile": config.ssl_certfile,
        "ssl_keyfile": config.ssl_keyfile,
        "ssl_password": config.ssl_password.reveal() if config.ssl_password else None,
        "sasl_mechanism": config.sasl_mechanism,
        "sasl_plain_username": config.sasl_username,
        "sasl_plain_password": config.sasl_password.reveal() if config.sasl_password else None,
        "api_version": tuple(int(n) for n in config.api_version.split(".")) if config.api_version else None,
    }
    return {name: value for name, value in options.items() if value is not None}


class _Network:
    """Makes the network client of a consumer or admin, and keeps hold of it."""

    client: _NetClient

    def __call__(self, **configs: Any) -> _NetClient:
        self.client = _NetClient(**configs)
        return self.client

    def reach(self) -> None:
        """Fetch metadata anew within REQUEST_MS."""
        self.client.reach()


@contextmanager
def _network() -> Iterator[_Network]:
    """A network that is closed on failure: the library leaves its own running where a constructor fails."""
    network = _Network()
    try:
        yield network
    except BaseException:
        if hasattr(network, "client"):
            network.client.close()
        raise


@contextmanager
def _translated(hide: Veil) -> Iterator[None]:
    """Errors of kafka-python in the words of client.py, without a password that a broker repeats."""
    try:
        yield
    except OffsetOutOfRangeError as error:
        raise OutOfRangeError({_plain(tp): offset for tp, offset in error.args[0].items()}) from None
    except FencedInstanceIdError:
        raise FencedError from None
    except (KafkaError, OSError) as error:
        name = type(error).__name__
        raise UnavailableError(hide(f"{name}: {str(error).removeprefix(f'{name}: ')}")) from None


def _exists(described: Mapping[str, Any]) -> bool:
    return not described["error_code"]


def _message(record: Any) -> Message:
    origin = Origin(record.topic, record.partition, record.offset)
    return Message(origin, record.value or b"", seconds(record.timestamp))


def _plain(tp: Any) -> Partition:
    return tp.topic, tp.partition


def _named(partitions: Iterable[Partition]) -> list[Any]:
    return [TopicPartition(*partition) for partition in partitions]
