"""Whatever producers compress with is read by both clients; what cannot be read is named and holds up nothing else."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import confluent_kafka
import pytest
from kafka.record import MemoryRecords
from kafka.record.memory_records import MemoryRecordsBuilder
from tests.collectors.kafka.damage import Change, damage, flipped, garbage, other_codec

from undertow_collectors import held, kafka_python, session

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
BROKERS = pytest.mark.parametrize(
    "broker", ["mock_kafka", pytest.param("apache_kafka", marks=pytest.mark.kafka)], indirect=True
)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.5)
    monkeypatch.setattr(held, "AGAIN_S", 0.5)
    monkeypatch.setattr(kafka_python, "REQUEST_MS", 1_000)


@pytest.fixture(name="broker")
def _broker(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


class Log(logging.Handler):
    """The states that the source went through."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.states.append(record.getMessage().split()[2].rstrip(":"))


@pytest.fixture(name="states")
def _states() -> Any:
    log, logger = Log(), logging.getLogger("undertow_collectors.source")
    level = logger.level
    logger.addHandler(log)
    logger.setLevel(logging.INFO)
    yield log.states
    logger.removeHandler(log)
    logger.setLevel(level)


def by_librdkafka(bootstrap: str, topic: str, values: Sequence[bytes], codec: str) -> None:
    """Send as librdkafka does, whose snappy is not framed like that of Java and kafka-python."""
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 50})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(10) == 0


def mixed(broker: Any, topic: str, codec: str, native: Callable[..., bytes]) -> None:
    """50 plain, 50 with the codec, 50 with zstd, 50 plain, in one partition."""
    for n, compression in enumerate(["none", codec, "zstd", "none"]):
        values = [native(50 * n + k) for k in range(50)]
        if compression == "zstd":  # which kafka-python does not write for a broker as old as the mock says to be
            by_librdkafka(broker.bootstrap, topic, values, compression)
        else:
            broker.produce(topic, values, compression_type=None if compression == "none" else compression)


@BROKERS
@CLIENTS
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read(
    client: str, codec: str, broker: Any, read: Any, ledger: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """Each codec among others in one partition, written by either library: every message, in order."""
    topic = broker.topic()
    mixed(broker, topic, codec, native)
    by_librdkafka(broker.bootstrap, topic, [native(200 + k) for k in range(50)], codec)
    read(broker, ledger, topic, client=client)
    eventually(lambda: len(ledger.places) >= 250, "every message")
    assert [offset for *_, offset in ledger.places] == list(range(250))


@BROKERS
def test_a_codec_without_its_library(
    broker: Any,
    read: Any,
    ledger: Any,
    native: Callable[..., bytes],
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
    states: list[str],
) -> None:
    """The state names codec, package and place; what precedes is stored, other partitions go on, and nothing flips."""
    hold, holds = held.Held.hold, list[object]()
    monkeypatch.setattr(held.Held, "hold", lambda *args: (holds.append(args), hold(*args))[1])
    topic = broker.topic(2)
    mixed(broker, topic, "snappy", native)
    broker.produce(topic, [native(n) for n in range(50)], partition=1)
    with monkeypatch.context() as hidden:
        hidden.setattr("kafka.codec.snappy", None)  # what a blocked import leaves there
        reading = read(broker, ledger, topic)
        eventually(lambda: reading.state == "unreadable_batch", "the batch is named")
        assert f"{topic}[0]: the batch from offset 50 to" in reading.detail
        assert "is compressed with snappy; install the package python-snappy" in reading.detail
        eventually(lambda: ledger.next.get((topic, 0)) == 50, "what precedes it is stored")
        broker.produce(topic, [native(50 + n) for n in range(50)], partition=1)
        eventually(lambda: ledger.next.get((topic, 1)) == 100, "the other partition goes on")
        tried = len(states)
        eventually(
            lambda: reading.source._partitions.__self__._held._holds[topic, 0].tried_at is None, "it is tried again"
        )
        assert states[tried:] == []
    eventually(lambda: ledger.next.get((topic, 0)) == 200 and reading.state == "running", "the library is there")
    assert len(set(ledger.places)) == len(ledger.places) == 300


@pytest.mark.kafka
@CLIENTS
@pytest.mark.parametrize(
    ("codec", "change", "told"),
    [
        ("none", flipped, "damaged"),
        ("gzip", garbage, "gzip) is damaged"),
        ("snappy", garbage, "snappy) is damaged"),
        ("lz4", garbage, "lz4) is damaged"),
        ("zstd", garbage, "zstd) is damaged"),
        ("snappy", other_codec, "codec 7, which Kafka does not have"),
    ],
)
def test_a_damaged_batch(
    client: str,
    codec: str,
    change: Change,
    told: str,
    apache_kafka: Any,
    read: Any,
    ledger: Any,
    native: Callable[..., bytes],
    eventually: Any,
    states: list[str],
) -> None:
    """It is named, nothing is skipped or doubled, others go on; what the sentence advises brings what is behind it."""
    topic = apache_kafka.topic(2)
    mixed(apache_kafka, topic, codec, native)
    behind = damage(apache_kafka.data, topic, 50, change)
    reading = read(apache_kafka, ledger, topic, client=client)
    eventually(lambda: reading.state == "unreadable_batch", "the batch is named")
    assert reading.detail.startswith(f"{topic}[0]: ")
    assert told in reading.detail
    eventually(lambda: ledger.next.get((topic, 0)) == 50, "what precedes it is stored")
    named = len(states)
    apache_kafka.produce(topic, [native(n) for n in range(50)], partition=1)
    eventually(lambda: ledger.next.get((topic, 1)) == 50, "the other partition goes on")
    assert states[named:] == []
    assert ledger.next[topic, 0] == 50
    apache_kafka.delete_records(topic, 0, behind)
    eventually(lambda: ledger.next.get((topic, 0)) == 200, "what is behind it is read")
    assert [r.reason for r in ledger.rejects] == ["offsets_lost"]
    assert len(set(ledger.places)) == len(ledger.places) == 250 - (behind - 50)
    eventually(lambda: "unreadable_batch" not in (reading.state, *reading.source._board._conditions), "it is over")


@pytest.mark.kafka
@CLIENTS
def test_a_large_message(
    client: str, apache_kafka: Any, read: Any, ledger: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """A message above what one fetch is asked for is read like any other."""
    topic = apache_kafka.topic(max_message_bytes="9000000")
    apache_kafka.produce(topic, [native(1).ljust(8_000_000), native(2)], max_request_size=9_000_000)
    read(apache_kafka, ledger, topic, client=client)
    eventually(lambda: ledger.next.get((topic, 0)) == 2, "both messages")


@pytest.mark.parametrize(("magic", "codec"), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)])
def test_the_formats_of_old_brokers(magic: int, codec: int) -> None:
    """Brokers before 4.0 hand out what was stored in the formats of 0.8 and 0.10, framed snappy among it."""
    builder = MemoryRecordsBuilder(magic=magic, compression_type=codec, batch_size=1 << 16)
    for n in range(20):
        builder.append(timestamp=1_000 + n, key=None, value=b"%d" % n)
    builder.close()
    read = [record.value for batch in MemoryRecords(builder.buffer()) for record in batch]
    assert read == [b"%d" % n for n in range(20)]
