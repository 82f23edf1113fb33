"""States, times, numbers and findings as sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_dashboards import sentences, words
from undertow_dashboards.live import copy_notice
from undertow_dashboards.shapes import (
    Cost,
    Distribution,
    Effect,
    Incident,
    Moved,
    Recommendation,
    Side,
    SignalState,
    Stratum,
    Target,
)

NOW = 1_795_175_880.0  # 20 November 2026, 11:58 UTC
GPT = Target("openai", "gpt-4o", "litellm-prod")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (3599, "59 minutes"), (7200, "2 hours"),
     (86400, "24 hours"), (172800, "2 days")],
)  # fmt: skip
def test_durations_in_one_unit(seconds: float, told: str) -> None:
    """A length of time is told in the one unit that fits."""
    assert words.duration(seconds) == told


def test_times_are_utc_and_say_so() -> None:
    """Today's times have no date, others do."""
    assert words.clock_time(NOW - 3600, NOW) == "10:58 UTC"
    assert words.clock_time(NOW - 86400, NOW) == "19 Nov 11:58 UTC"


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, "0.0 %"), (0.0123, "1.2 %"), (0.00001, "under 0.1 %"), (1.0, "100.0 %"), (None, "unknown")],
)
def test_rare_is_not_never(share: float | None, told: str) -> None:
    """A share that is small never reads as zero, and an unknown one is not a number."""
    assert words.percent(share) == told


@pytest.mark.parametrize(("age", "level"), [(5.0, "recent"), (119.0, "recent"), (121.0, "stale"), (9000.0, "stale")])
def test_copy_goes_amber_after_two_minutes(age: float, level: str) -> None:
    """A copy says its age from the first second and is called stale after two minutes."""
    told, text = copy_notice(age)
    assert told == level
    assert text.startswith("Stale. ") == (level == "stale")
    assert words.duration(age) in text


@pytest.mark.parametrize(("age", "stale"), [(10.0, False), (119.0, False), (121.0, True)])
def test_data_go_stale_after_two_minutes(age: float, stale: bool) -> None:
    """Old requests make the page say so."""
    assert words.freshness(NOW - age, NOW)[0] is stale


@given(st.text())
def test_code_span_holds_any_text(text: str) -> None:
    """No text can end the code span it is put into, by CommonMark's rule of equal backtick runs."""
    span = words.name(text)
    fence = len(span) - len(span.lstrip("`"))
    inner = span[fence:-fence]
    assert span.endswith("`" * fence)
    assert inner.strip()
    assert "\n" not in span
    assert not inner.startswith("`")
    assert not inner.endswith("`")
    assert fence not in {len(run) for run in _runs(inner)}


def _runs(text: str) -> list[str]:
    return [run for run in "".join(ch if ch == "`" else " " for ch in text).split() if run]


def test_naive_span_would_be_left() -> None:
    """Negative control: a fence of one backtick does not hold a name with one in it."""
    assert 1 in {len(run) for run in _runs("a`b")}


@given(st.text())
def test_clean_text_has_no_invisible_characters(text: str) -> None:
    """Controls, bidirectional overrides and surrogates become a visible mark; the length is bounded."""
    shown = words.clean(text)
    assert len(shown) <= words.MAX_NAME
    assert not any(ch in shown for ch in "\n\r\t\x00\u202e\u2066\u200b\ud800")


@given(st.text())
def test_readable_is_letters_digits_and_spaces(text: str) -> None:
    """What goes into a sentence of Markdown without a code span has no punctuation at all."""
    assert all(ch.isalnum() or ch in " \ufffd" for ch in words.readable(text))


@pytest.mark.parametrize(
    ("effect", "told"),
    [
        (Effect("ratio", 0.88, (0.86, 0.90)), "answer length down 12 % (10 to 14 %)"),
        (Effect("ratio", 1.25, (1.2, 1.3)), "answer length up 25 % (20 to 30 %)"),
        (Effect("ratio", 4.0, (3.5, 4.5)), "answer length up 4.0-fold (3.5 to 4.5)"),
        (Effect("ratio", 0.97, (0.9, 1.04)), "answer length down 3 % (-4 to 10 %)"),
        (Effect("rate_difference", 0.031, (0.02, 0.042)), "answer length up 3.1 percentage points (+2.0 to +4.2)"),
        (Effect("rate_difference", -0.01), "answer length down 1.0 percentage points"),
        (Effect("odds_ratio", 2.0, (None, None)), "answer length odds ratio 2"),
        (Effect("ratio", None), "answer length down"),
        (None, "answer length down"),
    ],
)
def test_effects_in_natural_units(effect: Effect | None, told: str) -> None:
    """Sizes are per cent, percentage points or folds, with their interval where it is known."""
    assert sentences.what_changed(Moved("output_tokens", "down", effect)) == told


