"""Which stretches of event time are due to be judged: a few hours at once, so that a long catch-up lets others in."""

from collections.abc import Sequence

from undertow.clock import Clock
from undertow.store import Store

SLICE_S = 6 * 3600.0
MAX_SLICES = 500

Slice = tuple[float | None, float]
"""After when, None from the start, and until when; Unix seconds."""


class Slices:
    """What is released: all that is older than `lateness_s`, and the rest where nothing newer comes for as long."""

    def __init__(self, store: Store, lateness_s: float, clock: Clock) -> None:
        self._store, self._lateness_s, self._clock = store, lateness_s, clock
        self._quiet_since: tuple[float, float] | None = None

    def due(self, *, final: bool) -> Sequence[Slice]:
        """The stretches that were not judged yet, in order; `final` means that nothing more will come."""
        newest, cursor = self._store.newest(), self._store.cursor()
        if newest is None:
            return []
        until = newest if final or self._idle(newest) else newest - self._lateness_s
        oldest = self._store.first() if cursor is None else cursor
        first = until if oldest is None else oldest
        if cursor is not None and until <= cursor:
            return []
        width = max(SLICE_S, (until - first) / MAX_SLICES)
        ends = [first + width * i for i in range(1, int((until - first) / width) + 1)]
        ends = [*(end for end in ends if end < until), until]
        return list(zip([cursor, *ends], ends, strict=False))

    def _idle(self, newest: float) -> bool:
        """Whether nothing newer has come for `lateness_s` by the clock."""
        now = self._clock()
        if self._quiet_since is None or self._quiet_since[0] != newest:
            self._quiet_since = (newest, now)
        return now - self._quiet_since[1] >= self._lateness_s
