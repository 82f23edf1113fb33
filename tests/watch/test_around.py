"""What is shown beside an incident: examples, what is ruled out, marks, and when a target is ready."""

from collections.abc import Callable
from typing import Any

import pytest

from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.span import Span, Target
from undertow.watch import marks, ruled_out
from undertow.watch.examples import LISTED
from undertow.watch.pool import Pool, named
from undertow_collectors.scenarios import GPT_4O

Make = Callable[..., Any]
Traffic = Callable[..., list[Span]]
HERE = Target("g", "openai", "gpt-4o", "eu")
DAY_S = 86_400.0


def test_examples_are_typical_spans_of_both_sides(monitor: Make, traffic: Traffic) -> None:
    """Ten a side, of one route, before the change and after it; each value is nearer to its own side than the other."""
    spans = traffic("silent-update", fleet=(GPT_4O,))
    one = monitor().finish(spans)
    [incident] = one.store.incidents()
    found = one.watcher.examples(incident)
    sides = {side: [e for e in found if e["side"] == side] for side in ("before", "after")}
    low, high = incident["change_point_interval"]
    assert {side: len(of) for side, of in sides.items()} == {"before": LISTED, "after": LISTED}
    assert all(e["at"] <= low for e in sides["before"])
    assert all(e["at"] > high for e in sides["after"])
    assert len({e["route"] for e in found}) == 1
    assert {e["signal"] for e in found} == {incident["signals"][0]["signal"]}
    known = {span.span_id: span for span in spans}
    assert all(known[e["span_id"]].output_tokens == e["value"] for e in found)
    assert max(e["value"] for e in sides["after"]) < min(e["value"] for e in sides["before"])


def test_examples_of_an_event_show_it_after_the_change(monitor: Make, traffic: Traffic) -> None:
    """Refusals that rose: answers before it, refusals after it."""
    one = monitor().finish(traffic("silent-update", fleet=(GPT_4O,)))
    [incident] = one.store.incidents()
    refusal = [s for s in incident["signals"] if s["signal"] == "refusal"]
    found = one.watcher.examples(incident | {"signals": refusal})
    assert {(e["side"], e["value"]) for e in found} == {("before", 0.0), ("after", 1.0)}


def test_where_the_spans_are_gone_there_are_no_examples(monitor: Make, traffic: Traffic) -> None:
    """Nothing is made up."""
    one = monitor().finish(traffic("silent-update", fleet=(GPT_4O,)))
    [incident] = one.store.incidents()
    assert one.watcher.examples(incident | {"target": HERE.as_dict()}) == []
    assert one.watcher.examples(incident | {"signals": []}) == []


def told(cause: str, *why: str, lane: str = "content") -> list[str]:
    """What such an incident rules out."""
    return ruled_out.of({"cause": cause, "why": list(why), "lane": lane})


@pytest.mark.parametrize(
    ("cause", "why", "ruled"),
    [
        ("own_release", ["prompt_version_changed"], []),
        ("declared_update", ["response_model_changed"], ["own_release"]),
        ("unresolved", ["one_tenant_moved", "run_golden_set"], ["own_release", "declared_update"]),
        ("unresolved", ["traffic_moved", "run_golden_set"], ["own_release", "declared_update"]),
        (
            "unresolved",
            ["other_providers_moved", "run_golden_set"],
            ["own_release", "declared_update", "traffic_moved"],
        ),
        ("provider_update", ["traffic_quiet", "no_other_targets"], ["own_release", "declared_update", "traffic_moved"]),
        (
            "provider_update",
            ["traffic_quiet", "other_targets_quiet", "routes_agree"],
            ["own_release", "declared_update", "traffic_moved", "other_providers_moved", "one_route_moved"],
        ),
    ],
)
def test_what_was_asked_before_the_answer_is_ruled_out(cause: str, why: list[str], ruled: list[str]) -> None:
    """The rules are asked in order; where nothing was there to be asked nothing is ruled out."""
    assert told(cause, *why) == ruled


def test_a_lane_alone_rules_out_what_was_asked_before_it() -> None:
    """Slowness is not compared with the traffic; a declared change is asked nothing."""
    alone = told("infrastructure", "performance_alone", "other_targets_quiet", lane="performance")
    assert alone == ["own_release", "declared_update", "other_providers_moved"]
    assert told("declared_update", "response_model_changed", lane="identity") == []


def test_marks_of_a_pool_are_marks_of_its_members() -> None:
    """What is told of quiet siblings together is told of each; of a stranger it is not."""
    pool = Pool.of([HERE, Target("g", "openai", "gpt-4o", "us")])
    notice = {"kind": "baseline_not_homogeneous", **named(pool), "at": 5.0, "text": "refusal rose inside"}
    window = (0.0, 10.0)
    assert [m["text"] for m in marks.of(HERE, window, notices=[notice])] == ["refusal rose inside"]
    assert marks.of(Target("g", "openai", "gpt-4o", "asia"), window, notices=[notice]) == []


def test_what_was_accepted_is_marked_where_somebody_did() -> None:
    """The mark of the opening says what moved; that of the decision who took it; both lead to the incident."""
    signals = [{"signal": "output_tokens", "direction": "down"}, {"signal": "response_model", "direction": "changed"}]
    history = [{"at": 7.0, "by": "ada", "status": "accepted", "reason": "accepted"}]
    incident = {"id": "inc_1", **named(HERE), "cause": "provider_update", "opened_at": 2.0}
    found = marks.of(HERE, (0.0, 10.0), incidents=[incident | {"signals": signals, "history": history}])
    assert [(m["at"], m["kind"], m["incident"]) for m in found] == [
        (2.0, "incident", "inc_1"),
        (7.0, "accepted", "inc_1"),
    ]
    assert found[0]["text"] == "provider update: output_tokens went down"


def test_a_target_says_when_it_will_be_ready(monitor: Make, traffic: Traffic) -> None:
    """Half of the answers after a day: about another day, from now on; unknown before the first, null when it is."""
    spans = traffic("none", fleet=(GPT_4O,))
    start = spans[0].started_at
    one = monitor(Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=5000, min_hours=24))))
    day = [span for span in spans if span.ended_at < start + DAY_S]
    one.clock.now = start + DAY_S
    [target] = one.finish(day).watcher.targets()
    ok = sum(span.status == "ok" for span in day)
    assert target["ready_at"] == pytest.approx(start + DAY_S * 5000 / ok, abs=DAY_S / 20)
    assert target["last_change"] is None
    one.finish([span for span in spans if span.ended_at >= start + DAY_S])
    assert one.watcher.targets()[0]["ready_at"] is None


def test_a_baseline_that_no_signal_will_have_values_in_is_never_ready(monitor: Make, traffic: Traffic) -> None:
    """Fewer answers than judging needs make a baseline, and nothing is judged by it."""
    spans = traffic("none", fleet=(GPT_4O,))
    one = monitor(Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=100, min_hours=1))))
    one.clock.now = spans[20].ended_at
    [target] = one.finish(spans[:20]).watcher.targets()
    assert target["baseline_days_left"] is not None
    assert target["ready_at"] is None


def test_a_target_says_when_it_last_changed_and_since_when_it_is_silent(monitor: Make, traffic: Traffic) -> None:
    """The change of its latest incident, whatever became of that, and its last span."""
    one = monitor().finish(traffic("silent-update", fleet=(GPT_4O,)))
    [incident] = one.store.incidents()
    one.watcher.resolve(incident["id"], "ada")
    [target] = one.watcher.targets()
    assert target["last_change"] == incident["change_point"]
    assert target["stale_since"] == target["last"]
