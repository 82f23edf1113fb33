"""Partitions that stand still: others go on, they are tried again, and the state stays until they are read on."""

from collections.abc import Mapping
from typing import Any

from tests.collectors.kafka.test_session import A, B, List, Reader, Topic

from undertow.batch import Message
from undertow_collectors.client import Partition, UnreadableError
from undertow_collectors.held import AGAIN_S, QUIET_S, Held
from undertow_collectors.source import Board


class Damaged(Topic):
    """A topic where nothing can be read of partition A from offset 4 on, until it is `mended`."""

    def __init__(self, **logs: list[float]) -> None:
        super().__init__(**logs)
        self.mended = False
        self.tries: list[int] = []

    def poll(self, timeout_s: float) -> list[Message]:
        if not self.mended and self.at.get(A) == 4 and A not in self.paused:
            self.tries.append(4)
            raise UnreadableError({A: 4}, "the batch is compressed with snappy")
        log = self.logs[A]
        if not self.mended:
            self.logs[A] = log[:4]  # a fetch ends before what cannot be read
        messages = super().poll(timeout_s)
        self.logs[A] = log
        return messages

    def seek(self, positions: Mapping[Partition, int]) -> None:
        super().seek(positions)


def test_other_partitions_go_on() -> None:
    """What precedes is stored, the rest of the topic is read, and the state names where and why without flipping."""
    topic, sink = Damaged(p0=[float(n) for n in range(8)], p1=[float(n) for n in range(30)]), List()
    reader = Reader(topic, sink)
    told = []
    for _ in range(40):
        reader.turn()
        told.append(reader.board.told())
    assert sink.next == {A: 4, B: 30}
    first = told.index(("unreadable_batch", "t[0]: the batch is compressed with snappy"))
    assert set(told[first:]) == {told[first]}
    assert 2 <= len(topic.tries) <= 40 / AGAIN_S + 1
    topic.mended = True
    reader.turn(30)
    assert sink.next == {A: 8, B: 30}
    assert len(set(sink.places)) == len(sink.places) == 38
    assert reader.board.told() == ("running", "")


def test_a_partition_that_is_taken_away_is_not_told_of() -> None:
    """What somebody else reads now is no trouble of ours."""
    topic, sink = Damaged(p0=[float(n) for n in range(8)], p1=[1.0]), List()
    reader = Reader(topic, sink).turn(10)
    assert reader.board.told()[0] == "unreadable_batch"
    topic.revoke(A)
    reader.session.assigned([])
    assert reader.turn(6).board.told()[0] == "running"


def test_one_sentence_for_partitions_with_one_reason() -> None:
    """A topic of many partitions that all lack a codec or a permission is one short sentence."""
    held, board = Held(), Board()
    many: dict[Partition, int] = {("t", n): 0 for n in range(30)}
    held.hold(UnreadableError(many, "no permission", "access_denied"), list(many), 0.0)
    held.tell(board)
    names = ", ".join(f"t[{n}]" for n in range(8))
    assert board.told() == ("access_denied", f"{names} and 22 more: no permission")


def test_due() -> None:
    """A hold is tried again once in a while, not while that is under way, and again when held anew."""
    held = Held()
    error: Any = UnreadableError({A: 7}, "why")
    held.hold(error, [A], 0.0)
    assert held.due(AGAIN_S - 1) == {}
    assert held.due(AGAIN_S) == {A: 7}
    assert held.still() == set()
    assert held.due(AGAIN_S * 3) == {}
    held.hold(error, [A], AGAIN_S * 3)
    assert held.still() == {A}
    held.forget([A])
    assert held.due(AGAIN_S * 9) == {}


def test_a_partition_without_messages() -> None:
    """What was refused and has nothing to read is held until a while without an error, not for ever."""
    held = Held()
    error: Any = UnreadableError({A: 7}, "why")
    held.hold(error, [A], 0.0)
    held.at_end(A, AGAIN_S * 2)
    assert held.still() == {A}
    held.due(AGAIN_S * 2)
    held.at_end(A, AGAIN_S * 2 + QUIET_S / 2)
    board = Board()
    held.tell(board)
    assert board.told()[0] == "unreadable_batch"
    held.at_end(A, AGAIN_S * 2 + QUIET_S)
    held.tell(board)
    assert board.told()[0] == "running"
