"""One membership of a consumer group: what was assigned, how far it was read, and what is buffered."""

import math
from collections import defaultdict
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait

from undertow.batch import Batch, Committed, Decoded, Message, Origin, Reject, Sink
from undertow.clock import Clock
from undertow_collectors.client import (
    Client,
    FencedError,
    OutOfRangeError,
    Partition,
    UnavailableError,
    View,
)
from undertow_collectors.merge import Merge
from undertow_collectors.pump import LINGER_S, Decode, Pump
from undertow_collectors.source import Board, PartitionStatus

POLL_S = 0.1
LOOK_S = 5.0
LOSS_TOLD_S = 60.0
SLOW_COMMIT_S = 2.0
BUFFER = 60_000  # spans, over all partitions
LEAST_BUFFER = 2_000  # spans, of one partition
FENCED = "another process has joined the group with a copy of this database; stop one of them"


class Writer:
    """Commits one batch at a time beside the thread that reads."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._batch: Batch | None = None
        self._future: Future[Committed] | None = None

    @property
    def busy(self) -> bool:
        """Whether a batch is under way or its outcome not yet collected."""
        return self._future is not None

    def submit(self, batch: Batch) -> None:
        """Begin to commit `batch`; only when not busy."""
        self._batch, self._future = batch, self._thread.submit(self._sink.ingest, batch)

    def wait(self, timeout_s: float | None = None) -> None:
        """Until nothing is under way; raises nothing."""
        if self._future:
            wait([self._future], timeout_s)

    def collect(self) -> Batch | None:
        """The batch that was committed since the last call. Raises what the sink raised."""
        if self._future is None or not self._future.done():
            return None
        future, self._future = self._future, None
        future.result()
        return self._batch

    def close(self) -> None:
        """Let what is under way end."""
        self._thread.shutdown()


class Session:
    """One membership of the group, from joining to leaving. One thread uses it; `partitions` is for any."""

    def __init__(
        self,
        client: Client,
        sink: Sink,
        board: Board,
        decode: Decode,
        instance_id: str,
        *,
        clock: Clock,
        lateness_s: float,
        from_start: bool,
    ) -> None:
        self._client, self._sink, self._board = client, sink, board
        self._decode = decode
        self._instance_id = instance_id
        self._clock = clock
        self._from_start = from_start
        self._writer = Writer(sink)
        self._pump = Pump(Merge(lateness_s=lateness_s), linger_s=LINGER_S)
        self._assigned: set[Partition] = set()
        self._placed: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._stored: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._look_at = self._submitted_at = self._loss_told_until = -math.inf

    # --- called by the client while the reading thread stands still in poll() or close()

    def assigned(self, partitions: Collection[Partition]) -> None:
        """Note what is ours; where to begin is asked of the store by the reading thread."""
        self._assigned |= set(partitions)
        self._look_at = -math.inf
        self._board.clear("connecting", "rebalancing")

    def revoked(self, partitions: Collection[Partition]) -> None:
        """The fence: nothing that was fetched of these before is committed after this returns."""
        self._board.set("rebalancing")
        self._writer.wait()
        for partition in partitions:
            self._pump.close(partition)
        for held in (self._assigned, self._placed, self._paused):
            held.difference_update(partitions)

    # --- the reading thread

    def join(self) -> None:
        """Join the group. Raises FencedError while a process that fenced us is still there."""
        if self._board.told() == ("group_conflict", FENCED):
            if any(m.instance_id == self._instance_id for m in self._client.look(()).others):
                raise FencedError
            self._board.clear("group_conflict")
        self._client.join(self)

    def turn(self) -> None:
        """One round: collect a commit, read, decode, hand the next batch to the writer."""
        self._collect()
        self._place()
        self._read()
        now = self._clock()
        if not self._writer.busy and (batch := self._pump.take(now)):
            self._writer.submit(batch)
            self._submitted_at = now
        self._balance(now)
        if now >= self._look_at:
            self._look(now)

    def partitions(self) -> tuple[PartitionStatus, ...]:
        """Positions and lags; callable from any thread."""
        stored, ends = self._stored, self._ends
        return tuple(
            PartitionStatus(*p, stored.get(p), max(0, ends[p] - stored[p]) if p in ends and p in stored else None)
            for p in sorted(self._assigned.copy())
        )

    def close(self) -> None:
        """Leave. What was read but not committed will be read again."""
        self._writer.close()
        self._client.close()

    def _collect(self) -> None:
        if batch := self._writer.collect():
            ours = {p: offset for p, offset in batch.next_offsets.items() if p in self._placed}
            self._stored = {**self._stored, **ours}
            self._client.commit(ours)

    def _place(self) -> None:
        """Set newly assigned partitions to the store's offsets, or to where a first start begins."""
        new = self._assigned - self._placed
        if not new:
            return
        ranges = self._client.ranges(new)
        known = {(topic, n): at for topic in {t for t, _ in new} for n, at in self._sink.offsets(topic).items()}
        begin = {p: ranges[p][0 if self._from_start else 1] for p in new - known.keys()}
        if begin and not self._from_start:  # keep it, or a restart would begin at a later end
            self._sink.ingest(Batch(next_offsets=dict(begin)))
        self._client.seek({p: self._begin(p, (known | begin)[p], *ranges[p]) for p in new})
        self._placed |= new

    def _begin(self, partition: Partition, at: int, first: int, end: int) -> int:
        self._stored = {**self._stored, partition: at}
        self._ends = {**self._ends, partition: end}
        self._pump.open(partition, self._clock())
        if not first <= at <= end:
            at = self._lose(partition, at, first, end)
        self._pump.mark_end(partition, at >= end)
        return at

    def _lose(self, partition: Partition, at: int, first: int, end: int) -> int:
        """Put a gap on record, in its place among the messages; where to go on."""
        reject = loss(partition, at, first, end)
        self._pump.put(partition, Origin(*partition, at), Decoded("kafka", rejects=[reject]), next_offset=first)
        self._board.set("offset_out_of_range", reject.detail)
        self._loss_told_until = self._clock() + LOSS_TOLD_S
        return first

    def _read(self) -> None:
        stuck = bool(self._paused) and self._paused == self._placed
        if stuck:
            self._writer.wait(POLL_S)
        try:
            messages = self._client.poll(0.0 if stuck else POLL_S)
        except OutOfRangeError as error:
            positions = {p: at for p, at in error.positions.items() if p in self._placed}
            for partition, (first, end) in self._client.ranges(positions).items():
                self._client.seek({partition: self._lose(partition, positions[partition], first, end)})
            return
        polled: defaultdict[Partition, list[Message]] = defaultdict(list)
        for message in messages:
            polled[message.origin[:2]].append(message)
        for partition in [p for p in polled if p in self._placed]:
            for part in self._decode(polled[partition]):
                self._pump.put(partition, *part)
        for partition in self._placed:
            self._pump.mark_end(partition, self._client.at_end(partition))

    def _balance(self, now: float) -> None:
        """Pause the partitions that are far ahead, which is all of them while the store is behind."""
        limit = max(LEAST_BUFFER, BUFFER // max(1, len(self._placed)))
        full = {p for p in self._placed - self._paused if self._pump.load(p) >= limit}
        free = {p for p in self._paused if self._pump.load(p) < limit // 2}
        self._client.pause(full)
        self._client.resume(free)
        self._paused = (self._paused | full) - free
        busy_s = now - self._submitted_at if self._writer.busy else 0.0
        if busy_s > SLOW_COMMIT_S and self._paused == self._placed:
            self._board.set("paused", "the store is behind: it has been busy with one batch for some time")
        else:
            self._board.clear("paused")

    def _look(self, now: float) -> None:
        self._look_at = now + LOOK_S
        try:
            view = self._client.look(self._placed)
        except UnavailableError as error:  # the client reconnects by itself
            self._board.set("broker_unavailable", str(error))
            return
        self._ends = {**self._ends, **view.ends}
        self._board.clear("broker_unavailable")
        if now >= self._loss_told_until:
            self._board.clear("offset_out_of_range")
        self._tell(view)

    def _tell(self, view: View) -> None:
        """Topics that do not exist, and others who take messages that this database will never see."""
        if view.missing:
            missing = ", ".join(view.missing)
            hint = "it is read once it appears; if it never will, leave it out of kafka.topics"
            self._board.set("topic_missing", f"there is no topic {missing}: {hint}")
        else:
            self._board.clear("topic_missing")
        rivals = [str(m) for m in view.others if m.client_id != self._instance_id]
        if rivals:
            self._board.set(
                "group_conflict",
                f"kafka.group_id is shared with {'; '.join(rivals)}, so only a part of the traffic arrives here; "
                "give each database a group of its own",
            )
        else:
            self._board.clear("group_conflict")


def loss(partition: Partition, at: int, first: int, end: int) -> Reject:
    """The reject that stands for messages nobody can read any more: `at` was to be read, `first` to `end` exist."""
    name = f"{partition[0]}[{partition[1]}]"
    if at < first:
        detail = f"{first - at} messages of {name} were deleted before they were read: offsets {at} to {first - 1}"
        return Reject("offsets_lost", detail)
    detail = f"{name} was to be read from offset {at}, but holds {first} to {end - 1}: recreated or truncated"
    return Reject("offsets_reset", f"{detail}; read again from {first}")
