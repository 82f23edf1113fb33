"""The state of a target in words and numbers."""

import math
from collections.abc import Sequence
from typing import Any

from undertow.config import DetectConfig
from undertow.watch.baseline import DAY_S
from undertow.watch.stream import Budget, Stream
from undertow.watch.target import TargetWatch

MISSING_SPANS = 10
"""So many must be missing, at a third of the mean rate, before silence is said to be stale: by chance exp(-10)."""
LEAST_QUIET_S = 300.0


def describe(
    watch: TargetWatch | None, standing: Sequence[dict[str, Any]], config: DetectConfig, targets: int, quiet_s: float
) -> dict[str, Any]:
    """Baseline, state, one sentence and the signals of a target, as `GET /v1/targets` tells them.

    `quiet_s` is how long ago its newest span ended, by the clock.
    """
    alarmed = {signal["signal"].partition("=")[0] for document in standing for signal in document["signals"]}
    fleet = Budget(config.false_alarm_interval_days, max(1, targets))
    streams, shared = (watch.streams, watch.share(fleet)) if watch else ([], fleet)
    state, text = _state(watch, standing, quiet_s)
    return {
        "baseline": _baseline(watch),
        "baseline_version": watch.number if watch else 1,
        "baseline_spans": _baseline_spans(watch),
        "baseline_start": watch.baseline.start if watch and watch.baseline else None,
        "baseline_end": watch.baseline.end if watch and watch.baseline else None,
        "state": state,
        "text": text,
        "open_incidents": [document["id"] for document in standing],
        "signals": [_signal(stream, shared, alarmed) for stream in streams],
    }


def _baseline(watch: TargetWatch | None) -> str:
    """Quarantined: it is not homogeneous, so that it may hold a change itself. It is judged by, but not trusted."""
    if watch is None or watch.baseline is None:
        return "collecting"
    return "quarantined" if watch.doubts else "frozen"


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
        return "collecting", _progress(watch)
    if not any(stream.sufficient for stream in watch.streams):
        return "insufficient_data", "no signal has the 500 values in the baseline that judging needs"
    if quiet_s > max(LEAST_QUIET_S, 3 * MISSING_SPANS * DAY_S * watch.baseline.days / watch.baseline.spans):
        return "stale", f"nothing heard for {quiet_s / 60:,.0f} minutes; in its baseline a request came far more often"
    return "ok", f"as in its baseline of {watch.baseline.ok_spans:,} answers"


def _progress(watch: TargetWatch | None) -> str:
    if watch is None or watch.collector.spans == 0:
        return "collecting a baseline; nothing judged yet"
    collector, needed = watch.collector, watch.config.baseline
    hours = (collector.end - collector.start) / 3600
    return (
        f"collecting a baseline: {collector.ok_spans:,} of {needed.min_spans:,} answers, "
        f"{hours:.1f} of {needed.min_hours:g} hours"
    )


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
