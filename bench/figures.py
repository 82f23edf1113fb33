"""What every family of benchmarks has in common: a clock, and the object that is printed as one line."""

import time
from collections.abc import Callable
from typing import Any

TRIAL_SPANS = 10_000
"""So many spans or fewer show that a family still runs, and measure nothing."""


def trial(spans: int) -> bool:
    """Whether to leave out what takes its time at any number of spans: repetitions, days, streams, pages."""
    return spans <= TRIAL_SPANS


def seconds(work: Callable[[], Any]) -> float:
    """How long `work` takes by the wall's clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def figure(name: str, value: float, unit: str, limit: str, limit_value: float, spans: int, note: str) -> dict[str, Any]:
    """One line of output; `ratio` is value over limit_value."""
    return {
        "bench": name,
        "value": value,
        "unit": unit,
        "limit": limit,
        "limit_value": limit_value,
        "ratio": value / limit_value,
        "spans": spans,
        "note": note,
    }
