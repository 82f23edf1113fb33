"""Records leave another program without its waiting for them, and what does not arrive is told."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from undertow_collectors.shipper import Counts, Shipper

Eventually = Callable[..., Any]


class Future:
    """Of one record, as kafka-python has it."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def add_callback(self, call: Callable[[Any], None]) -> None:
        if self._error is None:
            call(None)

    def add_errback(self, call: Callable[[Any], None]) -> None:
        if self._error is not None:
            call(self._error)


class Producer:
    """Takes records, or fails them with `error`; holds them back while `gate` is closed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[str, bytes, bytes | None]] = []
        self.error = error
        self.gate = threading.Event()
        self.gate.set()
        self.flushes = 0

    def send(self, topic: str, value: bytes, key: bytes | None = None) -> Future:
        self.gate.wait(10)
        self.sent.append((topic, value, key))
        return Future(self.error)

    def flush(self, timeout: float) -> None:
        assert timeout >= 0
        self.flushes += 1


@pytest.fixture(name="producer")
def _producer() -> Producer:
    return Producer()


def test_records_arrive_in_order_with_their_keys(producer: Producer) -> None:
    """What is put is sent to the topic, and all of it before the end."""
    shipper = Shipper("calls", lambda: producer)
    assert [shipper.put(b"%d" % n, b"key") for n in range(100)] == [True] * 100
    shipper.close()
    assert producer.sent == [("calls", b"%d" % n, b"key") for n in range(100)]
    assert shipper.counts == Counts(accepted=100, delivered=100)
    assert producer.flushes == 1


def test_nothing_begins_before_the_first_record(producer: Producer) -> None:
    """A program that logs nothing gets no thread and no connection."""
    asked: list[bool] = []
    shipper = Shipper("calls", lambda: asked.append(True) or producer)
    shipper.close()
    assert (asked, shipper.counts) == ([], Counts())


def test_a_full_buffer_drops_without_waiting(producer: Producer, eventually: Eventually, caplog: Any) -> None:
    """While the broker takes nothing, records are kept up to the limit; what is dropped is counted and told."""
    producer.gate.clear()
    shipper = Shipper("calls", lambda: producer, buffer_bytes=10)
    assert [shipper.put(b"12345") for _ in range(4)] == [True, True, False, False]
    assert shipper.counts == Counts(accepted=2, dropped=2)
    assert "topic calls: too much waits" in caplog.text
    producer.gate.set()
    eventually(lambda: shipper.counts.delivered == 2, "what was kept is sent")
    assert shipper.put(b"1234567890")
    shipper.close()
    assert "did not take 2 of 5 records" in caplog.text


def test_failures_are_counted_and_told_once(caplog: Any) -> None:
    """A record that the broker refuses costs a line in the log, not one for each; the program sees nothing."""
    shipper = Shipper("calls", lambda: Producer(KafkaTimeoutError("late")))
    for _ in range(50):
        assert shipper.put(b"x")
    shipper.close()
    assert shipper.counts == Counts(accepted=50, failed=50)
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert "KafkaTimeoutError" in told[0].getMessage()
    assert "did not take 50 of 50 records" in caplog.text


def test_a_broker_that_comes_later(producer: Producer, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """Records wait for the first connection, which is tried again."""
    monkeypatch.setattr("undertow_collectors.shipper.CONNECT_AGAIN_S", 0.0)
    tries = iter([KafkaConnectionError(), KafkaConnectionError(), None])
    come = threading.Event()

    def connect() -> Producer:
        if error := next(tries):
            raise error
        come.set()
        return producer

    shipper = Shipper("calls", connect)
    assert shipper.put(b"x")
    assert come.wait(10)
    shipper.close()
    assert producer.sent == [("calls", b"x", None)]
    assert "KafkaConnectionError" in caplog.text


def test_a_broker_that_never_comes(caplog: Any) -> None:
    """The end does not wait longer than it is told to, and says what was lost."""

    def connect() -> Producer:
        raise KafkaConnectionError

    shipper = Shipper("calls", connect)
    for _ in range(3):
        shipper.put(b"x")
    shipper.close(timeout_s=5)
    assert shipper.counts == Counts(accepted=3, failed=3)
    assert "did not take 3 of 3 records" in caplog.text


def test_records_after_the_end_are_sent_at_once(producer: Producer) -> None:
    """Other exit handlers may bring more: the caller then waits for each."""
    shipper = Shipper("calls", lambda: producer)
    shipper.put(b"1")
    shipper.close()
    assert shipper.put(b"2")
    assert [value for _, value, _ in producer.sent] == [b"1", b"2"]
    assert shipper.counts == Counts(accepted=2, delivered=2)


def test_a_producer_that_raises_costs_one_record(producer: Producer) -> None:
    """An error of the library itself, a record that is too large say, is a failure like others."""

    def send(*_: Any, **__: Any) -> Future:
        raise ValueError

    producer.send = send  # type: ignore[method-assign]
    shipper = Shipper("calls", lambda: producer)
    shipper.put(b"x")
    shipper.close()
    assert shipper.counts == Counts(accepted=1, failed=1)


def test_through_a_broker(mock_kafka: Any, eventually: Eventually) -> None:
    """With kafka-python itself, and a broker that is away when the program ends and back before its time is up."""
    from kafka import KafkaProducer

    topic = mock_kafka.topic()
    shipper = Shipper(topic, lambda: KafkaProducer(**mock_kafka.options, acks="all"))
    shipper.put(b"first")
    eventually(lambda: shipper.counts.delivered == 1, "the first is delivered")
    mock_kafka.down()
    for _ in range(10):
        shipper.put(b"more")
    back = threading.Timer(0.5, mock_kafka.up)
    back.start()
    shipper.close(timeout_s=20)
    back.join()
    assert shipper.counts == Counts(accepted=11, delivered=11)
