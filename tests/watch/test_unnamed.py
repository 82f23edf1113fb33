"""An outage whose failures do not say which model or provider failed, and calls that do not say how they ended."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import CALL, START, protobuf, request, span_json

from undertow.batch import Message, Origin
from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.outcome import EVIDENCE
from undertow.span import Span
from undertow.watch import Watcher, frame, roster, stream, unnamed
from undertow_collectors.decode.registry import decode

Make = Callable[..., Any]
CONFIG = Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=2000, min_hours=24)))
DAY_S = 86_400.0
ANSWERS, FAILURES = 6000, 600


@dataclass(frozen=True)
class Log:
    """Three days of answers, of `models` in turn, then `failures`; before that a share of `failing` calls."""

    models: tuple[tuple[str, str], ...] = (("openai", "gpt-4o"),)
    provider: str | None = "unknown"
    model: str | None = None
    failing: float = 0.0
    failures: int = FAILURES
    routes: bool = False
    outcome: str = "error"
    bare: float = 0.0

    def spans(self, seed: int = 1) -> list[Span]:
        """The calls, in order."""
        rng = random.Random(seed)
        return [self._span(i, rng) for i in range(ANSWERS + self.failures)]

    def _span(self, i: int, rng: random.Random) -> Span:
        provider, model = self.models[i % len(self.models)]
        out = i >= ANSWERS
        begun = 1.795e9 + i * 3 * DAY_S / ANSWERS
        span = Span(span_id=f"s{i:06d}", started_at=begun, provider=provider, model=model, gateway="edge")
        span.duration_s = rng.lognormvariate(0, 0.3)
        if self.outcome == "error" and (out or rng.random() < self.failing):
            span.status, span.error_class = "error", "rate_limited"
            span.provider, span.model = self.provider or provider, self.model or model
            return span
        span.route = ("search", "chat")[i % 2] if self.routes else None
        if not (self.outcome == "bare" and out) and rng.random() >= self.bare:
            span.input_tokens, span.output_tokens = rng.randint(300, 700), int(rng.lognormvariate(4.5, 0.5)) + 1
            span.finish_reason, span.response_id = "stop", f"r{i}"
        return span


TWO = (("openai", "gpt-4o"), ("openai", "gpt-5"))
BOTH = (("openai", "gpt-4o"), ("anthropic", "claude"))


def told(log: Log, monitor: Make, **more: Any) -> list[tuple[Any, ...]]:
    """Each incident: where, why, how severe and in which signals."""
    incidents = monitor(CONFIG).finish(log.spans(**more)).store.incidents()
    return [_told(one) for one in incidents]


def _told(one: dict[str, Any]) -> tuple[Any, ...]:
    return (*list(one["target"].values())[1:3], one["cause"], one["severity"])


@pytest.mark.parametrize(
    "log", [Log(), Log(model="unknown"), Log(provider=None, model="unknown"), Log(routes=True)], ids=str
)
def test_an_outage_of_the_only_target_opens_the_incident_that_named_failures_open(monitor: Make, log: Log) -> None:
    """Whichever name is missing, and whether failures tell their route or not."""
    named = monitor(CONFIG).finish(Log(provider=None, model=None).spans()).store.incidents()
    found = monitor(CONFIG).finish(log.spans()).store.incidents()
    assert [_told(one) for one in found] == [_told(one) for one in named]
    assert [_told(one) for one in found] == [("openai", "gpt-4o", "availability", "critical")]
    assert abs(found[0]["opened_after_spans"] - named[0]["opened_after_spans"]) <= 3
    assert abs(found[0]["change_point"] - named[0]["change_point"]) < 600
    assert found[0]["signals"][0]["effect"]["value"] > 0.5


@pytest.mark.parametrize(
    ("log", "where"),
    [
        (Log(TWO, None, "unknown"), ("unknown", "unknown")),
        (Log(BOTH, model="unknown"), ("unknown", "unknown")),
        (Log(BOTH), ("openai", "gpt-4o")),
    ],
    ids=str,
)
def test_an_outage_of_one_of_several_targets_alarms(monitor: Make, log: Log, where: tuple[str, str]) -> None:
    """Failures that can belong to several targets count for the gateway; those that name enough, for their target."""
    found = told(log, monitor)
    assert (*where, "availability", "critical") in found
    assert {one[:2] for one in found} <= {where, ("anthropic", "claude")}


@pytest.mark.parametrize("lost", [("gen_ai.provider.name",), ("gen_ai.request.model",), tuple(CALL)[1:]], ids=str)
def test_an_outage_in_traces_alarms_whatever_failed_spans_leave_out(monitor: Make, lost: tuple[str, ...]) -> None:
    """Read from OTLP, with an exporter that leaves attributes out of failed spans alone."""
    answer = CALL | {"gen_ai.response.id": "r", "gen_ai.usage.output_tokens": 90}
    failure = {name: value for name, value in CALL.items() if name not in lost}
    bodies = [
        span_json(
            answer if i < ANSWERS else failure,
            spanId=f"{i + 1:016x}",
            traceId=f"{i + 1:032x}",
            startTimeUnixNano=str(START + i * 43_200_000_000),
            endTimeUnixNano=str(START + i * 43_200_000_000 + 10**9),
            status={} if i < ANSWERS else {"code": 2, "message": "upstream refused (429)"},
        )
        for i in range(ANSWERS + FAILURES)
    ]
    decoded = decode(Message(Origin("t", 0, 0), protobuf(request(*bodies)), 2e9))
    one = monitor(CONFIG).finish(decoded.spans)
    assert [_told(i) for i in one.store.incidents()] == [("openai", "gpt-4o", "availability", "critical")]


def test_nobody_is_weighed_down_for_what_only_the_gateway_is_known_of(monitor: Make) -> None:
    """Its incident recommends nothing, and the feed of weights does not know it."""
    one = monitor(CONFIG).finish(Log(TWO, None, "unknown").spans())
    [incident] = one.store.incidents()
    assert incident["recommendation"]["action"] == "none"
    assert one.watcher.weights().weights == ()
    texts = {row["target"]["model"]: row["text"] for row in one.watcher.targets()}
    assert texts["unknown"] == "its failures do not say whose they are, and are judged with all of their gateway"


@pytest.mark.parametrize("models", [TWO[:1], TWO, BOTH], ids=str)
@pytest.mark.parametrize("model", [None, "unknown"])
@pytest.mark.parametrize("seed", [1, 2])
def test_failures_without_a_name_that_were_always_there_are_no_outage(
    monitor: Make, models: Any, model: str | None, seed: int
) -> None:
    """One call in a hundred fails without a name, from the first day to the last."""
    assert told(Log(models, model=model, failing=0.01, failures=0), monitor, seed=seed) == []


def test_a_second_target_makes_no_outage_of_failures_that_were_taken_for_the_first(monitor: Make) -> None:
    """What went to the only target goes to the gateway once there are two: as often as before."""
    first = Log(failing=0.02, failures=0, model="unknown").spans()
    for span in first[4500::2]:
        span.model = span.model if span.status == "error" else "gpt-5"
    one = monitor(CONFIG).finish(first)
    assert [incident for incident in one.store.incidents() if incident["lane"] == "errors"] == []


def test_it_is_the_same_live_in_pieces_and_after_a_restart(monitor: Make) -> None:
    """Batches of any size, and a new process at any moment, change nothing."""
    spans = Log(TWO, None, "unknown", failing=0.002).spans()
    whole, pieces = monitor(CONFIG), monitor(CONFIG)
    whole.finish(spans)
    for begin in range(0, len(spans), 700):
        pieces.take(spans[begin : begin + 700], size=150)
        pieces.restart()
    pieces.finish()
    assert _seen(pieces) == _seen(whole)
    assert [_told(one) for one in whole.store.incidents()] == [("unknown", "unknown", "availability", "critical")]


def _seen(one: Any) -> Any:
    incidents = one.store.incidents()
    return [{k: v for k, v in i.items() if k != "history"} for i in incidents], one.store.notices()


def test_a_replay_gives_what_was_seen_live(monitor: Make) -> None:
    """The replaying watcher, which judges days at once, opens the same incidents."""
    spans = Log(TWO, None, "unknown").spans()
    live = monitor(CONFIG)
    live.finish(spans, size=300)
    other = monitor(CONFIG)
    other.watcher = Watcher(other.store, CONFIG, other.clock, replayed=True)
    other.finish(spans)
    assert [_told(one) for one in live.store.incidents()] == [_told(one) for one in other.store.incidents()]
    assert [i["opened_at"] for i in live.store.incidents()] == [i["opened_at"] for i in other.store.incidents()]


def _ids(n: int) -> list[Span]:
    """Calls of the same gateway and time, each under a name of its own."""
    made = Log(failures=0).spans(seed=9)[:: ANSWERS // n]
    for i, span in enumerate(made):
        span.span_id, span.provider, span.model = f"i{i:06d}", "mistral", f"request-{i}"
    return made


def _in_order(*logs: list[Span]) -> list[Span]:
    return sorted((span for log in logs for span in log), key=lambda span: (span.ended_at, span.span_id))


def test_names_without_end_beside_it_hide_no_outage(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Request ids in the names of the same gateway: the outage is told, in pieces and over restarts as in one."""
    monkeypatch.setattr(roster, "YOUNG", 10)
    spans = _in_order(Log(BOTH, model="unknown").spans(), _ids(600))
    whole, pieces = monitor(CONFIG).finish(spans), monitor(CONFIG)
    for begin in range(0, len(spans), 900):
        pieces.take(spans[begin : begin + 900], size=170)
        pieces.restart()
    pieces.finish()
    assert ("unknown", "unknown", "availability", "critical") in [_told(one) for one in whole.store.incidents()]
    assert _seen(pieces) == _seen(whole)
    assert pieces.watcher.targets() == whole.watcher.targets()


