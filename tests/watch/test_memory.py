"""Baselines have versions: what was set aside becomes the next one, and former ones can still be asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from undertow.span import Span
from undertow_collectors.scenarios import DAY_S, GPT_4O, NORMAL, SCENARIOS, Behaviour, Scenario
from undertow_collectors.simulate import EPOCH, traffic

FLEET = (GPT_4O,)


def step(length: float, first_day: float, last_day: float, seed: int) -> list[Span]:
    """Days on which answers are `length` times as long as at first."""
    behaviour = NORMAL if length == 1 else Behaviour(length=length)
    made = traffic(Scenario("", "", behaviour), seed, days=last_day, onset_days=0, per_day=2500, fleet=FLEET)
    return [span for span in made if span.ended_at >= EPOCH + first_day * DAY_S]


def accepted(run: Any) -> None:
    """A person takes every open incident for the new normal."""
    for document in run.store.incidents(status="open"):
        run.watcher.accept(document["id"], by="ada")


def effect(memory: dict[str, Any], version: int) -> float:
    """How long answers are now, as a multiple of a baseline's."""
    rows = [r for r in memory["signals"] if (r["signal"], r["baseline_version"]) == ("output_tokens", version)]
    value: float = rows[0]["effect"]["value"]
    return value


def test_small_changes_add_up_although_each_was_accepted(monitor: Callable[..., Any]) -> None:
    """Three times a tenth shorter: each is judged against the last baseline, and memory tells of the first, too."""
    run = monitor()
    for i, length in enumerate((1.0, 0.9, 0.81)):
        run.take(step(length, 4 * i, 4 * i + 4, seed=i + 1))
        accepted(run)
    run.finish(step(0.81, 12, 16, seed=9))
    (target,) = run.watcher.targets()
    assert (target["baseline_version"], target["baseline"]) == (3, "frozen")
    memory = run.watcher.memory(days=2)
    assert {row["baseline_version"] for row in memory["signals"]} == {1, 2, 3}
    assert effect(memory, 1) == pytest.approx(0.81, abs=0.03)
    assert effect(memory, 2) == pytest.approx(0.9, abs=0.03)
    assert effect(memory, 3) == pytest.approx(1.0, abs=0.03)


def test_the_new_baseline_is_of_what_was_set_aside(monitor: Callable[..., Any]) -> None:
    """Accepted after three days, it is frozen at once, of spans since the change alone, and a restart keeps it."""
    run = monitor().finish([*step(1.0, 0, 3, seed=1), *step(0.72, 3, 6, seed=2)])
    (incident,) = run.store.incidents()
    accepted(run)
    (target,) = run.watcher.targets()
    assert (target["baseline"], target["baseline_version"], target["open_incidents"]) == ("frozen", 2, [])
    assert target["baseline_start"] >= incident["change_point"]
    spans, judged = run.watcher._engine.targets.popitem()[1].spans, target["spans"]
    assert spans == judged
    run.restart()
    assert run.watcher.targets() == [target]
    run.finish(step(0.72, 6, 7, seed=3))
    assert run.store.incidents(status="open") == []


def test_accepted_early_it_is_collected_first(monitor: Callable[..., Any]) -> None:
    """A few hours are no baseline: the target collects, from the change on, and through a restart."""
    run = monitor().finish([*step(1.0, 0, 3, seed=1), *step(0.72, 3, 3.3, seed=2)])
    accepted(run)
    run.restart()
    (target,) = run.watcher.targets()
    assert (target["baseline"], target["baseline_version"]) == ("collecting", 2)
    assert target["baseline_spans"] > 100
    run.finish(step(0.72, 3.3, 6, seed=2))
    (target,) = run.watcher.targets()
    assert target["baseline"] == "frozen"
    assert target["baseline_start"] < EPOCH + 3.1 * DAY_S


def test_what_changed_again_since_opens_its_own_incident(monitor: Callable[..., Any]) -> None:
    """Judged anew, the spans that were set aside show the next change."""
    later = [*step(0.72, 3, 6, seed=2), *step(0.5, 6, 7, seed=3)]
    run = monitor().finish([*step(1.0, 0, 3, seed=1), *later])
    first = run.store.incidents(status="open")[0]
    run.watcher.accept(first["id"], by="ada")
    (again,) = run.store.incidents(status="open")
    assert again["change_point"] == pytest.approx(EPOCH + 6 * DAY_S, abs=3600)


def test_a_baseline_that_changed_inside_is_quarantined(monitor: Callable[..., Any]) -> None:
    """It is judged by, as there is no other, and says that it is not trusted."""
    update = replace(SCENARIOS["silent-update"], text="")
    made = traffic(update, 1, days=3, onset_days=1, per_day=2500, fleet=FLEET)
    run = monitor().finish(made)
    (target,) = run.watcher.targets()
    assert target["baseline"] == "quarantined"
    assert run.store.notices()[0]["kind"] == "baseline_not_homogeneous"
    run.restart()
    assert run.watcher.targets()[0]["baseline"] == "quarantined"
