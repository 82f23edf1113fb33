"""False alarms against the budget, in sentences."""

from collections.abc import Sequence

from undertow_dashboards import words
from undertow_dashboards.shapes import Budget, Incident

GUARANTEED = ("content", "golden")


def title(budget: Budget) -> str:
    """Whether the budget holds, as far as people have judged."""
    if not budget.observed_days or budget.allowed is None:
        return "Nothing has been judged yet"
    least, most = budget.false_alarms, budget.false_alarms + budget.unjudged
    if least > budget.allowed:
        return f"More false alarms than the budget allows: {least:,} in {days(budget.observed_days)}"
    if most > budget.allowed:
        verb = "waits for a verdict" if budget.unjudged == 1 else "wait for a verdict"
        return f"{words.counted(budget.unjudged, 'incident')} {verb}, on which the budget depends"
    return f"Within the budget: {counted(least)} in {days(budget.observed_days)}"


def counted(count: int) -> str:
    """`1 false alarm`."""
    return words.counted(count, "false alarm")


def days(count: float) -> str:
    """`61 days`, `1 day`; parts of a day are told in tenths."""
    shown = f"{count:,.0f}" if count >= 10 or count == int(count) else f"{count:.1f}"
    return f"{shown} day" if shown == "1" else f"{shown} days"


def allowed(count: float) -> str:
    """The number allowed, with one digit after the point where it matters, and two where it is small."""
    if 0 < count < 0.95:
        return f"{count:.2g}"
    return f"{count:,.0f}" if count >= 10 or abs(count - round(count)) < 0.05 else f"{count:.1f}"


def counts(budget: Budget) -> str:
    """What the incidents of the guaranteed lanes were."""
    if not budget.incidents:
        return f"No incident of the lanes with the guarantee opened in this time.{_allowance(budget)}"
    return (
        f"{words.counted(budget.incidents, 'incident')} of the lanes with the guarantee: "
        f"{budget.real} real, {budget.false_alarms} false, {budget.unjudged} not judged.{_allowance(budget)}"
    )


def _allowance(budget: Budget) -> str:
    if not budget.observed_days or budget.allowed is None:
        return ""
    return f" The budget allows {allowed(budget.allowed)} false in {days(budget.observed_days)}."


def bound(budget: Budget) -> str:
    """What the verdicts say about the true rate; empty where that is unknown."""
    if budget.upper95 is None or budget.false_alarm_interval_days is None:
        return ""
    told = (
        f"With 95 % confidence, false alarms come at most {words.number(budget.upper95)} times in "
        f"{days(budget.false_alarm_interval_days)} on the average; the budget is 1."
    )
    if budget.unjudged and budget.upper95_with_unjudged is not None:
        told += f" If all that is not judged were false: {words.number(budget.upper95_with_unjudged)} times."
    return told


def guaranteed(lane: str, budget: Budget) -> bool:
    """Whether incidents of this lane count against the budget."""
    known = budget.by_lane.get(lane)
    return known.guaranteed if known else lane in GUARANTEED


def to_judge(incidents: Sequence[Incident], budget: Budget, since: float) -> list[Incident]:
    """Incidents opened since then that nobody judged, those that count against the budget first."""
    found = [i for i in incidents if i.verdict is None and (i.opened_at or 0.0) >= since]
    return sorted(found, key=lambda i: (not guaranteed(i.lane, budget), -(i.opened_at or 0.0)))
