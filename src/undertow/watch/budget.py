"""What was promised of false alarms, and what came.

Judging promises that on average at least `false_alarm_interval_days` pass between two false alarms of the whole fleet,
in the lanes whose bets are martingales while nothing changes. People say which incidents were real; this counts.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

GUARANTEED = ("content", "golden")
"""Lanes of which the interval is promised: of the others the load and the day are only modelled."""
NOTE = (
    "Incidents of the lanes {lanes} count against the budget. The bound is the exact one-sided 95 % upper one (Garwood "
    "1936) of the mean number of false alarms in {interval:g} days, given those that people judged so; a second one "
    "takes those that nobody judged for false too. Both hold if false alarms come at a constant rate, independently of "
    "one another."
)


def upper95(count: int) -> float:
    """The mean of which a Poisson variable is at most `count` with probability 0.05: an upper bound of the true one.

    Garwood, Biometrika 28 (1936): over repeated windows of a length that was fixed beforehand, at least 95 % of these
    bounds are above the true mean. That rests on false alarms that come at a constant rate and independently, so that
    their number is Poisson, and on a person who tells false from real without error. Where a real change is judged a
    false alarm, or the window was chosen for what is in it, it holds no longer.
    """
    low, high = 0.0, 2.0 * count + 10.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, middle) > 0.05 else (low, middle)
    return high


def _at_most(count: int, mean: float) -> float:
    """The probability that a Poisson variable of such a mean is at most `count`."""
    if mean == 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def told(
    incidents: Iterable[Mapping[str, Any]], days: float, observed_days: float, interval_days: float
) -> dict[str, Any]:
    """The body of GET /v1/budget, of the incidents that opened in the last `days`, `observed_days` of them judged."""
    by_lane: dict[str, list[str]] = {}
    for one in incidents:
        verdict = one.get("verdict") or {}
        by_lane.setdefault(one["lane"], []).append(verdict.get("verdict", "unjudged"))
    counted = _counts([verdict for lane in GUARANTEED for verdict in by_lane.get(lane, ())])
    worst = counted["false_alarms"] + counted["unjudged"]
    return {
        "false_alarm_interval_days": interval_days,
        "days": days,
        "observed_days": round(observed_days, 3),
        "allowed": round(observed_days / interval_days, 3),
        **counted,
        "by_lane": {lane: _counts(verdicts) | {"guaranteed": lane in GUARANTEED} for lane, verdicts in by_lane.items()},
        "upper95": _rate(counted["false_alarms"], observed_days, interval_days),
        "upper95_with_unjudged": _rate(worst, observed_days, interval_days),
        "note": NOTE.format(lanes=" and ".join(GUARANTEED), interval=interval_days),
    }


def _counts(verdicts: Sequence[str]) -> dict[str, int]:
    of = Counter(verdicts)
    return {
        "incidents": len(verdicts),
        "false_alarms": of["false_alarm"],
        "real": of["real"],
        "unjudged": of["unjudged"],
    }


def _rate(count: int, observed_days: float, interval_days: float) -> float | None:
    """The bound for one interval; None where nothing was observed."""
    return round(upper95(count) * interval_days / observed_days, 3) if observed_days > 0 else None
