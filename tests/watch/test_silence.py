"""A silent collector does not look like a healthy provider: what is told when data stop coming, on a clock."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.killing import Killed

from undertow.clock import ManualClock
from undertow.config import AlertsConfig, Config, KafkaConfig, Secret, WebhookConfig
from undertow.store import Store
from undertow.watch.dataalert import STALE, Trouble, standing
from undertow.watch.silence import Silence
from undertow.watch.staleness import Pace, widest

NOW = 1_763_635_321.0
MINUTE_S, HOUR_S = 60.0, 3600.0
SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@dataclass
class Part:
    """One partition."""

    lag: int | None = 0


@dataclass
class Status:
    """What the source says."""

    state: str = "running"
    detail: str = ""
    partitions: list[Part] = field(default_factory=lambda: [Part()])


class World:
    """A store, a source, targets, and time."""

    def __init__(self, store: Store, *, kafka: bool = True, **alerts: Any) -> None:
        receiver = WebhookConfig(name="a", url="https://a.example/hook", secret=Secret(SECRET))
        self.config = Config(
            kafka=KafkaConfig(topics=["llm"]) if kafka else None, alerts=AlertsConfig(webhook=[receiver], **alerts)
        )
        self.store, self.clock = store, ManualClock(NOW)
        self.now = Status()
        self.quiet: dict[str, bool] = {"gpt-4o": False, "claude": False}
        self.offset: int | None = 0
        store.offsets = lambda _topic: {0: self.offset or 0}  # type: ignore[method-assign]
        self.start()

    def status(self) -> Status:
        """As put."""
        return self.now

    def start(self) -> None:
        """A new process on the same store."""
        self.silence = Silence(self.store, self.targets, self if self.config.kafka else None, self.config, self.clock)

    def targets(self) -> list[tuple[dict[str, Any], float, bool]]:
        """Targets with when they were last heard."""
        return [
            ({"gateway": "g", "provider": "p", "model": m, "deployment": None}, NOW, quiet)
            for m, quiet in self.quiet.items()
        ]

    def wait(self, seconds: float, messages: int = 0) -> None:
        """Let time pass with a look every 15 s, each after `messages` came."""
        end = self.clock() + seconds
        while self.clock() < end:
            self.clock.advance(15)
            self.offset = (self.offset or 0) + messages
            self.silence.tick()

    def heard(self) -> list[tuple[str, str, str]]:
        """Reason, status and what is silent, of everything sent since the last call."""
        return [(data["why"][0], data["status"], data["target"]["model"] or "") for _, data in self.sent()]

    def arrived(self) -> list[tuple[str, str]]:
        """Channel and status of everything sent since the last call."""
        return [(channel, data["status"]) for channel, data in self.sent()]

    def sent(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Channel and data of everything sent since the last call."""
        while found := self.store.due(1e12, 1):
            body = json.loads(found[0].body)
            assert body["type"] == "llm.data.stale"
            yield found[0].channel, body["data"]
            self.store.record_delivery(found[0].webhook_id, found[0].channel, "delivered", at=self.clock())


@pytest.fixture(name="store")
def _store() -> Iterator[Store]:
    with Store.open(None, clock=None) as store:
        yield store


@pytest.fixture(name="world")
def _world(store: Store) -> World:
    return World(store)


def test_what_is_silent_stands_until_it_is_heard(world: World) -> None:
    """Who asks is told what, why and since when, also by a new process, and no more once it is over."""
    world.wait(6 * MINUTE_S, 1)
    world.quiet["gpt-4o"] = True
    world.wait(MINUTE_S, 1)
    world.start()
    [found] = standing(world.store.alerts(), STALE)
    assert (found["why"], found["subject"], found["since"]) == ("target_silent", "g/p/gpt-4o", NOW)
    assert found["target"]["model"] == "gpt-4o"
    world.quiet["gpt-4o"] = False
    world.wait(MINUTE_S, 1)
    assert standing(world.store.alerts(), STALE) == []


