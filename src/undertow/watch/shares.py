"""Who may spend how much of the operator's budget: targets by their weights, and the signals of each by theirs.

With weights w_i that sum to W, stream i gets w_i / W of the false alarms that are allowed, so its threshold is W / w_i
times what it were alone (`undertow_detectors.budget`). Equal weights, the default, split the budget evenly.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from undertow.config import DetectConfig
from undertow.span import Target
from undertow_detectors import budget


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
        return Fleet(config, sum(_weight(config, target) for target in targets))

    def share(self, target: Target) -> Budget:
        """What one of them may spend; all, before there are any."""
        weight = _weight(self.config, target)
        return Budget(self.config.false_alarm_interval_days, max(1.0, self.total / weight))


def of_signal(shared: Budget, config: DetectConfig, signal: str, among: Iterable[str]) -> Budget:
    """What `signal` may spend of a target's share, `among` all that are judged."""
    total = sum(config.signal(name).weight for name in among)
    return shared.split(total / config.signal(signal).weight)


def _weight(config: DetectConfig, target: Target) -> float:
    return config.target_weights.get(f"{target.provider}/{target.model}", 1.0)
