"""What stands around an incident: messages, examples, marks, evidence, and the false-alarm budget."""

from typing import Any

import pytest

from undertow.notify.message import Outgoing
from undertow.span import Target
from undertow.store.evidence import Point

NOW = 1_767_600_000.0
OF = {"gateway": "g", "provider": "openai", "model": "gpt-4"}
TARGET = OF | {"deployment": None}
DAY_S = 86_400.0


def put(api: Any, *points: tuple[float, float], signal: str = "output_tokens") -> None:
    """Evidence on record, and judging until NOW."""
    with api.store.judgement() as judgement:
        judgement.put_evidence([Point(Target(**TARGET), signal, at, evidence, 6.25) for at, evidence in points])
        judgement.advance(NOW)


def message(sequence: int, channel: str, incident: str = "inc_1") -> Outgoing:
    """A message that waits."""
    return Outgoing(f"msg_{sequence}", channel, incident, sequence, "llm.drift.opened", "{}", NOW, 0, NOW + 5)


def test_evidence_is_told_in_order_with_the_threshold_of_now(api: Any, ok: Any) -> None:
    """One point for each ten minutes, those of the window alone, and the threshold that the signal has today."""
    put(api, (NOW - 1200, 2.5), (NOW - 600, 6.5), (NOW - 10 * DAY_S, 1.0))
    put(api, (NOW - 600, 3.0), signal="refusal")
    signal = {"signal": "output_tokens", "log10_evidence": 1.0, "log10_threshold": 6.31}
    api.watcher.known = [{"target": TARGET, "signals": [signal]}]
    told = ok(api.get("/v1/evidence", params=OF | {"signal": "output_tokens", "end": NOW}))
    assert told["log10_threshold"] == 6.31
    assert [(p["at"], p["log10_evidence"], p["log10_threshold"]) for p in told["points"]] == [
        (NOW - 1200, 2.5, 6.25),
        (NOW - 600, 6.5, 6.25),
    ]


def test_evidence_of_a_signal_that_nobody_knows_is_empty(api: Any, ok: Any, problem: Any) -> None:
    """Nothing was judged: no points and no threshold; a window that ends before it starts is a mistake."""
    told = ok(api.get("/v1/evidence", params=OF | {"signal": "nothing"}))
    assert told == {"signal": "nothing", "log10_threshold": None, "points": []}
    assert "end" in problem(api.get("/v1/evidence", params=OF | {"signal": "x", "start": 2, "end": 1}), 400)


def test_an_incident_tells_what_became_of_its_messages(api: Any, ok: Any) -> None:
    """What waits has a next attempt, what arrived has none; those of other incidents are not told."""
    api.put_incident(why=[])
    with api.store.judgement() as judgement:
        for one in (message(1, "slack"), message(2, "mail"), message(3, "mail", "inc_2")):
            judgement.put_outgoing(one)
    api.store.record_delivery("msg_1", "slack", "delivered", at=NOW + 1, detail="200")
    told = ok(api.get("/v1/incidents/inc_1"))["deliveries"]
    assert [(d["channel"], d["state"], d["attempts"], d["next_attempt_at"], d["detail"]) for d in told] == [
        ("slack", "delivered", 1, None, "200"),
        ("mail", "pending", 0, NOW + 5, ""),
    ]


def test_what_a_silence_holds_back_is_told_as_held(api: Any, ok: Any) -> None:
    """It has no channel yet, and says what holds it back."""
    api.put_incident(why=[])
    with api.store.judgement() as judgement:
        said = {"said": "nothing", "said_at": 0.0, "owed": "drifted", "quiet": "silence sil_1"}
        judgement.put_alert("alert inc_1", said)
    [held] = ok(api.get("/v1/incidents/inc_1"))["deliveries"]
    assert (held["channel"], held["kind"], held["state"], held["detail"]) == (
        "",
        "llm.drift.opened",
        "held",
        "silence sil_1",
    )


