"""The policy beside the incidents it follows from: kept with them, told with them, and replayed as it was lived."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from undertow.config import AlertsConfig, BaselineConfig, Config, DetectConfig, Secret, WebhookConfig, WeightsConfig
from undertow.span import Span, Target
from undertow.watch import Watcher

Make = Callable[..., Any]
Traffic = Callable[..., list[Span]]
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
DETECT = DetectConfig(baseline=BaselineConfig(min_spans=2000))
TOLD = Config(
    detect=DETECT,
    alerts=AlertsConfig(webhook=[WebhookConfig(url="https://example.com/hook", secret=Secret(SECRET))]),
)


def fed(monitor: Any) -> Any:
    """The feed's version and entries."""
    published = monitor.watcher.weights()
    return published.version, published.etag, published.weights


def test_a_change_is_told_with_the_feed_and_its_reason(monitor: Make, traffic: Traffic) -> None:
    """To each receiver, in one sequence of its own, with what led to it."""
    one = monitor(TOLD).finish(traffic("silent-update"))
    [message] = [m for m in one.store.due(3e9, 100) if m.kind == "llm.weights.changed"]
    body = json.loads(message.body)
    [entry] = one.watcher.weights().weights
    [change] = one.store.weight_changes()
    assert (body["type"], body["data"]["mode"], body["data"]["weights"]) == ("llm.weights.changed", "advisory", [entry])
    assert (body["data"]["version"], body["data"]["changes"]) == (message.sequence, [change])
    assert (change["before"], change["after"], change["reason"], change["by"]) == (
        1.0,
        0.5,
        "provider_update",
        "undertow",
    )


def test_a_failed_commit_changes_no_weight(monitor: Make, traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed stays as it was committed, and the next tick decides the same, once."""
    spans = traffic("silent-update")
    expected = monitor(TOLD).finish(spans)
    one = monitor(TOLD)
    with monkeypatch.context() as patched:
        patched.setattr(
            "undertow.store.state.Judgement.put_weight_change", lambda *_: (_ for _ in ()).throw(OSError("full"))
        )
        with pytest.raises(OSError, match="full"):
            one.finish(spans)
        assert one.watcher.weights().weights == ()
        assert one.store.incidents() == []
    one.finish()
    assert fed(one) == fed(expected)
    assert one.store.weight_changes() == expected.store.weight_changes()


def test_a_restart_keeps_weights_overrides_and_version(monitor: Make, traffic: Traffic) -> None:
    """What consumers see is the same after it; an override ends when it would have."""
    one = monitor(TOLD).finish(traffic("silent-update"))
    target = Target(**one.watcher.weights().weights[0]["target"])
    made = one.watcher.override(target, 1.0, one.clock() + 600.0, "kim", "they called")
    before = fed(one)
    one.restart()
    assert fed(one) == before
    assert one.watcher.overrides() == [made]
    one.clock.advance(601.0)
    one.watcher.tick()
    assert [(w["multiplier"], w["reason"]) for w in one.watcher.weights().weights] == [(0.5, "provider_update")]
    moved = [(c["after"], c["by"]) for c in one.store.weight_changes() if c["before"] != c["after"]]
    assert moved == [(0.5, "undertow"), (1.0, "kim"), (0.5, "undertow")]


def test_accepting_and_resolving_let_the_weight_come_back(monitor: Make, traffic: Traffic) -> None:
    """Step by step, by the clock, without a new span."""
    one = monitor(TOLD).finish(traffic("silent-update"))
    [incident] = one.store.incidents()
    one.watcher.resolve(incident["id"], "ada")
    assert [w["reason"] for w in one.watcher.weights().weights] == ["recovering"]
    one.clock.advance(3600.0)
    one.watcher.tick()
    assert one.watcher.weights().weights == ()
    assert one.watcher.withdraw("ov_none", "ada") is None


@pytest.mark.parametrize("size", [1700, 20_000])
def test_replay_walks_the_ladder_in_event_time(monitor: Make, traffic: Traffic, size: int) -> None:
    """Each step is dated by the data, so that it depends on no batch."""
    one = monitor(Config(detect=DETECT))
    one.watcher = Watcher(one.store, one.config, one.clock, replayed=True)
    one.finish(traffic("silent-update"), size)
    [incident] = one.store.incidents()
    opened = incident["opened_at"]
    changes = [(c["at"], c["after"]) for c in one.store.weight_changes()[::-1]]
    assert changes == [(opened, 0.5), (opened + 1800.0, 0.25), (opened + 3600.0, 0.05)]


@pytest.mark.parametrize(("mode", "missed"), [("enforce", False), ("advisory", True)])
def test_a_target_that_we_take_out_is_not_told_as_silent(
    monitor: Make, traffic: Traffic, mode: Any, missed: bool
) -> None:
    """Ten hours without a request are our own doing where our weight is obeyed; another target is missed as ever."""
    spans = traffic("none")
    one = monitor(Config(detect=DETECT, weights=WeightsConfig(mode=mode)))
    one.clock.advance(max(span.ended_at for span in spans) - one.clock())
    one.restart()
    one.finish(spans)
    out = Target(**one.store.targets()[0]["target"])
    one.watcher.override(out, 0.0, one.clock() + 86_400.0, "kim", "a trial")
    one.clock.advance(36_000.0)
    assert {Target(**target) == out: silent for target, _, silent in one.watcher.silences()} == {
        True: missed,
        False: True,
    }


def test_another_mode_is_a_version_of_its_own_whatever_follows(monitor: Make, traffic: Traffic) -> None:
    """It is kept and told at the start; put back, it is a third one: a version never means two things."""
    one = monitor(TOLD).finish(traffic("silent-update"))
    seen = [fed(one)]
    for mode in ("enforce", "advisory"):
        one.config = structs.replace(TOLD, weights=WeightsConfig(mode=mode))
        one.restart()
        seen.append(fed(one))
        one.restart()
        assert fed(one) == seen[-1]
    assert [version for version, *_ in seen] == [2, 3, 4]
    told = [m for m in one.store.due(3e9, 100) if m.kind == "llm.weights.changed"]
    assert [json.loads(m.body)["data"]["mode"] for m in told] == ["advisory"]  # the first one that is not delivered yet