def test_a_target_that_went_silent_is_told_once_and_when_it_is_heard_again(world: World) -> None:
    """One alert however long it lasts, and one when data come again."""
    world.wait(6 * MINUTE_S, 1)
    world.quiet["gpt-4o"] = True
    world.wait(5 * HOUR_S, 1)
    assert world.heard() == [("target_silent", "open", "gpt-4o")]
    world.quiet["gpt-4o"] = False
    world.wait(HOUR_S, 1)
    assert world.heard() == [("target_silent", "resolved", "gpt-4o")]
    assert not [key for key in world.store.alerts() if key.startswith("stale")]


def test_a_restart_tells_nothing_twice(world: World) -> None:
    """What was told is in the store, with the message, in one transaction."""
    world.wait(6 * MINUTE_S, 1)
    world.quiet["gpt-4o"] = True
    world.wait(MINUTE_S, 1)
    world.heard()
    world.start()
    world.wait(HOUR_S, 1)
    assert world.heard() == []
    world.quiet["gpt-4o"] = False
    world.start()
    world.wait(MINUTE_S, 1)
    assert world.heard() == [("target_silent", "resolved", "gpt-4o")]


def test_after_a_start_and_while_catching_up_nothing_is_called_silent(world: World) -> None:
    """Targets look silent until what waits in the topic is read."""
    world.quiet["gpt-4o"] = True
    world.now.partitions = [Part(5000)]
    world.wait(2 * HOUR_S, 9)
    assert world.heard() == []
    world.quiet["gpt-4o"], world.now.partitions = False, [Part(0)]
    world.wait(HOUR_S, 1)
    assert world.heard() == []


def test_kafka_out_of_reach_is_one_alert(world: World) -> None:
    """Not one for each target that is not heard because of it."""
    world.wait(6 * MINUTE_S, 1)
    world.now = Status("unreachable", "no broker answers")
    world.wait(4 * MINUTE_S)
    assert world.heard() == []
    world.quiet = dict.fromkeys(world.quiet, True)
    world.wait(2 * HOUR_S)
    assert world.heard() == [("source_unreachable", "open", "")]
    world.now, world.quiet = Status(), dict.fromkeys(world.quiet, False)
    world.wait(HOUR_S, 1)
    assert world.heard() == [("source_unreachable", "resolved", "")]


def test_a_restart_of_the_brokers_is_no_news(world: World) -> None:
    """Four minutes away is told to nobody."""
    for _ in range(5):
        world.now = Status("unreachable", "")
        world.wait(4 * MINUTE_S)
        world.now = Status()
        world.wait(MINUTE_S)
    assert world.heard() == []


def test_a_topic_that_went_silent_stands_for_its_targets(world: World) -> None:
    """The topic is told, not each target; both come back together."""
    world.wait(2 * HOUR_S, 3)
    world.wait(4 * MINUTE_S)
    assert world.heard() == []
    world.wait(4 * MINUTE_S)
    assert world.heard() == [("topic_silent", "open", "")]
    world.quiet = dict.fromkeys(world.quiet, True)
    world.wait(HOUR_S)
    assert world.heard() == []
    world.quiet = dict.fromkeys(world.quiet, False)
    world.wait(15, 3)
    assert world.heard() == [("topic_silent", "resolved", "")]


def test_over_http_alone_all_targets_silent_is_one_alert(store: Store) -> None:
    """Without Kafka the targets say it together."""
    world = World(store, kafka=False)
    world.wait(6 * MINUTE_S)
    world.quiet = dict.fromkeys(world.quiet, True)
    world.wait(HOUR_S)
    assert world.heard() == [("all_targets_silent", "open", "")]
    world.quiet["claude"] = False
    world.wait(HOUR_S)
    assert sorted(world.heard()) == [("all_targets_silent", "resolved", ""), ("target_silent", "open", "gpt-4o")]


def test_a_silence_that_people_set_holds_it_back(world: World) -> None:
    """What is known to be silent is not told until the silence ends, and then only if it still is."""
    for end_s in (HOUR_S, 9 * HOUR_S):
        with world.store.judgement() as transaction:
            document = {"id": f"sil_{end_s}", "starts_at": NOW, "ends_at": NOW + end_s, "by": "ada"}
            transaction.put_silence(document | {"matchers": {"model": "gpt*"} if end_s == HOUR_S else {"model": "c*"}})
    world.wait(6 * MINUTE_S, 1)
    world.quiet = {"gpt-4o": True, "claude": True, "mistral": False}
    world.wait(30 * MINUTE_S, 1)
    assert world.heard() == []
    world.wait(HOUR_S, 1)
    assert world.heard() == [("target_silent", "open", "gpt-4o")]
    world.quiet["claude"] = False
    world.wait(MINUTE_S, 1)
    assert world.heard() == []


