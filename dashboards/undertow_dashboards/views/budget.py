"""Budget: false alarms as people judged them, against what the operator allows, and what is promised of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from undertow_dashboards import alarms, draw, lines, live, sentences, words
from undertow_dashboards.charts.alarms import budget_chart
from undertow_dashboards.client import Client
from undertow_dashboards.shapes import Budget, Incident

DAY_S = 86_400.0
PERIODS = {"30 days": 30, "90 days": 90, "1 year": 365}
DEFAULT = "90 days"

CONDITIONS = """\
- **Covered** are incidents of the content lane (length of answers, refusals, parse failures, answers cut at the limit,
  your own signals) and of the golden lane, all targets together. It holds however the signals depend on each other.
- **The condition**: among requests of the same operation, route and about the same input size, the mean of a signal
  stays inside the baseline's mean, give or take the baseline's own sampling error. Where prompts change inside such a
  group it fails: an incident is then an alarm about your own traffic.
- **Not covered** are the lanes of latency, errors and prices, whose load and time of day are only modelled, and changes
  of a declared identity.
- **On the average** means that more can come by chance in one period. The count is as good as the verdicts: an incident
  that nobody judged is counted as neither."""


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows."""

    budget: Budget
    unjudged: list[Incident]


def load(client: Client, days: int, now: float) -> View:
    """Ask the monitor for the last days."""
    budget = client.budget(days)
    return View(budget, alarms.to_judge(client.incidents(), budget, now - days * DAY_S))


def body() -> None:
    """The page; the period is in its address."""
    heading = st.empty()
    chosen = st.segmented_control("Period", list(PERIODS), default=DEFAULT, key="period", bind="query-params")
    period = chosen or DEFAULT
    view = live.fetch(f"budget {period}", lambda client: load(client, PERIODS[period], live.now()))
    heading.title(alarms.title(view.budget), anchor=False)
    against(view.budget)
    to_judge(view)
    promise(view.budget)
    lanes(view.budget)


def against(budget: Budget) -> None:
    """The count against what is allowed, and what it says about the true rate."""
    told = alarms.counts(budget)
    st.text(told)
    if budget.observed_days:
        draw.chart(budget_chart(budget), f"False alarms against those allowed. {told}")
    if bound := alarms.bound(budget):
        st.text(bound)


def to_judge(view: View) -> None:
    """Incidents that wait for a verdict, with the way to give it."""
    st.header("Not judged yet", anchor=False)
    if not view.unjudged:
        st.text("Every incident of this time has a verdict.")
        return
    st.text("Say of each whether the change was real. Only people can tell, and the budget is counted from it.")
    counting = [i for i in view.unjudged if alarms.guaranteed(i.lane, view.budget)]
    others = [i for i in view.unjudged if i not in counting]
    for found, told in ((counting, "These count"), (others, "Their lanes have no guarantee, so these do not count")):
        if found:
            st.caption(f"{told}: {words.counted(len(found), 'incident')}.")
            lines.incidents(found, lambda incident: sentences.headline(incident, live.now()), "Judge it")


def promise(budget: Budget) -> None:
    """What the guarantee covers, and its conditions."""
    st.header("What is promised", anchor=False)
    interval = budget.false_alarm_interval_days
    if interval is not None:
        st.text(f"On the average at most one false alarm in {alarms.days(interval)}, over the whole fleet.")
    st.markdown(CONDITIONS)
    if budget.note:
        st.caption("How it is counted:")
        st.text(words.sentence(budget.note, 600))


def lanes(budget: Budget) -> None:
    """Every lane, those with the guarantee first."""
    st.header("By lane", anchor=False)
    if not budget.by_lane:
        st.text("No incident opened in this time.")
        return
    st.dataframe(rows(budget), hide_index=True, alt="Incidents and verdicts by lane")


def rows(budget: Budget) -> Sequence[dict[str, object]]:
    """Lanes as rows of plain cells."""
    known = sorted(budget.by_lane.items(), key=lambda one: (not one[1].guaranteed, one[0]))
    return [
        {
            "lane": words.cell(lane),
            "counts against the budget": "yes" if one.guaranteed else "no",
            "incidents": one.incidents,
            "real": one.real,
            "false alarms": one.false_alarms,
            "not judged": one.unjudged,
        }
        for lane, one in known
    ]


if __name__ == "__main__":
    body()
