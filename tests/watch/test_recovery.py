"""An incident closes by itself when what changed is back, and not while at least half of the change is still there."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from undertow.span import Span
from undertow.watch import recovery
from undertow.watch.recovery import Recovery, Returned
from undertow_collectors.scenarios import CLAUDE_SONNET, DAY_S, GPT_4O, SCENARIOS, Scenario
from undertow_collectors.simulate import EPOCH, traffic
from undertow_detectors import esr

FLEET = (GPT_4O, CLAUDE_SONNET)
NOMINAL = 3_000.0


def spans(scenario: Scenario, seed: int = 1, days: float = 6.0) -> list[Span]:
    """A change three days after the start."""
    return list(traffic(scenario, seed, days=days, per_day=2500, fleet=FLEET))


def told(document: dict[str, Any]) -> tuple[str, str, str]:
    """Cause and status, and the reason of the last thing that happened to it."""
    return document["cause"], document["status"], document.get("history", [{}])[-1].get("reason", "")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_change_that_is_taken_back_is_over(monitor: Callable[..., Any], seed: int) -> None:
    """Twelve hours of another model: the length is back within six, the incident over with the last of its signals."""
    away = replace(SCENARIOS["silent-update"], lasts_s=DAY_S / 2)
    run = monitor().finish(spans(away, seed))
    (incident,) = run.store.incidents()
    assert told(incident) == ("provider_update", "resolved", "recovered")
    back = {signal["signal"]: signal["recovered_at"] - (EPOCH + 3.5 * DAY_S) for signal in incident["signals"]}
    assert 0 < back["output_tokens"] < DAY_S / 4
    assert incident["resolved_at"] - (EPOCH + 3.5 * DAY_S) == max(back.values())
    assert run.watcher._engine.incidents.standing == {}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_change_that_stays_stays_open(monitor: Callable[..., Any], seed: int) -> None:
    """Two more days of the other model resolve nothing."""
    (incident,) = monitor().finish(spans(SCENARIOS["silent-update"], seed)).store.incidents()
    assert told(incident)[1] == "open"


def test_half_taken_back_is_not_over(monitor: Callable[..., Any]) -> None:
    """A fix that leaves two thirds of the difference leaves the incident open."""
    first = [span for span in spans(SCENARIOS["silent-update"]) if span.ended_at < EPOCH + 3.5 * DAY_S]
    milder = replace(SCENARIOS["silent-update"].behaviour, length=0.8, refusals=3.0, parse_failures=4.0)
    rest = [s for s in spans(Scenario("", "", milder), 2) if s.ended_at >= EPOCH + 3.5 * DAY_S]
    (incident,) = monitor().finish([*first, *rest]).store.incidents()
    assert told(incident)[1] == "open"


def test_an_outage_is_over_when_the_errors_are(monitor: Callable[..., Any]) -> None:
    """An hour of failures is an incident of availability that ends by itself within hours."""
    (incident,) = monitor().finish(spans(SCENARIOS["outage"])).store.incidents()
    assert told(incident) == ("availability", "resolved", "recovered")
    assert incident["resolved_at"] < EPOCH + 3 * DAY_S + 12 * 3600


def test_what_comes_again_is_another_incident(monitor: Callable[..., Any]) -> None:
    """There, away, and there again: two incidents, the second open."""
    away = replace(SCENARIOS["silent-update"], lasts_s=DAY_S / 2)
    first = [span for span in spans(away) if span.ended_at < EPOCH + 5.5 * DAY_S]
    again = traffic(SCENARIOS["silent-update"], 2, days=6.0, onset_days=5.5, per_day=2500, fleet=FLEET)
    rest = [span for span in again if span.ended_at >= EPOCH + 5.5 * DAY_S]
    incidents = monitor().finish([*first, *rest]).store.incidents()
    assert sorted(told(one)[1] for one in incidents) == ["open", "resolved"]


def test_batches_and_restarts_change_nothing(monitor: Callable[..., Any]) -> None:
    """Judged at once, in small batches, or by a process that starts again in the middle: the same incidents."""
    some = spans(replace(SCENARIOS["silent-update"], lasts_s=DAY_S / 2))
    whole = monitor().finish(some).store.incidents()
    assert monitor().finish(some, size=701).store.incidents() == whole
    run = monitor()
    for begin in range(0, len(some), 4000):
        run.take(some[begin : begin + 4000])
        run.restart()
    assert [told(one) for one in run.finish().store.incidents()] == [told(one) for one in whole]


def linear(y: np.ndarray) -> recovery.Bets:
    """The bets of a rank whose distance from its mean is `y`."""
    return lambda size: 1 + np.multiply.outer(size / 2 - y, esr.STAKES)


def returns(y: np.ndarray, size: float) -> int:
    """Values until the return is told, or all of them; the change was at least `size`."""
    start = Recovery("up", size, esr.State.start(4))
    _, found = recovery.advance(start, y, linear(y), np.arange(float(len(y))), math.log(NOMINAL))
    return found.index + 1 if found else len(y)


def test_half_of_the_change_is_taken_for_gone_no_sooner_than_promised() -> None:
    """With exactly half of it left, 300 runs are on the average not surely shorter than nominal."""
    rng = np.random.default_rng(1)
    runs = [returns(0.1 + rng.uniform(-0.8, 0.8, 20_000), 0.2) for _ in range(300)]
    assert np.mean(runs) + 3 * np.std(runs) / math.sqrt(len(runs)) > NOMINAL


def test_the_whole_change_is_hardly_ever_taken_for_gone() -> None:
    """With all of it left, and its size learned from the values, none of 100 runs ends within twice the nominal."""
    rng = np.random.default_rng(1)
    assert all(returns(0.2 + rng.uniform(-0.8, 0.8, 6000), 0.01) == 6000 for _ in range(100))


def test_a_bound_at_the_whole_change_would_break_it() -> None:
    """Negative control: bets against the whole of the change take a half of it for gone long before that."""
    rng = np.random.default_rng(1)
    runs = [returns(0.1 + rng.uniform(-0.8, 0.8, 6000), 0.4) for _ in range(50)]
    assert np.mean(runs) + 3 * np.std(runs) / math.sqrt(len(runs)) < NOMINAL


@pytest.mark.parametrize("size", [1, 7, 500])
def test_values_may_come_in_any_pieces(size: int) -> None:
    """State, dumped and loaded between pieces, finds the return at the same value."""
    rng = np.random.default_rng(3)
    y = np.clip(np.concatenate([rng.normal(0.4, 0.4, 300), rng.normal(0.0, 0.4, 700)]), -1, 1)
    at, start = np.arange(1000.0), Recovery("up", 0.05, esr.State.start(4))
    whole = recovery.advance(start, y, linear(y), at, math.log(1e5))[1]
    state, found, begin = start, None, 0
    while found is None and begin < len(y):
        piece = slice(begin, begin + size)
        state, found = recovery.advance(state, y[piece], linear(y[piece]), at[piece], math.log(1e5))
        state = Recovery.load(json.loads(json.dumps(state.dump())))
        begin += size
    assert whole is not None
    assert isinstance(found, Returned)
    assert (found.at, found.since) == (whole.at, whole.since)
