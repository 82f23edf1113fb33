"""What the monitor says would be noticed, from its own baselines, against what it then notices."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from undertow.config import BaselineConfig, Config, DetectConfig, SignalConfig
from undertow.span import Span
from undertow.watch import detectability
from undertow_collectors.scenarios import GPT_4O

BASELINE = BaselineConfig(min_spans=2000)


def of(watched: Any, signal: str, model: str = "gpt-4o") -> dict[str, Any]:
    """The row of one signal."""
    rows = watched.watcher.detectability()["signals"]
    return next(row for row in rows if row["signal"] == signal and row["target"]["model"] == model)


def delay(row: dict[str, Any], change: float) -> float:
    """The requests told for a change."""
    return next(one["requests"] for one in row["expected_delay"] if one["change"] == change)


@pytest.fixture(name="quiet")
def _quiet(monitor: Callable[..., Any], traffic: Callable[..., list[Span]]) -> Callable[..., Any]:
    """A monitor after quiet days, with settings of detection changed."""

    def quiet(**settings: Any) -> Any:
        config = Config(detect=DetectConfig(**{"baseline": BASELINE} | settings))
        return monitor(config).finish(traffic("none", fleet=(GPT_4O,)))

    return quiet


def test_what_was_told_is_what_happens(monitor: Callable[..., Any], traffic: Callable[..., list[Span]]) -> None:
    """Answers a tenth shorter are noticed about when the report of the quiet days before said."""
    spans = traffic("small-update", fleet=(GPT_4O,))
    watched = monitor()
    half = len(spans) * 5 // 8
    watched.take(spans[:half])
    told = delay(of(watched, "output_tokens"), -0.1)
    watched.finish(spans[half:])
    (incident,) = watched.store.incidents()
    happened = sum(span.started_at < incident["opened_at"] for span in spans) - len(spans) * 3 / 4
    assert 0.4 * told < happened < 2.5 * told


def test_smaller_changes_take_longer(quiet: Callable[..., Any]) -> None:
    """Delays fall with the size, and the smallest change of a day is larger than that of a week."""
    row = of(quiet(), "output_tokens")
    assert delay(row, -0.2) < delay(row, -0.1) < delay(row, -0.05)
    assert delay(row, 0.2) < delay(row, 0.1) < delay(row, 0.05)
    for way in ("up", "down"):
        assert 0 < row["within_week"][way] < row["within_day"][way] < 0.2
    (five,) = [one for one in row["expected_delay"] if one["change"] == 0.05]
    assert five["days"] == pytest.approx(five["requests"] / row["per_day"], rel=0.01)


def test_the_smallest_change_takes_just_that_long(quiet: Callable[..., Any]) -> None:
    """Around the smallest change of a day the delay is a day, for a number and for a rate."""
    watched = quiet()
    for signal in ("output_tokens", "refusal"):
        row = of(watched, signal)
        faster = [one for one in row["expected_delay"] if one["change"] > row["within_day"]["up"]]
        slower = [one for one in row["expected_delay"] if 0 < one["change"] < row["within_day"]["up"]]
        assert faster
        assert all(one["days"] <= 1 for one in faster)
        assert all(one["days"] is None or one["days"] >= 1 for one in slower)


def test_a_tighter_budget_and_a_tolerance_cost_delay(quiet: Callable[..., Any]) -> None:
    """Fewer false alarms, or a tolerance, are paid for in time; changes within the tolerance are never noticed."""
    usual = of(quiet(), "output_tokens")
    careful = of(quiet(false_alarm_interval_days=3650), "output_tokens")
    tolerant = of(quiet(signals={"output_tokens": SignalConfig(tolerance=0.1)}), "output_tokens")
    assert delay(usual, -0.1) < delay(careful, -0.1) < 2 * delay(usual, -0.1)
    assert delay(tolerant, -0.05) is None
    assert tolerant["within_week"]["down"] > 0.09
    assert delay(tolerant, -0.2) > 2 * delay(usual, -0.2)


def test_what_is_not_judged_says_nothing(monitor: Callable[..., Any], traffic: Callable[..., list[Span]]) -> None:
    """A signal with too few values has nulls, a target that still collects has no row."""
    config = Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=1000, min_hours=0)))
    watched = monitor(config)
    spans = traffic("none", fleet=(GPT_4O,))
    watched.finish(spans[:500])
    assert watched.watcher.detectability() == {"false_alarm_interval_days": 30.0, "signals": []}
    watched.finish(spans[500:2000])
    row = of(watched, "parse_fail")
    assert row["baseline_values"] < 500
    assert (row["level"], row["within_day"], row["expected_delay"]) == (None, None, [])


def test_a_restart_tells_the_same(quiet: Callable[..., Any]) -> None:
    """The answer follows from what is saved."""
    watched = quiet()
    before = watched.watcher.detectability()
    watched.restart()
    assert watched.watcher.detectability() == before


def test_it_is_worked_out_once(
    quiet: Callable[..., Any], traffic: Callable[..., list[Span]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer costs nothing; another target takes a share of the budget, which is a reason for a new one.

    From its twentieth span on: one that nothing more is heard of takes none.
    """
    watched = quiet()
    before = watched.watcher.detectability()
    with monkeypatch.context() as patched:
        patched.setattr(detectability, "expected_delay", None)
        assert watched.watcher.detectability() == before
    last = traffic("none", fleet=(GPT_4O,))[-1]
    new = [
        structs.replace(last, span_id=f"new{i}", model="new", started_at=last.started_at + 3600 + i) for i in range(20)
    ]
    watched.finish(new[:19])
    assert watched.watcher.detectability() == before
    watched.finish(new[19:])
    assert delay(of(watched, "output_tokens"), -0.1) > delay(before["signals"][0], -0.1)
