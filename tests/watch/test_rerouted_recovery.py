"""An incident is not over because we sent the traffic elsewhere: recovery is judged on what is still comparable."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.span import Span
from undertow.watch import mix
from undertow.watch.mix import SLACK, Heard, comparable
from undertow_collectors import simulate
from undertow_collectors.scenarios import CLAUDE_SONNET, DAY_S, GPT_4O, SCENARIOS, Behaviour, Endpoint, Scenario

Make = Callable[..., Any]
CONFIG = Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=1000)))
QUIET = tuple(replace(GPT_4O, deployment=f"d{i}") for i in range(6))
CHANGED, REST = QUIET[:3], QUIET[3:]
SHORTER = Scenario("", "", Behaviour(length=0.5), everywhere=True)
MOVED, BACK = simulate.EPOCH + 6 * DAY_S, simulate.EPOCH + 10 * DAY_S


def log(
    scenario: Scenario, fleet: Sequence[Endpoint], seed: int = 1, per_day: int = 60, days: float = 18.0
) -> list[Span]:
    """Days of a fleet, changed from the fourth on."""
    return list(simulate.traffic(scenario, seed, per_day=per_day, days=days, onset_days=4, fleet=fleet))


def ordered(*logs: Iterable[Span]) -> list[Span]:
    """Several logs as one."""
    return sorted((span for spans in logs for span in spans), key=lambda span: (span.ended_at, span.span_id))


def thinned(spans: Iterable[Span], until: float = float("inf")) -> list[Span]:
    """A twentieth of what comes while the weights are at the floor."""
    rng = random.Random(1)
    return [span for span in spans if not MOVED < span.ended_at < until or rng.random() < 0.05]


def led_away(until: float = float("inf"), change: Scenario = SHORTER) -> list[Span]:
    """Half of a pool changed; then nearly all of its traffic goes to the other half, and comes back at `until`."""
    more = (span for span in log(SCENARIOS["none"], REST, 2) if MOVED < span.ended_at < until)
    return ordered(thinned(log(change, CHANGED), until), log(SCENARIOS["none"], REST, 3), more)


def statuses(monitor: Any) -> set[str]:
    """Of all incidents of the answers."""
    return {one["status"] for one in monitor.store.incidents()}


def test_a_pool_does_not_recover_because_its_changed_members_are_asked_less(monitor: Make) -> None:
    """Twelve days in which the pool as a whole answers as before leave the incident open: its members do not."""
    assert statuses(monitor(CONFIG).finish(led_away())) == {"open"}


def test_the_mean_of_what_comes_would_take_it_for_over(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with every answer counted in full the same traffic closes the incident."""
    monkeypatch.setattr(mix, "comparable", lambda _, heard, members: (heard, np.ones(len(members))))
    assert "resolved" in statuses(monitor(CONFIG).finish(led_away()))


def test_a_pool_recovers_when_its_members_do(monitor: Make) -> None:
    """The change is taken back on day 10 and the traffic comes back with it: then it is over."""
    changed_back = replace(SHORTER, lasts_s=BACK - simulate.EPOCH - 4 * DAY_S)
    [incident] = monitor(CONFIG).finish(led_away(BACK, changed_back)).store.incidents()
    assert incident["status"] == "resolved"
    assert incident["resolved_at"] > BACK


def test_batches_and_restarts_change_nothing(monitor: Make) -> None:
    """Who was heard is kept with the rest: commits of any size, and a process that starts anew, give the same."""
    spans = led_away(BACK, replace(SHORTER, lasts_s=BACK - simulate.EPOCH - 4 * DAY_S))
    whole = monitor(CONFIG).finish(spans).store.incidents()
    run = monitor(CONFIG)
    for begin in range(0, len(spans), 4001):
        run.take(spans[begin : begin + 4001])
        run.restart()
    assert run.finish().store.incidents() == whole


MEMBERS = ["a", "b", "c"]


@given(st.lists(st.sampled_from(MEMBERS), max_size=200), st.integers(0, 200))
def test_what_counts_has_the_mix_of_the_baseline(members: list[str], cut: int) -> None:
    """No member counts for more than its share of what the least heard one allows; cuts change nothing."""
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    heard, weights = comparable(shares, Heard(), members)
    whole = min((heard.came[one] + SLACK) / share for one, share in shares.items())
    assert all(heard.counted[one] <= shares[one] * whole + 1e-9 for one in MEMBERS)
    assert all(0 <= w <= 1 for w in weights)
    first, begun = comparable(shares, Heard(), members[:cut])
    assert comparable(shares, first, members[cut:])[0] == heard
    assert [*begun, *comparable(shares, first, members[cut:])[1]] == [*weights]


def test_an_unmoved_mix_counts_nearly_in_full() -> None:
    """Chance alone costs little: of 2000 answers in the baseline's own mix nine tenths count."""
    rng = random.Random(1)
    members = rng.choices(MEMBERS, [5, 3, 2], k=2000)
    assert comparable({"a": 0.5, "b": 0.3, "c": 0.2}, Heard(), members)[1].sum() > 1800


@pytest.mark.parametrize("stays", [True, False])
def test_a_target_at_the_floor_recovers_late_and_not_wrongly(monitor: Make, stays: bool) -> None:
    """On a twentieth of its answers a change stays open for twelve days; one that is taken back is over in them."""
    change = SHORTER if stays else replace(SHORTER, lasts_s=BACK - simulate.EPOCH - 4 * DAY_S)
    spans = thinned(log(change, (GPT_4O,), per_day=2500)) + log(SCENARIOS["none"], (CLAUDE_SONNET,), 2, 500)
    incidents = monitor(CONFIG).finish(ordered(spans)).store.incidents()
    [incident] = [one for one in incidents if one["target"]["provider"] == GPT_4O.provider]
    assert incident["status"] == ("open" if stays else "resolved")
    assert stays or incident["resolved_at"] > BACK
