"""Brokers for tests: librdkafka's mock cluster, which needs nothing, and Apache Kafka itself."""

import ctypes
import gc
import os
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import confluent_kafka
import hypothesis
import msgspec
import pytest
from tests import alertmanager_process, collector_build
from tests.alertmanager_process import Alertmanager
from tests.apache_kafka import Server, jars
from tests.collector_process import Collector, overrides
from tests.programs import MissingError

from undertow.batch import Batch, Committed, Mark, Origin, Position, Reject, Sink
from undertow.config import KafkaConfig

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.11 has some to say of kafka-python's imports
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import MemberToRemove, NewPartitions, NewTopic

    from undertow_collectors.kafka import KafkaSource

from undertow_collectors.decode.runs import decode_run

DEADLINE_S = 30.0


def pytest_configure(config: pytest.Config) -> None:
    """kafka-python leaves sockets that never connected to the garbage collector; others are still reported."""
    hypothesis.settings.register_profile("undertow", deadline=None)  # no test asserts how long something takes
    hypothesis.settings.load_profile("undertow")
    config.addinivalue_line("filterwarnings", r"ignore:unclosed <socket.*laddr=\('0.0.0.0':ResourceWarning")


def pytest_sessionfinish() -> None:
    """The last of those sockets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The first true answer of `condition`; fails with `what` when there is none in time."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        if answer := condition():
            return answer
        time.sleep(0.02)
    return pytest.fail(f"{what}: not within {deadline_s:.0f} s")


@pytest.fixture(name="eventually", scope="session")
def _eventually() -> Callable[..., Any]:
    return wait_until


class Ledger:
    """A sink in memory: what came from where, and where to go on."""

    def __init__(self) -> None:
        self.places: list[Origin] = []
        self.rejects: list[Reject] = []
        self.next: dict[tuple[str, int], int] = {}
        self.identities: dict[str, str] = {}
        self.marks: dict[tuple[str, int], Mark] = {}
        self.replaced: dict[str, dict[str, dict[int, Position]]] = {}

    def ingest(self, batch: Batch) -> Committed:
        """Keep everything."""
        for origin, decoded in batch.messages:
            offsets = decoded.columns["offset"].to_pylist() if decoded.columns else [origin.offset] * len(decoded.spans)
            self.places += [origin._replace(offset=offset) for offset in offsets]
            self.rejects += decoded.rejects
        for topic, identity in batch.identities.items():
            self._turn(topic, identity, kept=topic in batch.formerly)
        self.next |= batch.next_offsets
        self.marks |= batch.marks
        return Committed(stored=batch.spans)

    def offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition."""
        return {partition: at for (t, partition), at in self.next.items() if t == topic}

    def positions(self, topic: str) -> dict[str, dict[int, Position]]:
        """The same of each topic that had the name."""
        current = {n: Position(at, self.marks.get((topic, n))) for n, at in self.offsets(topic).items()}
        return self.replaced.get(topic, {}) | ({self.identities.get(topic, ""): current} if current else {})

    def _turn(self, topic: str, identity: str, *, kept: bool) -> None:
        if identity != self.identities.get(topic, "") and not kept:
            self.replaced[topic] = self.positions(topic)
            self.next = {place: at for place, at in self.next.items() if place[0] != topic}
            self.marks = {place: mark for place, mark in self.marks.items() if place[0] != topic}
        self.identities[topic] = identity


@pytest.fixture(name="ledger")
def _ledger() -> Ledger:
    return Ledger()


@pytest.fixture(name="make_ledger", scope="session")
def _make_ledger() -> type[Ledger]:
    return Ledger


def native(number: int, started_at: float = 1.7e9) -> bytes:
    """One call in the native format, a tenth of a second after the one before."""
    return msgspec.json.encode(
        {"span_id": f"s{number}", "started_at": started_at + number / 10, "provider": "openai", "model": "gpt-4"}
    )


@pytest.fixture(name="native", scope="session")
def _native() -> Callable[..., bytes]:
    return native


