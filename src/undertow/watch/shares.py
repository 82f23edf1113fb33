"""Who may spend how much of the operator's budget: targets by their weights, and the signals of each by theirs.

With weights w_i that sum to W, stream i gets w_i / W of the false alarms that are allowed, so its threshold is W / w_i
times what it were alone (`undertow_detectors.budget`). Equal weights, the default, split the budget evenly.

A target counts from its GROWN-th span on, so that names of which nothing more is heard take no share. W is rounded up
to a `level`: a fleet of any size changes its thresholds a few dozen times, whatever comes and goes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from undertow.config import DetectConfig
from undertow.span import Target
from undertow_detectors import budget

GROWN = 20
"""A target with fewer spans is young."""
EXACT = 16.0
STEP = 1.25
"""Beyond EXACT each level is so many times the one before; a quarter more streams costs 0.2 of the logarithm."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The operator's promise and how many streams share it now, as if all had the same weight."""

    interval_days: float
    streams: float

    def log_threshold(self, per_day: float) -> float:
        """Natural logarithm of the evidence that is an alarm, for a stream of `per_day` observations."""
        return float(budget.log_thresholds(self.interval_days, [per_day])[0]) + math.log(self.streams)

    def split(self, streams: float) -> "Budget":
        """The share of one of `streams` among which this share is split."""
        return replace(self, streams=self.streams * max(1.0, streams))


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that share one budget; `total` is the sum of their weights."""

    config: DetectConfig
    total: float

    @staticmethod
    def of(config: DetectConfig, targets: Iterable[Target]) -> "Fleet":
        """The fleet of `targets`, pools among them."""
        return Fleet(config, level(math.fsum(weight(config, target) for target in targets)))

    def share(self, target: Target) -> Budget:
        """What one of them may spend; all, before there are any."""
        return Budget(self.config.false_alarm_interval_days, max(1.0, self.total / weight(self.config, target)))


class Shares:
    """Who counts by now."""

    def __init__(self, config: DetectConfig) -> None:
        self._config = config
        self._weights: dict[Target, float] = {}
        self._fleet: Fleet | None = None

    @property
    def fleet(self) -> Fleet:
        """How they share the budget."""
        if self._fleet is None:
            self._fleet = Fleet.of(self._config, self._weights)
        return self._fleet

    def add(self, targets: Iterable[Target]) -> None:
        """Let these take their shares from now on."""
        for target in targets:
            if target not in self._weights:
                self._weights[target] = weight(self._config, target)
                self._fleet = None

    def remove(self, target: Target) -> None:
        """Let the others have its share."""
        if self._weights.pop(target, None) is not None:
            self._fleet = None

    def moments(self, grown: Iterable[tuple[float, Target]]) -> set[float]:
        """At which of the times that targets are grown the shares will change."""
        known, weights, found = self.fleet.total, [*self._weights.values()], set()
        for at, more in sorted((at, weight(self._config, t)) for at, t in grown if t not in self._weights):
            weights.append(more)
            if (total := level(math.fsum(weights))) != known:
                known = total
                found.add(at)
        return found


def of_signal(shared: Budget, config: DetectConfig, signal: str, among: Iterable[str]) -> Budget:
    """What `signal` may spend of a target's share, `among` all that are judged."""
    total = sum(config.signal(name).weight for name in among)
    return shared.split(total / config.signal(signal).weight)


def level(total: float) -> float:
    """`total`, rounded up to a level where it is beyond EXACT."""
    if total <= EXACT:
        return total
    found: float = EXACT * STEP ** math.ceil(math.log(total / EXACT) / math.log(STEP) - 1e-9)
    return found


def weight(config: DetectConfig, target: Target) -> float:
    """The weight of a target, by the configuration."""
    return config.target_weights.get(f"{target.provider}/{target.model}", 1.0)
