"""One membership of a consumer group: what was assigned, how far it was read, and what is buffered."""

import math
from collections import defaultdict
from collections.abc import Collection

from undertow.batch import Batch, Decode, Decoded, Message, Origin, Reject, Sink
from undertow.clock import Clock
from undertow_collectors.client import (
    Client,
    FencedError,
    GroupDeniedError,
    GroupError,
    OutOfRangeError,
    Partition,
    RejoinError,
    ReplacedError,
    TopicDeniedError,
    UnavailableError,
    UnreadableError,
    View,
)
from undertow_collectors.held import Held
from undertow_collectors.merge import Merge
from undertow_collectors.pump import LINGER_S, Pump
from undertow_collectors.rivals import Rivals, named
from undertow_collectors.source import Board, PartitionStatus, State
from undertow_collectors.topics import Topics
from undertow_collectors.writer import Writer

POLL_S = 0.1
LOOK_S = 5.0
LOSS_TOLD_S = 60.0
REBALANCE_S = 60.0  # kafka-python 3.0.12 loses an assignment that it gets in the last moment of a poll
SLOW_COMMIT_S = 2.0
BUFFER = 60_000  # spans, over all partitions
LEAST_BUFFER = 2_000  # spans, of one partition
TROUBLES: tuple[State, ...] = ("broker_unavailable", "access_denied", "broker_error")
FENCED = "another process has joined the group with a copy of this database; stop one of them"


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
        self._topics = Topics(client, sink, decode)
        self._pump = Pump(Merge(lateness_s=lateness_s), linger_s=LINGER_S)
        self._assigned: set[Partition] = set()
        self._placed: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._held = Held()
        self._rivals = Rivals(instance_id)
        self._joined = False
        self._stored: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._revoked_at = math.inf
        self._look_at = self._submitted_at = -math.inf

    # --- called by the client while the reading thread stands still in poll() or close()

    def assigned(self, partitions: Collection[Partition]) -> None:
        """Note what is ours; where to begin is asked of the store by the reading thread."""
        self._assigned |= set(partitions)
        self._joined = True
        self._look_at = -math.inf
        self._revoked_at = math.inf
        self._board.clear("connecting", "rebalancing")

    def revoked(self, partitions: Collection[Partition]) -> None:
        """The fence: nothing that was fetched of these before is committed after this returns."""
        self._board.set("rebalancing")
        self._revoked_at = min(self._revoked_at, self._clock())
        self._writer.wait()
        for partition in partitions:
            self._pump.close(partition)
        for held in (self._assigned, self._placed, self._paused):
            held.difference_update(partitions)
        self._held.forget(partitions)

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
            self._writer.submit(self._topics.confirm(batch))
            self._submitted_at = now
        self._balance(now)
        if now - self._revoked_at >= REBALANCE_S:
            raise RejoinError(f"no partition was assigned for {REBALANCE_S:.0f} s after a rebalance began")
        if now >= self._look_at:
            self._look(now)

    def partitions(self) -> tuple[PartitionStatus, ...]:
        """Positions and lags; callable from any thread."""
        stored, ends = self._stored, self._ends
        return tuple(
            PartitionStatus(*p, stored.get(p), max(0, ends[p] - stored[p]) if p in ends and p in stored else None)
            for p in sorted(self._assigned.copy())
        )

    def leave(self) -> None:
        """Let the group assign partitions anew when we join again."""
        self._client.leave()

    def close(self) -> None:
        """Leave. What was read but not committed will be read again."""
        self._writer.close()
        self._client.close()

    def _collect(self) -> None:
        if batch := self._writer.collect():
            self._board.clear("store_refused")
            ours = {p: offset for p, offset in batch.next_offsets.items() if p in self._placed}
            self._stored = {**self._stored, **ours}
            self._client.commit(ours)

    def _place(self) -> None:
        """Set newly assigned partitions to the store's offsets, or to where a first start begins."""
        new = self._assigned - self._placed
        if not new:
            return
        ranges = self._client.ranges(new)
        known = self._topics.begin(ranges)
        begin = {p: ranges[p][0 if self._from_start else 1] for p in new - known.offsets.keys()}
        if known.replaced or (begin and not self._from_start):  # keep it, or a restart would begin at a later end
            self._sink.ingest(self._topics.sign(self._first(begin, known.replaced)))
        for topic in known.replaced:
            raise ReplacedError(topic)  # partitions were assigned by what the former topic had
        self._client.seek({p: self._begin(p, (known.offsets | begin)[p], *ranges[p]) for p in new})
        self._placed |= new

    def _first(self, begin: dict[Partition, int], replaced: dict[str, str]) -> Batch:
        """Where reading begins, and on record that a topic is another one, in its first partition."""
        batch = Batch(next_offsets=dict(begin))
        for topic, detail in replaced.items():
            origin = Origin(*min(p for p in begin.items() if p[0][0] == topic)[0], 0)
            batch.messages.append((origin, Decoded("kafka", rejects=[Reject("topic_replaced", detail)])))
            self._tell("topic_replaced", detail)
        return batch

    def _tell(self, state: State, detail: str) -> None:
        """Show what has happened for some time, though it is over."""
        self._board.set(state, detail, until=self._clock() + LOSS_TOLD_S)

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
        self._held.forget([partition])
        reject = loss(partition, at, first, end)
        self._pump.put(partition, Origin(*partition, at), Decoded("kafka", rejects=[reject]), next_offset=first)
        self._tell("offset_out_of_range", reject.detail)
        return first

    def _read(self) -> None:
        stuck = bool(self._paused) and self._paused == self._placed
        if stuck:
            self._writer.wait(POLL_S)
        try:
            messages = self._client.poll(0.0 if stuck else POLL_S)
        except OutOfRangeError as error:
            positions = {p: at for p, at in error.positions.items() if p in self._placed}
            self._topics.check(positions)
            for partition, (first, end) in self._client.ranges(positions).items():
                self._client.seek({partition: self._lose(partition, positions[partition], first, end)})
            return
        except UnreadableError as error:
            self._hold(error)
            return
        except (GroupError, GroupDeniedError) as error:
            raise self._explained(error) from None
        polled: defaultdict[Partition, list[Message]] = defaultdict(list)
        for message in messages:
            polled[message.origin[:2]].append(message)
        for partition in [p for p in polled if p in self._placed]:
            self._topics.note(polled[partition])
            for part in self._decode(polled[partition]):
                self._pump.put(partition, *part)
        self._held.forget(polled)
        self._mark_ends()

    def _explained(self, error: GroupError | GroupDeniedError) -> UnavailableError:
        """What to tell of `error`, beside which there may be topics that we may not see."""
        view = self._client.look(())
        if view.denied:
            return TopicDeniedError(view.denied)
        if isinstance(error, GroupError) and view.others:
            return GroupError(f"{error} ({named(view.others)})")
        return error

    def _mark_ends(self) -> None:
        for partition in self._placed - self._held.still():
            at_end = self._client.at_end(partition)
            self._pump.mark_end(partition, at_end)
            if at_end:
                self._held.at_end(partition, self._clock())

    def _hold(self, error: UnreadableError) -> None:
        """Let stand still what cannot be read; no other partition waits for it."""
        held = self._placed & error.positions.keys()
        self._held.hold(error, held, self._clock())
        self._client.pause(held)
        self._paused -= held
        for partition in held:
            self._pump.mark_end(partition, True)
        self._held.tell(self._board)

    def _balance(self, now: float) -> None:
        """Pause the partitions that are far ahead, which is all of them while the store is behind."""
        limit = max(LEAST_BUFFER, BUFFER // max(1, len(self._placed)))
        if again := self._held.due(now):
            self._client.seek(again)
            self._client.resume(again)
        full = {p for p in self._placed - self._paused - self._held.still() if self._pump.load(p) >= limit}
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
            self._topics.check(self._placed)
        except UnavailableError as error:  # the client reconnects by itself
            self._board.set(error.state, str(error))
            self._board.clear(*(state for state in TROUBLES if state != error.state))
            return
        self._ends = {**self._ends, **view.ends}
        self._board.clear("broker_unavailable")
        partitions = self.partitions()
        if partitions and all(p.lag == 0 for p in partitions):  # as where it was no batch that the store refused
            self._board.clear("store_refused")
        if self._joined:  # else what keeps us from joining would be cleared and told in turns
            self._board.clear("broker_error")
        self._board.clear("offset_out_of_range", "topic_replaced", now=now)
        self._name(view, now)

    def _name(self, view: View, now: float) -> None:
        """Topics that cannot be read, and others who take messages that this database will never see."""
        if view.denied:
            self._board.set("access_denied", str(TopicDeniedError(view.denied)))
        elif self._joined:
            self._held.tell(self._board)
        if view.missing:
            missing = ", ".join(view.missing)
            hint = "it is read once it appears; if it never will, leave it out of kafka.topics"
            self._board.set("topic_missing", f"there is no topic {missing}: {hint}")
        else:
            self._board.clear("topic_missing")
        if not self._joined:
            return
        settled = not self._board.holds("connecting", "rebalancing")
        if conflict := self._rivals.conflict(view, self._assigned, now, settled=settled):
            self._board.set("group_conflict", conflict)
        else:
            self._board.clear("group_conflict")
        if self._rivals.should_rejoin(now):
            self._client.rejoin()


def loss(partition: Partition, at: int, first: int, end: int) -> Reject:
    """The reject that stands for messages nobody can read any more: `at` was to be read, `first` to `end` exist."""
    name = f"{partition[0]}[{partition[1]}]"
    if at < first:
        detail = f"{first - at} messages of {name} were deleted before they were read: offsets {at} to {first - 1}"
        return Reject("offsets_lost", detail)
    detail = f"{name} was to be read from offset {at}, but holds {first} to {end - 1}: recreated or truncated"
    return Reject("offsets_reset", f"{detail}; read again from {first}")
