"""One membership of a group, on a client made of lists: placing, fencing, gaps, pausing, naming trouble."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from undertow.batch import Batch, Committed, Decoded, Message, Origin, Position, Reject
from undertow.clock import ManualClock
from undertow.config import KafkaConfig
from undertow.errors import StoreError
from undertow.span import Span
from undertow_collectors.client import (
    FencedError,
    GroupDeniedError,
    Member,
    OutOfRangeError,
    Partition,
    Rebalance,
    RejoinError,
    UnavailableError,
    View,
)
from undertow_collectors.identity import Identity
from undertow_collectors.kafka import KafkaSource
from undertow_collectors.pump import singly
from undertow_collectors.session import FENCED, Session
from undertow_collectors.source import Board

A, B = ("t", 0), ("t", 1)


class Topic:
    """A client whose partitions are lists of ended_at, of which `first` were deleted."""

    def __init__(self, **logs: list[float]) -> None:
        self.logs = {("t", int(name[1:])): log for name, log in logs.items()}
        self.first: dict[Partition, int] = defaultdict(int)
        self.at: dict[Partition, int] = {}
        self.paused: set[Partition] = set()
        self.told: dict[Partition, int] = {}
        self.view = View()
        self.identity = Identity("c", "t1")
        self.limit = 3
        self.away: str | None = None
        self.during_poll: Callable[[], None] = lambda: None
        self.rebalance: Rebalance | None = None

    def join(self, rebalance: Rebalance) -> None:
        self.rebalance = rebalance
        rebalance.assigned(list(self.logs))

    def revoke(self, *partitions: Partition) -> None:
        """What the broker does in a rebalance."""
        assert self.rebalance
        self.rebalance.revoked(partitions)
        for partition in partitions:
            self.at.pop(partition, None)

    def poll(self, timeout_s: float) -> list[Message]:  # noqa: ARG002
        self.during_poll()
        messages = []
        for partition in self.at.keys() - self.paused:
            at = self.at[partition]
            if not self.first[partition] <= at <= len(self.logs[partition]):
                raise OutOfRangeError({partition: at})
            some = self.logs[partition][at : at + self.limit]
            messages += [Message(Origin(*partition, at + n), str(t).encode()) for n, t in enumerate(some)]
            self.at[partition] += len(some)
        return messages

    def seek(self, positions: Mapping[Partition, int]) -> None:
        self.at |= positions

    def pause(self, partitions: Collection[Partition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Collection[Partition]) -> None:
        self.paused -= set(partitions)

    def at_end(self, partition: Partition) -> bool:
        return self.at[partition] >= len(self.logs[partition])

    def ranges(self, partitions: Collection[Partition]) -> dict[Partition, tuple[int, int]]:
        return {p: (self.first[p], len(self.logs[p])) for p in partitions}

    def identify(self, topics: Collection[str]) -> dict[str, Identity]:
        return dict.fromkeys(topics, self.identity)

    def message_at(self, partition: Partition, offset: int) -> Message | None:
        if not self.first[partition] <= offset < len(self.logs[partition]):
            return None
        return Message(Origin(*partition, offset), str(self.logs[partition][offset]).encode())

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self.told |= offsets

    def look(self, partitions: Collection[Partition]) -> View:
        if self.away:
            raise UnavailableError(self.away)
        ends = {p: len(self.logs[p]) for p in partitions}
        return replace(self.view, ends=ends)

    def leave(self) -> None:
        self.rebalance = None

    def close(self) -> None:
        self.rebalance = None


class List:
    """A sink that keeps everything, and can be made to wait or to fail."""

    def __init__(self, **offsets: int) -> None:
        self.next = {("t", int(name[1:])): at for name, at in offsets.items()}
        self.places: list[tuple[str, int, int]] = []
        self.rejects: list[Reject] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def ingest(self, batch: Batch) -> Committed:
        assert self.gate.wait(10)
        if self.error:
            raise self.error
        for origin, decoded in batch.messages:
            self.places += [origin] * len(decoded.spans)
            self.rejects += decoded.rejects
        self.next |= batch.next_offsets
        return Committed(stored=batch.spans)

    def positions(self, topic: str) -> dict[str, dict[int, Position]]:
        found = {p: Position(at) for (t, p), at in self.next.items() if t == topic}
        return {"c/t1": found} if found else {}


def decode(message: Message) -> Decoded:
    """A span that ended when the message says."""
    span = Span(span_id=str(message.origin), started_at=float(message.value), provider="openai", model="gpt-4")
    return Decoded("native", [span])


class Reader:
    """A session with everything around it, on a clock that moves a second a turn."""

    def __init__(self, topic: Topic, sink: List, cls: type[Session] = Session, **options: Any) -> None:
        self.board, self.clock = Board(), ManualClock(1000.0)
        options = {"clock": self.clock, "lateness_s": 60.0, "from_start": True} | options
        self.session = cls(topic, sink, self.board, singly(decode), "undertow-1", **options)
        self.session.join()

    def turn(self, count: int = 1) -> "Reader":
        """Some rounds, each with its commit awaited."""
        for _ in range(count):
            self.session.turn()
            self.session._writer.wait()
            self.clock.advance(1.0)
        return self


def test_reading_begins_where_the_store_ends() -> None:
    """Offsets of the store win over everything; a partition the store does not know is read from its start."""
    topic, sink = Topic(p0=[1, 2, 3, 4], p1=[1, 2]), List(p0=2)
    Reader(topic, sink).turn(5)
    assert sorted(sink.places) == [("t", 0, 2), ("t", 0, 3), ("t", 1, 0), ("t", 1, 1)]
    assert sink.next == {A: 4, B: 2}


def test_kafka_is_told_after_the_store() -> None:
    """What lag tools see is what the store has committed."""
    topic, sink = Topic(p0=[1, 2, 3]), List()
    reader = Reader(topic, sink)
    sink.gate.clear()
    for _ in range(3):
        reader.session.turn()
        reader.clock.advance(1.0)
    assert topic.told == {}
    sink.gate.set()
    reader.turn(2)
    assert topic.told == {A: 3}


def test_a_first_start_at_the_end_is_kept() -> None:
    """With start = latest the end is stored at once, so that a restart does not begin at a later one."""
    topic, sink = Topic(p0=[1, 2, 3]), List()
    Reader(topic, sink, from_start=False).turn()
    assert sink.next == {A: 3}
    topic.logs[A] += [4]
    Reader(topic, sink, from_start=False).turn(4)
    assert sink.places == [("t", 0, 3)]


def test_a_revoke_waits_for_the_commit_and_drops_the_rest() -> None:
    """After a revoke returns, nothing fetched before it is committed, and nothing is under way."""
    topic, sink = Topic(p0=[1] * 30), List()
    reader = Reader(topic, sink).turn(3)
    sink.gate.clear()
    reader.session.turn()
    opened = threading.Timer(0.05, sink.gate.set)
    opened.start()
    topic.revoke(A)
    at_revoke = list(sink.places)
    reader.turn(5)
    assert sink.places == at_revoke
    opened.join()


class Unfenced(Session):
    """The negative control: goes on with what it has."""

    def revoked(self, partitions: Collection[Partition]) -> None:
        """Forget to."""


@pytest.mark.parametrize(("cls", "doubled"), [(Session, False), (Unfenced, True)])
def test_two_members_double_nothing(cls: type[Session], doubled: bool) -> None:
    """A partition that moves to another member of the same store is read on exactly where the first stopped."""
    topic, sink = Topic(p0=[float(n) for n in range(12)]), List()
    first = Reader(topic, sink, cls).turn()
    topic.revoke(A)
    Reader(topic, sink).turn(8)
    first.turn(3)
    assert (len(sink.places) > len(set(sink.places))) is doubled
    assert {offset for *_, offset in sink.places} == set(range(12))


def test_lost_offsets_are_put_on_record() -> None:
    """Retention that ran past us is a reject with the count, a named state, and reading goes on behind the gap."""
    topic, sink = Topic(p0=[float(n) for n in range(10)]), List(p0=2)
    topic.first[A] = 7
    reader = Reader(topic, sink).turn()
    state, detail = reader.board.told()
    assert state == "offset_out_of_range"
    reader.turn(3)
    assert [r.reason for r in sink.rejects] == ["offsets_lost"]
    assert sink.rejects[0].detail == detail
    assert detail == "5 messages of t[0] were deleted before they were read: offsets 2 to 6"
    assert [offset for *_, offset in sink.places] == [7, 8, 9]
    reader.turn(70)
    assert reader.board.told() == ("running", "")


def test_offsets_lost_while_reading_are_put_on_record() -> None:
    """The same when it happens to a running reader: what was buffered before the gap comes before it."""
    topic, sink = Topic(p0=[float(n) for n in range(20)]), List()
    reader = Reader(topic, sink)
    reader.session.turn()
    topic.first[A] = 15
    reader.turn(6)
    assert [offset for *_, offset in sink.places] == [0, 1, 2, 15, 16, 17, 18, 19]
    assert "12 messages" in sink.rejects[0].detail


def test_a_recreated_topic_is_read_from_its_start() -> None:
    """An offset past the end means another log under the same name: on record, and read again."""
    topic, sink = Topic(p0=[1, 2]), List(p0=500)
    Reader(topic, sink).turn(4)
    assert [r.reason for r in sink.rejects] == ["offsets_reset"]
    assert sink.next == {A: 2}
    assert len(sink.places) == 2


def test_a_partition_that_is_far_ahead_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its buffer stays small while it waits for a slower one, and it goes on afterwards."""
    monkeypatch.setattr("undertow_collectors.session.LEAST_BUFFER", 4)
    monkeypatch.setattr("undertow_collectors.session.BUFFER", 8)
    topic, sink = Topic(p0=[500.0] * 50, p1=[float(n) for n in range(100)]), List()
    reader = Reader(topic, sink).turn(4)
    assert A in topic.paused
    assert B not in topic.paused
    reader.turn(60)
    assert len(sink.places) == len(set(sink.places)) == 150


