"""The detectors know when our own weights moved traffic, and do not read it as a change of what is asked."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest

from undertow.config import BaselineConfig, Config, DetectConfig, WeightsConfig
from undertow.span import Span, Target
from undertow_collectors import simulate
from undertow_collectors.scenarios import DAY_S, GPT_4O, SCENARIOS

Make = Callable[..., Any]
QUIET = tuple(replace(GPT_4O, deployment=f"d{i}") for i in range(6))
LED_AWAY = ("d0", "d1")
MOVED, ONSET = simulate.EPOCH + 4 * DAY_S, simulate.EPOCH + 6 * DAY_S


@pytest.fixture(name="log", scope="module")
def _log() -> list[Span]:
    """Six quiet siblings, two of which get a twentieth of their traffic from day 4 on; an update of all on day 6."""
    update = replace(SCENARIOS["silent-update"], everywhere=True)
    spans = simulate.traffic(update, 1, per_day=60, days=9.0, onset_days=6, fleet=QUIET)
    rng = random.Random(1)
    return [s for s in spans if s.started_at < MOVED or s.deployment not in LED_AWAY or rng.random() < 0.05]


@pytest.fixture(name="judged")
def _judged(monitor: Make, log: list[Span]) -> Callable[..., Any]:
    def judged(mode: Literal["advisory", "enforce"]) -> Any:
        """The monitor after all of `log`, in which a person set the two weights as day 4 began."""
        detect = DetectConfig(baseline=BaselineConfig(min_spans=1000))
        one = monitor(Config(detect=detect, weights=WeightsConfig(mode=mode)))
        one.clock.advance(MOVED - one.clock())
        one.restart()
        one.take([span for span in log if span.started_at < MOVED])
        for deployment in LED_AWAY:
            target = Target(GPT_4O.gateway, GPT_4O.provider, GPT_4O.model, deployment)
            one.watcher.override(target, 0.05, MOVED + 30 * DAY_S, "kim", "a trial")
        one.restart()
        return one.finish(span for span in log if span.started_at >= MOVED)

    return judged


def kinds(monitor: Any) -> set[str]:
    """What became known of the pool."""
    return {e.kind for facts in monitor.watcher._engine.facts.values() for e in facts.events}


def test_traffic_that_our_weights_moved_is_no_mix_shift(judged: Callable[..., Any]) -> None:
    """An update of the siblings two days later is still the provider's, since nothing that users did explains it."""
    monitor = judged("enforce")
    assert "rerouted" in kinds(monitor)
    assert "traffic" not in kinds(monitor)
    [incident] = monitor.store.incidents()
    assert incident["cause"] == "provider_update"
    assert incident["opened_at"] > ONSET


def test_the_same_traffic_moved_by_others_is_one(judged: Callable[..., Any]) -> None:
    """In advisory nobody obeys us, so that whoever moved it may have moved the answers too."""
    monitor = judged("advisory")
    assert "traffic" in kinds(monitor)
    [incident] = monitor.store.incidents()
    assert (incident["cause"], incident["why"][0]) == ("unresolved", "traffic_moved")


def test_the_answers_are_judged_without_caution_after_it(judged: Callable[..., Any]) -> None:
    """Only traffic that others moved makes a change of the answers have to be larger for a week."""
    moved_at = {
        mode: [watch.traffic.moved_at for watch in judged(mode).watcher._engine.pools.values()]
        for mode in ("enforce", "advisory")
    }
    assert all(map(math.isnan, moved_at["enforce"]))
    assert moved_at["enforce"]
    assert not any(map(math.isnan, moved_at["advisory"]))
