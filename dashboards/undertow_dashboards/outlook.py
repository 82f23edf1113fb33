"""How near a signal is to its alarm and where it is going, in one sentence."""

from collections.abc import Sequence

from undertow_dashboards import words
from undertow_dashboards.clock import Clock
from undertow_dashboards.shapes import Evidence, EvidencePoint, Mark

STEADY = 0.15
"""A change of less than this part of the way to the alarm is none."""
NEAR = 0.7


MEANING = (
    "Evidence of 10^6 means: while nothing changes, it takes a million answers or more, on average, to come so far by "
    "chance. How high the alarm is follows from the budget for false alarms."
)


def evidence(found: Evidence, clock: Clock) -> str:
    """Evidence against threshold: how far it came, since when it is above, or whether it grows."""
    points = sorted((p for p in found.points if p.log10_evidence is not None), key=lambda p: p.at)
    if not points:
        return "No evidence has been kept for this time."
    last, limit = points[-1], _limit(points[-1], found)
    level = last.log10_evidence or 0.0
    if not limit or limit <= 0:
        return f"Evidence of change 10^{level:.1f}."
    crossed = next((p for p in points if (p.log10_evidence or 0.0) >= (_limit(p, found) or limit)), None)
    if crossed is not None:
        peak = max(p.log10_evidence or 0.0 for p in points)
        told = f"The evidence passed the alarm's 10^{limit:.1f} by {clock.time(crossed.at)} and reached 10^{peak:.1f}."
        return f"{told} It starts anew after an alarm." if _falls(points, crossed) else told
    part = max(0.0, level / limit)
    near = "It is near an alarm: e" if part >= NEAR else "E"
    way = f"{part * 100:.0f} % of the way{_trend(points, limit)}"
    return f"{near}vidence 10^{level:.1f} of the 10^{limit:.1f} that raise an alarm, {way}."


def _falls(points: Sequence[EvidencePoint], crossed: EvidencePoint) -> bool:
    """Whether the line goes down after it crossed the threshold, which it only does by starting anew."""
    peak = crossed.log10_evidence or 0.0
    return any((p.log10_evidence or 0.0) < peak - 1 for p in points if p.at > crossed.at)


def _limit(point: EvidencePoint, found: Evidence) -> float | None:
    return found.log10_threshold if point.log10_threshold is None else point.log10_threshold


def _trend(points: Sequence[EvidencePoint], limit: float) -> str:
    """What the last quarter of the time did."""
    since = points[-1].at - (points[-1].at - points[0].at) / 4
    then = next(p for p in points if p.at >= since)
    length = points[-1].at - then.at
    if length <= 0:
        return ""
    grown = ((points[-1].log10_evidence or 0.0) - (then.log10_evidence or 0.0)) / limit
    way = "rising" if grown > STEADY else "falling" if grown < -STEADY else "steady"
    return f", {way} over the last {words.duration(length)}"


def beside(marks: Sequence[Mark], change: float | None, clock: Clock, near_s: float = 3 * 3600.0) -> str:
    """Which of our own doings came just before or with a change; empty where there is no change."""
    if change is None:
        return ""
    own = [m for m in marks if m.kind in ("prompt_version", "gateway_release") and abs(m.at - change) <= near_s]
    within = words.duration(near_s)
    if not own:
        return f"No release or deploy of ours within {within} of the change at {clock.time(change)}."
    told = "; ".join(f"{words.clean(m.text, 80)} at {clock.time(m.at)}" for m in own[:3])
    return f"Within {within} of the change at {clock.time(change)}: {told}."