class Reading:
    """A KafkaSource that runs in a thread."""

    def __init__(self, config: KafkaConfig, sink: Sink, instance_id: str) -> None:
        self.source = KafkaSource(config, partial(decode_run, name=config.format), instance_id)
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self.source.run, args=(sink, self.stopped), daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        """The named state."""
        return self.source.status().state

    @property
    def detail(self) -> str:
        """Its sentence."""
        return self.source.status().detail

    def until(self, condition: Callable[[], Any], eventually: Callable[..., Any]) -> None:
        """Read until `condition` holds, then end."""
        eventually(condition, "what was sent arrives")
        self.stop()

    def stop(self) -> None:
        """End it, and wait until it has."""
        self.stopped.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


@pytest.fixture(name="read")
def _read() -> Iterator[Callable[..., Reading]]:
    """Begins to read topics of a broker into a sink; everything is stopped at the end of the test."""
    running: list[Reading] = []

    def read(broker: Broker, sink: Sink, *topics: str, instance: str | None = None, **options: Any) -> Reading:
        given = {"format": "native", "group_id": topics[0], "bootstrap_servers": broker.bootstrap}
        options = given | {"api_version": broker.api_version} | options
        config = KafkaConfig(topics=list(topics), **options)
        running.append(Reading(config, sink, instance or f"undertow-{uuid.uuid4().hex[:8]}"))
        return running[-1]

    yield read
    for reading in running:
        reading.stop()


class Broker:
    """Topics and messages of any Kafka-protocol broker; `api_version` is what clients must be told."""

    def __init__(self, bootstrap: str, api_version: str | None) -> None:
        self.bootstrap = bootstrap
        self.api_version = api_version
        version = tuple(map(int, api_version.split("."))) if api_version else None
        self.options: dict[str, Any] = {"bootstrap_servers": bootstrap, "api_version": version}

    def topic(self, partitions: int = 1, name: str | None = None, **settings: str) -> str:
        """Create a topic, by default under a new name; `settings` are the broker's, with _ for each dot."""
        name = name or f"t-{uuid.uuid4().hex[:8]}"
        self._create(name, partitions, {key.replace("_", "."): value for key, value in settings.items()})
        return name

    def _create(self, name: str, partitions: int, configs: dict[str, str]) -> None:
        with KafkaAdminClient(**self.options) as admin:
            admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
            admin.wait_for_topics([name])

    @contextmanager
    def producer(self, **options: Any) -> Iterator[KafkaProducer]:
        """A producer, closed at the end."""
        producer = KafkaProducer(**self.options | {"linger_ms": 5} | options)
        yield producer
        producer.close()

    def produce(self, topic: str, values: Sequence[bytes], partition: int = 0, **options: Any) -> None:
        """Append `values` to one partition, acknowledged; `options` are the producer's."""
        with self.producer(**options) as producer:
            futures = [producer.send(topic, value, partition=partition) for value in values]
            producer.flush()
            for future in futures:
                future.get(timeout=10)

    def ends(self, topic: str) -> dict[int, int]:
        """One past the last message of each partition that holds any."""
        consumer = KafkaConsumer(**self.options)
        found = consumer.end_offsets([TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)])
        consumer.close()
        return {partition.partition: end for partition, end in found.items() if end}


