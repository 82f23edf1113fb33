"""A topic that is deleted and created again, on the broker inside librdkafka: by its id, and by a message of it.

confluent-kafka is given topic ids there; kafka-python speaks an older protocol with it, which has none.
"""

from collections.abc import Callable
from typing import Any

import pytest
from kafka.errors import LogTruncationError

from undertow.store import Store
from undertow_collectors import confluent, kafka, kafka_python, session
from undertow_collectors.client import UnavailableError
from undertow_collectors.identity import Identity

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
WHEN = pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long as in earnest."""
    monkeypatch.setattr(session, "LOOK_S", 0.3)
    monkeypatch.setattr(session, "REBALANCE_S", 3.0)
    monkeypatch.setattr(kafka, "RETRY_S", 0.1)
    monkeypatch.setattr(kafka_python, "REQUEST_MS", 1_000)
    monkeypatch.setattr(confluent, "REQUEST_S", 1.0)
    monkeypatch.setattr(kafka_python, "DYNAMIC", {"session_timeout_ms": 1_500, "heartbeat_interval_ms": 300})
    monkeypatch.setattr(confluent, "DYNAMIC", {"session.timeout.ms": 1_500, "heartbeat.interval.ms": 300})


def replaced(broker: Any, read: Any, store: Store, native: Any, eventually: Any, client: str, running: bool) -> str:
    """A topic of 100 messages is read, and then another of its name with 300; returns the name."""
    topic = broker.topic()
    broker.produce(topic, [native(n) for n in range(100)])
    reading = read(broker, store, topic, client=client)
    eventually(lambda: any(at[0].mark for at in store.positions(topic).values()), "a message to recognise it by")
    eventually(lambda: store.offsets(topic) == {0: 100}, "the first topic")
    if not running:
        reading.stop()
    broker.delete(topic)
    broker.topic(name=topic)
    broker.produce(topic, [native(n) for n in range(1_000, 1_300)])
    if not running:
        read(broker, store, topic, client=client)
    return topic


@CLIENTS
@WHEN
def test_a_recreated_topic_is_read_from_its_start(
    client: str, running: bool, mock_kafka: Any, read: Any, native: Callable[..., bytes], eventually: Any
) -> None:
    """Running or stopped, none of its messages is missed, and it is on record."""
    with Store.open(None) as store:
        topic = replaced(mock_kafka, read, store, native, eventually, client, running)
        eventually(lambda: store.ingestion()["totals"]["stored"] == 400, "every message of both")
        assert topic in store.rejects("topic_replaced")[0]["detail"]


@CLIENTS
def test_without_the_comparison_messages_are_lost(
    client: str,
    mock_kafka: Any,
    read: Any,
    native: Callable[..., bytes],
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The negative control: where every topic is taken for the same, the first hundred are never read."""
    monkeypatch.setattr(Identity, "differs", lambda *_: False)
    monkeypatch.setattr(Identity, "is_certain", False)
    monkeypatch.setattr(session.Topics, "_verdict", lambda *_: "stands")
    with Store.open(None) as store:
        topic = replaced(mock_kafka, read, store, native, eventually, client, running=False)
        eventually(lambda: store.offsets(topic) == {0: 300}, "the end of the second topic")
        assert store.ingestion()["totals"]["stored"] == 300


class Truncated:
    """A consumer whose log was cut before its position, as by a topic that was created again."""

    def position(self, *_: object, **__: object) -> int:
        raise LogTruncationError({})


def test_a_log_that_was_cut_ends_the_session_alone() -> None:
    """kafka-python tells it of the next call, whichever that is; the source connects anew, and goes on."""
    client = kafka_python.KafkaPythonClient.__new__(kafka_python.KafkaPythonClient)
    client._consumer, client._veil = Truncated(), str
    with pytest.raises(UnavailableError, match="LogTruncationError"):
        client.at_end(("t", 0))
