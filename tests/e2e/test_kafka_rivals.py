"""Others in the consumer group of a monitor, by whichever protocol, are seen and named; a group of its own is not."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest

from undertow.cli import main
from undertow_collectors import kafka_python, rivals, session

pytestmark = pytest.mark.kafka

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.5)
    monkeypatch.setattr(kafka_python, "REQUEST_MS", 1_000)


class Rival:
    """Another consumer, of no database of ours, that polls in a thread of its own."""

    def __init__(self, bootstrap: str, group: str, topics: list[str], **options: str) -> None:
        given = {"bootstrap.servers": bootstrap, "group.id": group, "client.id": "rival", "log_level": "0"}
        self._consumer = confluent_kafka.Consumer(given | {key.replace("_", "."): v for key, v in options.items()})
        self._consumer.subscribe(topics)
        self.holds = 0
        self._asked: list[list[int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._consumer.poll(0.1)
            held = self._consumer.assignment()  # not asked by another thread, or it may wait for this one for ever
            self.holds = len(held)
            for asked in self._asked:
                asked[:] = [tp.offset for tp in self._consumer.committed(held, timeout=10)]
        self._consumer.close()

    def ask(self) -> list[int]:
        """The committed offset of each partition that it holds, once they are there."""
        self._asked.append([])
        return self._asked[-1]

    def stop(self) -> None:
        """Leave."""
        self._stop.set()
        self._thread.join(10)


@pytest.fixture(name="rival")
def _rival(apache_kafka: Any) -> Iterator[Callable[..., Rival]]:
    there: list[Rival] = []

    def join(group: str, *topics: str, **options: str) -> Rival:
        there.append(Rival(apache_kafka.bootstrap, group, list(topics), **options))
        return there[-1]

    yield join
    for one in there:
        one.stop()


@CLIENTS
@pytest.mark.parametrize("first", ["monitor", "rival"])
def test_a_rival_by_the_new_protocol(
    client: str, first: str, apache_kafka: Any, read: Any, ledger: Any, rival: Any, eventually: Any
) -> None:
    """The rival is named with its protocol and what it holds, whoever came first; when it leaves, all is read again."""
    topic = apache_kafka.topic(4)
    if first == "rival":
        other = rival(topic, topic, group_protocol="consumer")
        eventually(lambda: other.holds == 4, "the rival has everything")
    reading = read(apache_kafka, ledger, topic, client=client)
    eventually(lambda: reading.source.status().partitions, "the monitor reads")
    if first == "monitor":
        other = rival(topic, topic, group_protocol="consumer")
    eventually(lambda: other.holds == 2, "the rival has half of the partitions")
    eventually(lambda: "by the consumer group protocol" in reading.detail, "the rival is named")
    assert reading.state == "group_conflict"
    assert "rival at 127.0.0.1 (holds " in reading.detail
    assert "so only a part of the traffic arrives here" in reading.detail
    other.stop()
    eventually(lambda: reading.state == "running" and len(reading.source.status().partitions) == 4, "alone again")


@CLIENTS
def test_a_rival_with_another_assignor(
    client: str, apache_kafka: Any, read: Any, ledger: Any, native: Any, rival: Any, eventually: Any
) -> None:
    """A group that does not take us is no broker that is away: who is in it is named until it has gone."""
    topic = apache_kafka.topic(2)
    apache_kafka.produce(topic, [native(1)])
    other = rival(topic, topic, partition_assignment_strategy="cooperative-sticky")
    eventually(lambda: other.holds == 2, "the rival has everything")
    reading = read(apache_kafka, ledger, topic, client=client)
    eventually(lambda: reading.state == "group_conflict" and "rival at 127.0.0.1" in reading.detail, "it is named")
    assert "another protocol or assignor" in reading.detail
    other.stop()
    eventually(lambda: reading.state == "running" and ledger.places, "alone")


@CLIENTS
def test_a_rival_with_another_topic(
    client: str, apache_kafka: Any, read: Any, ledger: Any, rival: Any, eventually: Any
) -> None:
    """Sharing a group is told where nothing is taken from us either, but not as if it were."""
    topic, elsewhere = apache_kafka.topic(2), apache_kafka.topic(1)
    reading = read(apache_kafka, ledger, topic, client=client)
    eventually(lambda: reading.state == "running", "the monitor alone")
    rival(topic, elsewhere, partition_assignment_strategy="range")
    eventually(lambda: f"(holds {elsewhere}[0])" in reading.detail, "the rival is named")
    eventually(lambda: "interrupts reading here" in reading.detail, "it takes nothing")
    assert "only a part" not in reading.detail


@pytest.mark.parametrize("hidden", [True, False], ids=["unnamed", "alone"])
@CLIENTS
def test_a_rival_that_the_broker_does_not_name(
    client: str,
    hidden: bool,
    apache_kafka: Any,
    read: Any,
    ledger: Any,
    rival: Any,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where we may not look into the group, partitions that are with nobody we know tell; with all ours nothing is."""
    monkeypatch.setattr(rivals, "REJOIN_S", 1.0)
    monkeypatch.setattr(rivals, "UNSEEN_S", 3.0)
    for module in ("kafka_python.KafkaPythonClient", "confluent.ConfluentClient"):
        monkeypatch.setattr(f"undertow_collectors.{module}._others", lambda _: iter(()))
    topic = apache_kafka.topic(4)
    looks: list[bool] = []
    conflict = rivals.Rivals.conflict
    monkeypatch.setattr(
        rivals.Rivals, "conflict", lambda *args, **kwargs: looks.append(bool(told := conflict(*args, **kwargs))) or told
    )
    reading = read(apache_kafka, ledger, topic, client=client)
    eventually(lambda: reading.state == "running" and reading.source.status().partitions, "the monitor reads")
    if hidden:
        other = rival(topic, topic, group_protocol="consumer")
        eventually(lambda: other.holds == 2, "the rival has half")
        eventually(lambda: reading.state == "group_conflict", "that something is missing is told")
        assert "2 of 4 partitions are read by another member of kafka.group_id" in reading.detail
    else:
        seen = len(looks)
        eventually(lambda: len(looks) > seen + 12, "a dozen looks")
        assert not any(looks)


