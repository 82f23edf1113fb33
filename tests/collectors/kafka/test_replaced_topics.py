"""A topic that is deleted and created again, on brokers made of lists, into a real store: nothing lost or doubled."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pytest
from tests.killing import Killed, killing

from undertow.batch import Decoded, Message, Origin, Reject
from undertow.clock import ManualClock
from undertow.config import KafkaConfig
from undertow.span import Span
from undertow.store import Store
from undertow_collectors import kafka, session
from undertow_collectors.client import OutOfRangeError, Partition, Rebalance, ReplacedError, View
from undertow_collectors.identity import Identity
from undertow_collectors.kafka import KafkaSource
from undertow_collectors.pump import singly
from undertow_collectors.session import Session
from undertow_collectors.source import Board
from undertow_collectors.topics import Topics

T0 = 1_767_600_000.0
IDS = pytest.mark.parametrize("gives_ids", [True, False], ids=["ids", "no-ids"])


class Broker:
    """A cluster with the topic `t`, whose partitions are lists of names; every ninth message is no span."""

    def __init__(self, gives_ids: bool = True) -> None:
        self.gives_ids = gives_ids
        self.cluster, self.number = "c", 0
        self.logs: dict[Partition, list[str]] = {}
        self.first = 0
        self.assigned: dict[Partition, None] = {}
        """What a static member keeps until it leaves."""

    def create(self, *sizes: int) -> None:
        """The topic anew, with so many messages in each partition."""
        self.number, self.first = self.number + 1, 0
        self.logs = {
            ("t", p): [f"{self.cluster}{self.number}-{p}-{n}" for n in range(size)] for p, size in enumerate(sizes)
        }

    @property
    def identity(self) -> Identity:
        return Identity(self.cluster, f"t{self.number}" if self.gives_ids else "")

    def names(self, partition: int | None = None) -> set[str]:
        """What is in the topic now."""
        return {name for (_, p), log in self.logs.items() if partition in (None, p) for name in log}

    def message(self, partition: Partition, offset: int) -> Message:
        return Message(Origin(*partition, offset), self.logs[partition][offset].encode(), T0 + self.number)


class Connection:
    """A client that goes on reading by offset, whatever becomes of the topic, as both libraries do."""

    def __init__(self, broker: Broker, limit: int = 60) -> None:
        self.broker, self.limit = broker, limit
        self.at: dict[Partition, int] = {}

    def join(self, rebalance: Rebalance) -> None:
        self.broker.assigned = self.broker.assigned or dict.fromkeys(self.broker.logs)
        rebalance.assigned(list(self.broker.assigned))

    def poll(self, timeout_s: float) -> list[Message]:  # noqa: ARG002
        messages: list[Message] = []
        for partition, at in self.at.items():
            end = len(self.broker.logs.get(partition, ()))
            if at > end and partition in self.broker.logs:
                raise OutOfRangeError({partition: at})
            messages += [self.broker.message(partition, n) for n in range(at, min(end, at + self.limit))]
            self.at[partition] = max(at, min(end, at + self.limit))
        return messages

    def seek(self, positions: Mapping[Partition, int]) -> None:
        self.at |= positions

    def pause(self, partitions: Collection[Partition]) -> None:
        pass

    def resume(self, partitions: Collection[Partition]) -> None:
        pass

    def at_end(self, partition: Partition) -> bool:
        return self.at[partition] >= len(self.broker.logs.get(partition, ()))

    def ranges(self, partitions: Collection[Partition]) -> dict[Partition, tuple[int, int]]:
        return {p: (self.broker.first, len(self.broker.logs.get(p, ()))) for p in partitions}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        pass

    def identify(self, topics: Collection[str]) -> dict[str, Identity]:
        return dict.fromkeys(topics, self.broker.identity) if self.broker.logs else {}

    def message_at(self, partition: Partition, offset: int) -> Message | None:
        there = self.broker.first <= offset < len(self.broker.logs[partition])
        return self.broker.message(partition, offset) if there else None

    def look(self, partitions: Collection[Partition]) -> View:
        return View({p: len(self.broker.logs.get(p, ())) for p in partitions})

    def leave(self) -> None:
        self.broker.assigned = {}

    def close(self) -> None:
        pass


def decode(message: Message) -> Decoded:
    """A span that is called as the message says, or a reject of that name."""
    name = message.value.decode()
    if name.endswith("8"):
        return Decoded("native", rejects=[Reject("invalid_json", name)])
    return Decoded("native", [Span(span_id=name, started_at=T0, provider="p", model="m")])


class Reader:
    """Sessions one after the other, as KafkaSource makes them, on a clock that moves a second a turn."""

    def __init__(self, broker: Broker, store: Store, start: str = "earliest") -> None:
        self.broker, self.store, self.start = broker, store, start
        self.board, self.clock = Board(), ManualClock(T0)
        self.told: list[str] = []
        self.session: Session | None = None

    def turn(self, count: int = 1) -> "Reader":
        """Some rounds, each with its commit awaited; a session that ends is followed by another."""
        for _ in range(count):
            try:
                if self.session is None:
                    self.session = self._begun()
                self.session.turn()
                self.session._writer.wait()
            except ReplacedError:
                if self.session:
                    self.session.leave()
                self.session = None
            if self.board.told()[0] == "topic_replaced" and self.board.told()[1] not in self.told:
                self.told.append(self.board.told()[1])
            self.clock.advance(1.0)
        return self

    def stop(self) -> None:
        if self.session:
            self.session.close()
        self.session = None

    def _begun(self) -> Session:
        client, earliest = Connection(self.broker), self.start == "earliest"
        begun = Session(
            client, self.store, self.board, singly(decode), "u", clock=self.clock, lateness_s=60.0, from_start=earliest
        )
        begun.join()
        return begun


@pytest.fixture(name="store")
def _store() -> Iterator[Store]:
    with Store.open(None, clock=None) as store:
        yield store


def stored(store: Store) -> list[str]:
    """The names of everything that was stored or rejected, as often as it was."""
    with store._read() as con:
        spans = [name for (name,) in con.execute("SELECT span_id FROM spans").fetchall()]
    rejects = [row["detail"] for row in store.rejects(limit=1_000) if row["reason"] == "invalid_json"]
    return spans + rejects


def read_and_recreate(
    store: Store, broker: Broker, before: Any, after: Any, *, running: bool, **options: Any
) -> Reader:
    """Read a topic of the sizes `before`, then one of the sizes `after` under the same name."""
    broker.create(*before)
    reader = Reader(broker, store, **options).turn(4)
    if not running:
        reader.turn(2).stop()
    broker.create(*after)
    return reader.turn(16)


SIZES = [
    ("more messages", (100,), (300,)),
    ("as many messages", (100,), (100,)),
    ("fewer messages", (100,), (50,)),
    ("no message", (100,), (0,)),
    ("more partitions", (60, 40), (90, 90, 90)),
    ("fewer partitions", (60, 40), (150,)),
    ("some longer, some shorter", (60, 40), (10, 200)),
]


@IDS
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize(("case", "before", "after"), SIZES)
def test_a_recreated_topic_is_read_from_its_start(
    case: str, before: Any, after: Any, running: bool, gives_ids: bool, store: Store
) -> None:
    """Whatever its size, by ids or without, under a running reader or a stopped one: every message once, and told."""
    broker = Broker(gives_ids)
    reader = read_and_recreate(store, broker, before, after, running=running)
    found = [name for name in stored(store) if name in broker.names()]
    assert set(found) == broker.names(), case
    spans = [name for name in found if not name.endswith("8")]
    assert len(spans) == len(set(spans))
    assert len(reader.told) == 1
    assert "t was deleted and created again" in reader.told[0]
    assert [row["reason"] for row in store.rejects("topic_replaced")] == ["topic_replaced"]
    if gives_ids or not running:  # without ids it is found out a few seconds late, when rejects were read already
        assert len(found) == len(set(found))
        read = [sum(at.next_offset for at in kept.values()) for kept in store.positions("t").values()]
        assert read == [sum(before), sum(after)]


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_without_the_comparison_messages_are_lost(running: bool, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a reader that takes every topic for the same misses the first hundred."""
    broker = Broker()
    monkeypatch.setattr(Identity, "differs", lambda *_: False)
    monkeypatch.setattr(Broker, "identity", Identity("c", "t1"))
    read_and_recreate(store, broker, (100,), (300,), running=running)
    assert len(broker.names() - set(stored(store))) == 100