def test_an_incident_shows_examples_and_what_is_ruled_out(api: Any, ok: Any) -> None:
    """Examples are those of the watcher; one that nobody judged has no verdict."""
    api.put_incident(why=["traffic_quiet", "other_targets_quiet"])
    api.watcher.shown = {"inc_1": [{"span_id": "s1", "side": "after"}]}
    told = ok(api.get("/v1/incidents/inc_1"))
    assert told["examples"] == [{"span_id": "s1", "side": "after"}]
    assert told["ruled_out"] == ["own_release", "declared_update", "traffic_moved", "other_providers_moved"]
    assert told["verdict"] is None


def test_marks_tell_what_happened_around_a_target(api: Any, ok: Any) -> None:
    """Releases, fingerprints, weights, incidents and silences of the target in the window, in order of time."""
    other = TARGET | {"model": "o3"}
    api.put_incident()
    with api.store.judgement() as judgement:
        for kind, target, at in [
            ("new_prompt_version", TARGET, NOW - 700),
            ("new_fingerprint", TARGET, NOW - 690),
            ("new_fingerprint", other, NOW - 680),
            ("traffic_mix", TARGET, NOW - 670),
            ("new_gateway_version", TARGET, NOW - 10 * DAY_S),
        ]:
            judgement.put_notice({"kind": kind, "target": target, "at": at, "text": kind})
        change = {"target": TARGET, "at": NOW - 500, "before": 1.0, "after": 0.5, "reason": "provider_update"}
        judgement.put_weight_change(change)
        judgement.put_silence(
            {"id": "sil_1", "matchers": {"model": "gpt-*"}, "starts_at": NOW - 400, "ends_at": NOW, "by": "ada"}
        )
    api.watcher.known = [{"target": TARGET, "baseline_end": NOW - 800, "baseline_spans": 2000, "baseline_version": 1}]
    told = ok(api.get("/v1/marks", params=OF | {"end": NOW}))["marks"]
    assert [m["kind"] for m in told] == ["baseline", "prompt_version", "fingerprint", "incident", "weight", "silence"]
    assert {m["incident"] for m in told if m["kind"] == "incident"} == {"inc_1"}


def test_the_budget_counts_what_people_judged(api: Any, ok: Any) -> None:
    """False alarms of guaranteed lanes count against what the observed time allows; others stand apart."""
    verdicts = ["false_alarm", "real", None]
    for i, verdict in enumerate(verdicts):
        said = verdict and {"verdict": verdict, "by": "ada", "at": NOW, "reason": ""}
        api.put_incident(id=f"inc_{i}", verdict=said, opened_at=NOW - i * DAY_S)
    api.put_incident(id="inc_slow", lane="performance", opened_at=NOW - DAY_S)
    api.put_incident(id="inc_old", opened_at=NOW - 100 * DAY_S)
    put(api, (NOW - 45 * DAY_S, 0.0))
    told = ok(api.get("/v1/budget", params={"days": 90}))
    assert (told["incidents"], told["false_alarms"], told["real"], told["unjudged"]) == (3, 1, 1, 1)
    assert told["observed_days"] == 45.0
    assert told["allowed"] == 45.0 / told["false_alarm_interval_days"]
    assert told["by_lane"]["performance"]["incidents"] == 1
    assert told["by_lane"]["performance"]["guaranteed"] is False
    assert told["upper95"] == pytest.approx(4.744 * told["false_alarm_interval_days"] / 45, abs=1e-3)
    assert told["upper95_with_unjudged"] > told["upper95"]


def test_where_nothing_was_judged_the_budget_says_so(api: Any, ok: Any) -> None:
    """No observed time is nothing allowed, and no bound."""
    told = ok(api.get("/v1/budget"))
    assert (told["observed_days"], told["allowed"], told["incidents"], told["upper95"]) == (0.0, 0.0, 0, None)
