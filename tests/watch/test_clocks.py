"""Late spans and wrong clocks do not look healthy: what is told of them, once, and its end."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.killing import Killed

from undertow.batch import Batch, Decoded, Origin
from undertow.clock import ManualClock
from undertow.config import AlertsConfig, Config, Secret, WebhookConfig
from undertow.span import Span
from undertow.store import Store
from undertow.watch import clocks
from undertow.watch.clocks import Clocks
from undertow.watch.slices import Slices

NOW = 1_763_635_321.0
SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class World:
    """A store into which spans of some models come, one a second of its clock each."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        receiver = WebhookConfig(name="a", url="https://a.example/hook", secret=Secret(SECRET))
        self.config = Config(alerts=AlertsConfig(webhook=[receiver]))
        self.store, self.clock, self.sent = store, clock, 0
        self.off: dict[str, float] = {"m0": 0.0, "m1": 0.0, "m2": 0.0}
        self.slices = Slices(store, 60.0, clock)
        self.start()

    def start(self) -> None:
        """A new process on the same store."""
        self.clocks = Clocks(self.store, self.config, self.clock)

    def take(self, spans: list[tuple[str, float]]) -> None:
        """Spans of models that ended at times by their hosts' clocks."""
        batch = Batch()
        for model, at in spans:
            span = Span(span_id=f"s{self.sent}", started_at=at, provider="p", model=model)
            batch.add(Origin("t", 0, self.sent), Decoded("native", [span]))
            self.sent += 1
        self.store.ingest(batch)

    def run(self, seconds: int, judge: bool = False) -> None:
        """Let spans of each model come, each as wrong as its clock, and look every ten seconds."""
        for _ in range(seconds // 10):
            begin = self.clock()
            self.clock.advance(10)
            self.take([(model, begin + second + off) for second in range(1, 11) for model, off in self.off.items()])
            self.clocks.tick()
            if judge:
                self.judge()

    def judge(self) -> None:
        """Hand what is due to nobody, and remember that it was."""
        for after, until in self.slices.due(final=False):
            self.store.released(after, until)
            with self.store.judgement() as judgement:
                judgement.advance(until)

    def told(self) -> list[tuple[str, str, str]]:
        """Reason, status and model of everything sent since the last call."""
        found = []
        while due := self.store.due(1e12, 1):
            body = json.loads(due[0].body)
            assert body["type"] == "llm.data.late"
            data = body["data"]
            found.append((data["why"][0], data["status"], data["target"]["model"] or ""))
            self.store.record_delivery(due[0].webhook_id, due[0].channel, "delivered", at=self.clock())
        return found


@pytest.fixture(name="world")
def _world() -> Iterator[World]:
    clock = ManualClock(NOW)
    with Store.open(None, clock=clock) as store:
        yield World(store, clock)


def test_a_clock_that_is_ahead_is_told_once_and_its_end(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The target, how far ahead and how many; a line in the log, a notice, one message, and one at the end."""
    world.run(120)
    world.off["m1"] = 150.0
    with caplog.at_level(logging.WARNING):
        world.run(300)
    world.start()
    world.run(60)
    assert world.told() == [("clock_ahead", "open", "m1")]
    assert len([one for one in caplog.records if "2 minutes ahead" in one.message or "150 s" in one.message]) == 1
    [notice] = world.store.notices()
    assert (notice["kind"], notice["target"]["model"]) == ("clock_ahead", "m1")
    assert world.store.lateness()["late"]["spans"] == 0
    world.off["m1"] = 0.0
    world.run(600)
    assert world.told() == [("clock_ahead", "resolved", "m1")]


def test_a_wrong_clock_behind_names_without_end_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans of tomorrow, each pair of another name, are one alert, and again however many names were wrong before.

    The control: source by source none would be told.
    """
    world.run(120)
    for number in range(25):
        world.take([(f"id{number}", world.clock() + 86_400.0)] * 2)
        world.run(10)
    assert world.told() == [("clock_ahead", "open", "")]
    assert "such as that of p/id" in clocks.found(world.store)[0].text
    with monkeypatch.context() as patch:
        patch.setattr(clocks, "_seldom", lambda *_: iter(()))
        assert clocks.found(world.store) == []
    world.run(400)
    assert world.told() == [("clock_ahead", "resolved", "")]
    for number in range(4):
        world.take([(f"new{number}", world.clock() + 86_400.0)])
        world.run(10)
    assert world.told() == [("clock_ahead", "open", "")]


def test_nothing_is_told_of_ordinary_traffic(world: World) -> None:
    """The control: clocks that are a little apart, and one span that is late."""
    world.off = {"m0": 0.0, "m1": 20.0, "m2": -30.0}
    world.run(300, judge=True)
    world.take([("m0", world.clock() - 900)])
    world.clocks.tick()
    assert (world.told(), world.store.notices()) == ([], [])


def test_a_share_of_late_spans_is_told_and_ends_by_itself(world: World) -> None:
    """A third that comes ten minutes late is one alert; it ends when hardly any is late."""
    world.run(120)
    world.off["m2"] = -600.0
    world.run(200)
    assert world.told() == [("late_spans", "open", "")]
    [one] = clocks.found(world.store)
    assert "p/m2 (10 minutes behind)" in one.text
    assert not clocks.blind(world.store)
    world.off["m2"] = 0.0
    world.run(250)
    assert world.told() == []  # of the last thousand still more than one in a hundred
    world.run(150)
    assert world.told() == [("late_spans", "resolved", "")]


def test_a_fleet_that_was_ahead_is_told_until_its_time_has_come(world: World) -> None:
    """All clocks an hour ahead and right again: everything is late, that is said, and nobody calls it ready."""
    world.off = dict.fromkeys(world.off, 3600.0)
    world.run(120, judge=True)
    world.off = dict.fromkeys(world.off, 0.0)
    world.run(400, judge=True)
    assert world.told() == [("late_spans", "open", "")]
    assert clocks.blind(world.store)
    world.clock.advance(3600)
    world.run(400, judge=True)
    assert world.told() == [("late_spans", "resolved", "")]
    assert not clocks.blind(world.store)


def test_a_silence_that_people_set_holds_it_back(world: World) -> None:
    """As with every alert."""
    with world.store.judgement() as transaction:
        transaction.put_silence(
            {"id": "sil", "starts_at": NOW, "ends_at": NOW + 300, "by": "ada", "matchers": {"model": "m1"}}
        )
    world.run(60)
    world.off["m1"] = 150.0
    world.run(200)
    assert world.told() == []
    world.run(60)
    assert world.told() == [("clock_ahead", "open", "m1")]


@pytest.mark.parametrize("step", ["before_judgement", "before_judgement_commit", "after_judgement"])
def test_a_kill_while_it_is_told_loses_nothing_and_doubles_nothing(step: str) -> None:
    """The alert and the memory of it are one transaction."""
    armed: list[bool] = []

    def failpoint(name: str) -> None:
        if armed and name == step:
            armed.clear()
            raise Killed

    clock = ManualClock(NOW)
    with Store.open(None, clock=clock, failpoint=failpoint) as store:
        world = World(store, clock)
        world.run(60)
        world.off["m1"] = 150.0
        armed.append(True)
        with pytest.raises(Killed):
            world.run(200)
        world.start()
        world.run(100)
        assert world.told() == [("clock_ahead", "open", "m1")]


def by_maximum(world: World) -> Callable[[], list[Any]]:
    """The negative control: everything is released up to the newest span of all when nothing newer comes."""
    store = world.store

    def due() -> list[Any]:
        newest = max(float(store._memory.arrivals.event_time.times.max(initial=0.0)), 0.0)
        return [(store.cursor(), newest)]

    return due


@pytest.mark.parametrize("rule", ["agreed", "maximum"])
@pytest.mark.parametrize("arrivals_before", [0, 300])
def test_a_machine_that_was_a_day_ahead_for_a_moment_goes_on_judging(
    world: World, rule: str, arrivals_before: int
) -> None:
    """One span by a wrong clock, the machine's own, which is put right: what comes then is not late and is judged."""
    world.run(arrivals_before // 3, judge=True)
    world.clock.now += 86_400
    world.take([("m0", world.clock())])
    release = by_maximum(world) if rule == "maximum" else (lambda: list(world.slices.due(final=False)))
    for _ in range(2):
        for after, until in release():
            world.store.released(after, until)
        world.clock.advance(61)
    world.clock.now -= 86_400
    before = world.store.ingestion()["totals"]["late"]
    world.run(200, judge=rule == "agreed")
    late = world.store.ingestion()["totals"]["late"] - before
    assert late == (600 if rule == "maximum" else 0)
    if rule == "agreed":
        assert (world.store.cursor() or 0) >= world.clock() - 75
        assert world.store.targets()[0]["last"] <= world.clock() + 600


def test_a_machine_whose_clock_is_a_day_behind_judges_what_is_agreed_on(world: World) -> None:
    """Spans of tomorrow by its clock move event time when they agree, and are judged as they come."""
    world.off = dict.fromkeys(world.off, 86_400.0)
    world.run(200, judge=True)
    assert (world.store.cursor() or 0) >= world.clock() + 86_400 - 75
    assert world.store.ingestion()["totals"]["late"] == 0


def test_a_host_that_is_ahead_is_judged_when_its_time_has_come(world: World) -> None:
    """Its spans wait 150 s and are released with the others of that time; nobody else's wait or are late."""
    world.off["m1"] = 150.0
    world.run(600, judge=True)
    assert world.store.ingestion()["totals"]["late"] == 0
    judged = world.store.released(None, world.store.cursor() or 0, columns=["model"])["model"].to_pylist()
    assert judged.count("m0") >= 525
    assert judged.count("m1") == pytest.approx(judged.count("m0") - 150, abs=15)
