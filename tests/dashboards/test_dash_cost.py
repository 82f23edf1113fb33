"""The page of costs: what was spent, what has no price, what incidents cost."""

import time
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_dashboards import spending
from undertow_dashboards.charts.costs import OTHERS, per_1k_chart, spend_chart
from undertow_dashboards.shapes import Costs, Spending, Spent, Target

from . import answers
from .conftest import Open
from .fixtures import HOUR, FakeApi, incident, many, target
from .test_dash_pages import texts

DAY = 86_400.0
ODD = ("m" * 300, "نموذج مرحبا", "'); drop table span;--", "<img onerror=alert(1)>")


def rows_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that a layer draws."""
    return spec["datasets"][layer["data"]["name"]]  # type: ignore[no-any-return]


def lines(count: int, days: int = 2) -> list[tuple[Target, list[Spent]]]:
    """Targets that cost a dollar a day."""
    points = [Spent(day * DAY, 10, 10, 1.0, 400, 100) for day in range(days)]
    return [(Target("p", f"m{i}"), points) for i in range(count)]


def unpriced(api: FakeApi) -> None:
    """Let nothing have a price."""
    point = {"at": time.time(), "requests": 5, "priced": 0, "cost_usd": None, "input_tokens": 9, "output_tokens": 1}
    api.answers["/v1/cost"] = {"targets": [{"target": target("local"), "points": [point]}]}


def test_the_title_is_the_sum(open_page: Open) -> None:
    """The sum stands first, then what has no price, by name."""
    app = open_page("cost")
    assert not app.exception
    assert app.title[0].value.startswith("\\$2,6")
    assert app.title[0].value.endswith(" in 30 days")
    said = texts(app)
    assert "180,000 of 900,000 requests (20.0 %) have no price; what they cost is in no number here." in said
    assert "Nothing is priced of gpt-4o at azure.ai.openai via litellm-prod deployment eu-1." in said
    assert "gpt-4o at openai via litellm-prod cost the most" in said
    assert " a day on the average of 29 full days." in said


def test_what_is_unpriced_is_unknown_in_the_table(open_page: Open) -> None:
    """No price is not a price of zero."""
    table = open_page("cost").dataframe[0].value
    last = table.iloc[-1]
    assert (last["provider"], last["without a price"]) == ("azure.ai.openai", 180_000)
    assert all(pd.isna(last[name]) for name in ("spend", "share", "per 1k"))
    assert table["spend"][0] == table["spend"].max()


def test_whole_days_are_asked_for(api: FakeApi, open_page: Open) -> None:
    """The period in the address is days of UTC, of which today is the last."""
    open_page("cost", period="7 days")
    asked = next(query for path, query in api.asked if path == "/v1/cost")
    assert float(asked["start"]) % DAY == 0
    assert float(asked["end"]) - float(asked["start"]) == pytest.approx(6 * DAY + float(asked["end"]) % DAY)


def test_incidents_tell_what_they_cost_a_day(api: FakeApi, open_page: Open) -> None:
    """Each open incident with a known cost has its sentence; of the others it is said that it is unknown."""
    found = [incident(target("a"), now=time.time()), incident(target("b"), now=time.time(), id="inc_02", cost=None)]
    api.answers["/v1/incidents"] = {"incidents": found}
    said = texts(open_page("cost"))
    assert "About 9,100 output tokens less (7,800 to 10,400) a day." in said
    assert "Of 1 open incident the cost is unknown" in said


def test_no_requests_are_said_calmly(api: FakeApi, open_page: Open) -> None:
    """Nothing is drawn of nothing."""
    api.answers["/v1/cost"] = {"targets": []}
    app = open_page("cost")
    assert app.title[0].value == "No requests in 30 days"
    assert not app.dataframe


def test_nothing_priced_is_the_title(api: FakeApi, open_page: Open) -> None:
    """Traffic without any price is told from no traffic."""
    unpriced(api)
    app = open_page("cost")
    assert not app.exception
    assert app.title[0].value == "No request of 30 days has a price"
    assert "Nothing to draw: no request has a price." in texts(app)


def test_two_hundred_targets_are_one_table(api: FakeApi, open_page: Open) -> None:
    """The table holds all, and the page draws two charts."""
    api.answers |= many(200)
    app = open_page("cost", period="90 days")
    assert not app.exception
    assert len(app.dataframe[0].value) == 200
    assert "15 more" in [one.label for one in app.expander]


@pytest.mark.parametrize("bad", ODD)
def test_odd_names_are_text(api: FakeApi, open_page: Open, bad: str) -> None:
    """Long, right-to-left and hostile names do no harm in sentences, charts and table."""
    now = time.time()
    api.answers |= answers.routes([target(bad, bad, bad, bad)], now, now - HOUR)
    app = open_page("cost")
    assert not app.exception
    assert len(app.dataframe[0].value["model"][0]) <= 200


def test_first_targets_by_name_and_the_others_together() -> None:
    """Six targets are drawn apart; the seventh and the rest are one colour, and bars stand on one another."""
    spec = spend_chart(lines(9), span=(0.0, 2 * DAY), step_s=DAY).to_dict()
    rows = rows_of(spec, spec)
    assert len({row["target"] for row in rows}) == 7
    assert {row["usd"] for row in rows if row["target"] == OTHERS} == {3.0}
    assert max(row["high"] for row in rows) == 9.0
    assert spec["encoding"]["y"]["title"] == "US dollars a day"


def test_price_lines_leave_gaps_where_tokens_are_unknown() -> None:
    """A day that cannot be priced per token is not drawn as zero."""
    known, unknown = Spent(0.0, 1, 1, 0.5, 400, 100), Spent(DAY, 1, 1, 0.5, None, None)
    spec = per_1k_chart([(Target("p", "m"), [known, unknown])], span=(0.0, 2 * DAY)).to_dict()
    assert [row["usd"] for row in rows_of(spec, spec)] == [1.0]


@pytest.mark.parametrize(
    ("point", "price"),
    [
        (Spent(0, 10, 10, 2.0, 500, 500), 2.0),
        (Spent(0, 10, 5, 2.0, 500, 500), None),
        (Spent(0, 10, 5, 2.0, 500, 500, priced_tokens=400), 5.0),
        (Spent(0, 10, 0, None, 500, 500), None),
        (Spent(0, 10, 10, 2.0, 0, 0), None),
    ],
)
def test_price_is_of_the_tokens_of_priced_requests(point: Spent, price: float | None) -> None:
    """Tokens of requests without a price would make the others look cheap."""
    assert spending.per_1k([point]) == price


@given(st.lists(st.tuples(st.integers(0, 50), st.one_of(st.none(), st.floats(0, 1e6))), max_size=20))
def test_sums_agree_however_they_are_cut(points: list[tuple[int, float | None]]) -> None:
    """All targets together cost what each costs alone."""
    bins = [Spent(i * DAY, n, 0 if usd is None else n, usd) for i, (n, usd) in enumerate(points)]
    costs = Costs(targets=[Spending(Target("p", str(i)), [point]) for i, point in enumerate(bins)])
    apart = sum(spend.cost_usd or 0.0 for _, _, spend in spending.ranked(costs))
    assert (spending.everything(costs).cost_usd or 0.0) == pytest.approx(apart)
    assert spending.everything(costs).requests == sum(n for n, _ in points)


@pytest.mark.parametrize(
    ("value", "told"), [(None, "unknown"), (0.0, "$0.00"), (0.004, "under $0.01"), (12.3, "$12.30"), (4321.9, "$4,322")]
)
def test_dollars_in_words(value: float | None, told: str) -> None:
    """Cents where they matter; a small sum never reads as zero."""
    assert spending.usd(value) == told


@pytest.mark.parametrize(("start", "days"), [(0.0, [2.0, 2.0]), (-DAY, [2.0])])
def test_an_average_day_is_a_whole_day(start: float, days: list[float]) -> None:
    """Today is not over, and the day of the first request began somewhere, unless there may be requests before it."""
    points = [Spent(day * DAY, 10, 10, 2.0, 400, 100) for day in range(3)]
    costs = Costs(start, 2.5 * DAY, DAY, [Spending(Target("p", "m"), points)])
    assert spending.of_full_days(costs, DAY) == days