@CLIENTS
def test_a_group_of_its_own(
    client: str,
    apache_kafka: Any,
    read: Any,
    ledger: Any,
    native: Any,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two topics, a topic that grows and the rebalances of it: no conflict is told at any time."""
    conflicts: list[str] = []
    conflict = rivals.Rivals.conflict
    monkeypatch.setattr(
        rivals.Rivals, "conflict", lambda *args, **kwargs: conflicts.append(conflict(*args, **kwargs)) or conflicts[-1]
    )
    topic, second = apache_kafka.topic(2), apache_kafka.topic(3)
    reading = read(apache_kafka, ledger, topic, second, client=client)
    eventually(lambda: len(reading.source.status().partitions) == 5, "all partitions")
    apache_kafka.grow(topic, 4)
    eventually(lambda: len(reading.source.status().partitions) == 7, "the new partitions too")
    apache_kafka.produce(topic, [native(1)], partition=3)
    eventually(lambda: len(ledger.places) == 1, "a message of a new partition")
    assert set(conflicts) == {""}


@CLIENTS
def test_a_topic_that_was_added_before_a_restart(
    client: str,
    apache_kafka: Any,
    read: Any,
    ledger: Any,
    native: Any,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A static member is given what it had before; the partitions of another topic are asked for, not waited for."""
    monkeypatch.setattr(rivals, "REJOIN_S", 1.0)
    topic, added = apache_kafka.topic(2), apache_kafka.topic()
    apache_kafka.produce(added, [native(1)])
    before = read(apache_kafka, ledger, topic, client=client, instance="undertow-grows")
    eventually(lambda: before.source.status().partitions, "the first topic")
    before.stop()
    after = read(apache_kafka, ledger, topic, added, client=client, instance="undertow-grows", group_id=topic)
    eventually(lambda: len(ledger.places) == 1, "the added topic is read")
    assert after.state == "running"


@CLIENTS
def test_the_doctor_names_a_rival_and_joins_nothing(
    client: str,
    apache_kafka: Any,
    native: Any,
    rival: Any,
    eventually: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The rival keeps all of its partitions while a batch is read, and no offset is committed."""
    topic = apache_kafka.topic(4)
    apache_kafka.produce(topic, [native(1)], partition=2, compression_type="snappy")
    other = rival(topic, topic, group_protocol="consumer", enable_auto_commit="false")
    eventually(lambda: other.holds == 4, "the rival has everything")
    monkeypatch.chdir(tmp_path)
    settings = {"BOOTSTRAP_SERVERS": apache_kafka.bootstrap, "TOPICS": topic, "GROUP_ID": topic, "CLIENT": client}
    for key, value in settings.items():
        monkeypatch.setenv(f"UNDERTOW_KAFKA__{key}", value)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"ok   topic         {topic} is readable; its newest batch ends with 1 span (native)" in lines
    group = next(line for line in lines if line.startswith("note group"))
    assert "rival at 127.0.0.1 (holds " in group
    assert "by the consumer group protocol" in group
    assert other.holds == 4
    asked = other.ask()
    eventually(lambda: len(asked) == 4, "the committed offsets")
    assert all(offset < 0 for offset in asked)