def test_without_the_fence_messages_are_read_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: who asks only every few seconds commits the new topic's messages as the old one's."""
    monkeypatch.setattr(Topics, "confirm", Topics.sign)
    broker = Broker()
    read_and_recreate(store, broker, (100,), (300,), running=True)
    rejects = [name for name in stored(store) if name in broker.names() and name.endswith("8")]
    assert len(rejects) > len(set(rejects))


def test_what_was_fetched_is_not_committed_as_the_new_topic(store: Store) -> None:
    """Messages in flight when the topic changes count neither as the old one's nor at offsets of the new one."""
    broker = Broker()
    broker.create(100)
    reader = Reader(broker, store).turn(4)
    broker.logs["t", 0] += ["late"] * 30
    assert reader.session
    reader.session._read()
    broker.create(300)
    reader.turn(16)
    assert "late" not in stored(store)
    assert [at[0].next_offset for at in store.positions("t").values()] == [100, 300]


def test_a_topic_that_is_gone_keeps_what_was_fetched(store: Store) -> None:
    """As long as no other has come, what was fetched is of the topic that was read, and is committed."""
    broker = Broker()
    broker.create(100)
    reader = Reader(broker, store).turn(4)
    broker.logs["t", 0] += ["late"]
    assert reader.session
    reader.session._read()
    broker.logs = {}
    reader.turn(3)
    assert "late" in stored(store)


