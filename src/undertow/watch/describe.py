"""The state of a target in words and numbers."""

import math
from collections.abc import Sequence
from typing import Any

from undertow.watch.baseline import DAY_S
from undertow.watch.pool import members, place
from undertow.watch.shares import Budget, Fleet
from undertow.watch.stream import Stream
from undertow.watch.target import TargetWatch

MISSING_SPANS = 10
"""So many must be missing, at a third of the mean rate, before silence is said to be stale: by chance exp(-10)."""
LEAST_QUIET_S = 300.0
MOST_SIBLINGS = 5
LEAST_ANSWERS = 10
"""A rate of fewer is not told: it may be off by half."""


def describe(
    watch: TargetWatch | None,
    standing: Sequence[dict[str, Any]],
    fleet: Fleet,
    quiet_s: float,
    pool: TargetWatch | None = None,
    names: int = 1,
) -> dict[str, Any]:
    """Baseline, state, one sentence and the signals of a target, as `GET /v1/targets` tells them.

    `quiet_s` is how long ago its newest span ended, by the clock; `names` is for how many names it stands.
    """
    alarmed = {signal["signal"].partition("=")[0] for document in standing for signal in document["signals"]}
    state, text = _state(watch, standing, quiet_s)
    return {
        "baseline": _baseline(watch),
        "baseline_version": watch.number if watch else 1,
        "baseline_spans": _baseline_spans(watch),
        "baseline_days_left": days_left(watch, quiet_s),
        "baseline_start": watch.baseline.start if watch and watch.baseline else None,
        "baseline_end": watch.baseline.end if watch and watch.baseline else None,
        "state": state,
        "text": text + _together(watch, pool) + (f"; stands for {names:,} names" if names > 1 else ""),
        "open_incidents": [document["id"] for document in standing],
        "signals": _signals(watch, fleet, alarmed),
        "pool": _pool(pool, fleet, alarmed),
    }


def _baseline(watch: TargetWatch | None) -> str:
    """Quarantined: it is not homogeneous, so that it may hold a change itself. It is judged by, but not trusted."""
    if watch is None or watch.baseline is None:
        return "collecting"
    return "quarantined" if watch.doubts else "frozen"


def days_left(watch: TargetWatch | None, quiet_s: float) -> float | None:
    """In how many days the baseline is complete if answers go on coming as they did; None: complete, or unknown."""
    if watch is None or watch.baseline or watch.collector.ok_spans < LEAST_ANSWERS:
        return None
    collector, needed = watch.collector, watch.config.baseline
    known_s = collector.end - collector.start
    answers_s = (known_s + max(0.0, quiet_s)) * max(0, needed.min_spans / collector.ok_spans - 1)
    return max(answers_s, needed.min_hours * 3600 - known_s, 0.0) / DAY_S


def _baseline_spans(watch: TargetWatch | None) -> int:
    if watch is None:
        return 0
    return watch.baseline.ok_spans if watch.baseline else watch.collector.ok_spans


def _state(watch: TargetWatch | None, standing: Sequence[dict[str, Any]], quiet_s: float) -> tuple[str, str]:
    serious = [d for d in standing if d["severity"] != "info"]
    if serious:
        causes = ", ".join(sorted({d["cause"].replace("_", " ") for d in serious}))
        return "alert", f"{len(serious)} open: {causes}"
    if watch is None or watch.baseline is None:
        return "collecting", f"{_progress(watch)}{_rest(watch, quiet_s)}"
    if not any(stream.sufficient for stream in watch.streams):
        return "insufficient_data", "no signal has the 500 values in the baseline that judging needs"
    if silent(watch, quiet_s):
        return "stale", f"nothing heard for {quiet_s / 60:,.0f} minutes; in its baseline a request came far more often"
    return "ok", f"as in its baseline of {watch.baseline.ok_spans:,} answers"


def silent(watch: TargetWatch, quiet_s: float) -> bool:
    """Whether far more requests are missing than chance explains; False without a baseline to say so."""
    if watch.baseline is None:
        return False
    return quiet_s > max(LEAST_QUIET_S, 3 * MISSING_SPANS * DAY_S * watch.baseline.days / watch.baseline.spans)


def _progress(watch: TargetWatch | None) -> str:
    if watch is None or watch.collector.spans == 0:
        return "collecting a baseline; nothing judged yet"
    collector, needed = watch.collector, watch.config.baseline
    hours = (collector.end - collector.start) / 3600
    return (
        f"collecting a baseline: {collector.ok_spans:,} of {needed.min_spans:,} answers, "
        f"{hours:.1f} of {needed.min_hours:g} hours"
    )


def _rest(watch: TargetWatch | None, quiet_s: float) -> str:
    if watch is None or watch.collector.spans == 0:
        return ""
    days = days_left(watch, quiet_s)
    if days is None:
        return ", too few to say how long that takes"
    return f", about {days:,.0f} days more at this rate" if days >= 2 else f", about {24 * days:,.0f} hours more"


def _together(watch: TargetWatch | None, pool: TargetWatch | None) -> str:
    if watch is None or pool is None:
        return ""
    siblings = [place(member) for member in members(pool.target) if member != watch.target]
    more = f" and {len(siblings) - MOST_SIBLINGS} more" if len(siblings) > MOST_SIBLINGS else ""
    return f"; watched in a pool with {', '.join(siblings[:MOST_SIBLINGS])}{more}"


def _pool(pool: TargetWatch | None, fleet: Fleet, alarmed: set[str]) -> dict[str, Any] | None:
    if pool is None or pool.baseline is None:
        return None
    return {
        "members": [member.as_dict() for member in members(pool.target)],
        "baseline_spans": pool.baseline.ok_spans,
        "signals": _signals(pool, fleet, alarmed),
    }


def _signals(watch: TargetWatch | None, fleet: Fleet, alarmed: set[str]) -> list[dict[str, Any]]:
    if watch is None:
        return []
    shared = fleet.share(watch.target)
    return [_signal(stream, watch.share(shared, stream), alarmed) for stream in watch.streams]


def _signal(stream: Stream, shared: Budget, alarmed: set[str]) -> dict[str, Any]:
    name = stream.signal.name
    state = "insufficient" if not stream.sufficient else "alert" if name in alarmed else "ok"
    return {
        "signal": name,
        "lane": stream.signal.lane,
        "state": state,
        "baseline_values": len(stream.before),
        "log10_evidence": round(stream.log10_evidence, 2),
        "log10_threshold": round(shared.log_threshold(stream.per_day) / math.log(10), 2),
    }
