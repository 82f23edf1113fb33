"""From merged messages to batches: how many spans go to the store at once, and when."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter

import numpy as np

from undertow.batch import Batch, Decode, Decoded, Message, Origin, Part
from undertow_collectors.merge import Lane, Merge, Parcel, divide

FILL = 10_000
CAP = 50_000
LINGER_S = 1.0


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

    def put(self, lane: Lane, origin: Origin, decoded: Decoded, next_offset: int) -> None:
        """Append one message, or a run of them, to an open lane; `next_offset` is where the lane goes on."""
        self._load[lane] += self._merge.put(lane, origin, decoded, next_offset).weight

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
        taken, rest = first_of(self._ready, self._cap) if self._ready_weight > self._cap else (list(self._ready), [])
        self._ready = deque(rest)
        for parcel in taken:
            self._load[parcel.lane] -= parcel.weight
            self._ready_weight -= parcel.weight
        self._waiting_since = math.inf
        return batch_of(taken)


def first_of(parcels: Iterable[Parcel], cap: int) -> tuple[list[Parcel], list[Parcel]]:
    """The `cap` spans that come first in event time, but at least one message, and the rest; there are more."""
    times = np.concatenate([parcel.spread(parcel.weight) for parcel in parcels])
    limit = float(np.partition(times, cap)[cap])  # of the first that is too much
    taken, rest = divide(parcels, limit, "left")
    tied, rest = divide(rest, limit)
    weight = sum(parcel.weight for parcel in taken)
    for place, parcel in enumerate(tied):
        if weight and weight + parcel.weight > cap:
            return taken, tied[place:] + rest
        taken.append(parcel)
        weight += parcel.weight
    return taken, rest


def batch_of(parcels: Sequence[Parcel]) -> Batch:
    """`parcels` as one batch, whose spans count as arrived in order of event time."""
    batch = Batch()
    ordered = sorted(parcels, key=attrgetter("event_time"))  # stable, as lanes keep their own order
    for parcel in ordered:
        batch.add(parcel.origin, parcel.decoded, parcel.next_offset)
    times = np.concatenate([parcel.spread(parcel.decoded.count) for parcel in ordered])
    if np.any(times[1:] < times[:-1]):  # runs that overlap
        batch.order = np.argsort(times, kind="stable")
    return batch


def singly(decode: Callable[[Message], Decoded]) -> Decode:
    """A decoder of single messages as one of many."""
    return lambda messages: [Part(m.origin, decode(m), m.origin.offset + 1) for m in messages]


def batches(
    inputs: Iterable[Iterator[Message]], decode: Decode, chunk: int = 1_000, lateness_s: float = 60.0
) -> Iterator[Batch]:
    """Every message of `inputs` (files, say), merged by event time and cut into batches; each input is a lane.

    It reads on where it is furthest behind, so that it holds little more than `chunk` messages of each input.
    """
    merge = Merge(lateness_s=lateness_s)
    pump = Pump(merge)
    reading: dict[Lane, Iterator[Message]] = dict(enumerate(inputs))
    for lane in reading:
        pump.open(lane, 0.0)
    while reading:
        lane = merge.behind(reading)
        messages = list(islice(reading[lane], chunk))
        for part in decode(messages):
            pump.put(lane, *part)
        if len(messages) < chunk:
            del reading[lane]
            pump.mark_end(lane, True)
        while batch := pump.take(0.0):
            yield batch
    while batch := pump.take(0.0, rest=True):
        yield batch
