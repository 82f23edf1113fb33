"""A replay in `enforce` judges what came after a move of the weights knowing it, however its spans were cut."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.config import BaselineConfig, Config, DetectConfig, WeightsConfig
from undertow.span import Span
from undertow.watch import Watcher
from undertow.watch.engine import Engine
from undertow_collectors.scenarios import DAY_S, GPT_4O
from undertow_collectors.simulate import EPOCH

Make = Callable[..., Any]
CONFIG = Config(
    detect=DetectConfig(baseline=BaselineConfig(min_spans=2000)),
    weights=WeightsConfig(mode="enforce", dwell_s=3600.0, recovery_s=7200.0),
)


@pytest.fixture(name="log", scope="module")
def _log(traffic: Callable[..., list[Span]]) -> list[Span]:
    """An update, and hours later, while weights are moved, its target gets a third of one route's requests."""
    rng = random.Random(1)
    kept = []
    for span in traffic("silent-update"):
        led_away = span.model == GPT_4O.model and span.route == "support" and span.ended_at > EPOCH + 3.25 * DAY_S
        if not led_away or rng.random() < 0.3:
            kept.append(span)
    return sorted(kept, key=lambda span: (span.ended_at, span.span_id))


@pytest.fixture(autouse=True)
def _whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the size of a commit cuts the log."""
    monkeypatch.setattr("undertow.watch.slices.SLICE_S", 30 * DAY_S)


def replayed(monitor: Make, log: list[Span], sizes: list[int]) -> Any:
    """What a replay comes to that commits after so many spans, again and again."""
    one = monitor(CONFIG)
    one.watcher = Watcher(one.store, one.config, one.clock, replayed=True)
    begin, turn = 0, 0
    while begin < len(log):
        size = sizes[turn % len(sizes)]
        one.take(log[begin : begin + size], size)
        begin, turn = begin + size, turn + 1
    one.finish()
    engine = one.watcher._engine
    facts = {target: [(e.kind, e.at, e.subject) for e in known.events] for target, known in engine.facts.items()}
    caution = {target: repr(watch.traffic and watch.traffic.moved_at) for target, watch in engine.targets.items()}
    return one.store.incidents(), one.store.notices(), one.store.weight_changes(), facts, caution


def kinds(outcome: Any) -> set[str]:
    """The kinds of all facts."""
    return {kind for known in outcome[3].values() for kind, *_ in known}


def test_traffic_that_moved_after_a_step_is_ours_in_one_batch_too(monitor: Make, log: list[Span]) -> None:
    """The move and the traffic that it moved are judged in one go, and still told apart from the users' doing."""
    found = replayed(monitor, log, [len(log)])
    assert len(found[2]) == 3
    assert "rerouted" in kinds(found)
    assert "traffic" not in kinds(found)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(300, 9000), min_size=1, max_size=3))
def test_batches_change_nothing_while_weights_move(monitor: Make, log: list[Span], sizes: list[int]) -> None:
    """Incidents, notices, steps, facts and caution are those of one batch, wherever spans were cut."""
    assert replayed(monitor, log, sizes) == replayed(monitor, log, [len(log)])


def test_to_learn_of_moves_after_the_batch_would_depend_on_it(
    monitor: Make, log: list[Span], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without going back to the move, one batch takes our doing for the users'."""
    monkeypatch.setattr(Engine, "obeyed", False)
    assert replayed(monitor, log, [len(log)]) != replayed(monitor, log, [700])
