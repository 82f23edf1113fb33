"""One target on the ladder of multipliers: down while something lowers it, up again when nothing does.

Down is faster than up: a step down waits `dwell_s`, a step up `recovery_s` of calm, so that a provider that flaps moves
little traffic. Pure: times are given, and each step says when it is due.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from undertow.config import WeightsConfig


@dataclass(frozen=True, slots=True)
class Lowering:
    """What lowers a target: the cause that began it, since when (Unix seconds), and the alerts that tell of it.

    `held` means that a person looks at all of them: then no further step is taken.
    """

    cause: str
    since: float
    alert_ids: tuple[str, ...]
    held: bool = False


@dataclass(frozen=True, slots=True)
class Rung:
    """Where a target stands: `step` 0 is its own weight, each further one a multiplier of the ladder.

    `moved_at` is when it came there, `calm_at` since when nothing lowers it, NaN while something does. `last` is what
    lowered it most recently.
    """

    last: Lowering
    step: int = 0
    moved_at: float = -math.inf
    calm_at: float = math.nan

    def lowered(self, by: Lowering | None, at: float) -> "Rung":
        """What lowers it from `at` on; None is nothing."""
        if by is not None:
            moved_at = at if self.calm and self.step else self.moved_at  # a relapse dwells before it goes deeper
            return replace(self, last=by, moved_at=moved_at, calm_at=math.nan)
        return self if self.calm else replace(self, calm_at=at)

    @property
    def calm(self) -> bool:
        """Whether nothing lowers it."""
        return not math.isnan(self.calm_at)

    @property
    def over(self) -> bool:
        """Whether it is back at its own weight, and nothing lowers it."""
        return self.calm and self.step == 0

    def due(self, config: WeightsConfig) -> tuple[float, int]:
        """When the next step is due, infinity for never, and which one it is."""
        if self.calm:
            at = max(self.moved_at, self.calm_at) + config.recovery_s
            return (at, self.step - 1) if self.step else (math.inf, 0)
        if self.step and (self.last.held or self.step >= len(config.ladder)):
            return math.inf, self.step
        return (self.moved_at + config.dwell_s if self.step else -math.inf), self.step + 1

    def moved(self, step: int, at: float) -> "Rung":
        """On another step from `at` on."""
        return replace(self, step=step, moved_at=at)

    def rested(self, at: float) -> "Rung":
        """As after a pause that nobody obeyed: each wait begins anew at `at`."""
        return replace(self, moved_at=at, calm_at=at if self.calm else math.nan)


def multiplier(step: int, config: WeightsConfig) -> float:
    """Of a step; never less than the floor."""
    return max(config.ladder[min(step, len(config.ladder)) - 1], config.floor) if step else 1.0


def step_of(value: float, config: WeightsConfig) -> int:
    """The deepest step that takes no more away than the multiplier `value` does."""
    return sum(one >= value for one in config.ladder) if value < 1 else 0


def dump(rung: Rung) -> dict[str, Any]:
    """JSON from which `load` makes it again."""
    last = rung.last
    lowering = {"cause": last.cause, "since": last.since, "alert_ids": list(last.alert_ids), "held": last.held}
    calm_at = rung.calm_at if rung.calm else None
    return {"last": lowering, "step": rung.step, "moved_at": _finite(rung.moved_at), "calm_at": calm_at}


def load(dumped: dict[str, Any]) -> Rung:
    """What `dump` was given."""
    last = Lowering(**dumped["last"] | {"alert_ids": tuple(dumped["last"]["alert_ids"])})
    moved_at = -math.inf if dumped["moved_at"] is None else dumped["moved_at"]
    return Rung(last, dumped["step"], moved_at, math.nan if dumped["calm_at"] is None else dumped["calm_at"])


def _finite(at: float) -> float | None:
    return at if math.isfinite(at) else None
