"""Quiet siblings watched together: what is found that alone would not be, and what louder ones do not notice of it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.span import Span, Target
from undertow.watch import owners, pooling
from undertow.watch.pool import ANY
from undertow_collectors import simulate
from undertow_collectors.scenarios import CLAUDE_SONNET, DAY_S, GPT_4O, SCENARIOS, Behaviour, Endpoint, Scenario

from .conftest import Monitor

Make = Callable[..., Any]
CONFIG = Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=1000)))
QUIET = tuple(replace(GPT_4O, deployment=f"d{i}") for i in range(6))
HERE = tuple(Target(e.gateway, e.provider, e.model, e.deployment) for e in QUIET)
UPDATE = replace(SCENARIOS["silent-update"], everywhere=True)
ONSET = simulate.EPOCH + 4 * DAY_S


def log(scenario: Scenario, seed: int = 1, fleet: Sequence[Endpoint] = QUIET, days: float = 6.0) -> list[Span]:
    """Days of 60 requests each to every deployment, changed from the fourth on."""
    return list(simulate.traffic(scenario, seed, per_day=60, days=days, onset_days=4, fleet=fleet))


def together(*logs: list[Span]) -> list[Span]:
    """Several logs as one."""
    return sorted((span for spans in logs for span in spans), key=lambda span: (span.ended_at, span.span_id))


def told(monitor: Any) -> tuple[Any, ...]:
    """Everything that people see."""
    return monitor.store.incidents(), monitor.store.notices(), monitor.watcher.targets()


@pytest.fixture(name="updated", scope="module")
def _updated() -> list[Span]:
    return log(UPDATE)


@pytest.fixture(name="expected", scope="module")
def _expected(updated: list[Span]) -> tuple[Any, ...]:
    """What is told of the update, judged in one go."""
    return told(Monitor(CONFIG).finish(updated))


def test_finds_together_what_none_would_find_alone(expected: tuple[Any, ...]) -> None:
    """Six deployments of 60 requests a day, of which none has a baseline yet, show a silent update within a day."""
    [incident], notices, targets = expected
    assert incident["cause"] == "provider_update"
    assert 0 <= incident["opened_at"] - ONSET < DAY_S
    assert abs(incident["change_point"] - ONSET) < DAY_S / 2
    assert incident["target"] == {"gateway": "litellm", "provider": "openai", "model": "gpt-4o", "deployment": ANY}
    assert incident["pooled"] == [target.as_dict() for target in HERE]
    assert {signal["lane"] for signal in incident["signals"]} == {"content"}
    assert notices == []
    assert [row["target"] for row in targets] == incident["pooled"]
    assert {row["baseline"] for row in targets} == {"collecting"}


def test_alone_none_of_them_is_judged(monitor: Make, updated: list[Span], monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without pools nothing is found in the same log, for no target has a baseline."""
    monkeypatch.setattr(pooling, "due", lambda *_: None)
    assert monitor(CONFIG).finish(updated).store.incidents() == []


def test_is_quiet_where_nothing_changes(monitor: Make) -> None:
    """Siblings that answer at different lengths, unchanged, raise nothing."""
    fleet = [replace(endpoint, verbosity=0.7 + 0.15 * i) for i, endpoint in enumerate(QUIET)]
    incidents, notices, targets = told(monitor(CONFIG).finish(log(SCENARIOS["none"], fleet=fleet, days=9)))
    assert (incidents, notices) == ([], [])
    assert targets[0]["pool"]["baseline_spans"] >= 1000


def test_each_member_is_told_of_the_pool(expected: tuple[Any, ...]) -> None:
    """The incident stands at every member, each gets less traffic, and one of the group keeps its weight."""
    [incident], _, targets = expected
    assert {tuple(row["open_incidents"]) for row in targets} == {(incident["id"],)}
    assert sorted(row["multiplier"] for row in targets) == [0.5] * 5 + [1.0]
    assert targets[0]["text"].endswith(
        "watched in a pool with litellm/d1, litellm/d2, litellm/d3, litellm/d4, litellm/d5"
    )
    assert [signal["state"] for signal in targets[0]["pool"]["signals"]].count("alert") == len(incident["signals"])


@pytest.fixture(name="loud")
def _loud(monitor: Make) -> Callable[[], tuple[Any, ...]]:
    """What is told of two siblings that soon have baselines of their own, and of another provider."""
    fleet = (GPT_4O, replace(GPT_4O, deployment="second"), CLAUDE_SONNET)
    config = Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=600, min_hours=24)))
    spans = list(simulate.traffic(SCENARIOS["silent-update"], 1, per_day=800, days=3, onset_days=2, fleet=fleet))
    return lambda: told(monitor(config).finish(spans))