@pytest.mark.parametrize("after_s", [0.0, 2 * HOUR_S])
def test_a_clock_that_is_set_back_hides_no_silence(world: World, after_s: float) -> None:
    """A machine that came up in another year, and was put right at once or later, tells what goes silent now."""
    world.clock.now += 3e7
    world.start()
    world.wait(after_s, 1)
    world.clock.now -= 3e7 + after_s
    world.wait(3 * HOUR_S, 1)
    assert world.heard() == []
    world.wait(2 * HOUR_S)
    assert world.heard() == [("topic_silent", "open", "")]


def test_who_did_not_hear_of_a_silence_hears_nothing_of_its_end(world: World) -> None:
    """A channel that was set up meanwhile holds nothing open."""
    world.wait(10 * MINUTE_S, 1)
    world.quiet["gpt-4o"] = True
    world.wait(MINUTE_S, 1)
    assert [channel for channel, _ in world.arrived()] == ["webhook:a"]
    webhooks = [WebhookConfig(name=n, url="https://a.example/hook", secret=Secret(SECRET)) for n in ("a", "b")]
    world.config = Config(kafka=world.config.kafka, alerts=AlertsConfig(webhook=webhooks))
    world.start()
    world.quiet["gpt-4o"] = False
    world.wait(MINUTE_S, 1)
    assert world.arrived() == [("webhook:a", "resolved")]


@pytest.mark.parametrize("step", ["before_judgement", "before_judgement_commit", "after_judgement"])
def test_a_kill_while_it_is_told_loses_nothing_and_doubles_nothing(step: str) -> None:
    """The alert and the memory of it are one transaction."""
    armed: list[bool] = []

    def failpoint(name: str) -> None:
        if armed and name == step:
            armed.clear()
            raise Killed

    with Store.open(None, clock=None, failpoint=failpoint) as store:
        world = World(store)
        world.wait(6 * MINUTE_S, 1)
        world.quiet["gpt-4o"] = True
        armed.append(True)
        with pytest.raises(Killed):
            world.wait(MINUTE_S, 1)
        world.start()
        world.wait(HOUR_S, 1)
        assert world.heard() == [("target_silent", "open", "gpt-4o")]


def test_bursts_that_a_topic_always_had_are_not_its_silence() -> None:
    """A topic that comes once an hour is silent after twice its longest gap, not after ten messages' worth."""
    pace = Pace(0, NOW, NOW)
    now = NOW
    for minute in range(12 * 60):
        now += MINUTE_S
        pace = pace.step(pace.offset + (500 if minute % 60 == 0 else 0), now, settled=True)
    assert not pace.silent(now + 50 * MINUTE_S)
    assert pace.silent(now + 70 * MINUTE_S)


def test_a_catch_up_is_no_pace() -> None:
    """A million messages read at once do not make the hour after them silent."""
    pace = Pace(0, NOW, NOW).step(1_000_000, NOW + 60, settled=False)
    assert (pace.messages, pace.seconds, pace.offset) == (0, 0.0, 1_000_000)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(-100, 1000), st.booleans()), max_size=50))
def test_a_pace_is_sane_whatever_the_clock_does(steps: list[tuple[int, float, bool]]) -> None:
    """Clocks go back, topics are made anew; counts stay counts, and a pace survives the store."""
    pace, now = Pace(5, NOW, NOW), NOW
    for came, passed, settled in steps:
        now += passed
        pace = pace.step(max(0, pace.offset + came - 4), now, settled)
        assert min(pace.messages, pace.seconds, pace.longest_gap_s) >= 0
        assert Pace(**pace.as_dict()) == pace
        pace.silent(now)


def test_the_widest_explanation_is_told() -> None:
    """The source before topics, topics before all targets, all targets before some."""
    whys = ("target_silent", "all_targets_silent", "topic_silent", "source_unreachable")
    silent: dict[str, Trouble] = {}
    for why in whys:
        one = Trouble(why, "x", NOW, "")
        silent[one.key] = one
        assert list(widest(silent)) == [one.key]
    assert widest({}) == {}