def test_a_target_that_gave_up_its_place_is_meant_no_more(monitor: Make) -> None:
    """One that was not heard for a month left room for another: what fails without a name is of that one alone."""
    detect = DetectConfig(baseline=CONFIG.detect.baseline, max_targets=2)
    old = Log((("openai", "gpt-3"),), failures=0).spans(seed=3)[:200]
    for span in old:
        span.span_id, span.started_at = f"o{span.span_id}", span.started_at - 40 * DAY_S
    other = [span for span in Log(BOTH, failures=0).spans(seed=4) if span.provider == "anthropic"]
    log = Log(model="unknown").spans()
    one = monitor(Config(detect=detect)).finish(_in_order(old, other, log))
    known = one.watcher._engine.unnamed._answers
    assert {target.model for target in known} >= {"gpt-4o"}
    assert "gpt-3" not in {target.model for target in known}


def test_an_accepted_outage_of_a_gateway_is_its_new_normal(monitor: Make) -> None:
    """The gateway collects anew from there, and the answers of its targets are not judged twice."""
    one = monitor(CONFIG)
    one.finish(Log(TWO, None, "unknown").spans())
    [incident] = one.store.incidents()
    before = {t["target"]["model"]: t["spans"] for t in one.watcher.targets()}
    one.watcher.accept(incident["id"], "ada")
    assert one.store.incident(incident["id"])["status"] == "accepted"
    assert {t["target"]["model"]: t["spans"] for t in one.watcher.targets()} == before
    one.restart()
    one.finish()


