"""Marks, evidence, shares and clocks as data: nothing told by colour alone, nothing drawn outside its time."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_dashboards import charts, clock, outlook
from undertow_dashboards.charts import Scene
from undertow_dashboards.clock import UNIVERSAL
from undertow_dashboards.shapes import (
    Distribution,
    Evidence,
    EvidencePoint,
    Incident,
    Mark,
    SharePoint,
    Shares,
    Side,
    Target,
)

from .test_dash_charts import SPAN, START, STEP, TOKENS, drawn, rows

HOUR = 3600.0


def evidence(*levels: float) -> Evidence:
    """Levels an hour apart against an alarm at 10^5."""
    points = [EvidencePoint(START + i * HOUR, level, 5.0) for i, level in enumerate(levels)]
    return Evidence("output_tokens", 5.0, points)


def test_marks_are_told_apart_by_letter_and_shape() -> None:
    """Each has a letter of its own and each kind a shape of its own, in the chart as in words."""
    marks = [Mark(START + i * 9 * STEP, kind, f"text {i}") for i, kind in enumerate(charts.SIGNS)]
    found = charts.lettered(marks, SPAN)
    assert [mark.letter for mark in found] == list("ABCDEFGHI")
    assert len({mark.sign.shape for mark in found}) == len({mark.sign.glyph for mark in found}) == len(charts.SIGNS)
    told = {row["letter"]: row["told"] for row in rows(drawn_with(found)) if "letter" in row}
    assert told["B"].startswith("B ■ ")
    assert told["B"].endswith(" UTC, deploy: text 1")


def drawn_with(marks: list[charts.Lettered]) -> dict[str, object]:
    """The chart of a signal with these marks."""
    return drawn(charts.series_chart(TOKENS, Scene(SPAN, marks=marks), step_s=STEP))


def test_marks_of_a_kind_at_one_time_share_a_letter() -> None:
    """Neighbours are counted, other kinds beside them stand in another row."""
    marks = [Mark(START + i, "fingerprint", f"fp_{i}") for i in range(6)]
    flock, weight = charts.lettered([*marks, Mark(START + 10, "weight", "1 to 0.5")], SPAN)
    assert "fp_0; fp_1; fp_2; fp_3; and 2 more" in flock.told(UNIVERSAL)
    assert (flock.row, weight.row) == (0, 1)


def test_marks_outside_the_time_shown_are_not_drawn() -> None:
    """Negative control: none before or after the span, and of too many the newest have letters."""
    assert charts.lettered([Mark(START - 1, "weight"), Mark(SPAN[1] + 1, "weight")], SPAN) == []
    many = [Mark(START + i * 2 * STEP, "weight", str(i)) for i in range(50)]
    found = charts.lettered(many, SPAN)
    assert (len(found), found[-1].letter, found[-1].texts) == (26, "Z", ["49"])


def test_the_interval_of_a_change_is_a_band_within_the_time_shown() -> None:
    """The band ends where the chart does."""
    change = Incident("i", Target("p", "m"), change_point=START + STEP, change_point_interval=(START - STEP, START + 2))
    spec = drawn(charts.series_chart(TOKENS, Scene(SPAN, changes=[change]), step_s=STEP))
    bands = [row for row in rows(spec) if set(row) == {"at", "to"}]
    assert bands == [{"at": START * 1000, "to": (START + 2) * 1000}]


def test_evidence_is_drawn_against_its_threshold() -> None:
    """Line, dashed threshold and its name; points outside the span are left out, silence breaks the line."""
    found = Evidence("x", 5.0, [*evidence(0.0, 1.0).points, EvidencePoint(START + 9 * HOUR, 2.0), EvidencePoint(0.0)])
    spec = drawn(charts.evidence_chart(found, Scene(SPAN)))
    assert any(row.get("label") == "alarm at 10^5.0" for row in rows(spec))
    assert [row.get("evidence") for row in rows(spec) if "label" not in row] == [0.0, 1.0, None, 2.0]


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        ([], "No evidence has been kept for this time."),
        (
            [0.5] * 9,
            "Evidence 10^0.5 of the 10^5.0 that raise an alarm, 10 % of the way, steady over the last 2",
        ),
        (
            [0, 0, 0, 0, 0, 0, 1, 2, 4],
            "It is near an alarm: evidence 10^4.0 of the 10^5.0 that raise an alarm, 80 %",
        ),
        ([4, 4, 4, 4, 4, 4, 4, 2, 1], "Evidence 10^1.0 of the 10^5.0 that raise an alarm, 20 % of the way, falling"),
        ([0, 5.5, 7], "The evidence passed the alarm's 10^5.0 by 18 Nov 12:06 UTC and reached 10^7.0."),
        (
            [0, 5.5, 7, 1],
            "The evidence passed the alarm's 10^5.0 by 18 Nov 12:06 UTC and reached 10^7.0. It starts anew after an",
        ),
    ],
)
def test_the_way_to_an_alarm_is_a_sentence(levels: list[float], sentence: str) -> None:
    """How far it is, whether it grows, and when it was passed."""
    assert outlook.evidence(evidence(*levels), UNIVERSAL).startswith(sentence)


def test_a_release_near_the_change_is_named() -> None:
    """Our own doings are said first; those of the provider are none of ours."""
    marks = [Mark(START, "fingerprint", "fp_1"), Mark(START - HOUR, "gateway_release", "gateway 1.84.0")]
    assert "gateway 1.84.0 at " in outlook.beside(marks, START, UNIVERSAL)
    assert outlook.beside(marks[:1], START, UNIVERSAL).startswith("No release or deploy of ours")
    assert outlook.beside(marks, None, UNIVERSAL) == ""


def test_each_name_has_a_row_of_its_own_over_time() -> None:
    """Names stand in the order in which they came; rare ones are one."""
    points = [SharePoint(START + i * STEP, 10, {"fp_b" if i < 5 else "fp_a": 9}, 1) for i in range(10)]
    spec = drawn(charts.shares_chart(Shares("system_fingerprint", points), Scene(SPAN), STEP))
    bars = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "rect")
    assert bars["encoding"]["y"]["scale"]["domain"] == ["fp_b", "fp_a", "(other)"]
    assert {row["share"] for row in rows(spec) if "share" in row} == {0.9, 0.1}


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 10**6), max_size=20), st.integers(0, 100))
def test_share_bars_add_up_to_one(counts: dict[str, int], other: int) -> None:
    """Whatever the names, each side's bars are all of its answers, with the side and the share in words."""
    n = sum(counts.values()) + other
    side = Side(0.0, 1.0, n, shares=counts, other=other)
    bars = charts.bar_rows(Distribution("finish_reason", "shares", "", side, side))
    for when in ("before", "after"):
        mine = [bar for bar in bars if bar["when"] == when]
        assert sum(bar["share"] for bar in mine) == pytest.approx(1.0 if n else 0.0)
        assert all(bar["label"].startswith(f"{when} ") for bar in mine)
        assert len(mine) <= 9