class MockBroker(Broker):
    """The cluster inside librdkafka, by the C functions that it exports; one broker, which can be cut off."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(_librdkafka())
        for function in ("rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self._lib, function).restype = ctypes.c_void_p
        self._lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        self._handle = ctypes.c_void_p(self._lib.rd_kafka_new(0, self._silent(), None, 0))
        self._cluster = ctypes.c_void_p(self._lib.rd_kafka_mock_cluster_new(self._handle, 1))
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 100)
        self._lib.rd_kafka_mock_set_controller_id(self._cluster, 1)  # librdkafka asks it which id a topic has
        super().__init__(self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode(), "2.0")

    def _silent(self) -> ctypes.c_void_p:
        self._lib.rd_kafka_conf_new.restype = ctypes.c_void_p
        conf = ctypes.c_void_p(self._lib.rd_kafka_conf_new())
        self._lib.rd_kafka_conf_set(conf, b"log_level", b"0", None, 0)
        return conf

    def _create(self, name: str, partitions: int, _configs: dict[str, str]) -> None:
        self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)

    def delete(self, name: str) -> None:
        """Delete a topic and its messages."""
        self._lib.rd_kafka_mock_topic_delete(self._cluster, name.encode())

    def down(self) -> None:
        """Refuse connections from now on."""
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        """Accept them again; what was stored is still there."""
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def close(self) -> None:
        """End the cluster."""
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._handle)


def _librdkafka() -> str:
    package = Path(confluent_kafka.__file__).parent
    places = [package.parent / "confluent_kafka.libs", package / ".dylibs", package]
    found = [file for place in places if place.is_dir() for file in place.glob("librdkafka*")]
    return str(found[0]) if found else pytest.fail("confluent-kafka came without librdkafka")


@pytest.fixture(name="mock_kafka")
def _mock_kafka() -> Iterator[MockBroker]:
    broker = MockBroker()
    yield broker
    broker.close()


class ApacheKafka(Broker):
    """Apache Kafka in KRaft mode: one process, one node, its data in a directory of the test run."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.bootstrap, None)
        self.start, self.stop = server.start, server.stop
        self.data = server.directory / "data"

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """What retention does: drop everything before an offset."""
        with KafkaAdminClient(**self.options) as admin:
            admin.delete_records({TopicPartition(topic, partition): before})

    def grow(self, topic: str, partitions: int) -> None:
        """Give a topic more partitions."""
        with KafkaAdminClient(**self.options) as admin:
            admin.create_partitions({topic: NewPartitions(partitions)})

    def delete(self, name: str) -> None:
        """Delete a topic and its messages, and wait until it is gone."""
        with KafkaAdminClient(**self.options) as admin:
            admin.delete_topics([name])
            wait_until(lambda: admin.describe_topics([name])[0]["error_code"], f"{name} is gone")

    def has_topic(self, name: str) -> bool:
        """Whether the topic exists."""
        with KafkaAdminClient(**self.options) as admin:
            return not admin.describe_topics([name])[0]["error_code"]

    def forget_member(self, group: str, instance_id: str) -> None:
        """What the end of its session does to a static member that is gone."""
        with KafkaAdminClient(**self.options) as admin:
            admin.remove_group_members(group, [MemberToRemove(group_instance_id=instance_id)])


def _without(reason: str) -> NoReturn:
    """Skip and say why; in CI a part that is missing is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true and {reason}")
    pytest.skip(reason)


@pytest.fixture(name="without", scope="session")
def _said_without() -> Callable[[str], NoReturn]:
    return _without


@pytest.fixture(name="apache_kafka", scope="session")
def _apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    try:
        server = Server(jars(), tmp_path_factory.mktemp("kafka"))
        server.start()
    except MissingError as missing:
        _without(str(missing))
    broker = ApacheKafka(server)
    yield broker
    broker.stop()


@pytest.fixture(name="in_go", scope="session")
def _in_go(pytestconfig: pytest.Config) -> Callable[[Callable[[Callable[[str], object]], Path]], Path]:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{text}\n")

    def in_go(program: Callable[[Callable[[str], object]], Path]) -> Path:
        """A program that is built with Go, or a skip."""
        try:
            return program(say)
        except MissingError as missing:
            _without(str(missing))

    return in_go


@pytest.fixture(name="collector_program", scope="session")
def _collector_program(in_go: Callable[..., Path]) -> Path:
    return in_go(collector_build.program)


@pytest.fixture(name="alertmanager_program", scope="session")
def _alertmanager_program(in_go: Callable[..., Path]) -> Path:
    return in_go(alertmanager_process.program)


@pytest.fixture(name="alertmanager")
def _alertmanager(alertmanager_program: Path, tmp_path: Path) -> Iterator[Callable[[str], Alertmanager]]:
    """Starts an Alertmanager that notifies a webhook."""
    running: list[Alertmanager] = []

    def start(webhook: str) -> Alertmanager:
        running.append(Alertmanager(alertmanager_program, tmp_path, webhook))
        running[-1].start()
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture(name="otel_collector")
def _otel_collector(
    collector_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Collector]]:
    """Starts a collector that ships to a topic of a broker, with options as `overrides` takes them."""
    running: list[Collector] = []

    def start(broker: Broker, topic: str, **options: Any) -> Collector:
        changes = overrides(broker.bootstrap, topic, **options)
        running.append(Collector(collector_program, tmp_path_factory.mktemp("collector"), changes))
        running[-1].start()
        return running[-1]

    yield start
    for collector in running:
        collector.stop()
