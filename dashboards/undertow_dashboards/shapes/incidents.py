"""What changed, and what people decided about it."""

from collections.abc import Sequence

from msgspec import Struct

from undertow_dashboards.shapes.signals import Effect
from undertow_dashboards.shapes.targets import Target


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


class Verdict(Struct, frozen=True):
    """What a person says an incident was: `real` or `false_alarm`."""

    verdict: str
    by: str = ""
    at: float | None = None
    reason: str = ""


class Delivery(Struct, frozen=True):
    """One message about an incident to one channel."""

    channel: str
    kind: str = ""
    state: str = ""
    attempts: int = 0
    changed_at: float | None = None
    next_attempt_at: float | None = None
    detail: str = ""


class Example(Struct, frozen=True):
    """A typical request before or after the change, by the id that the gateway's log has."""

    span_id: str
    at: float | None = None
    route: str | None = None
    signal: str = ""
    value: float | None = None
    side: str = ""


class Trail(Struct, frozen=True):
    """One line of the audit trail: who did what, when and why."""

    at: float
    action: str = ""
    reason: str = ""
    by: str = ""
    text: str | None = None


class Incident(Struct, frozen=True):
    """One change of one target, or of the `pooled` ones together.

    Deliveries, examples and the trail come with one incident alone, not with the list of all.
    """

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
    confirmation: str | None = None
    group: str | None = None
    quiet: str | None = None
    verdict: Verdict | None = None
    ruled_out: Sequence[str] = ()
    deliveries: Sequence[Delivery] = ()
    examples: Sequence[Example] = ()
    trail: Sequence[Trail] = ()

    @property
    def targets(self) -> Sequence[Target]:
        """The targets that it is about; the page of each shows it."""
        return self.pooled or (self.target,)

    @property
    def is_open(self) -> bool:
        """Whether somebody should still look at it."""
        return self.resolved_at is None and self.status not in ("resolved", "accepted")


class Incidents(Struct, frozen=True):
    """Body of /v1/incidents."""

    incidents: list[Incident]


class Notice(Struct, frozen=True):
    """Something worth knowing that is not an incident."""

    kind: str
    at: float | None = None
    text: str = ""
    target: Target | None = None


class Notices(Struct, frozen=True):
    """Body of /v1/notices."""

    notices: list[Notice]
