"""What goes wrong with a real broker has a name, costs nothing silently, and passes without a restart."""

import random
import threading
from typing import Any

import pytest

from undertow_collectors import kafka_python, session

pytestmark = pytest.mark.kafka

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.5)
    monkeypatch.setattr(kafka_python, "REQUEST_MS", 1_000)


@CLIENTS
def test_a_topic_that_appears_later(
    client: str, apache_kafka: Any, read: Any, ledger: Any, native: Any, eventually: Any
) -> None:
    """A missing topic is named and not created by asking for it; once it is there it is read from its start."""
    there, later = apache_kafka.topic(), f"later-{random.randrange(10**9)}"
    apache_kafka.produce(there, [native(1)])
    reading = read(apache_kafka, ledger, there, later, client=client)
    eventually(lambda: reading.state == "topic_missing" and len(ledger.places) == 1, "a missing topic is named")
    assert later in reading.detail
    assert not apache_kafka.has_topic(later)
    apache_kafka.topic(2, name=later)
    apache_kafka.produce(later, [native(n) for n in range(2, 12)])
    eventually(lambda: reading.state == "running" and len(ledger.places) == 11, "the new topic is read")


@CLIENTS
def test_retention_ran_past_us(
    client: str, apache_kafka: Any, read: Any, ledger: Any, native: Any, eventually: Any
) -> None:
    """Messages deleted while nobody read are counted in one reject, and the rest is read."""
    topic = apache_kafka.topic()
    apache_kafka.produce(topic, [native(n) for n in range(100)])
    ledger.next[topic, 0] = 10
    apache_kafka.delete_records(topic, 0, 60)
    reading = read(apache_kafka, ledger, topic, client=client)
    eventually(lambda: len(ledger.places) == 40, "what is left is read")
    assert reading.state == "offset_out_of_range"
    assert [r.reason for r in ledger.rejects] == ["offsets_lost"]
    assert ledger.rejects[0].detail.startswith(f"50 messages of {topic}[0] were deleted")


@CLIENTS
def test_retention_runs_past_a_running_reader(
    client: str, apache_kafka: Any, read: Any, ledger: Any, native: Any, eventually: Any, monkeypatch: Any
) -> None:
    """The same for a reader that is held up: the gap is on record between what came before and after."""
    monkeypatch.setattr(session, "LEAST_BUFFER", 20)
    monkeypatch.setattr(session, "BUFFER", 20)
    topic, held, gate, ingest = apache_kafka.topic(), threading.Event(), threading.Event(), ledger.ingest
    monkeypatch.setattr(ledger, "ingest", lambda batch: held.set() or (gate.wait(30) and ingest(batch)))
    apache_kafka.produce(topic, [native(n) for n in range(3)])
    read(apache_kafka, ledger, topic, client=client, instance="undertow-held")
    eventually(held.is_set, "the first batch is held up")
    apache_kafka.produce(topic, [native(n).ljust(4_000) for n in range(5_000)])  # one poll brings at most 2,000
    apache_kafka.delete_records(topic, 0, 4_900)
    gate.set()
    eventually(lambda: ledger.next.get((topic, 0)) == 5_003, "the end of the topic")
    offsets = [offset for *_, offset in ledger.places]
    assert offsets == sorted(set(offsets))
    assert [int(r.detail.split()[0]) for r in ledger.rejects] == [5_003 - len(offsets)]
    assert len(offsets) <= 3 + 2_000 + 103


@CLIENTS
def test_a_second_database_in_the_group(
    client: str, apache_kafka: Any, read: Any, ledger: Any, native: Any, eventually: Any, make_ledger: Any
) -> None:
    """Both name each other, for each sees a part of the traffic; when one leaves the other recovers."""
    topic = apache_kafka.topic(2)
    apache_kafka.produce(topic, [native(1)])
    first = read(apache_kafka, ledger, topic, client=client, instance="undertow-one")
    eventually(lambda: first.state == "running" and ledger.places, "the first alone")
    second = read(apache_kafka, make_ledger(), topic, client=client, instance="undertow-two")
    eventually(lambda: first.state == second.state == "group_conflict", "both see a conflict")
    assert "undertow-two" in first.detail
    assert "undertow-one" in second.detail
    second.stop()
    apache_kafka.forget_member(topic, "undertow-two")
    eventually(lambda: first.state == "running", "the first alone again")


