"""What every target does and costs, and how the alarms of all count against the budget."""

from collections.abc import Sequence

from msgspec import Struct

from undertow_dashboards.shapes.targets import Target


class FleetRow(Struct, frozen=True):
    """One target over the window; durations are those of successes, in seconds; None is unknown."""

    target: Target
    requests: int = 0
    share: float | None = None
    error_rate: float | None = None
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    ttft_p50_s: float | None = None
    cost_usd: float | None = None
    cost_usd_per_1k_tokens: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Fleet(Struct, frozen=True):
    """Every target over the last `window_s` before `until`."""

    until: float | None = None
    window_s: float | None = None
    targets: Sequence[FleetRow] = ()


class Spent(Struct, frozen=True):
    """What one target cost in one time bin; `priced` of its requests have a cost, and used `priced_tokens`."""

    at: float
    requests: int = 0
    priced: int = 0
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    priced_tokens: int | None = None


class Spending(Struct, frozen=True):
    """What one target cost over time."""

    target: Target
    points: Sequence[Spent] = ()


class Costs(Struct, frozen=True):
    """What all cost between two times, in bins of `step_s`."""

    start: float | None = None
    end: float | None = None
    step_s: float | None = None
    targets: Sequence[Spending] = ()


class Alarms(Struct, frozen=True):
    """Incidents, and what people said that they were; whether their lane is `guaranteed` counts for the budget."""

    incidents: int = 0
    false_alarms: int = 0
    real: int = 0
    unjudged: int = 0
    guaranteed: bool = False


class Budget(Struct, frozen=True):
    """False alarms as judged by people against what the operator allowed.

    `upper95` bounds, with 95 % confidence, how many come in one interval on the average.
    """

    false_alarm_interval_days: float | None = None
    days: float | None = None
    observed_days: float | None = None
    allowed: float | None = None
    incidents: int = 0
    false_alarms: int = 0
    real: int = 0
    unjudged: int = 0
    by_lane: dict[str, Alarms] = {}
    upper95: float | None = None
    upper95_with_unjudged: float | None = None
    note: str = ""
