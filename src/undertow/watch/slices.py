"""Which stretches of event time are due to be judged: none too long or too full, so that others are let in."""

import math
from collections.abc import Iterator, Sequence

from undertow.clock import Clock
from undertow.store import Store
from undertow.store.plan import BUCKET_S

SLICE_S = 6 * 3600.0
MAX_SLICES = 500
AHEAD_S = 3600.0
END_S = 86400.0
MOST_SPANS = 20_000
"""Judged at once: a round is asked to stop between two slices."""
SHORT_S = 60.0
"""A stretch that is no longer has few spans, unless they come faster than they can be stored."""

Slice = tuple[float | None, float]
"""After when, None from the start, and until when; Unix seconds."""


class Slices:
    """What is released: all that is older than `lateness_s`, and the rest where nothing newer comes for as long.

    The rest ends where a clock is wrong: what lies AHEAD_S beyond that which sources agree on, or later than the
    machine's clock says, waits until event time has come so far. At the end of what is replayed it is END_S.
    """

    def __init__(self, store: Store, lateness_s: float, clock: Clock) -> None:
        self._store, self._lateness_s, self._clock = store, lateness_s, clock
        self._quiet_since: tuple[float, float] | None = None

    def due(self, *, final: bool) -> Sequence[Slice]:
        """The stretches that were not judged yet, in order; `final` means that nothing more will come."""
        until, cursor = self._until(final), self._store.cursor()
        if until is None or (cursor is not None and until <= cursor):
            return []
        oldest = self._store.first() if cursor is None else cursor
        first = until if oldest is None else oldest
        width = max(SLICE_S, (until - first) / MAX_SLICES)
        ends = [first + width * i for i in range(1, int((until - first) / width) + 1)]
        ends = sorted({*ends, *self._busy(first, until)})
        ends = [*(end for end in ends if first < end < until), until]
        return list(zip([cursor, *ends], ends, strict=False))

    def _until(self, final: bool) -> float | None:
        if final:
            return self._store.reached(math.inf, END_S)
        newest, event_time = self._store.reached(self._clock(), AHEAD_S), self._store.event_time()
        if newest is not None and self._idle(newest):
            return newest
        return None if event_time is None else event_time - self._lateness_s

    def _busy(self, first: float, until: float) -> Iterator[float]:
        """Where to cut so that no stretch has many more than MOST_SPANS spans, late ones counted too."""
        if until - first <= SHORT_S:
            return
        since = 0
        for row in self._store.stored(until, until - first):
            parts = math.ceil(row["n"] / MOST_SPANS)
            if since and since + row["n"] > MOST_SPANS:
                since = 0
                yield row["at"]
            since += row["n"]
            yield from (row["at"] + BUCKET_S * i / parts for i in range(1, parts))

    def _idle(self, newest: float) -> bool:
        """Whether nothing newer has come for `lateness_s` by the clock."""
        now = self._clock()
        if self._quiet_since is None or self._quiet_since[0] != newest:
            self._quiet_since = (newest, now)
        return now - self._quiet_since[1] >= self._lateness_s
