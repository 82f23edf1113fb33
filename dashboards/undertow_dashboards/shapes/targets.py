"""What is watched and how it stands."""

from collections.abc import Sequence

from msgspec import Struct


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
    """How one target stands; `text` is the monitor's own sentence about it.

    `ready_at` is when it will about have enough data, `last_change` the change time of its latest incident.
    """

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
    ready_at: float | None = None
    last_change: float | None = None
    stale_since: float | None = None
    signals: Sequence[SignalState] = ()


class Targets(Struct, frozen=True):
    """Body of /v1/targets."""

    targets: list[TargetState]


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
