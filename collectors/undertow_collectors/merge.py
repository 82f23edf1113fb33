"""Several ordered inputs as one in event-time order, without waiting for ever. Knows nothing of Kafka.

Partitions that are read after a pause are hours apart in event time; storing them as they come would make the spans of
the slower ones late, which means unjudged. So each input is a lane with a buffer, and a message leaves its lane once
every lane that has more to come has come as far. Messages that were decoded together travel together, until a time
divides them.
"""

import math
from collections import deque
from collections.abc import Hashable, Iterable
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.batch import Decoded, Origin, run_of
from undertow.columns import numbers
from undertow.eventtime import EventTime

PENDING = 1000
"""Spans of a lane after which it is asked how far they agree, so that not all have to be kept."""

Lane = Hashable
Times = NDArray[np.float64]


class Parcel(NamedTuple):
    """A message, or a run of them, on its way. `event_time` is the newest ended_at of its lane up to its end.

    A run has `times`, one for each of its spans, shape (weight,): the same up to the end of the message it is in.
    """

    event_time: float
    lane: Lane
    origin: Origin
    decoded: Decoded
    next_offset: int
    weight: int
    times: Times | None = None

    def spread(self, count: int) -> Times:
        """The event time of each of its `count` spans."""
        return np.full(count, self.event_time) if self.times is None else self.times

    def until(self, time: float, side: "str" = "right") -> int:
        """How much of its weight has come when its lane has come to `time`, which `side="left"` leaves out."""
        if self.times is not None:
            return int(np.searchsorted(self.times, time, side))  # type: ignore[call-overload]
        reached = self.event_time <= time if side == "right" else self.event_time < time
        return self.weight if reached else 0

    def cut(self, count: int) -> tuple["Parcel", "Parcel"]:
        """A run in two, where one message ends; the first has `count` spans."""
        times, columns = self.spread(self.weight), self.decoded.columns
        last, following = columns["offset"][count - 1 : count + 1].to_pylist()  # type: ignore[index]
        derived = self.decoded.derived.keys() - {"cost_usd"}
        first, second = (
            run_of(self.decoded.format, piece, derived)
            for piece in (columns.slice(0, count), columns.slice(count))  # type: ignore[union-attr]
        )
        return (
            self._replace(
                event_time=float(times[count - 1]),
                decoded=first,
                next_offset=last + 1,
                weight=count,
                times=times[:count],
            ),
            self._replace(
                origin=self.origin._replace(offset=following),
                decoded=second,
                weight=self.weight - count,
                times=times[count:],
            ),
        )


def divide(parcels: Iterable[Parcel], time: float, side: str = "right") -> tuple[list[Parcel], list[Parcel]]:
    """What has come up to `time`, and the rest, both in the order of `parcels`."""
    before: list[Parcel] = []
    after: list[Parcel] = []
    for parcel in parcels:
        count = parcel.until(time, side)
        if 0 < count < parcel.weight:
            first, second = parcel.cut(count)
            before.append(first)
            after.append(second)
        else:
            (before if count else after).append(parcel)
    return before, after