@IDS
def test_another_cluster_under_the_same_name(gives_ids: bool, store: Store) -> None:
    """It is read from its start, and back in the first one reading goes on where it ended there."""
    first, second = Broker(gives_ids), Broker(gives_ids)
    first.create(100)
    second.cluster = "d"
    second.create(300)
    Reader(first, store).turn(6).stop()
    there = Reader(second, store).turn(10)
    there.stop()
    assert "t is that of another cluster" in there.told[0]
    assert second.names() <= set(stored(store))
    first.logs["t", 0] += ["c1-0-more"]
    back = Reader(first, store).turn(6)
    assert back.told == []
    found = stored(store)
    assert sorted(found) == sorted([*first.names(), *second.names()])
    assert store.offsets("t") == {0: 101}


@IDS
def test_a_restart_on_the_same_topic_reads_nothing_again(gives_ids: bool, store: Store) -> None:
    """The positive case, without which a reader that always begins anew would pass the others."""
    broker = Broker(gives_ids)
    broker.create(100, 50)
    for _ in range(3):
        reader = Reader(broker, store).turn(5)
        reader.stop()
        assert reader.told == []
    assert store.ingestion()["totals"]["read"] == 150
    assert len(store.positions("t")) == 1


def test_a_recreated_topic_begins_by_kafka_start(store: Store) -> None:
    """With `latest` what is in it when it is found is not read, what comes then is, also after a restart."""
    broker = Broker()
    reader = read_and_recreate(store, broker, (100,), (300,), running=False, start="latest")
    reader.stop()
    broker.logs["t", 0] += ["new"]
    Reader(broker, store, "latest").turn(5)
    assert stored(store) == ["new"]


@pytest.mark.parametrize("step", ["before_begin", "after_rows", "before_commit", "after_commit"])
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_kill_while_a_topic_is_replaced(step: str, nth: int, tmp_path: Any) -> None:
    """Identity, offsets, rows and the record of it are one transaction: every message once, told once."""
    path, broker = tmp_path / "u.duckdb", Broker()
    broker.create(100)
    with Store.open(path, clock=None) as store:
        Reader(broker, store).turn(6).stop()
    broker.create(300)
    with Store.open(path, clock=None, failpoint=killing(step, nth)) as store, pytest.raises(Killed):
        Reader(broker, store).turn(10)
    with Store.open(path, clock=None) as store:
        Reader(broker, store).turn(10).stop()
        found = [name for name in stored(store) if name in broker.names()]
        assert len(found) == len(set(found)) == 300
        assert len(store.rejects("topic_replaced")) == 1


@pytest.mark.parametrize(
    ("case", "change", "told", "read_again"),
    [
        ("the topic is the same", lambda _: None, False, False),
        ("another message stands there", lambda broker: broker.create(300), True, True),
        ("the message is gone", lambda broker: setattr(broker, "first", 100), False, False),
        ("the topic is shorter", lambda broker: broker.create(10), True, True),
    ],
)
def test_ids_that_come_with_an_upgrade(
    case: str, change: Callable[[Broker], None], told: bool, read_again: bool, store: Store
) -> None:
    """The id found is taken for that of the topic that was read, unless a message in it says otherwise."""
    broker = Broker(gives_ids=False)
    broker.create(100)
    Reader(broker, store).turn(6).stop()
    broker.gives_ids = True
    change(broker)
    reader = Reader(broker, store).turn(10)
    reader.stop()
    assert bool(reader.told) is told, case
    assert (broker.names() <= set(stored(store))) if read_again else (store.ingestion()["totals"]["read"] == 100)
    assert list(store.positions("t"))[-1] == str(broker.identity)


def test_the_source_connects_anew_by_itself(store: Store, monkeypatch: pytest.MonkeyPatch, eventually: Any) -> None:
    """KafkaSource ends the session of a topic that was replaced, and reads the new one with a new client."""
    monkeypatch.setattr(kafka, "RETRY_S", 0.0)
    monkeypatch.setattr(session, "LINGER_S", 0.01)
    broker, stop, made = Broker(), threading.Event(), []
    broker.create(100)

    def connect(*_: object) -> Connection:
        made.append(Connection(broker))
        return made[-1]

    source = KafkaSource(KafkaConfig(topics=["t"]), singly(decode), "u", connect=connect)
    thread = threading.Thread(target=source.run, args=(store, stop))
    thread.start()
    try:
        eventually(lambda: store.offsets("t") == {0: 100}, "the first topic")
        broker.create(300)
        eventually(lambda: store.offsets("t") == {0: 300}, "the second topic")
    finally:
        stop.set()
        thread.join(10)
    assert broker.names() <= set(stored(store))
    assert len(made) == 3  # the last one is assigned the partitions of the new topic
