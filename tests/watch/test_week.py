"""Weeks that repeat themselves: other volume, routes, prompt sizes and load at weekends, and nothing to report."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.span import Span, Target
from undertow.watch import performance, week
from undertow.watch.attribution import Change, Facts, attribute
from undertow.watch.baseline import DAY_S
from undertow.watch.events import Event
from undertow_collectors.scenarios import GPT_4O, SCENARIOS
from undertow_collectors.simulate import EPOCH, traffic

Make = Callable[..., Any]
MONDAY, FRIDAY, WEDNESDAY = 0, 4, 9.5
WHOLE_WEEK = Config(detect=DetectConfig(baseline=BaselineConfig(min_hours=168)))
T = Target("gw", "openai", "gpt-4o", None)


@cache
def spans(scenario: str, first_day: int) -> tuple[Span, ...]:
    """Fifteen days of one endpoint; what is planted comes on the second Wednesday."""
    start = EPOCH + first_day * DAY_S
    made = traffic(
        SCENARIOS[scenario], 1, start=start, days=15, onset_days=WEDNESDAY - first_day, per_day=2000, fleet=[GPT_4O]
    )
    return tuple(made)


def notices(one: Any) -> list[tuple[str, int]]:
    """Kind and weekday of every notice, Monday being 0."""
    return [(n["kind"], int((n["at"] - EPOCH) // DAY_S % 7)) for n in one.store.notices()]


@pytest.mark.parametrize("first_day", [MONDAY, FRIDAY])
def test_a_baseline_of_a_week_makes_weeks_quiet(monitor: Make, first_day: int) -> None:
    """With `min_hours = 168` a week like the last raises no incident and no notice."""
    one = monitor(WHOLE_WEEK).finish(spans("weekly", first_day))
    assert (one.store.incidents(), one.store.notices()) == ([], [])


def test_a_mixed_baseline_is_news_once(monitor: Make) -> None:
    """A baseline of a Friday and a Saturday is like neither: one notice says so, and no later day is news."""
    one = monitor().finish(spans("weekly", FRIDAY))
    assert one.store.incidents() == []
    assert [kind for kind, _ in notices(one)] == ["traffic_mix"]


def test_the_first_weekend_is_news_once(monitor: Make) -> None:
    """With a baseline of two weekdays the first Saturday is a notice, and no later day is; restarts change nothing."""
    one = monitor()
    for begin in range(0, len(spans("weekly", MONDAY)), 6000):
        one.take(spans("weekly", MONDAY)[begin : begin + 6000])
        one.restart()
    one.finish()
    assert one.store.incidents() == []
    assert notices(one) == [("traffic_mix", 5)]


def test_without_kinds_of_day_each_weekend_would_be_news(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a reference that takes all days for alike is surprised every Saturday and Monday."""
    monkeypatch.setattr(week, "known", lambda *_: ())
    one = monitor().finish(spans("weekly", MONDAY))
    assert {day for _, day in notices(one)} >= {0, 5}


@pytest.mark.parametrize(("config", "cause"), [(WHOLE_WEEK, "provider_update"), (None, "unresolved")])
def test_an_update_in_a_week_is_found(monitor: Make, config: Config | None, cause: str) -> None:
    """A silent update on a Wednesday is one incident within hours; only the week after a first weekend has doubts."""
    [incident] = monitor(config).finish(spans("update-in-week", MONDAY)).store.incidents()
    assert 0 < incident["opened_at"] - (EPOCH + WEDNESDAY * DAY_S) < DAY_S / 2
    assert (incident["lane"], incident["cause"]) == ("content", cause)


def test_kinds_of_day_are_known_when_the_whole_day_was_seen() -> None:
    """A few hours of a Saturday are no weekend; neither is a day with too few values."""
    at = EPOCH + np.arange(0, 5 * DAY_S, 100.0)
    assert week.known(at, 500) == (week.WEEKDAY,)
    assert week.unlike(at, 500) == (week.WEEKEND,)
    assert week.known(EPOCH + np.arange(0, 5.5 * DAY_S, 100.0), 500) == (week.WEEKDAY,)
    assert week.known(EPOCH + np.arange(0, 6 * DAY_S, 100.0), 500) == (week.WEEKDAY, week.WEEKEND)
    assert week.unlike(EPOCH + np.arange(0, 6 * DAY_S, 100.0), 500) == (week.WEEKDAY, week.WEEKEND), "a mixture"
    assert week.unlike(EPOCH + np.arange(0, 7 * DAY_S, 100.0), 500) == ()
    assert week.unlike(EPOCH + np.arange(0, DAY_S / 4, 10.0), 500) == (), "who knows neither doubts neither"


def test_a_weekend_has_a_curve_of_its_own_once_seen_twice() -> None:
    """Latency that falls by a seventh at weekends leaves no trace in a week's curve, and one Saturday is no rule."""
    at = EPOCH + np.arange(0, 7 * DAY_S, 60.0)
    x = np.where(week.kind(at) == week.WEEKEND, 0.85, 1.0) * (1 + 0.2 * np.sin(2 * np.pi * at / DAY_S))
    curve = performance.day_curve(at, x)
    assert curve.shape == (2, 7)
    assert performance.relative(at, x, curve) == pytest.approx(1.0, abs=0.01)
    assert performance.tolerance(at, performance.relative(at, x, curve)) == performance.LEAST_TOLERANCE
    mixed = (at >= EPOCH + 4 * DAY_S) & (at < EPOCH + 6 * DAY_S)
    assert performance.day_curve(at[mixed], x[mixed]).shape == (1, 7)


@pytest.mark.parametrize(("unlike", "cause"), [((week.WEEKEND,), "unresolved"), ((), "provider_update")])
def test_days_that_the_baseline_does_not_know_keep_their_doubt(unlike: tuple[int, ...], cause: str) -> None:
    """Traffic that moved weeks ago explains a change on a weekend if the baseline has none, and no other."""
    saturday = EPOCH + 26 * DAY_S
    moved = Event("traffic", EPOCH + 5 * DAY_S, EPOCH + 5 * DAY_S, 1, "input_tokens")
    facts = {T: Facts(100.0, [moved], unlike)}
    assert attribute(Change(T, saturday, saturday + 3600), facts).cause == cause
    assert attribute(Change(T, saturday - 2 * DAY_S, saturday - DAY_S), facts).cause == "provider_update"
