"""Cost: what was spent, on which targets, at what price; what has no price; what open incidents cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from undertow_dashboards import draw, lines, live, sentences, spending, words
from undertow_dashboards.charts import costs as charts
from undertow_dashboards.charts.axes import PALETTE
from undertow_dashboards.client import Client
from undertow_dashboards.shapes import Costs, Incident

DAY_S = 86_400.0
PERIODS = {"7 days": 7, "30 days": 30, "90 days": 90}
DEFAULT = "30 days"


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows."""

    costs: Costs
    incidents: list[Incident]
    span: tuple[float, float]


def load(client: Client, days: int, now: float) -> View:
    """Ask the monitor for whole days (UTC), the last of which is today and not over."""
    start = now - now % DAY_S - (days - 1) * DAY_S
    incidents = [incident for incident in client.incidents() if incident.is_open]
    return View(client.costs(start, now, DAY_S), incidents, (start, start + days * DAY_S))


def body() -> None:
    """The page; the period is in its address."""
    heading, lead = st.empty(), st.container()
    chosen = st.segmented_control("Period", list(PERIODS), default=DEFAULT, key="period", bind="query-params")
    period = chosen or DEFAULT
    view = live.fetch(f"cost {period}", lambda client: load(client, PERIODS[period], live.now()))
    heading.title(title(view.costs, period), anchor=False)
    with lead:
        summary(view.costs)
    if spending.everything(view.costs).requests:
        over_time(view)
        price(view)
    impact(view.incidents)
    table(view.costs)


def title(costs: Costs, period: str) -> str:
    """What was spent, in one line."""
    found = spending.everything(costs)
    if not found.requests:
        return f"No requests in {period}"
    if found.cost_usd is None:
        return f"No request of {period} has a price"
    return f"{spending.usd(found.cost_usd)} in {period}".replace("$", "\\$")


def summary(costs: Costs) -> None:
    """The average of a day, and what has no price."""
    days = spending.of_full_days(costs, DAY_S)
    if any(days):
        st.text(
            f"{spending.usd(sum(days) / len(days))} a day on the average of {words.counted(len(days), 'full day')}."
        )
    st.text(spending.unpriced(spending.everything(costs), costs.targets))
    st.caption(
        "Costs are those that the gateways logged, else list prices times tokens. Days are UTC; today is not over."
    )


def impact(incidents: Sequence[Incident]) -> None:
    """What open incidents cost a day, the most expensive first."""
    if not incidents:
        return
    st.header("Cost of open incidents", anchor=False)
    known = [incident for incident in incidents if sentences.cost(incident)]
    if known:
        lines.incidents(sorted(known, key=_dearest), sentences.cost, "See it")
    if untold := len(incidents) - len(known):
        st.text(f"Of {words.counted(untold, 'open incident')} the cost is unknown, or too little to tell from nothing.")


def _dearest(incident: Incident) -> tuple[float, float]:
    found = incident.cost
    return (-(found.usd_per_day or 0.0), -(found.tokens_per_day or 0.0)) if found else (0.0, 0.0)


def over_time(view: View) -> None:
    """Dollars a day, by target."""
    st.header("Spend a day", anchor=False)
    ranked = spending.ranked(view.costs)
    found = spending.everything(view.costs)
    if found.cost_usd is None:
        st.text("Nothing to draw: no request has a price.")
        return
    target, _, most = ranked[0]
    share = words.percent((most.cost_usd or 0.0) / found.cost_usd, 0) if found.cost_usd else "none"
    told = f"{words.target(target)} cost the most: {spending.usd(most.cost_usd)}, {share} of all."
    st.text(told)
    lines = [(target, points) for target, points, spend in ranked if spend.cost_usd is not None]
    chart = charts.spend_chart(lines, span=view.span, step_s=DAY_S)
    draw.chart(chart, f"US dollars a day by target. {told}")


def price(view: View) -> None:
    """Dollars a thousand tokens, by target."""
    ranked = [one for one in spending.ranked(view.costs) if one[2].per_1k is not None]
    if not ranked:
        return
    st.header("Cost per 1k tokens", anchor=False)
    low, high = (pick(ranked, key=lambda one: one[2].per_1k or 0.0) for pick in (min, max))
    told = f"From ${low[2].per_1k:.4f} ({words.target(low[0])}) to ${high[2].per_1k:.4f} ({words.target(high[0])})."
    st.text(told)
    if len(ranked) > len(PALETTE):
        st.caption(f"Drawn are the {len(PALETTE)} targets that cost the most; all stand in the table.")
    chart = charts.per_1k_chart([(target, points) for target, points, _ in ranked], span=view.span)
    draw.chart(chart, f"US dollars per 1k tokens by target. {told}")


def table(costs: Costs) -> None:
    """Every target, the most expensive first."""
    if not costs.targets:
        return
    st.header("By target", anchor=False)
    number = st.column_config.NumberColumn
    every = spending.everything(costs).cost_usd
    st.dataframe(
        [
            {
                "model": words.cell(target.model),
                "provider": words.cell(target.provider),
                "gateway": words.cell(target.gateway or ""),
                "deployment": words.cell(target.deployment or ""),
                "spend": spend.cost_usd,
                "share": _share(spend.cost_usd, every),
                "per 1k": spend.per_1k,
                "requests": spend.requests,
                "without a price": spend.unpriced,
                "input tokens": spend.input_tokens,
                "output tokens": spend.output_tokens,
            }
            for target, _, spend in spending.ranked(costs)
        ],
        hide_index=True,
        placeholder="unknown",
        column_config={
            "spend": number("spend ($)", format="%,.2f"),
            "share": number("share of spend", format="%.1f %%"),
            "per 1k": number("$ per 1k tokens", format="%.4f"),
            **{n: number(format="%,d") for n in ("requests", "without a price", "input tokens", "output tokens")},
        },
        alt="Every target with its spend, price, requests and tokens",
    )


def _share(part: float | None, whole: float | None) -> float | None:
    """In per cent; None where either is unknown."""
    return 100 * part / whole if part is not None and whole else None


if __name__ == "__main__":
    body()
