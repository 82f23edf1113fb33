"""Which stretches of event time are due to be judged: a few hours at once, so that a long catch-up lets others in."""

import math
from collections.abc import Sequence

from undertow.clock import Clock
from undertow.store import Store

SLICE_S = 6 * 3600.0
MAX_SLICES = 500
AHEAD_S = 3600.0
END_S = 86400.0

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
        first = min((row["first"] for row in self._store.targets()), default=until) if cursor is None else cursor
        width = max(SLICE_S, (until - first) / MAX_SLICES)
        ends = [first + width * i for i in range(1, int((until - first) / width) + 1)]
        ends = [*(end for end in ends if end < until), until]
        return list(zip([cursor, *ends], ends, strict=False))

    def _until(self, final: bool) -> float | None:
        if final:
            return self._store.reached(math.inf, END_S)
        newest, event_time = self._store.reached(self._clock(), AHEAD_S), self._store.event_time()
        if newest is not None and self._idle(newest):
            return newest
        return None if event_time is None else event_time - self._lateness_s

    def _idle(self, newest: float) -> bool:
        """Whether nothing newer has come for `lateness_s` by the clock."""
        now = self._clock()
        if self._quiet_since is None or self._quiet_since[0] != newest:
            self._quiet_since = (newest, now)
        return now - self._quiet_since[1] >= self._lateness_s
