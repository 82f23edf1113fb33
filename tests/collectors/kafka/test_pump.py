"""Merging partitions by event time, and cutting batches: no broker in it."""

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.collectors.decode.both_ways import eager

from undertow.batch import Batch, Decode, Decoded, Message, Origin, Reject
from undertow.span import Span
from undertow.store import rows
from undertow_collectors.decode.registry import decode
from undertow_collectors.decode.runs import decode_run
from undertow_collectors.merge import Lane, Merge, Parcel
from undertow_collectors.pump import Pump, batches, singly

__all__ = ["eager"]
pytestmark = pytest.mark.usefixtures("eager")

Times = Sequence[float]


def decoded(*ended_at: float) -> Decoded:
    """One message with a span for each time."""
    spans = [Span(span_id=f"s{t}", started_at=t, provider="openai", model="gpt-4") for t in ended_at]
    return Decoded("native", spans)


def filled(lanes: dict[int, Times], *, at_end: bool = True, cls: type[Merge] = Merge) -> Merge:
    """A merge whose lanes hold these event times."""
    merge = cls()
    for lane, times in lanes.items():
        merge.open(lane, 0.0)
        for offset, t in enumerate(times):
            merge.put(lane, Origin("t", lane, offset), decoded(t), offset + 1)
        merge.mark_end(lane, at_end)
    return merge


def released(merge: Merge, now: float = 0.0) -> list[tuple[int, float]]:
    """Lane and event time of what comes out."""
    return [(p.origin.partition, p.decoded.spans[0].ended_at) for p in merge.release(now)]


def test_lanes_come_out_in_event_time_order() -> None:
    """Two partitions that are at their end come out as one, ordered by ended_at."""
    assert released(filled({0: [1, 4], 1: [2, 3]})) == [(0, 1), (1, 2), (1, 3), (0, 4)]


def test_a_lane_waits_for_one_that_is_further_behind() -> None:
    """What is newer than the newest of a partition that has more to come stays back."""
    merge = filled({0: [10, 20, 30], 1: [5, 12]}, at_end=False)
    assert released(merge) == [(1, 5), (0, 10), (1, 12)]


def test_a_lane_at_its_end_holds_nobody_back() -> None:
    """An idle partition does not delay the others."""
    merge = filled({0: [10, 20], 1: []}, at_end=False)
    assert released(merge) == []
    merge.mark_end(1, True)
    assert released(merge) == [(0, 10), (0, 20)]


def test_a_stuck_lane_is_given_up_after_a_while() -> None:
    """A partition whose broker died holds the others back for patience_s and no longer."""
    merge = Merge(patience_s=30.0)
    for lane in (0, 1):
        merge.open(lane, 0.0)
    merge.put(0, Origin("t", 0, 0), decoded(10), 1)
    assert released(merge, 29.9) == []
    assert released(merge, 30.0) == [(0, 10)]


def test_patience_begins_when_a_lane_runs_dry() -> None:
    """A lane that was paused for long because it was ahead gets its full time once it is emptied."""
    merge = filled({0: [10], 1: [5]}, at_end=False)
    assert released(merge, 1000.0) == [(1, 5)]
    merge.put(1, Origin("t", 1, 1), decoded(20), 2)
    assert released(merge, 1000.0) == [(0, 10)]
    merge.put(1, Origin("t", 1, 2), decoded(30), 3)
    assert released(merge, 1010.0) == []
    assert released(merge, 1030.0) == [(1, 20), (1, 30)]


def test_a_straggler_keeps_its_place_in_its_lane() -> None:
    """Offsets of a partition never change places, whatever the times say."""
    assert released(filled({0: [5, 1, 6], 1: [2]})) == [(1, 2), (0, 5), (0, 1), (0, 6)]


def test_messages_without_spans_pass() -> None:
    """Rejects and skips have no event time and wait for nothing but their turn."""
    merge = filled({0: [], 1: [10]}, at_end=False)
    merge.put(0, Origin("t", 0, 0), Decoded(rejects=[Reject("not_json")]), 1)
    assert [p.origin for p in merge.release(0.0)] == [Origin("t", 0, 0)]


def test_a_clock_that_runs_ahead_moves_nothing() -> None:
    """A span from the year 2100 does not make its partition look as if it were far ahead."""
    merge = Merge()
    for lane in (0, 1):
        merge.open(lane, 0.0)
    for offset, t in enumerate((10, 4e9, 11)):
        merge.put(0, Origin("t", 0, offset), decoded(t), offset + 1)
    merge.put(1, Origin("t", 1, 0), decoded(12), 1)
    assert released(merge) == [(0, 10), (0, 4e9), (0, 11)]