class _Queue:
    """The buffer of one lane, and how far the lane has come."""

    def __init__(self, now: float, lateness_s: float) -> None:
        self.parcels: deque[Parcel] = deque()
        self.newest = -math.inf
        self.at_end = False
        self.empty_since = now
        self._agreed = EventTime(lateness_s)
        self._pending: list[Times] = []

    def holds_back(self, now: float, patience_s: float) -> bool:
        """Whether the other lanes must wait for what this one brings next."""
        return not self.at_end and (bool(self.parcels) or now - self.empty_since < patience_s)

    def come(self, ended_at: Times) -> Times:
        """How far the lane has come after each of more spans, shape (n,): the newest of them.

        Where what follows contradicts that, by more than the lateness, it is as far as its spans agree.
        """
        running = np.maximum.accumulate(np.concatenate(([self.newest], ended_at)))[1:]
        self._pending.append(ended_at)
        if np.any(ended_at < running - self._agreed.lateness_s):
            agreed = self._agree()
            if running[-1] > self._agreed.bound:
                running = agreed[-len(ended_at) :]
                self._take_back(self._agreed.now)
        elif sum(map(len, self._pending)) >= PENDING:
            self._agree()
        self.newest = float(running[-1])
        return running

    def _agree(self) -> Times:
        """Bring event time up to date; how far it had come after each span that was pending."""
        times = np.concatenate(self._pending)
        self._agreed, running = self._agreed.after(np.zeros(len(times), np.int64), times)
        self._pending = []
        return running

    def _take_back(self, now: float) -> None:
        """What waits and claims to be later than the lane has come goes as far as that."""
        for place, parcel in enumerate(self.parcels):
            if parcel.event_time > now:
                times = None if parcel.times is None else np.minimum(parcel.times, now)
                self.parcels[place] = parcel._replace(event_time=now, times=times)


class Merge:
    """Lanes merged by the newest ended_at seen in each: a prefix of every lane, never out of a lane's own order.

    A lane at its end holds nobody back; one that should have more but has brought nothing for `patience_s` seconds
    does not either. An ended_at from a clock that runs ahead moves a lane until its next spans contradict it.
    """

    def __init__(self, patience_s: float = 30.0, lateness_s: float = 60.0) -> None:
        self._queues: dict[Lane, _Queue] = {}
        self._patience_s = patience_s
        self._lateness_s = lateness_s

    def open(self, lane: Lane, now: float) -> None:
        """Begin `lane`, empty; the others wait for its first message."""
        self._queues[lane] = _Queue(now, self._lateness_s)

    def close(self, lane: Lane) -> None:
        """Forget `lane` and what it holds."""
        self._queues.pop(lane, None)

    def mark_end(self, lane: Lane, at_end: bool) -> None:
        """Say whether `lane` has nothing more to bring for now."""
        self._queues[lane].at_end = at_end

    def put(self, lane: Lane, origin: Origin, decoded: Decoded, next_offset: int) -> Parcel:
        """Append one message, or a run of them, to an open lane."""
        queue = self._queues[lane]
        times = None
        if decoded.columns is not None:
            running = queue.come(numbers(decoded.columns["ended_at"]))
            times = _by_message(running, numbers(decoded.columns["offset"]))
        elif decoded.spans:
            queue.come(np.array([span.ended_at for span in decoded.spans]))
        weight = max(1, decoded.count + len(decoded.rejects))
        parcel = Parcel(queue.newest, lane, origin, decoded, next_offset, weight, times)
        queue.parcels.append(parcel)
        return parcel

    def release(self, now: float) -> list[Parcel]:
        """What no lane holds back any more, in order of event time."""
        holding = (q.newest for q in self._queues.values() if q.holds_back(now, self._patience_s))
        watermark = min(holding, default=math.inf)
        released: list[Parcel] = []
        for queue in self._queues.values():
            before = len(released)
            while queue.parcels and (count := queue.parcels[0].until(watermark)):
                parcel = queue.parcels.popleft()
                if count < parcel.weight:
                    parcel, rest = parcel.cut(count)
                    queue.parcels.appendleft(rest)
                released.append(parcel)
            if len(released) > before and not queue.parcels:
                queue.empty_since = now
        released.sort(key=attrgetter("event_time"))  # stable, so a lane keeps its order
        return released

    def behind(self, lanes: Iterable[Lane]) -> Lane:
        """The one of `lanes` that has come least far."""
        return min(lanes, key=lambda lane: self._queues[lane].newest)


def _by_message(running: Times, offsets: NDArray[np.int64]) -> Times:
    """How far the lane has come at the end of each span's message, shape (n,), from how far it has after each span."""
    last = np.append(np.flatnonzero(np.diff(offsets)), len(offsets) - 1)
    return np.repeat(running[last], np.diff(last, prepend=-1))
