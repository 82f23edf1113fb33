"""Whatever producers compress with is read by both clients; what cannot be read is named and holds up nothing else."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import confluent_kafka
import pytest

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
        eventually(lambda: reading.source._partitions.__self__._held._holds[topic, 0].again_at, "it is tried again")
        assert states[tried:] == []
    eventually(lambda: ledger.next.get((topic, 0)) == 200 and reading.state == "running", "the library is there")
    assert len(set(ledger.places)) == len(ledger.places) == 300