@CLIENTS
def test_a_copy_of_the_database(
    client: str, apache_kafka: Any, read: Any, ledger: Any, native: Any, eventually: Any, make_ledger: Any
) -> None:
    """The first of two processes with one identity stands back, says so, and takes over when the other is gone."""
    topic = apache_kafka.topic()
    apache_kafka.produce(topic, [native(1)])
    first = read(apache_kafka, ledger, topic, client=client, instance="undertow-copied")
    eventually(lambda: ledger.places, "the first alone")
    copy = read(apache_kafka, make_ledger(), topic, client=client, instance="undertow-copied")
    apache_kafka.produce(topic, [native(2)])
    eventually(lambda: first.state == "group_conflict", "the first is fenced")
    assert "copy of this database" in first.detail
    eventually(lambda: copy.state == "running", "the copy reads")
    copy.stop()
    apache_kafka.forget_member(topic, "undertow-copied")
    apache_kafka.produce(topic, [native(3)])
    eventually(lambda: first.state == "running" and len(ledger.places) == 3, "the first reads everything")


@CLIENTS
def test_members_that_come_and_go(
    client: str, apache_kafka: Any, read: Any, ledger: Any, native: Any, eventually: Any
) -> None:
    """Readers of one store that join and leave while messages arrive: each message once, in order in its partition."""
    topic, count = apache_kafka.topic(4), 4_000
    sending = threading.Thread(
        target=lambda: [
            apache_kafka.produce(topic, [native(n) for n in range(200)], partition=n % 4) for n in range(count // 200)
        ]
    )
    sending.start()
    stays = read(apache_kafka, ledger, topic, client=client)
    for _ in range(3):
        guest = read(apache_kafka, ledger, topic, client=client, api_version="2.4" if client == "kafka-python" else "2")
        eventually(lambda guest=guest: guest.source.status().partitions, "a guest has partitions")
        guest.stop()
    sending.join()
    eventually(lambda: sum(ledger.offsets(topic).values()) == count, "the end of the topic")
    stays.stop()
    assert len(set(ledger.places)) == len(ledger.places) == count


@CLIENTS
def test_transactions(client: str, apache_kafka: Any, read: Any, ledger: Any, native: Any, eventually: Any) -> None:
    """What a producer took back is not read, and the markers it leaves hold nobody back."""
    topic = apache_kafka.topic(2)
    with apache_kafka.producer(transactional_id=f"tx-{topic}") as producer:
        producer.init_transactions()
        for n, end in enumerate([producer.commit_transaction, producer.abort_transaction] * 2):
            producer.begin_transaction()
            producer.send(topic, native(n), partition=0)
            end()
    apache_kafka.produce(topic, [native(n, 1.8e9) for n in range(10)], partition=1)
    read(apache_kafka, ledger, topic, client=client)
    eventually(lambda: len(ledger.places) == 12, "what was committed", deadline_s=20.0)


def test_a_broker_that_is_killed(apache_kafka: Any, read: Any, ledger: Any, native: Any, eventually: Any) -> None:
    """SIGKILL of the broker is named; after its restart reading goes on within ten seconds, nothing lost or doubled."""
    topic = apache_kafka.topic(3)
    apache_kafka.produce(topic, [native(n) for n in range(500)], partition=1)
    readings = [read(apache_kafka, ledger, topic)]
    eventually(lambda: len(ledger.places) == 500, "before the crash")
    apache_kafka.stop()
    eventually(lambda: readings[0].state == "broker_unavailable", "the crash is named")
    apache_kafka.start()
    apache_kafka.produce(topic, [native(n) for n in range(500, 700)], partition=2)
    eventually(lambda: readings[0].state == "running" and len(ledger.places) == 700, "after the crash", deadline_s=10.0)
    assert len(set(ledger.places)) == 700