class Believing(Merge):
    """The negative control: a lane is as far as the newest of any span says."""

    def put(self, lane: Lane, origin: Origin, decoded: Decoded, next_offset: int) -> Parcel:
        """As a merge that nothing contradicts."""
        self._queues[lane]._agreed = replace(self._queues[lane]._agreed, lateness_s=math.inf)
        return super().put(lane, origin, decoded, next_offset)


@pytest.mark.parametrize("cls", [Merge, Believing])
def test_a_host_ahead_in_one_lane_makes_the_others_of_it_not_late(cls: type[Merge]) -> None:
    """A partition with one host of four 150 s ahead stays in step with the one beside it."""
    uneven = [float(t) + (150 if t % 4 == 0 else 0) for t in range(1000)]
    right = [t + 0.5 for t in range(1000)]
    newest, behind = -math.inf, 0.0
    for lane, t in released(filled({0: uneven, 1: right}, cls=cls)):
        newest = max(newest, t) if lane == 1 else newest
        behind = max(behind, newest - t)
    assert (behind < 60) is (cls is Merge)


class Unaligned(Merge):
    """The negative control: whatever comes first goes first."""

    def release(self, now: float) -> list[Parcel]:  # noqa: ARG002
        """Everything, lane by lane."""
        return [queue.parcels.popleft() for queue in self._queues.values() for _ in range(len(queue.parcels))]


def late(lanes: dict[int, Times], lateness: float, cls: type[Merge]) -> int:
    """How many spans come later than `lateness` behind the newest before them, fetched in uneven pieces."""
    rng, merge, rest = random.Random(7), cls(), {lane: list(times) for lane, times in lanes.items()}
    for lane in lanes:
        merge.open(lane, 0.0)
    newest, count = -math.inf, 0
    offsets = dict.fromkeys(lanes, 0)
    while any(rest.values()):
        lane = rng.choice([lane for lane, times in rest.items() if times])
        for t in rest[lane][:5]:
            merge.put(lane, Origin("t", lane, offsets[lane]), decoded(t), offsets[lane] + 1)
            offsets[lane] += 1
        del rest[lane][:5]
        merge.mark_end(lane, not rest[lane])
        for parcel in merge.release(0.0):
            t = parcel.decoded.spans[0].ended_at
            count += t <= newest - lateness
            newest = max(newest, t)
    return count


