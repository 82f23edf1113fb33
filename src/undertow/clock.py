"""Time as a value that is passed in, so that tests own it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Returns Unix seconds."""


def system_clock() -> float:
    """The wall clock, in Unix seconds."""
    return time.time()


def utc(at: float) -> str:
    """Return a moment in Unix seconds as `2026-11-30 18:00:00Z`; one that no calendar has is `an unknown time`."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


class ManualClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time it was last moved to, in Unix seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move `seconds` forward."""
        self.now += seconds
