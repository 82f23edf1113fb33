"""What came in and whether the monitor works."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct


class Partition(Struct, frozen=True):
    """How far one partition was read; `lag` in messages, None when the broker did not say."""

    topic: str
    partition: int
    next_offset: int | None = None
    lag: int | None = None


class Totals(Struct, frozen=True):
    """read = stored + duplicates + rejected + skipped; late ones are among the stored."""

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    skipped: int = 0
    late: int = 0


class Reason(Struct, frozen=True):
    """How often something happened, by its snake_case reason."""

    reason: str
    count: int = 0


class Named(Struct, frozen=True):
    """How often a key was met."""

    name: str
    count: int = 0


class Fault(Struct, frozen=True):
    """What is known to be wrong with spans at their source, in the monitor's words; `affects` is the figure."""

    affects: str
    text: str = ""


class Instrumentation(Struct, frozen=True):
    """Who wrote spans of a source; times of the monitor's clock. Without spans it was seen, and none was a call."""

    topic: str
    name: str
    version: str | None = None
    spans: int = 0
    first_seen: float | None = None
    last_seen: float | None = None
    warnings: Sequence[Fault] = ()


class SourceState(Struct, frozen=True):
    """What the source is doing."""

    state: str = "stopped"
    detail: str = ""


class Stored(Struct, frozen=True):
    """Calls that ended within one time bin."""

    at: float
    n: int = 0


class Throughput(Struct, frozen=True):
    """Calls stored: a second over the last minute of the clock, None where unknown, and by the time that they ended."""

    per_s: float | None = None
    points: Sequence[Stored] = ()


class Unheard(Struct, frozen=True):
    """What is not heard any more: the source, a topic, all targets or one; `since` is when it was heard last."""

    why: str
    subject: str = ""
    since: float | None = None


class Trouble(Struct, frozen=True):
    """Spans that come too late to be judged, or a clock that is ahead, in the monitor's words."""

    why: str
    text: str = ""


class Ingestion(Struct, frozen=True):
    """What came in, what became of it, and how far behind the source is."""

    partitions: Sequence[Partition] = ()
    totals: Totals = Totals()
    rejects: Sequence[Reason] = ()
    skipped: Sequence[Reason] = ()
    unknown_keys: Sequence[Named] = ()
    repaired: Sequence[Named] = ()
    unknown_outcomes: Sequence[Named] = ()
    newest: float | None = None
    source: SourceState | None = None
    formats: Sequence[Named] = ()
    instrumentations: Sequence[Instrumentation] = ()
    throughput: Throughput | None = None
    silent: Sequence[Unheard] = ()
    troubles: Sequence[Trouble] = ()

    @property
    def lag(self) -> int | None:
        """Messages not read yet, None when no partition says."""
        known = [p.lag for p in self.partitions if p.lag is not None]
        return sum(known) if known else None


class Rejects(Struct, frozen=True):
    """Body of /v1/rejects; the rows are shown as they come."""

    rejects: list[dict[str, Any]]


class Part(Struct, frozen=True):
    """One part of the monitor and whether it works."""

    part: str
    ok: bool
    state: str = ""
    detail: str = ""


class Readiness(Struct, frozen=True):
    """Whether the monitor works, part by part."""

    ready: bool
    parts: Sequence[Part] = ()