@given(st.lists(st.lists(st.integers(0, 10_000), max_size=30), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_nothing_becomes_late_by_catching_up(lanes: list[list[int]]) -> None:
    """However the partitions are fetched, spans that were in order in their partition are not late afterwards."""
    ordered = {lane: sorted(float(t) for t in times) for lane, times in enumerate(lanes)}
    assert late(ordered, 1e-9, Merge) == 0


def test_without_merging_the_same_count_tells() -> None:
    """The negative control: partitions stored as they come make late spans."""
    lanes = {lane: [float(t) for t in range(100)] for lane in range(3)}
    assert late(lanes, 1.0, Unaligned) > 50
    assert late(lanes, 1.0, Merge) == 0


def pumped(count: int, **options: float) -> Pump:
    """A pump with one lane at its end that holds `count` messages of one span."""
    pump = Pump(Merge(), **options)  # type: ignore[arg-type]
    pump.open(0, 0.0)
    for offset in range(count):
        pump.put(0, Origin("t", 0, offset), decoded(offset), offset + 1)
    pump.mark_end(0, True)
    return pump


def test_batches_are_full_or_old() -> None:
    """A batch goes when it has `fill` spans, or a second after its first message."""
    pump = pumped(9, fill=10)
    assert pump.take(5.0) is None
    assert pump.take(5.9) is None
    assert spans(pump.take(6.0)) == 9
    assert spans(pumped(10, fill=10).take(5.0)) == 10


def test_batches_have_an_upper_limit() -> None:
    """What is more than `cap` spans goes in several batches, none of it lost."""
    pump = pumped(250, fill=10, cap=100)
    assert [spans(pump.take(0.0)) for _ in range(4)] == [100, 100, 50, 0]


def test_a_message_larger_than_a_batch_goes_alone() -> None:
    """One message with more spans than `cap` still passes."""
    pump = Pump(Merge(), fill=1, cap=3)
    pump.open(0, 0.0)
    pump.put(0, Origin("t", 0, 0), decoded(*range(7)), 1)
    assert spans(pump.take(100.0)) == 7


def spans(batch: Batch | None) -> int:
    """How many, none for no batch."""
    return batch.spans if batch else 0


def test_a_closed_lane_takes_everything_with_it() -> None:
    """After a revoke nothing that was fetched before goes into a batch, and other lanes stay."""
    pump = pumped(5, fill=100)
    pump.open(1, 0.0)
    pump.put(1, Origin("t", 1, 7), decoded(3.5), 8)
    pump.mark_end(1, True)
    assert pump.take(0.0) is None  # released, waiting for a second to pass
    pump.close(0)
    batch = pump.take(2.0)
    assert batch
    assert batch.next_offsets == {("t", 1): 8}
    assert pump.load(0) == 0


def test_a_gap_moves_the_offset_past_itself() -> None:
    """A record of lost messages carries the offset where reading goes on."""
    pump = pumped(0)
    pump.put(0, Origin("t", 0, 3), Decoded(rejects=[Reject("offsets_lost")]), next_offset=40)
    batch = pump.take(10.0, rest=True)
    assert batch
    assert batch.next_offsets == {("t", 0): 40}


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_files_are_merged_like_partitions(chunk: int) -> None:
    """Several files come out in event-time order, each message once, whatever is read at a time."""
    files = [[5.0, 6.0, 9.0], [], [1.0, 7.0], [2.0]]
    inputs = [
        iter([Message(Origin(f"file:{n}", 0, offset), str(t).encode()) for offset, t in enumerate(times)])
        for n, times in enumerate(files)
    ]
    read: Callable[[Message], Decoded] = lambda message: decoded(float(message.value))  # noqa: E731
    done = list(batches(inputs, singly(read), chunk))
    times = [d.spans[0].ended_at for batch in done for _, d in batch.messages]
    assert times == [1.0, 2.0, 5.0, 6.0, 7.0, 9.0]
    assert done[-1].next_offsets["file:0", 0] == 3


def message(lane: int, offset: int, *ended_at: float) -> Message:
    """A native array with a span for each time."""
    spans = [{"span_id": f"s{t}", "started_at": t, "provider": "openai", "model": "gpt-4"} for t in ended_at]
    return Message(Origin("t", lane, offset), json.dumps(spans).encode())


def stored(decode: Decode, lanes: list[list[list[float]]], cap: int) -> list[tuple[list[Any], Any]]:
    """The rows of each batch, and where it leaves its partitions, of lanes that are read in uneven pieces."""
    rng, pump = random.Random(7), Pump(Merge(), fill=7, cap=cap)
    rest = {
        lane: [message(lane, 2 * offset, *times) for offset, times in enumerate(all_of)]
        for lane, all_of in enumerate(lanes)
    }
    for lane in rest:
        pump.open(lane, 0.0)
    found: list[Batch] = []
    while any(rest.values()):
        lane = rng.choice([lane for lane, left in rest.items() if left])
        for part in decode(rest[lane][:4]):
            pump.put(lane, *part)
        del rest[lane][:4]
        pump.mark_end(lane, not rest[lane])
        while batch := pump.take(0.0):
            found.append(batch)
    while batch := pump.take(0.0, rest=True):
        found.append(batch)
    assert all(pump.load(lane) == 0 for lane in rest)
    columns = ["span_id", "topic", "partition", "offset", "index", "ended_at", "format"]
    return [(rows.table(batch).select(columns).to_pylist(), batch.next_offsets) for batch in found]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=40, unique=True).map(sorted), min_size=1, max_size=4),
    st.integers(1, 3),
    st.sampled_from([1, 5, 30, 1000]),
)
def test_runs_travel_as_their_messages_would(lanes: list[list[int]], size: int, cap: int) -> None:
    """Messages that were decoded together reach the store in the order, and the batches, of single ones."""
    times = [
        [[t + lane / 10 for t in one[at : at + size]] for at in range(0, len(one), size)]
        for lane, one in enumerate(lanes)
    ]
    together = stored(decode_run, times, cap)
    assert together == stored(singly(decode), times, cap)
    assert sum(len(found) for found, _ in together) == sum(map(len, lanes))


def test_runs_that_overlap_are_put_in_order() -> None:
    """Two partitions of one batch count as arrived in order of time, span by span, also row by row in the slow way."""
    pump = Pump(Merge())
    for lane in (0, 1):
        pump.open(lane, 0.0)
        (part,) = decode_run([message(lane, offset, 10.0 * offset + lane) for offset in range(5)])
        pump.put(lane, *part)
        pump.mark_end(lane, True)
    batch = pump.take(9.0, rest=True)
    assert batch is not None
    assert len(batch.messages) == 2
    assert rows.table(batch)["ended_at"].to_pylist() == [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0, 40.0, 41.0]
    table = rows.table(batch)
    assert rows.of_rows(rows.rows(batch)).select(table.column_names).equals(table)