def test_a_slow_store_pauses_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a commit takes long, nothing more is fetched than the buffers hold, and the state says why."""
    monkeypatch.setattr("undertow_collectors.session.LEAST_BUFFER", 6)
    monkeypatch.setattr("undertow_collectors.session.BUFFER", 6)
    monkeypatch.setattr("undertow_collectors.session.POLL_S", 0.0)
    topic, sink = Topic(p0=[1.0] * 100), List()
    reader = Reader(topic, sink)
    sink.gate.clear()
    for _ in range(12):
        reader.session.turn()
        reader.clock.advance(1.0)
    assert reader.board.told()[0] == "paused"
    assert topic.at[A] < 20
    sink.gate.set()
    reader.turn(40)
    assert reader.board.told()[0] == "running"
    assert len(sink.places) == 100


def test_another_database_in_the_group_is_named() -> None:
    """Another member takes part of the traffic: the state says who and what to do, until it is gone."""
    topic = Topic(p0=[1])
    ghost = Member("undertow-1", "/10.0.0.1", None, ())
    rival = Member("undertow-2", "/10.0.0.2", None, (("t", 3),))
    topic.view = View(others=(ghost, rival))
    reader = Reader(topic, List()).turn()
    state, detail = reader.board.told()
    assert state == "group_conflict"
    assert "undertow-2 at 10.0.0.2 (holds t[3])" in detail
    assert "undertow-1" not in detail
    topic.view = View(others=(ghost,))
    assert reader.turn(6).board.told()[0] == "running"


def test_a_missing_topic_is_named() -> None:
    """A topic that does not exist is told by name until it appears."""
    topic = Topic()
    topic.view = View(missing=("llm_requests",))
    reader = Reader(topic, List()).turn()
    assert reader.board.told()[0] == "topic_missing"
    assert "llm_requests" in reader.board.told()[1]
    topic.view = View()
    assert reader.turn(6).board.told()[0] == "running"


def test_a_broker_that_went_away_is_named() -> None:
    """No answer is a state with its reason, and passes when the broker is back."""
    topic = Topic(p0=[1])
    reader = Reader(topic, List()).turn()
    topic.away = "timed out"
    assert reader.turn(6).board.told() == ("broker_unavailable", "timed out")
    topic.away = None
    assert reader.turn(6).board.told()[0] == "running"


def test_a_rebalance_that_never_ends_is_ended() -> None:
    """Where the client loses what it was assigned, the session ends after a minute, and the group is joined anew."""
    topic = Topic(p0=[1, 2])
    reader = Reader(topic, List()).turn(2)
    topic.revoke(A)
    reader.turn(59)
    with pytest.raises(RejoinError, match="no partition was assigned for 60 s"):
        reader.turn(3)


def test_a_member_without_partitions_waits() -> None:
    """Having none is an assignment, too."""
    topic = Topic(p0=[1, 2])
    reader = Reader(topic, List()).turn(2)
    topic.revoke(A)
    assert topic.rebalance
    topic.rebalance.assigned([])
    assert reader.turn(100).board.told()[0] == "running"


def test_positions_and_lag() -> None:
    """Positions are what the store has; lag is what it has not."""
    topic, sink = Topic(p0=[1, 2, 3, 4]), List(p0=1)
    reader = Reader(topic, sink)
    reader.session.turn()
    assert [(p.position, p.lag) for p in reader.session.partitions()] == [(1, 3)]
    reader.turn(4)
    assert [(p.position, p.lag) for p in reader.session.partitions()] == [(4, 0)]


def source(connect: Callable[[KafkaConfig, str], Any]) -> KafkaSource:
    """A source on made-up clients."""
    return KafkaSource(KafkaConfig(), singly(decode), "undertow-1", connect=connect)


def test_a_failing_sink_ends_the_source() -> None:
    """What the store raises reaches whoever runs the source."""
    sink = List()
    sink.error = StoreError("the disk is gone")
    with pytest.raises(StoreError):
        source(lambda *_: Topic(p0=[1, 2])).run(sink, threading.Event())


def test_no_broker_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that cannot connect says so and tries again until it can."""
    monkeypatch.setattr("undertow_collectors.kafka.RETRY_S", 0.0)
    stop, sink, seen, tries = threading.Event(), List(), [], iter([UnavailableError("refused")] * 3)

    def connect(*_: object) -> Topic:
        seen.append(reader.status().state)
        for error in tries:
            raise error
        topic = Topic(p0=[1])
        topic.during_poll = lambda: stop.set() if sink.places else None
        return topic

    reader = source(connect)
    reader.run(sink, stop)
    assert seen == ["connecting"] + ["broker_unavailable"] * 3
    assert sink.places == [("t", 0, 0)]
    assert reader.status().state == "stopped"


