"""What the API answers (CONTRACTS 2 and 4).

Unknown keys are ignored and absent ones have defaults, so that an older dashboard still reads a newer API.
Times are Unix seconds of event time.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field


class Target(Struct, frozen=True):
    """One model of one provider behind one gateway deployment."""

    provider: str
    model: str
    gateway: str | None = None
    deployment: str | None = None

    def params(self) -> dict[str, str]:
        """The query parameters that name it, in links and in API calls; absent means null."""
        named = {
            "gateway": self.gateway,
            "provider": self.provider,
            "model": self.model,
            "deployment": self.deployment,
        }
        return {key: value for key, value in named.items() if value is not None}


class SignalState(Struct, frozen=True):
    """How one signal of a target stands; evidence and threshold are decimal logarithms."""

    signal: str
    lane: str = ""
    state: str = "insufficient"
    baseline_values: int | None = None
    log10_evidence: float | None = None
    log10_threshold: float | None = None


class TargetState(Struct, frozen=True):
    """How one target stands; `text` is the monitor's own sentence about it."""

    target: Target
    spans: int = 0
    late: int = 0
    first: float | None = None
    last: float | None = None
    baseline: str = "collecting"
    baseline_spans: int = 0
    state: str = "insufficient_data"
    text: str = ""
    open_incidents: Sequence[str] = ()
    multiplier: float = 1.0
    signals: Sequence[SignalState] = ()


class Noticed(Struct, frozen=True):
    """The smallest increase and decrease that would be noticed; None where none would."""

    up: float | None = None
    down: float | None = None


class Delay(Struct, frozen=True):
    """How long a change would go unnoticed on the average; None is for ever."""

    change: float
    requests: int | None = None
    days: float | None = None


class Detectable(Struct, frozen=True):
    """What would be noticed on one signal. Changes are proportions where `kind` is numeric, else differences of rates.

    `level` is the mean or the rate in the baseline; the unknown ones are None where too few values are in it.
    """

    target: Target
    signal: str
    kind: str = "numeric"
    baseline_values: int = 0
    level: float | None = None
    per_day: float | None = None
    within_day: Noticed | None = None
    within_week: Noticed | None = None
    expected_delay: Sequence[Delay] = ()


class Detectability(Struct, frozen=True):
    """What would be noticed at the configured days between false alarms of the fleet."""

    false_alarm_interval_days: float | None = None
    signals: Sequence[Detectable] = ()


class Effect(Struct, frozen=True):
    """The size of a change in natural units, with its 95 % interval."""

    name: str
    value: float | None = None
    ci95: tuple[float | None, float | None] | None = None


class Remembered(Struct, frozen=True):
    """One signal of the last days against one baseline; `changed` says that the interval leaves out "no change"."""

    target: Target
    signal: str
    effect: Effect
    baseline_version: int = 1
    baseline_start: float | None = None
    baseline_end: float | None = None
    changed: bool = False


class Memory(Struct, frozen=True):
    """The last `days` before `until` against every baseline that a target was judged by."""

    days: float | None = None
    until: float | None = None
    signals: Sequence[Remembered] = ()


class Stratum(Struct, frozen=True):
    """The size of a change on one route and range of input sizes, with the answers before and after."""

    route: str = ""
    input_size: str = ""
    name: str = ""
    value: float | None = None
    ci95: tuple[float | None, float | None] | None = None
    n_before: int = 0
    n_after: int = 0


class Moved(Struct, frozen=True):
    """A signal that moved in an incident."""

    signal: str
    direction: str | None = None
    effect: Effect | None = None
    log10_evidence: float | None = None
    text: str | None = None
    strata: Sequence[Stratum] = ()


class Cost(Struct, frozen=True):
    """How much more is spent a day since the change, with 95 % intervals; None is unknown."""

    tokens_per_day: float | None = None
    tokens_ci95: tuple[float, float] | None = None
    usd_per_day: float | None = None
    usd_ci95: tuple[float, float] | None = None
    note: str = ""


class Decided(Struct, frozen=True):
    """What a person decided about an incident, or what the monitor noted in it as `text`, and when (Unix seconds)."""

    at: float
    by: str
    status: str
    text: str | None = None


class Recommendation(Struct, frozen=True):
    """What the monitor advises."""

    action: str
    multiplier: float | None = None


class Incident(Struct, frozen=True):
    """One change of one target, or of the `pooled` ones together."""

    id: str
    target: Target
    pooled: Sequence[Target] = ()
    cause: str = "unresolved"
    lane: str = ""
    severity: str = "info"
    status: str = "open"
    opened_at: float | None = None
    resolved_at: float | None = None
    change_point: float | None = None
    change_point_interval: tuple[float, float] | None = None
    cost: Cost | None = None
    signals: Sequence[Moved] = ()
    why: Sequence[str] = ()
    recommendation: Recommendation | None = None
    history: Sequence[Decided] = ()

    @property
    def targets(self) -> Sequence[Target]:
        """The targets that it is about; the page of each shows it."""
        return self.pooled or (self.target,)

    @property
    def is_open(self) -> bool:
        """Whether somebody should still look at it."""
        return self.resolved_at is None and self.status not in ("resolved", "accepted")


class Notice(Struct, frozen=True):
    """Something worth knowing that is not an incident."""

    kind: str
    at: float | None = None
    text: str = ""
    target: Target | None = None


class Point(Struct, frozen=True):
    """One time bin of a signal: quantiles of its values, or the rate of a yes/no signal."""

    at: float
    n: int = 0
    p05: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p95: float | None = None
    rate: float | None = None


class Series(Struct, frozen=True):
    """A signal over time; `kind` is quantiles or rate."""

    signal: str
    kind: str
    unit: str = ""
    points: Sequence[Point] = ()


class Side(Struct, frozen=True):
    """A signal's values in one window."""

    from_: float | None = field(name="from", default=None)
    to: float | None = None
    n: int = 0
    quantiles: dict[str, float | None] | None = None
    rate: float | None = None


class Distribution(Struct, frozen=True):
    """A signal in the baseline and now."""

    signal: str
    kind: str
    unit: str = ""
    before: Side = Side()
    after: Side = Side()


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


class SourceState(Struct, frozen=True):
    """What the source is doing."""

    state: str = "stopped"
    detail: str = ""


class Ingestion(Struct, frozen=True):
    """What came in, what became of it, and how far behind the source is."""

    partitions: Sequence[Partition] = ()
    totals: Totals = Totals()
    rejects: Sequence[Reason] = ()
    skipped: Sequence[Reason] = ()
    unknown_keys: Sequence[Named] = ()
    newest: float | None = None
    source: SourceState | None = None

    @property
    def lag(self) -> int | None:
        """Messages not read yet, None when no partition says."""
        known = [p.lag for p in self.partitions if p.lag is not None]
        return sum(known) if known else None


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


class Targets(Struct, frozen=True):
    """Body of /v1/targets."""

    targets: list[TargetState]


class Incidents(Struct, frozen=True):
    """Body of /v1/incidents."""

    incidents: list[Incident]


class Notices(Struct, frozen=True):
    """Body of /v1/notices."""

    notices: list[Notice]


class Rejects(Struct, frozen=True):
    """Body of /v1/rejects; the rows are shown as they come."""

    rejects: list[dict[str, Any]]
