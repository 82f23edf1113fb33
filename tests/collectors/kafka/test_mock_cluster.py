"""Both client libraries against the broker inside librdkafka: the same promises, without Java."""

from collections.abc import Callable
from typing import Any

import pytest

from undertow.errors import Refused
from undertow_collectors import confluent, kafka_python, session

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long as in earnest."""
    monkeypatch.setattr(session, "LOOK_S", 0.5)
    monkeypatch.setattr(kafka_python, "REQUEST_MS", 1_000)
    monkeypatch.setattr(confluent, "REQUEST_S", 1.0)
    monkeypatch.setattr(kafka_python, "DYNAMIC", {"session_timeout_ms": 1_500, "heartbeat_interval_ms": 300})
    monkeypatch.setattr(confluent, "DYNAMIC", {"session.timeout.ms": 1_500, "heartbeat.interval.ms": 300})


@CLIENTS
def test_every_message_arrives_once(
    client: str, mock_kafka: Any, read: Callable[..., Any], ledger: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """Several partitions and two topics, a stop in between: each message once."""
    topics = [mock_kafka.topic(2), mock_kafka.topic(1)]
    for topic in topics:
        mock_kafka.produce(topic, [native(n) for n in range(200)])
    reading = read(mock_kafka, ledger, *topics, client=client)
    eventually(lambda: len(ledger.places) >= 400, "the first messages")
    reading.stop()
    mock_kafka.produce(topics[0], [native(n) for n in range(100)], partition=1)
    read(mock_kafka, ledger, *topics, client=client)
    eventually(lambda: len(ledger.places) >= 500, "the messages after the restart")
    assert len(set(ledger.places)) == len(ledger.places) == 500


@CLIENTS
def test_a_broker_that_goes_and_comes_back(
    client: str, mock_kafka: Any, read: Callable[..., Any], ledger: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """While no broker answers the state says so; when it is back, reading goes on by itself and nothing is lost."""
    topic = mock_kafka.topic()
    mock_kafka.produce(topic, [native(n) for n in range(50)])
    reading = read(mock_kafka, ledger, topic, client=client)
    eventually(lambda: len(ledger.places) == 50, "the first messages")
    mock_kafka.down()
    eventually(lambda: reading.state == "broker_unavailable", "a broker that is away is named")
    mock_kafka.up()
    mock_kafka.produce(topic, [native(n) for n in range(50)])
    eventually(lambda: reading.state == "running" and len(ledger.places) == 100, "recovery")
    assert len(set(ledger.places)) == 100


@CLIENTS
def test_no_broker_at_the_start(
    client: str, mock_kafka: Any, read: Callable[..., Any], ledger: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """A source may start before its broker does."""
    topic = mock_kafka.topic()
    mock_kafka.produce(topic, [native(1)])
    mock_kafka.down()
    reading = read(mock_kafka, ledger, topic, client=client)
    eventually(lambda: reading.state == "broker_unavailable", "a missing broker is named")
    mock_kafka.up()
    eventually(lambda: len(ledger.places) == 1, "the message once the broker is there")


@CLIENTS
def test_a_topic_that_is_shorter_than_what_was_read(
    client: str, mock_kafka: Any, read: Callable[..., Any], ledger: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """The store is ahead of the log, so it is another one: named, put on record, and read from the start."""
    topic = mock_kafka.topic()
    mock_kafka.produce(topic, [native(n) for n in range(10)])
    ledger.next[topic, 0] = 500
    reading = read(mock_kafka, ledger, topic, client=client)
    eventually(lambda: len(ledger.places) == 10, "the messages that are there")
    assert reading.state == "topic_replaced"
    assert [r.reason for r in ledger.rejects] == ["topic_replaced"]
    assert ledger.next[topic, 0] == 10


class Refusing:
    """A sink that refuses its first batches."""

    def __init__(self, ledger: Any, errors: list[Exception]) -> None:
        self._ledger, self._errors = ledger, errors
        self.positions = ledger.positions

    def ingest(self, batch: Any) -> Any:
        """Take it, once all errors were raised."""
        if self._errors:
            raise self._errors[0]
        return self._ledger.ingest(batch)


@CLIENTS
def test_a_batch_that_the_store_refuses_is_read_again(
    client: str, mock_kafka: Any, read: Callable[..., Any], ledger: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """A store without memory for it is a named state with its sentence, not the end; then every message comes once."""
    topic = mock_kafka.topic()
    mock_kafka.produce(topic, [native(n) for n in range(10)])
    errors: list[Exception] = [Refused("u.duckdb: there was no memory for it")]
    reading = read(mock_kafka, Refusing(ledger, errors), topic, client=client)
    eventually(lambda: reading.state == "store_refused", "the refusal is named")
    assert reading.detail == "u.duckdb: there was no memory for it"
    errors[:] = [MemoryError()]
    eventually(lambda: "no memory" in reading.detail and "u.duckdb" not in reading.detail, "the other is named, too")
    errors.clear()
    eventually(lambda: reading.state == "running", "reading goes on")
    assert sorted(place.offset for place in ledger.places) == list(range(10))


@CLIENTS
def test_poison_stops_nothing(
    client: str, mock_kafka: Any, read: Callable[..., Any], ledger: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """What cannot be decoded is a reject with its offset, and the partition moves on."""
    topic = mock_kafka.topic()
    mock_kafka.produce(topic, [b"", b"\xff\xfe", b'{"span_id": NaN}', b"[" * 5000, native(1)])
    read(mock_kafka, ledger, topic, client=client)
    eventually(lambda: ledger.next.get((topic, 0)) == 5, "the end of the topic")
    assert len(ledger.rejects) == 4
    assert len(ledger.places) == 1


@CLIENTS
def test_partitions_that_are_paused_and_resumed(
    client: str,
    mock_kafka: Any,
    read: Callable[..., Any],
    ledger: Any,
    native: Callable[..., bytes],
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Buffers that fill and empty many times cost no message, and no partition is forgotten while it stands still."""
    monkeypatch.setattr(session, "LEAST_BUFFER", 200)
    monkeypatch.setattr(session, "BUFFER", 800)
    monkeypatch.setattr(session, "LINGER_S", 0.02)
    topic = mock_kafka.topic(4)
    for partition in range(4):
        mock_kafka.produce(topic, [native(4 * n + partition) for n in range(3_000)], partition=partition)
    read(mock_kafka, ledger, topic, client=client)
    eventually(lambda: len(ledger.places) == 12_000, "every message")
    assert len(set(ledger.places)) == 12_000
