"""Missing data is an alert of its own: a silent collector must not look like a healthy provider.

What can be silent is the source (Kafka cannot be reached), a topic, or a target. The widest of these that explains the
silence is told, once, and its end. The functions are pure; `watch.silence` feeds them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from undertow.watch.dataalert import Trouble
from undertow.watch.describe import LEAST_QUIET_S, MISSING_SPANS

Document = dict[str, Any]
WIDEST_FIRST = ("source_unreachable", "topic_silent", "all_targets_silent", "target_silent")

UNREACHABLE_S = 300.0
"""A source may be away for so long, as in a rolling restart of the brokers."""
LEAST_KNOWN_S, LEAST_MESSAGES = 3600.0, 100
"""A topic is watched for so long, and so many messages, before its silence means anything."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How messages of a topic come, counted while nothing waits to be read; times are Unix seconds by the clock."""

    offset: int
    seen_at: float
    last: float
    messages: int = 0
    seconds: float = 0.0
    longest_gap_s: float = 0.0

    def step(self, offset: int, now: float, settled: bool) -> "Pace":
        """The pace when the topic was read up to `offset` at `now`; a catch-up tells nothing of it."""
        came, last = offset - self.offset, min(self.last, now)  # later than now: the clock was set back
        if not settled:
            return replace(self, offset=offset, seen_at=now, last=now if came else last)
        passed = max(0.0, now - self.seen_at)
        return replace(
            self,
            offset=offset,
            seen_at=now,
            last=now if came else last,
            messages=self.messages + max(0, came),
            seconds=self.seconds + passed,
            longest_gap_s=max(self.longest_gap_s, now - last) if came else self.longest_gap_s,
        )

    def silent(self, now: float) -> bool:
        """Whether MISSING_SPANS messages are missing at a third of the pace, and longer than twice any gap before."""
        if self.seconds < LEAST_KNOWN_S or self.messages < LEAST_MESSAGES:
            return False
        limit = max(LEAST_QUIET_S, 3 * MISSING_SPANS * self.seconds / self.messages, 2 * self.longest_gap_s)
        return now - self.last > limit

    def as_dict(self) -> Document:
        """As the store keeps it."""
        return asdict(self)


def widest(silent: Mapping[str, Trouble]) -> dict[str, Trouble]:
    """What is told of everything that is silent: the source, or else topics, or else all targets, or else some."""
    for why in WIDEST_FIRST:
        found = {key: one for key, one in silent.items() if one.why == why}
        if found:
            return found
    return {}
