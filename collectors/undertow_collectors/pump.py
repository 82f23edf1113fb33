"""From several ordered inputs to batches in event-time order, without waiting for ever. Knows nothing of Kafka.

Partitions that are read after a pause are hours apart in event time; storing them as they come would make the spans of
the slower ones late, which means unjudged. So each input is a lane with a buffer, and a message leaves its lane once
every lane that has more to come has come as far.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from undertow.batch import Batch, Decoded, Message, Origin

Decode = Callable[[Message], Decoded]
Lane = Hashable

FILL = 10_000
CAP = 50_000
LINGER_S = 1.0


class Parcel(NamedTuple):
    """One decoded message on its way. `event_time` is the newest ended_at of its lane up to and including it."""

    event_time: float
    lane: Lane
    origin: Origin
    decoded: Decoded
    next_offset: int
    weight: int


class _Queue:
    """The buffer of one lane."""

    def __init__(self, now: float) -> None:
        self.parcels: deque[Parcel] = deque()
        self.newest = -math.inf
        self.at_end = False
        self.empty_since = now

    def holds_back(self, now: float, patience_s: float) -> bool:
        """Whether the other lanes must wait for what this one brings next."""
        return not self.at_end and (bool(self.parcels) or now - self.empty_since < patience_s)


class Merge:
    """Lanes merged by the newest ended_at seen in each: a prefix of every lane, never out of a lane's own order.

    A lane at its end holds nobody back; one that should have more but has brought nothing for `patience_s` seconds
    does not either. An ended_at past `ceiling()`, from a clock that runs ahead, moves nothing.
    """

    def __init__(self, patience_s: float = 30.0, ceiling: Callable[[], float] = lambda: math.inf) -> None:
        self._queues: dict[Lane, _Queue] = {}
        self._patience_s = patience_s
        self._ceiling = ceiling

    def open(self, lane: Lane, now: float) -> None:
        """Begin `lane`, empty; the others wait for its first message."""
        self._queues[lane] = _Queue(now)

    def close(self, lane: Lane) -> None:
        """Forget `lane` and what it holds."""
        self._queues.pop(lane, None)

    def mark_end(self, lane: Lane, at_end: bool) -> None:
        """Say whether `lane` has nothing more to bring for now."""
        self._queues[lane].at_end = at_end

    def put(self, lane: Lane, origin: Origin, decoded: Decoded, next_offset: int) -> Parcel:
        """Append one message to an open lane."""
        queue = self._queues[lane]
        ceiling = self._ceiling()
        for span in decoded.spans:
            if queue.newest < span.ended_at <= ceiling:
                queue.newest = span.ended_at
        weight = max(1, len(decoded.spans) + len(decoded.rejects))
        parcel = Parcel(queue.newest, lane, origin, decoded, next_offset, weight)
        queue.parcels.append(parcel)
        return parcel

    def release(self, now: float) -> list[Parcel]:
        """What no lane holds back any more, in order of event time."""
        holding = (q.newest for q in self._queues.values() if q.holds_back(now, self._patience_s))
        watermark = min(holding, default=math.inf)
        released: list[Parcel] = []
        for queue in self._queues.values():
            before = len(released)
            while queue.parcels and queue.parcels[0].event_time <= watermark:
                released.append(queue.parcels.popleft())
            if len(released) > before and not queue.parcels:
                queue.empty_since = now
        released.sort(key=attrgetter("event_time"))  # stable, so a lane keeps its order
        return released

    def behind(self, lanes: Iterable[Lane]) -> Lane:
        """The one of `lanes` that has come least far."""
        return min(lanes, key=lambda lane: self._queues[lane].newest)


class Pump:
    """Merged messages cut into batches of FILL to CAP spans, or of what came in LINGER_S seconds."""

    def __init__(self, merge: Merge, fill: int = FILL, cap: int = CAP, linger_s: float = LINGER_S) -> None:
        self._merge = merge
        self._ready: deque[Parcel] = deque()
        self._ready_weight = 0
        self._waiting_since = math.inf
        self._fill, self._cap, self._linger_s = fill, cap, linger_s
        self._load: Counter[Lane] = Counter()

    def open(self, lane: Lane, now: float) -> None:
        """Begin `lane`, empty."""
        self.close(lane)
        self._merge.open(lane, now)

    def close(self, lane: Lane) -> None:
        """Forget `lane` and whatever of it was not taken yet."""
        self._merge.close(lane)
        self._load.pop(lane, None)
        self._ready = deque(p for p in self._ready if p.lane != lane)
        self._ready_weight = sum(p.weight for p in self._ready)

    def mark_end(self, lane: Lane, at_end: bool) -> None:
        """Say whether `lane` has nothing more to bring for now."""
        self._merge.mark_end(lane, at_end)

    def put(self, lane: Lane, origin: Origin, decoded: Decoded, next_offset: int | None = None) -> None:
        """Append one message to an open lane; `next_offset` is where the lane goes on, one past `origin` by default."""
        resume = origin.offset + 1 if next_offset is None else next_offset
        self._load[lane] += self._merge.put(lane, origin, decoded, resume).weight

    def load(self, lane: Lane) -> int:
        """Spans and rejects of `lane` that are buffered."""
        return self._load[lane]

    def take(self, now: float, rest: bool = False) -> Batch | None:
        """The next batch, or None while it is neither full nor old enough; `rest` takes it as it is."""
        for parcel in self._merge.release(now):
            self._ready.append(parcel)
            self._ready_weight += parcel.weight
        if not self._ready:
            return None
        self._waiting_since = min(self._waiting_since, now)
        due = self._ready_weight >= self._fill or now - self._waiting_since >= self._linger_s
        return self._cut() if due or rest else None

    def _cut(self) -> Batch:
        batch, weight = Batch(), 0
        while self._ready and (not weight or weight + self._ready[0].weight <= self._cap):
            parcel = self._ready.popleft()
            batch.add(parcel.origin, parcel.decoded)
            batch.next_offsets[parcel.origin.topic, parcel.origin.partition] = parcel.next_offset
            self._load[parcel.lane] -= parcel.weight
            weight += parcel.weight
        self._ready_weight -= weight
        self._waiting_since = math.inf
        return batch


def batches(inputs: Iterable[Iterator[Message]], decode: Decode, chunk: int = 1_000) -> Iterator[Batch]:
    """Every message of `inputs` (files, say), merged by event time and cut into batches; each input is a lane.

    It reads on where it is furthest behind, so that it holds little more than `chunk` messages of each input.
    """
    merge = Merge()
    pump = Pump(merge)
    reading: dict[Lane, Iterator[Message]] = dict(enumerate(inputs))
    for lane in reading:
        pump.open(lane, 0.0)
    while reading:
        lane = merge.behind(reading)
        messages = list(islice(reading[lane], chunk))
        for message in messages:
            pump.put(lane, message.origin, decode(message))
        if len(messages) < chunk:
            del reading[lane]
            pump.mark_end(lane, True)
        while batch := pump.take(0.0):
            yield batch
    while batch := pump.take(0.0, rest=True):
        yield batch
