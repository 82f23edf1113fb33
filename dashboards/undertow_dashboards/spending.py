"""What was spent: sums by target, with what has no price kept apart. Money is US dollars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from undertow_dashboards import words
from undertow_dashboards.shapes import Costs, Spending, Spent, Target


@dataclass(frozen=True, slots=True)
class Spend:
    """What requests cost together; `cost_usd` is that of the `priced` ones, None where none has a price."""

    requests: int = 0
    priced: int = 0
    cost_usd: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    per_1k: float | None = None

    @property
    def unpriced(self) -> int:
        """How many requests have no price."""
        return self.requests - self.priced


def total(points: Iterable[Spent]) -> Spend:
    """All time bins together."""
    found = list(points)
    known = [point.cost_usd for point in found if point.cost_usd is not None]
    return Spend(
        requests=sum(point.requests for point in found),
        priced=sum(point.priced for point in found),
        cost_usd=sum(known) if known else None,
        input_tokens=sum(point.input_tokens or 0 for point in found),
        output_tokens=sum(point.output_tokens or 0 for point in found),
        per_1k=per_1k(found),
    )


def per_1k(points: Iterable[Spent]) -> float | None:
    """Dollars a thousand tokens, of the requests that have a price; None where their tokens are unknown."""
    known = [(p.cost_usd, tokens) for p in points if p.cost_usd is not None and (tokens := _tokens(p))]
    tokens = sum(count for _, count in known)
    return 1000 * sum(cost for cost, _ in known) / tokens if tokens else None


def _tokens(point: Spent) -> int | None:
    """Tokens of the priced requests; all tokens will do where all requests have a price."""
    if point.priced_tokens is not None:
        return point.priced_tokens
    if point.priced < point.requests or point.input_tokens is None or point.output_tokens is None:
        return None
    return point.input_tokens + point.output_tokens


def ranked(costs: Costs) -> list[tuple[Target, Sequence[Spent], Spend]]:
    """Every target with its bins and its sum, the most expensive first."""
    found = [(one.target, one.points, total(one.points)) for one in costs.targets]
    return sorted(found, key=lambda one: (-(one[2].cost_usd or 0.0), -one[2].requests, words.target(one[0])))


def everything(costs: Costs) -> Spend:
    """All targets together."""
    return total(point for one in costs.targets for point in one.points)


def of_full_days(costs: Costs, step_s: float) -> list[float]:
    """What all targets cost in each bin that is over, in order; not in the one in which the first requests came."""
    points = [point for one in costs.targets for point in one.points if point.requests]
    first = min((point.at for point in points), default=0.0)
    began = first if costs.start is None or first > costs.start else None
    sums: dict[float, float] = {}
    for point in points:
        if point.at != began and (costs.end is None or point.at + step_s <= costs.end):
            sums[point.at] = sums.get(point.at, 0.0) + (point.cost_usd or 0.0)
    return [sums[at] for at in sorted(sums)]


def usd(value: float | None) -> str:
    """Dollars: cents where they matter."""
    if value is None:
        return "unknown"
    if 0 < value < 0.01:
        return "under $0.01"
    return f"${value:,.0f}" if value >= 1000 else f"${value:,.2f}"


def unpriced(found: Spend, targets: Sequence[Spending]) -> str:
    """What has no price, and so is in no sum."""
    if not found.requests:
        return "No requests in this time."
    if not found.unpriced:
        return "Every request has a price."
    without = [one.target for one in targets if (spend := total(one.points)).requests and not spend.priced]
    named = ", ".join(words.target(target) for target in without[:3])
    more = f" and {len(without) - 3} more" if len(without) > 3 else ""
    told = f" Nothing is priced of {named}{more}." if without else ""
    return (
        f"{found.unpriced:,} of {words.counted(found.requests, 'request')} "
        f"({words.percent(found.unpriced / found.requests)}) have no price; what they cost is in no number here.{told}"
    )
