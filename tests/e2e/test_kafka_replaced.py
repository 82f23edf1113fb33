"""A topic of a real broker that is deleted and created again while it is read, or between two runs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from undertow.store import Store
from undertow_collectors import kafka_python, session
from undertow_collectors.identity import Identity

pytestmark = pytest.mark.kafka

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
WHEN = pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
POISON = b"{"
"""A reject has no id by which a second delivery would be recognised; every tenth message is one."""


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.5)
    monkeypatch.setattr(session, "REBALANCE_S", 3.0)
    monkeypatch.setattr(kafka_python, "REQUEST_MS", 1_000)


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "u.duckdb") as store:
        yield store


def messages(native: Callable[..., bytes], first: int, count: int) -> list[bytes]:
    """So many, every tenth of which is no span."""
    return [POISON if n % 10 == 9 else native(n) for n in range(first, first + count)]


def totals(store: Store) -> tuple[int, int, int]:
    """Stored, recognised as delivered before, rejected."""
    found = store.ingestion()["totals"]
    return found["stored"], found["duplicates"], found["rejected"]


def recreate(broker: Any, topic: str, partitions: int, values: list[bytes]) -> None:
    """The topic anew, with `values` in turn in its partitions."""
    broker.delete(topic)
    broker.topic(partitions, name=topic)
    for partition in range(partitions):
        broker.produce(topic, values[partition::partitions], partition=partition)


@CLIENTS
@WHEN
@pytest.mark.parametrize(("count", "partitions"), [(3_000, 1), (500, 1), (3_000, 3)])
def test_a_recreated_topic(
    client: str,
    running: bool,
    count: int,
    partitions: int,
    apache_kafka: Any,
    read: Any,
    store: Store,
    native: Any,
    eventually: Any,
) -> None:
    """With more messages than were read, fewer, or more partitions: none is lost, none comes twice, and it is told."""
    topic = apache_kafka.topic()
    apache_kafka.produce(topic, messages(native, 0, 1_000))
    reading = read(apache_kafka, store, topic, client=client, instance="undertow-replaced")
    eventually(lambda: store.offsets(topic) == {0: 1_000}, "the first topic is read")
    if not running:
        reading.stop()
    recreate(apache_kafka, topic, partitions, messages(native, 10_000, count))
    if not running:
        reading = read(apache_kafka, store, topic, client=client, instance="undertow-replaced")
    eventually(lambda: totals(store)[0] == 900 + count * 9 // 10, "the second topic is read")
    eventually(lambda: sum(store.offsets(topic).values()) == count, "to its end")
    assert totals(store) == (900 + count * 9 // 10, 0, 100 + count // 10 + 1)
    assert [row["detail"] for row in store.rejects("topic_replaced")] == [reading.detail]
    assert reading.state == "topic_replaced"
    former, latest = store.positions(topic).values()
    assert former[0].next_offset == 1_000
    assert len(latest) == partitions


@CLIENTS
@WHEN
def test_without_the_comparison_messages_are_lost(
    client: str,
    running: bool,
    apache_kafka: Any,
    read: Any,
    store: Store,
    native: Any,
    eventually: Any,
    monkeypatch: Any,
) -> None:
    """The negative control: where every topic is taken for the same, the first thousand messages are never read.

    A log that is seen while it is still too short would tell; so this reader waits until it is long enough.
    """
    monkeypatch.setattr(Identity, "differs", lambda *_: False)
    monkeypatch.setattr(Identity, "is_certain", False)
    monkeypatch.setattr(session.Topics, "_verdict", lambda *_: "stands")
    monkeypatch.setattr(session.Session, "_lose", lambda _self, _partition, at, *_: at)
    topic = apache_kafka.topic()
    apache_kafka.produce(topic, messages(native, 0, 1_000))
    reading = read(apache_kafka, store, topic, client=client, instance="undertow-control")
    eventually(lambda: store.offsets(topic) == {0: 1_000}, "the first topic is read")
    if not running:
        reading.stop()
    recreate(apache_kafka, topic, 1, messages(native, 10_000, 3_000))
    if not running:
        read(apache_kafka, store, topic, client=client, instance="undertow-control")
    eventually(lambda: store.offsets(topic) == {0: 3_000}, "the end of the second topic")
    assert totals(store)[0] == 900 + 1_800


def test_both_clients_give_a_topic_the_same_identity(
    apache_kafka: Any, read: Any, store: Store, eventually: Any, native: Any
) -> None:
    """A change of kafka.client is no change of the topic: reading goes on where it was."""
    topic = apache_kafka.topic()
    for number, client in enumerate(["kafka-python", "confluent-kafka", "kafka-python"], 1):
        apache_kafka.produce(topic, [native(number)])
        reading = read(apache_kafka, store, topic, client=client, instance=f"undertow-{client}")
        eventually(lambda number=number: store.offsets(topic) == {0: number}, "what is new")
        reading.stop()
        apache_kafka.forget_member(topic, f"undertow-{client}")
    assert len(store.positions(topic)) == 1
    assert totals(store) == (3, 0, 0)


@WHEN
def test_a_broker_without_topic_ids(
    running: bool, apache_kafka: Any, read: Any, store: Store, native: Any, eventually: Any
) -> None:
    """As one below 2.8: a message that was read is looked for, and what stands there instead tells."""
    topic, old = apache_kafka.topic(), {"client": "kafka-python", "api_version": "2.4"}
    apache_kafka.produce(topic, [native(n) for n in range(1_000)])
    reading = read(apache_kafka, store, topic, **old)
    eventually(lambda: any(p[0].mark for p in store.positions(topic).values()), "a message to recognise it by")
    eventually(lambda: store.offsets(topic) == {0: 1_000}, "the first topic is read")
    if not running:
        reading.stop()
    recreate(apache_kafka, topic, 1, [native(n) for n in range(10_000, 13_000)])
    if not running:
        read(apache_kafka, store, topic, **old)
    eventually(lambda: totals(store)[0] == 4_000, "the second topic is read")
