"""When a target will have enough data to be judged, and when it last changed."""

from collections.abc import Iterable, Mapping
from typing import Any

from undertow.span import Target
from undertow.watch.baseline import DAY_S
from undertow.watch.describe import days_left
from undertow.watch.pool import members, subject
from undertow.watch.signals import CONTENT
from undertow.watch.stream import MIN_VALUES
from undertow.watch.target import TargetWatch


def ready_at(watch: TargetWatch | None, now: float, quiet_s: float) -> float | None:
    """Unix seconds when its baseline is complete, if answers go on coming as they did; `now` is by the clock.

    None: it is, that is unknown, or by then no signal has the MIN_VALUES values that judging needs.
    """
    days = days_left(watch, quiet_s)
    if watch is None or days is None or not _enough(watch, days):
        return None
    return now + days * DAY_S


def _enough(watch: TargetWatch, days: float) -> bool:
    """Whether a signal that nearly every log has will have its values when the baseline is complete."""
    known, collected_s = watch.collector.values(CONTENT), watch.collector.end - watch.collector.start
    grown = 1 + days * DAY_S / max(collected_s, 1.0)
    return max(known.values(), default=0) * grown >= MIN_VALUES


def last_changes(incidents: Iterable[Mapping[str, Any]]) -> dict[Target, float]:
    """When each target last changed, of `incidents`, newest first."""
    found: dict[Target, float] = {}
    for document in incidents:
        for member in members(subject(document)):
            found.setdefault(member, float(document["change_point"]))
    return found