def test_missing_permissions_are_told_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither topic nor group may be used: each try tells the same of the topic, and then of the group."""
    monkeypatch.setattr("undertow_collectors.kafka.RETRY_S", 0.0)
    stop, tries = threading.Event(), iter(range(40))

    class Closed(Topic):
        def join(self, rebalance: Rebalance) -> None:
            self.rebalance = rebalance

    def refuse() -> None:
        if next(polls, None) is None:
            raise GroupDeniedError("refused; allow Read on the group")

    def connect(*_: object) -> Topic:
        nonlocal polls
        number, topic = next(tries), Closed(p0=[1])
        polls = iter(range(number % 3))  # a look comes between, or does not
        topic.during_poll = refuse
        topic.view = View(denied=("t",) if number < 20 else ())
        if number == 39:
            stop.set()
        return topic

    polls = iter(range(0))
    reader = source(connect)
    reader.run(List(), stop)
    sources = [r for r in caplog.records if r.name == "undertow_collectors.source"]
    assert [r.getMessage() for r in sources if r.levelno == logging.WARNING] == [
        "source is access_denied: the user may not see t; allow Describe and Read",
        "source is access_denied: localhost:9092: refused; allow Read on the group",
    ]


def test_a_copy_of_the_database_is_not_fought(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fenced by a process with the same identity, the source waits until that one is gone, and then goes on."""
    monkeypatch.setattr("undertow_collectors.kafka.RETRY_S", 0.0)
    stop, sink, told, joined = threading.Event(), List(), [], []
    copy = Member("undertow-1", "/10.0.0.2", "undertow-1", (A,))
    views = iter([View(others=(copy,)), View(others=(copy,))])

    def fence() -> None:
        raise FencedError

    class Observed(Topic):
        def join(self, rebalance: Rebalance) -> None:
            joined.append(len(told))
            super().join(rebalance)

        def look(self, partitions: Collection[Partition]) -> View:  # noqa: ARG002
            told.append(reader.status().detail)
            return next(views, View())

    def connect(*_: object) -> Topic:
        topic = Observed(p0=[1])
        topic.during_poll = fence if not joined else lambda: stop.set() if sink.places else None
        return topic

    reader = source(connect)
    reader.run(sink, stop)
    assert told[:3] == [FENCED] * 3
    assert joined == [0, 3]
    assert sink.places == [("t", 0, 0)]