def found(**changes: object) -> Incident:
    """An incident of now."""
    known: dict[str, object] = {
        "cause": "provider_update",
        "opened_at": NOW - 3600,
        "change_point": NOW - 7200,
        "change_point_interval": (NOW - 7800, NOW - 6900),
        "signals": [Moved("output_tokens", "down", Effect("ratio", 0.88, (0.86, 0.9)), 7.3)],
        "recommendation": Recommendation("down_weight", 0.5),
    }
    return Incident("inc_1", GPT, **(known | changes))  # type: ignore[arg-type]


def test_incident_in_one_sentence() -> None:
    """What and since when; then how surely, whose doing and what to do."""
    incident = found()
    expected = "Answer length down 12 % (10 to 14 %) since 09:58 UTC (give or take 10 minutes), 2 hours ago."
    assert sentences.headline(incident, NOW) == expected
    assert sentences.judgement(incident) == (
        "Very strong evidence (10^7.3); a silent update by the provider; "
        "recommended: give it 50 % of its usual share of traffic."
    )


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        (None, ""),
        (Cost(-9100.0, (-10_400.0, -7800.0)), "About 9,100 output tokens less (7,800 to 10,400) a day."),
        (Cost(40.0, (-100.0, 180.0)), ""),
        (Cost(None, None, 3.5, (3.0, 4.0), "looks larger"), "About $3.50 more ($3.00 to $4.00) a day. Looks larger."),
    ],
)
def test_cost_of_a_change_a_day(cost: Cost | None, told: str) -> None:
    """Tokens and dollars with their intervals; what cannot be told from nothing is not claimed."""
    assert sentences.cost(found(cost=cost)) == told


def test_where_a_signal_moved() -> None:
    """A row for each stratum, in natural units."""
    moved = Moved("output_tokens", strata=[Stratum("triage", "any input size", "ratio", 0.7, (0.6, 0.8), 900, 80)])
    assert sentences.strata(moved) == [
        {
            "route": "triage",
            "prompt tokens": "any",
            "change": "down 30 % (20 to 40 %)",
            "answers before": 900,
            "after": 80,
        }
    ]


def test_undated_unexplained_incident_claims_nothing() -> None:
    """Where change point, evidence, effect and advice are unknown the sentence says so."""
    incident = found(change_point=None, change_point_interval=None, signals=[], recommendation=None, cause="unresolved")
    assert sentences.headline(incident, NOW) == "Behaviour changed (found 1 hour ago)."
    assert sentences.judgement(incident) == (
        "Strength of the evidence unknown; cause unresolved, because the traffic moved too; "
        "recommended: no action needed."
    )


@pytest.mark.parametrize(
    ("status", "is_open"), [("open", True), ("acknowledged", True), ("accepted", False), ("resolved", False)]
)
def test_acknowledged_is_still_open(status: str, is_open: bool) -> None:
    """Only accepted and resolved incidents are past."""
    assert found(status=status).is_open is is_open


@pytest.mark.parametrize(
    ("state", "begins"),
    [
        (SignalState("refusal", state="insufficient", baseline_values=12), "Not enough data: 12 baseline values."),
        (
            SignalState("refusal", state="collecting", baseline_values=900),
            "Learning what is usual: 900 baseline values",
        ),
        (SignalState("refusal", state="ok", log10_evidence=0.2, log10_threshold=5.0), "Evidence of change 10^0.2; the"),
        (SignalState("refusal", state="ok"), "No baseline values."),
    ],
)
def test_signal_states_are_told_apart(state: SignalState, begins: str) -> None:
    """Too little data, learning and judged are three different sentences."""
    assert sentences.signal_state(state).startswith(begins)


def test_comparison_needs_both_sides() -> None:
    """Without a baseline or without anything since, the comparison says which is missing."""
    before = Side(0.0, 1.0, 1200, rate=0.02)
    assert "nothing to compare with" in sentences.before_after(Distribution("refusal", "rate"))
    told = sentences.before_after(Distribution("refusal", "rate", before=before))
    assert told == "Baseline: 2.0 % of 1,200 answers. No values since."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("output_tokens went down, refusal went up", "answer length went down, refusals went up"),
        ("adjusted_output_tokens", "answer length beside its other measures"),
        ("refusal", "refusals"),
        ("traffic_quiet", "the requests did not change"),
        ("my_output_tokens and output_tokens-2 and an error of ours", None),
    ],
)
def test_signals_in_a_text_of_the_monitor_are_called_as_people_call_them(text: str, told: str | None) -> None:
    """Names inside other names, and words of English, stay as they are."""
    assert words.spoken(text) == (told or text)
