"""Charts as data: units, UTC, the baseline window, the change, and nothing told by colour alone."""

import json
from typing import Any

import altair as alt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_dashboards import charts
from undertow_dashboards.charts import Scene
from undertow_dashboards.shapes import Distribution, Incident, Point, Reason, Series, Side, Target

START, STEP = 1_795_000_000.0, 600.0
SPAN = (START, START + 100 * STEP)
TOKENS = Series(
    "output_tokens",
    "quantiles",
    "tokens",
    [Point(START + i * STEP, 50, 10.0, 20.0, 30.0, 40.0, 90.0) for i in range(100) if not 40 <= i < 50],
)
REFUSALS = Series("refusal", "rate", "share", [Point(START + i * STEP, 50, rate=0.02) for i in range(100)])
CHANGE = Incident("inc_1", Target("openai", "gpt-4o"), change_point=START + 70 * STEP)


def drawn(chart: alt.LayerChart) -> dict[str, Any]:
    """The Vega-Lite specification."""
    return json.loads(json.dumps(chart.to_dict()))


def titles(spec: dict[str, Any]) -> set[str]:
    """Titles of all axes."""
    return {
        channel["title"]
        for layer in spec["layer"]
        for name, channel in layer.get("encoding", {}).items()
        if name in ("x", "y") and channel.get("title")
    }


def rows(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of all datasets."""
    return [row for data in spec["datasets"].values() for row in data]


@pytest.mark.parametrize(("series", "unit"), [(TOKENS, "tokens"), (REFUSALS, "share of answers")])
def test_axes_name_units_and_utc(series: Series, unit: str) -> None:
    """Each axis says what is measured in, and that time is UTC, on a UTC scale."""
    spec = drawn(charts.series_chart(series, Scene(SPAN), step_s=STEP))
    assert titles(spec) == {unit, "time (UTC)"}
    assert all(layer["encoding"]["x"]["scale"]["type"] == "utc" for layer in spec["layer"])


def test_baseline_is_shaded_and_change_marked_in_words() -> None:
    """The window and the change carry labels, not just colours."""
    window = (START - 5 * STEP, START + 30 * STEP)
    spec = drawn(charts.series_chart(TOKENS, Scene(SPAN, baseline=window, changes=[CHANGE]), step_s=STEP))
    labels = {row["label"] for row in rows(spec) if "label" in row}
    assert labels == {"baseline", "change 18 Nov 22:46 UTC"}
    shade = next(row for row in rows(spec) if row.get("label") == "baseline")
    assert shade["at"] == START * 1000


def test_change_outside_the_time_shown_is_not_drawn() -> None:
    """Negative control: a change before the span leaves no mark at its edge."""
    spec = drawn(charts.series_chart(TOKENS, Scene((START + 80 * STEP, SPAN[1]), changes=[CHANGE]), step_s=STEP))
    assert not any("label" in row for row in rows(spec))


def test_no_line_is_drawn_across_silence() -> None:
    """Where bins are missing a row without values breaks the line, once."""
    spec = drawn(charts.series_chart(TOKENS, Scene(SPAN), step_s=STEP))
    assert [row["at"] for row in rows(spec) if "n" not in row] == [(START + 40 * STEP) * 1000]


def test_charts_stay_small() -> None:
    """Too many points are cut to the newest 5,000."""
    many = Series("refusal", "rate", "share", [Point(START + i, 100, rate=0.1) for i in range(9000)])
    spec = drawn(charts.series_chart(many, Scene((START, START + 9000)), step_s=1.0))
    assert max(len(data) for data in spec["datasets"].values()) == charts.MAX_POINTS


def test_before_and_after_differ_without_colour() -> None:
    """Dash and shape tell the two curves apart."""
    side = Side(0.0, 1.0, 100, {"p05": 1.0, "p25": 2.0, "p50": 3.0, "p75": 4.0, "p95": None})
    spec = drawn(charts.distribution_chart(Distribution("output_tokens", "quantiles", "tokens", side, side)))
    channels = {name for layer in spec["layer"] for name in layer["encoding"]}
    assert {"strokeDash", "shape"} <= channels
    assert len(rows(spec)) == 8


def test_rates_are_drawn_with_their_uncertainty() -> None:
    """Each bar has its 95 % interval and its number; a side without values has no bar."""
    spec = drawn(charts.distribution_chart(Distribution("refusal", "rate", "share", Side(0.0, 1.0, 100, rate=0.02))))
    (row,) = rows(spec)
    assert row["low"] < 0.02 < row["high"]
    assert row["label"] == "2.0 %"


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_score_interval_holds_the_rate(n: int, rate: float) -> None:
    """The interval lies in [0, 1] around the rate; with no trials it says nothing."""
    low, high = charts.wilson(rate, n)
    assert 0 <= low <= rate + 1e-9
    assert rate - 1e-9 <= high <= 1
    assert charts.wilson(0.5, 0) == (0.0, 1.0)


def test_reasons_are_plain_words() -> None:
    """A reason in the chart is harmless text with its count."""
    spec = drawn(charts.reasons_chart([Reason("<b>bad_json</b>", 3)]))
    assert rows(spec) == [{"reason": "b bad json b", "count": 3}]


def test_spark_of_nothing_is_an_empty_chart() -> None:
    """A series without points draws nothing and does not fail."""
    spec = drawn(charts.spark(Series("refusal", "rate"), span=SPAN, step_s=STEP, change_point=None))
    assert rows(spec) == []


def test_sparse_rates_are_merged_and_keep_their_counts() -> None:
    """Bins of 20 answers become bins of 100 with the same answers and refusals; dense ones and gaps stay."""
    sparse = [Point(i * STEP, 20, rate=0.05 * (i % 2)) for i in range(100) if not 40 <= i < 50]
    merged, step_s = charts.readable_rates(Series("refusal", "rate", "share", sparse), STEP)
    assert step_s == 5 * STEP
    assert {point.n for point in merged.points} == {100}
    assert [point.at for point in merged.points] == [i * step_s for i in range(20) if i not in (8, 9)]
    assert sum(p.n * (p.rate or 0) for p in merged.points) == pytest.approx(45.0)
    dense = Series("refusal", "rate", "share", [Point(0.0, 500, rate=0.1)])
    assert charts.readable_rates(dense, STEP) == (dense, STEP)
    assert charts.readable_rates(TOKENS, STEP) == (TOKENS, STEP)