def test_louder_siblings_are_judged_as_if_there_were_no_pools(
    loud: Callable[[], tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet that needs no pools gives the same, to the last digit, with them and without."""
    expected = loud()
    assert len(expected[0]) == 1
    monkeypatch.setattr(pooling, "due", lambda *_: None)
    assert loud() == expected


def test_a_pool_of_louder_siblings_would_be_noticed(
    loud: Callable[[], tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: when everything that collects counts as quiet, the same fleet is judged differently."""

    def everything(group: pooling.Watches, coming: Any, at: Any) -> tuple[Any, Any]:
        answers = np.array([pooling._answers(watch, coming.get(target), at) for target, watch in group.items()])
        return np.ones(answers.shape, bool), answers.sum(axis=0) >= 600

    expected = loud()
    monkeypatch.setattr(pooling, "_quiet", everything)
    assert loud() != expected


def test_only_the_quiet_ones_are_pooled(monitor: Make) -> None:
    """A sibling that is loud, or that came a few hours ago, is in no pool, and neither are its answers."""
    loud, late = replace(GPT_4O, deployment="loud"), replace(GPT_4O, deployment="late")
    logs = [simulate.traffic(SCENARIOS["none"], 1, per_day=900, days=3, fleet=[loud]), log(SCENARIOS["none"], days=3)]
    came = simulate.traffic(
        SCENARIOS["none"], 3, start=simulate.EPOCH + 2.5 * DAY_S, per_day=60, days=0.5, fleet=[late]
    )
    one = monitor(CONFIG).finish(together(*map(list, (*logs, came))))
    (pool,) = one.watcher._engine.pools
    assert pool.members == HERE
    assert one.watcher._engine.pools[pool].baseline.ok_spans == 1000


@pytest.fixture(name="uneven")
def _uneven(monitor: Make) -> Callable[[], tuple[Any, Any]]:
    """The pool of siblings of which one answers at greater length, and the spans of that one alone."""
    fleet = [*QUIET[1:], replace(QUIET[0], verbosity=1.6)]

    def pool() -> tuple[Any, Any]:
        one = monitor(CONFIG).finish(log(SCENARIOS["none"], fleet=fleet))
        (watch,) = one.watcher._engine.pools.values()
        return watch, pooling.merged({HERE[0]: one.watcher._lookup(HERE[0], 0.0, 2e9)})

    return pool


def test_a_sibling_that_answers_at_length_is_no_drift(uneven: Callable[[], tuple[Any, Any]]) -> None:
    """Were all traffic to go to the one whose answers are longest, they would still be as they were."""
    watch, alone = uneven()
    shift = watch.stream("output_tokens").shift(alone, "output_tokens", "up")
    assert abs(shift.size) < 3 * shift.error < 0.05
    assert {route for route in watch.traffic.reference.routes if "litellm/d0" in route} == {"\x1f\x1flitellm/d0"}


def test_siblings_that_are_not_told_apart_would_be_noticed(
    uneven: Callable[[], tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without the level of each member, its share of the traffic looks like a change of answers."""
    monkeypatch.setattr(owners, "levels", lambda *_: {})
    watch, alone = uneven()
    shift = watch.stream("output_tokens").shift(alone, "output_tokens", "up")
    assert shift.size > 9 * shift.error


@pytest.mark.parametrize("size", [701, 100_000])
def test_batches_and_interleaving_do_not_matter(
    monitor: Make, updated: list[Span], expected: tuple[Any, ...], size: int
) -> None:
    """Any batch size, and any order within the allowed lateness, gives the same with pools."""
    rng = random.Random(size)
    shuffled = sorted(updated, key=lambda span: span.ended_at + rng.uniform(0, 59))
    assert told(monitor(CONFIG).finish(shuffled, size)) == expected


def test_a_pool_that_is_formed_where_a_batch_ends_would_be_noticed(
    monitor: Make, updated: list[Span], expected: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: when the batch decides from when on a pool is judged, something else is told."""
    due = pooling.due

    def at_the_end(watches: pooling.Watches, frames: Any) -> float | None:
        return None if due(watches, frames) is None else max(float(frame.at[-1]) for frame in frames.values())

    monkeypatch.setattr(pooling, "due", at_the_end)
    assert told(monitor(CONFIG).finish(updated)) != expected


def test_a_restart_at_any_moment_changes_nothing(monitor: Make, updated: list[Span], expected: tuple[Any, ...]) -> None:
    """A process that is started anew after every batch reports what an uninterrupted one does, with pools."""
    one = monitor(CONFIG)
    for begin in range(0, len(updated), 200):
        one.take(updated[begin : begin + 200])
        one.restart()
    assert told(one.finish()) == expected


def test_traffic_that_moved_is_learned_anew_and_told_by_nobody(monitor: Make) -> None:
    """Longer prompts are no notice of a pool, no provider is blamed, and a restart meanwhile changes nothing."""
    longer = Scenario("longer prompts", "none", Behaviour(prompts=2.5), everywhere=True)
    spans = log(longer, days=8)
    expected = told(monitor(CONFIG).finish(spans))
    assert {incident["cause"] for incident in expected[0]} <= {"unresolved"}
    assert expected[1] == []
    one = monitor(CONFIG)
    for begin in range(0, len(spans), 450):
        one.take(spans[begin : begin + 450])
        one.restart()
    assert told(one.finish()) == expected
    (pool,) = one.watcher._engine.pools.values()
    assert pool.traffic.learned is not None


def test_a_release_that_is_new_to_a_member_explains_a_change_of_the_pool(monitor: Make) -> None:
    """A prompt version that comes to some, though their siblings had it already, is the user's own doing."""
    released = Scenario("shorter", "own_release", Behaviour(length=0.5, prompt_version="v8"), everywhere=True)
    had_it = log(SCENARIOS["none"], 2, QUIET[3:])
    for span in had_it:
        span.prompt_version = "v8"
    one = monitor(CONFIG).finish(together(log(released, fleet=QUIET[:3]), had_it))
    assert [incident["cause"] for incident in one.store.incidents()] == ["own_release"]


def test_accepting_the_new_normal_begins_anew(monitor: Make, updated: list[Span]) -> None:
    """After `accept` the pool is gone, for a restarted process too, and its members collect from the change on."""
    one = monitor(CONFIG).finish(updated)
    [incident] = one.store.incidents()
    since = sum(span.status == "ok" and span.ended_at > incident["change_point_interval"][1] for span in updated)
    one.watcher.accept(incident["id"], "ada")
    for _ in range(2):
        found = one.watcher.targets()
        assert {(row["pool"], row["state"]) for row in found} == {(None, "collecting")}
        assert sum(row["baseline_spans"] for row in found) == since
        one.restart()
