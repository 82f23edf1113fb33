"""The whole of detection on simulated traffic: what is found, what is not, and what it is called."""

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from undertow.config import AlertsConfig, Config, Secret, WebhookConfig
from undertow.span import Span
from undertow.watch import stream
from undertow.watch.loop import Watcher
from undertow_collectors.scenarios import FLEET

Traffic = Callable[..., list[Span]]
Make = Callable[..., Any]
SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def told(monitor: Any) -> tuple[Any, ...]:
    """Everything that people see, without what counts the commits."""
    return monitor.store.incidents(), monitor.store.notices(), monitor.watcher.targets()


def test_finds_a_silent_update_and_blames_the_provider(monitor: Make, traffic: Traffic) -> None:
    """A model that answers differently from day three on is one incident, soon after, of cause provider_update."""
    spans = traffic("silent-update")
    [incident] = monitor().finish(spans).store.incidents()
    onset = spans[0].started_at + 3 * 86_400
    assert incident["cause"] == "provider_update"
    assert incident["target"]["model"] == "gpt-4o"
    assert incident["severity"] == "critical"
    assert 0 <= incident["opened_at"] - onset < 6 * 3600
    assert abs(incident["change_point"] - onset) < 6 * 3600
    assert incident["why"][:2] == ["traffic_quiet", "other_targets_quiet"]
    assert incident["recommendation"] == {"action": "down_weight", "multiplier": 0.5}


def test_tells_the_size_of_a_change_with_its_interval(monitor: Make, traffic: Traffic) -> None:
    """Answers that became 0.72 times as long are told as a ratio whose interval holds 0.72."""
    [incident] = monitor().finish(traffic("silent-update")).store.incidents()
    effect = next(s["effect"] for s in incident["signals"] if s["signal"] == "output_tokens")
    assert effect["name"] == "ratio"
    assert effect["ci95"][0] < 0.75
    assert effect["ci95"][1] > 0.68


@pytest.mark.parametrize("seed", range(3))
def test_is_quiet_where_nothing_changes(monitor: Make, traffic: Traffic, seed: int) -> None:
    """Four days of the same traffic raise no incident and no notice."""
    one = monitor().finish(traffic("none", seed))
    assert one.store.incidents() == []
    assert one.store.notices() == []


@pytest.mark.parametrize("scenario", ["mix-shift", "longer-prompts"])
def test_never_blames_a_provider_for_the_users(monitor: Make, traffic: Traffic, scenario: str) -> None:
    """A change of what is asked is a notice of the traffic, and no provider is blamed."""
    one = monitor().finish(traffic(scenario))
    assert "provider_update" not in {i["cause"] for i in one.store.incidents()}
    assert "traffic_mix" in {n["kind"] for n in one.store.notices()}


@pytest.mark.parametrize(
    ("scenario", "cause"),
    [("declared-update", "declared_update"), ("own-release", "own_release"), ("update-in-mix-shift", "unresolved")],
)
def test_names_the_cause_that_explains_a_change(monitor: Make, traffic: Traffic, scenario: str, cause: str) -> None:
    """What was declared, released or asked differently at the time explains the change."""
    incidents = monitor().finish(traffic(scenario)).store.incidents()
    assert {i["cause"] for i in incidents if i["target"]["model"] == "gpt-4o"} == {cause}


def test_one_change_is_one_incident(monitor: Make, traffic: Traffic) -> None:
    """All signals that a change moves stand in one incident."""
    [incident] = monitor().finish(traffic("silent-update")).store.incidents()
    names = [s["signal"] for s in incident["signals"]]
    assert len(names) == len(set(names)) >= 2


@pytest.mark.parametrize("size", [977, 3000, 100_000])
def test_batches_and_interleaving_do_not_matter(monitor: Make, traffic: Traffic, size: int) -> None:
    """Any batch size, and any order within the allowed lateness, gives the same incidents, notices and states."""
    spans = traffic("silent-update")
    expected = told(monitor().finish(spans))
    rng = random.Random(size)
    shuffled = sorted(spans, key=lambda span: span.ended_at + rng.uniform(0, 59))
    assert told(monitor().finish(shuffled, size)) == expected


