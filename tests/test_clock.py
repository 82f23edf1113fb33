"""Moments in words."""

import pytest

from undertow.clock import utc


@pytest.mark.parametrize("at", [1e18, -1e18, float("inf"), float("nan")])
def test_a_moment_that_no_calendar_has_is_said_to_be_unknown(at: float) -> None:
    """A time that a log made up does not stop a report."""
    assert utc(at) == "an unknown time"


def test_a_moment_is_written_in_utc() -> None:
    """A moment reads the same on every machine."""
    assert utc(1_796_063_400) == "2026-11-30 18:30:00Z"
