"""Missing data is an alert of its own: a silent collector must not look like a healthy provider.

What can be silent is the source (Kafka cannot be reached), a topic, or a target. The widest of these that explains the
silence is told, once, and its end. The functions are pure; `watch.silence` feeds them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from undertow.watch.describe import LEAST_QUIET_S, MISSING_SPANS

Document = dict[str, Any]
Why = Literal["source_unreachable", "topic_silent", "all_targets_silent", "target_silent"]

UNREACHABLE_S = 300.0
"""A source may be away for so long, as in a rolling restart of the brokers."""
LEAST_KNOWN_S, LEAST_MESSAGES = 3600.0, 100
"""A topic is watched for so long, and so many messages, before its silence means anything."""
NOBODY = {"gateway": None, "provider": None, "model": None, "deployment": None}


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


@dataclass(frozen=True, slots=True)
class Silent:
    """One thing that is silent: `since` is when it was last heard."""

    why: Why
    subject: str
    since: float
    text: str
    target: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """The same as long as the silence lasts, and in the next one."""
        return f"{self.why} {self.subject}"


def widest(silent: Mapping[str, Silent]) -> dict[str, Silent]:
    """What is told of everything that is silent: the source, or else topics, or else all targets, or else some."""
    for why in ("source_unreachable", "topic_silent", "all_targets_silent", "target_silent"):
        found = {key: one for key, one in silent.items() if one.why == why}
        if found:
            return found
    return {}


def opened(one: Silent, now: float) -> Document:
    """The document of a silence, in the shape of an incident, so that every channel can tell it."""
    digest = hashlib.blake2b(f"{one.key} {now}".encode(), digest_size=10).hexdigest()
    return {
        "id": f"stale_{digest}",
        "target": dict(one.target) if one.target else dict(NOBODY),
        "cause": "data_stale",
        "lane": "data",
        "severity": "warning" if one.why == "target_silent" else "critical",
        "confirmation": None,
        "group": None,
        "status": "open",
        "opened_at": now,
        "opened_after_spans": None,
        "resolved_at": None,
        "change_point": one.since,
        "change_point_interval": None,
        "signals": [],
        "cost": None,
        "why": [one.why],
        "recommendation": {"action": "none", "multiplier": 1.0},
        "text": one.text,
        "reason": "silent",
    }


def ended(document: Document, now: float) -> Document:
    """The same when data come again."""
    return document | {"status": "resolved", "resolved_at": now, "reason": "heard_again"}