def test_ranks_that_depend_on_the_batch_would_be_noticed(
    monitor: Make, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: with ranks from a running generator, two batch sizes disagree."""
    generator = np.random.default_rng(1)
    monkeypatch.setattr(stream.pit, "uniforms", lambda ids, _: generator.random(len(ids)))
    spans = traffic("silent-update")
    assert told(monitor().finish(spans, 3000)) != told(monitor().finish(spans, 20_000))


def test_a_restart_at_any_moment_changes_nothing(monitor: Make, traffic: Traffic) -> None:
    """A process that is started anew after every batch reports what an uninterrupted one does."""
    spans = traffic("silent-update")
    expected = told(monitor().finish(spans))
    one = monitor()
    for begin in range(0, len(spans), 1700):
        one.take(spans[begin : begin + 1700])
        one.restart()
    assert told(one.finish()) == expected


def test_a_failed_commit_is_judged_again(monitor: Make, traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the transaction fails nothing is half done; the next tick gives what would have been."""
    spans = traffic("silent-update")
    expected = told(monitor().finish(spans))
    one = monitor()
    one.take(spans[:15_000])
    with monkeypatch.context() as broken:
        broken.setattr(type(one.store), "judgement", lambda _: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(OSError, match="no space"):
            one.take(spans[15_000:])
    assert told(one.finish()) == expected


class RestoresAtOnce(Watcher):
    """The broken one: it goes on with a half-judged engine where the store cannot be read at once."""

    @contextlib.contextmanager
    def _restoring(self, unless: Any = ()) -> Iterator[None]:  # noqa: ARG002
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                self._current = self._restored()
            raise


@pytest.mark.parametrize("kind", [Watcher, RestoresAtOnce])
def test_a_failure_after_which_nothing_can_be_read_is_judged_again(
    kind: type[Watcher], monitor: Make, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where reading the state fails as well, no span is judged twice. Negative control: one that judges on."""
    spans = traffic("silent-update")
    expected = told(monitor().finish(spans))
    one = monitor()
    one.watcher.__class__ = kind
    one.take(spans[:15_000])

    def refuse(*_: Any) -> Any:
        raise OSError("no memory")

    with monkeypatch.context() as broken:
        broken.setattr(type(one.store), "judgement", refuse)
        broken.setattr(type(one.store), "states", refuse)
        with pytest.raises(OSError, match="no memory"):
            one.take(spans[15_000:])
    assert (told(one.finish()) == expected) == (kind is Watcher)


def test_a_silence_releases_what_was_held_back(monitor: Make, traffic: Traffic) -> None:
    """When nothing newer comes for the allowed lateness by the clock, everything stored is judged."""
    one = monitor()
    one.take(traffic("none")[:100])
    assert one.store.cursor() < one.store.newest()
    one.clock.advance(61)
    one.watcher.tick()
    assert one.store.cursor() == one.store.newest()


def test_the_message_is_written_with_the_incident(monitor: Make, traffic: Traffic) -> None:
    """An incident and its message to a receiver appear in one transaction, once."""
    receiver = WebhookConfig(url="https://example.com/hook", secret=Secret(SECRET))
    one = monitor(Config(alerts=AlertsConfig(webhook=[receiver]))).finish(traffic("silent-update"))
    messages = one.store.due(3e9, 100)
    assert [m.kind for m in messages] == ["llm.weights.changed", "llm.drift.opened"]
    assert messages[1].incident_id == one.store.incidents()[0]["id"]


def test_accepting_the_new_normal_collects_a_new_baseline(monitor: Make, traffic: Traffic) -> None:
    """After `accept` the incident is over and the target collects again; the others keep theirs."""
    one = monitor().finish(traffic("silent-update"))
    [incident] = one.store.incidents()
    assert one.watcher.accept(incident["id"], "ada")["status"] == "accepted"
    baselines = {t["target"]["model"]: t["baseline"] for t in one.watcher.targets()}
    assert baselines == {"gpt-4o": "collecting", "claude-sonnet": "frozen"}
    one.restart()
    assert {t["target"]["model"]: t["baseline"] for t in one.watcher.targets()} == baselines


def test_acknowledged_incidents_stand_and_resolved_ones_do_not(monitor: Make, traffic: Traffic) -> None:
    """People's decisions are kept with who made them; an unknown id is None."""
    one = monitor().finish(traffic("silent-update"))
    [incident] = one.store.incidents()
    one.watcher.acknowledge(incident["id"], "ada")
    assert one.watcher.targets()[0]["open_incidents"] or one.watcher.targets()[1]["open_incidents"]
    resolved = one.watcher.resolve(incident["id"], "bob")
    assert resolved["status"] == "resolved"
    assert [h["by"] for h in resolved["history"]][-2:] == ["ada", "bob"]
    assert one.watcher.resolve("inc_unknown", "bob") is None


def test_a_change_at_every_provider_at_once_is_not_blamed_on_one(monitor: Make, traffic: Traffic) -> None:
    """When targets of several providers drift together the users changed: a notice, and no provider is blamed."""
    one = monitor()
    both = traffic("silent-update", 1, FLEET[:1]), traffic("silent-update", 2, FLEET[2:3])
    one.finish(sorted([*both[0], *both[1]], key=lambda s: s.ended_at))
    assert {i["cause"] for i in one.store.incidents()} <= {"unresolved"}
    assert any("the users changed" in notice["text"] for notice in one.store.notices())


def test_however_many_incidents_stand_each_can_be_ended_after_a_restart(monitor: Make, traffic: Traffic) -> None:
    """A fleet of a thousand targets may have an incident of each, and the oldest is not forgotten."""
    one = monitor().finish(traffic("silent-update"))
    [incident] = one.store.incidents()
    with one.store.judgement() as transaction:
        for n in range(1001):
            transaction.put_incident(incident | {"id": f"inc_{n}", "opened_at": incident["opened_at"] + 1 + n})
    one.restart()
    assert one.watcher.resolve(incident["id"], "ada")["status"] == "resolved"