def test_a_curve_is_drawn_where_there_is_one() -> None:
    """The cumulative curve up to its 99th percent, and a dot with a shape at each quantile."""
    side = Side(0.0, 1.0, 100, {"p50": 3.0}, [(1.0, 0.1), (3.0, 0.5), (99.0, 0.999)])
    spec = drawn(charts.distribution_chart(Distribution("output_tokens", "quantiles", "tokens", side, side)))
    assert [(row["value"], row["dot"]) for row in rows(spec) if row["when"] == "after"] == [
        (1.0, False),
        (3.0, False),
        (3.0, True),
    ]


@given(st.floats(allow_nan=False), st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "Pacific/Kiritimati"]))
def test_every_time_has_a_date_in_every_zone(at: float, zone: str) -> None:
    """The ends of the calendar are no error, and the zone is always said."""
    local = clock.of_zone(zone)
    assert local is not None
    for one in (local, UNIVERSAL):
        assert one.time(at).count(":") == 1
        assert one.time(at, at).count(" ") == 1


def test_clocks_follow_summer_time_and_unknown_zones_are_none() -> None:
    """Berlin is CEST in July and CET in January; a made-up name or UTC is no clock of its own."""
    berlin = clock.of_zone("Europe/Berlin")
    assert berlin is not None
    july, january = (datetime(2026, month, 1, 10, tzinfo=UTC).timestamp() for month in (7, 1))
    assert (berlin.time(july), berlin.time(january)) == ("1 Jul 12:00 CEST", "1 Jan 11:00 CET")
    assert [clock.of_zone(name) for name in (None, "", "UTC", "Mars/Olympus", "../etc/passwd", "a\0")] == [None] * 6


def test_local_charts_have_the_browsers_time() -> None:
    """Vega draws a UTC scale in UTC and a plain one in the browser's zone; the title names which."""
    kolkata = clock.of_zone("Asia/Kolkata")
    assert kolkata is not None
    for scene, kind in ((Scene(SPAN), "utc"), (Scene(SPAN, kolkata), "time")):
        spec = json.dumps(drawn(charts.series_chart(TOKENS, scene, step_s=STEP)))
        assert f'"type": "{kind}"' in spec
        assert f"time ({scene.clock.name})" in spec
