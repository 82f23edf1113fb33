"""The page of the budget: false alarms as people judged them against those allowed."""

import time
from typing import Any

import pytest

from undertow_dashboards import alarms
from undertow_dashboards.charts.alarms import budget_chart
from undertow_dashboards.shapes import Budget, Incident, Target, Verdict

from . import answers
from .conftest import Open
from .fixtures import FakeApi, incident, many, target
from .test_dash_pages import texts

DAY = 86_400.0
ODD = ("m" * 300, "نموذج مرحبا", "'); drop table span;--", "<img onerror=alert(1)>")


def rows_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that a layer draws."""
    return spec["datasets"][layer["data"]["name"]]  # type: ignore[no-any-return]


def budget(false: int = 0, unjudged: int = 0, **known: Any) -> Budget:
    """Two false alarms allowed in 60 days."""
    given = {"observed_days": 60.0, "allowed": 2.0, "false_alarm_interval_days": 30.0} | known
    return Budget(false_alarms=false, unjudged=unjudged, incidents=false + unjudged, **given)


def test_the_title_says_whether_the_budget_holds(open_page: Open) -> None:
    """The answer, the counts, the bound and the conditions stand on one page."""
    app = open_page("budget")
    assert not app.exception
    assert app.title[0].value == "Within the budget: 1 false alarm in 61 days"
    said = texts(app)
    assert "3 incidents of the lanes with the guarantee: 1 real, 1 false, 1 not judged." in said
    assert "The budget allows 2 false in 61 days." in said
    assert "at most 2.33 times in 30 days on the average; the budget is 1." in said
    assert "If all that is not judged were false: 3.1 times." in said
    for word in ("**Covered**", "**The condition**", "**Not covered**", "**On the average**"):
        assert word in said


def test_unjudged_incidents_have_a_link(open_page: Open) -> None:
    """Who reads the page can judge what counts at once."""
    app = open_page("budget")
    assert "These count: 1 incident." in texts(app)
    links = [link.proto for link in app.get("page_link")]
    assert any(link.label == "Judge it" and "inc_01" in link.query_string for link in links)


def test_lanes_without_the_guarantee_are_listed_apart(api: FakeApi, open_page: Open) -> None:
    """They can be judged and do not count; the table says which lane does."""
    now = time.time()
    slow = incident(target("a"), now=now, id="inc_02", lane="performance")
    api.answers["/v1/incidents"]["incidents"].append(slow)
    app = open_page("budget")
    assert "Their lanes have no guarantee, so these do not count: 1 incident." in texts(app)
    assert list(app.dataframe[0].value["counts against the budget"]) == ["yes", "no"]


def test_all_judged_is_said(api: FakeApi, open_page: Open) -> None:
    """Nothing waits for anybody."""
    api.answers["/v1/incidents"]["incidents"][0]["verdict"] = {"verdict": "real", "by": "Ada"}
    assert "Every incident of this time has a verdict." in texts(open_page("budget"))


def test_nothing_observed_is_said_calmly(api: FakeApi, open_page: Open) -> None:
    """A monitor without a judged day promises, and counts nothing."""
    api.answers["/v1/budget"] = {"false_alarm_interval_days": 30.0, "observed_days": 0.0, "allowed": 0.0}
    api.answers["/v1/incidents"] = {"incidents": []}
    app = open_page("budget")
    assert not app.exception
    assert app.title[0].value == "Nothing has been judged yet"
    assert "No incident opened in this time." in texts(app)


def test_the_period_is_asked_for(api: FakeApi, open_page: Open) -> None:
    """The address holds the period."""
    open_page("budget", period="1 year")
    assert next(query for path, query in api.asked if path == "/v1/budget") == {"days": "365"}


def test_many_unjudged_incidents_are_folded(api: FakeApi, open_page: Open) -> None:
    """Five lines stand open, the others are one click away."""
    api.answers |= many(200)
    app = open_page("budget")
    assert not app.exception
    assert "15 more" in [one.label for one in app.expander]


@pytest.mark.parametrize("bad", ODD)
def test_odd_names_are_text(api: FakeApi, open_page: Open, bad: str) -> None:
    """Long, right-to-left and hostile names do no harm, in names of targets, lanes and notes."""
    api.answers["/v1/incidents"] = {"incidents": [incident(target(bad, bad, bad, bad), now=time.time(), lane=bad)]}
    api.answers["/v1/budget"] = answers.budget(by_lane={bad: {"incidents": 1}}, note=bad)
    app = open_page("budget")
    assert not app.exception
    assert "<img" not in "".join(str(one.value) for one in app.markdown).replace("`<img onerror=alert(1)>`", "")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (budget(), "Within the budget: 0 false alarms in 60 days"),
        (budget(2), "Within the budget: 2 false alarms in 60 days"),
        (budget(3), "More false alarms than the budget allows: 3 in 60 days"),
        (budget(1, 2), "2 incidents wait for a verdict, on which the budget depends"),
        (budget(0, 1, observed_days=3.2, allowed=0.107), "1 incident waits for a verdict, on which the budget depends"),
        (budget(observed_days=3.2, allowed=0.107), "Within the budget: 0 false alarms in 3.2 days"),
        (Budget(), "Nothing has been judged yet"),
    ],
)
def test_titles(found: Budget, told: str) -> None:
    """Incidents that nobody judged keep the page from saying that the budget holds."""
    assert alarms.title(found) == told


def test_what_counts_is_judged_first() -> None:
    """Old and judged incidents are left out; lanes with the guarantee come first."""
    where = Target("p", "m")
    found = [
        Incident("slow", where, lane="performance", opened_at=9 * DAY),
        Incident("content", where, lane="content", opened_at=8 * DAY),
        Incident("judged", where, lane="content", opened_at=9 * DAY, verdict=Verdict("real")),
        Incident("old", where, lane="content", opened_at=1 * DAY),
    ]
    assert [i.id for i in alarms.to_judge(found, Budget(), 5 * DAY)] == ["content", "slow"]


def test_the_chart_shows_both_kinds_against_the_line() -> None:
    """False alarms and unjudged incidents lie on one bar, which has room for what is allowed."""
    spec = budget_chart(budget(1, 1)).to_dict()
    bars = spec["layer"][0]
    assert [row["count"] for row in rows_of(spec, bars)] == [1, 1]
    assert bars["encoding"]["x"]["scale"]["domain"][1] > 2.0
    assert rows_of(spec, spec["layer"][2])[0]["label"] == "2 allowed"
