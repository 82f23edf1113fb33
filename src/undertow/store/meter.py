"""How many spans were stored lately, by the clock."""

import threading
import time
from collections import deque

WINDOW_S = 60.0
LEAST_S = 5.0
"""Sooner after the start nothing can be said."""


class Meter:
    """Counts of the last minute; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: deque[tuple[float, int]] = deque()
        self._since = time.monotonic()

    def add(self, count: int) -> None:
        """So many were stored now."""
        with self._lock:
            at = time.monotonic()
            self._counts.append((at, count))
            self._forget(at)

    def per_s(self) -> float | None:
        """Stored a second over the last minute, or since the start where that is less; None right after it."""
        with self._lock:
            at = time.monotonic()
            self._forget(at)
            length = min(WINDOW_S, at - self._since)
            return sum(count for _, count in self._counts) / length if length >= LEAST_S else None

    def _forget(self, at: float) -> None:
        while self._counts and self._counts[0][0] <= at - WINDOW_S:
            self._counts.popleft()