def test_the_rows_keep_what_the_log_said(monitor: Make) -> None:
    """Failures are stored under the name that they came with."""
    one = monitor(CONFIG).finish(Log().spans())
    assert {t["target"]["provider"]: t["spans"] for t in one.store.targets()} == {
        "openai": ANSWERS,
        "unknown": FAILURES,
    }


@pytest.mark.parametrize("log", [Log(), Log(TWO, None, "unknown")], ids=str)
def test_without_the_rule_such_an_outage_opens_nothing(
    monitor: Make, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    """Negative control: judged under the names that they came with, the failures have nothing to be compared with."""
    monkeypatch.setattr(unnamed.Unnamed, "assign", lambda _, frames: dict(frames))
    assert told(log, monitor) == []


def test_without_a_common_stratum_failures_that_lost_their_route_are_not_seen(
    monitor: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: a route that the baseline does not know is judged by nothing."""
    monkeypatch.setattr(stream.Stream, "placed_unnamed", lambda _, __, stratum: stratum)
    assert told(Log(routes=True), monitor) == []


def test_a_rise_of_calls_that_do_not_say_how_they_ended_is_told(monitor: Make) -> None:
    """6,000 answers, then 600 spans with no id, no usage and no reason why they ended: an incident that names them."""
    [incident] = monitor(CONFIG).finish(Log(outcome="bare").spans()).store.incidents()
    assert _told(incident) == ("openai", "gpt-4o", "availability", "critical")
    assert incident["signals"][0]["text"] == "such as no_outcome"
    assert incident["opened_after_spans"] <= ANSWERS + 20


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_a_rise_is_told_whatever_the_share_before(monitor: Make, share: float) -> None:
    """An instrumentation that shows some answers only, such as those of streams, is compared with itself."""
    assert told(Log(outcome="bare", bare=share, failures=0), monitor) == []
    [incident] = monitor(CONFIG).finish(Log(outcome="bare", bare=share).spans()).store.incidents()
    assert "error_class=no_outcome" in [signal["signal"] for signal in incident["signals"]]


def test_an_instrumentation_that_never_shows_an_answer_is_not_alarming(monitor: Make) -> None:
    """Its baseline is that nothing is known, which cannot become more."""
    assert told(Log(outcome="bare", bare=1.0), monitor) == []


def test_without_the_rule_bare_calls_look_like_answers(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: taken for successes, 600 refused calls open nothing."""
    monkeypatch.setattr(frame, "NOT_GENERATING", ("chat",))
    assert told(Log(outcome="bare"), monitor) == []


def test_bare_calls_are_counted(monitor: Make) -> None:
    """Ingestion counts them, by the format that they came in; each field of evidence makes a call known."""
    one = monitor(CONFIG)
    one.take(Log(outcome="bare", failures=5).spans())
    assert one.store.ingestion()["unknown_outcomes"] == [{"name": "native", "count": 5}]
    assert set(EVIDENCE) <= set(Span.__struct_fields__)
