"""Simulated traffic: seeded, plausible, and changed only where and when a scenario says."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from undertow import cli
from undertow.batch import Message, Origin
from undertow.span import Span, build
from undertow_collectors import payloads
from undertow_collectors.decode.registry import decode
from undertow_collectors.scenarios import DAY_S, FLEET, GPT_4O, NORMAL, SCENARIOS, combined
from undertow_collectors.simulate import EPOCH, arrivals, at_weekend, attempts, traffic

ONSET = EPOCH + DAY_S


QUICK = ["--days", "0.2", "--onset", "0.1", "--per-day", "500"]


def _unchanged(tenants: int) -> list[Span]:
    """The log of so many tenants in which nothing changes."""
    quiet = replace(SCENARIOS["none"], tenants=tenants)
    return list(traffic(quiet, 7, days=2.0, onset_days=1.0, per_day=3000.0)) if tenants else _log("none")


def _log(name: str, seed: int = 7, **options: float) -> list[Span]:
    return list(traffic(SCENARIOS[name], seed, **{"days": 2.0, "onset_days": 1.0, "per_day": 3000.0} | options))


def _of(spans: list[Span], after: bool, provider: str = "openai") -> list[Span]:
    return [s for s in spans if s.provider == provider and (s.ended_at >= ONSET) == after]


def _ratio(spans: list[Span], measure: Callable[[list[Span]], float]) -> float:
    return measure(_of(spans, after=True)) / measure(_of(spans, after=False))


def _median_output(spans: list[Span]) -> float:
    return float(np.median([s.output_tokens for s in spans if s.output_tokens is not None]))


def _refusals(spans: list[Span]) -> float:
    return float(np.mean([s.refusal for s in spans if s.refusal is not None]))


def _parse_failures(spans: list[Span]) -> float:
    return 1 - float(np.mean([s.parse_ok for s in spans if s.parse_ok is not None]))


def _cut_off(spans: list[Span]) -> float:
    return float(np.mean([s.finish_reason == "length" for s in spans if s.status == "ok"])) + 1e-3


def _summaries(spans: list[Span]) -> float:
    return float(np.mean([s.route == "summarise" for s in spans]))


def _prompts(spans: list[Span]) -> float:
    return float(np.median([s.input_tokens for s in spans if s.route == "support"]))


def _errors(spans: list[Span]) -> float:
    return float(np.mean([s.status == "error" for s in spans]))


def _durations(spans: list[Span]) -> float:
    return float(np.median([s.duration_s for s in spans if s.status == "ok"]))


PLANTED = [
    ("silent-update", _median_output, 0.60, 0.80),
    ("silent-update", _refusals, 2.5, 6.0),
    ("silent-update", _parse_failures, 3.0, 9.0),
    ("small-update", _median_output, 0.85, 0.96),
    ("parse-failures", _parse_failures, 3.0, 8.0),
    ("refusals", _refusals, 2.5, 6.0),
    ("cut-off", _cut_off, 8.0, 60.0),
    ("own-release", _median_output, 0.6, 0.8),
    ("mix-shift", _summaries, 2.0, 3.0),
    ("longer-prompts", _prompts, 1.6, 1.9),
    ("slow", _durations, 1.8, 2.2),
]


def test_the_same_seed_makes_the_same_log() -> None:
    """Seed and options decide every byte; another seed makes another log."""
    assert _log("silent-update") == _log("silent-update")
    assert _log("silent-update") != _log("silent-update", seed=8)


def test_spans_come_in_the_order_in_which_calls_end() -> None:
    """The log is ordered by (ended_at, span_id), also across days, and no id occurs twice."""
    spans = _log("silent-update")
    assert all((a.ended_at, a.span_id) < (b.ended_at, b.span_id) for a, b in pairwise(spans))
    assert len({s.span_id for s in spans}) == len(spans)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_simulated_span_is_valid(name: str) -> None:
    """Each scenario's spans pass the checks that decoders apply."""
    for span in _log(name, days=1.2, per_day=200.0):
        assert build(msgspec.structs.asdict(span)) == span


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_changes_before_the_onset(name: str) -> None:
    """Up to the onset a scenario's log is the log in which nothing ever changes, and afterwards it is not."""
    changed, control = _log(name), _unchanged(SCENARIOS[name].tenants)
    before = [s for s in control if s.ended_at < ONSET - 60]
    assert changed[: len(before)] == before
    assert (changed == control) == (name in ("none", "weekly"))


@pytest.mark.parametrize(("name", "measure", "low", "high"), PLANTED)
def test_a_planted_change_shows_in_its_own_measure(
    name: str, measure: Callable[[list[Span]], float], low: float, high: float
) -> None:
    """What a scenario names moves by about what it says, and stays where nothing is planted."""
    assert low < _ratio(_log(name), measure) < high
    assert not low < _ratio(_log("none"), measure) < high


def test_an_update_leaves_the_other_endpoints_alone() -> None:
    """Only the first endpoint of the fleet changes."""
    spans = _log("silent-update")
    for endpoint in FLEET[1:]:
        after, before = (_of(spans, moment, endpoint.provider) for moment in (True, False))
        assert _median_output(after) == pytest.approx(_median_output(before), rel=0.06)


def test_a_declared_update_shows_its_names() -> None:
    """After the onset the snapshot and the fingerprint are new, before it they are the old ones."""
    spans = _log("declared-update")
    for after in (True, False):
        names = {(s.response_model, s.system_fingerprint) for s in _of(spans, after) if s.status == "ok"}
        assert len(names) == 1
        assert ((GPT_4O.response_model, GPT_4O.fingerprint) in names) != after


def test_an_own_release_shows_its_prompt_version() -> None:
    """The prompt version changes with the answers."""
    spans = _log("own-release")
    assert [{s.prompt_version for s in _of(spans, after)} for after in (False, True)] == [{"v7"}, {"v8"}]


def test_weekends_differ_and_weekdays_do_not() -> None:
    """A weekend brings fewer and shorter requests; the days before it are those of a log without weekends."""
    spans = list(traffic(SCENARIOS["weekly"], 7, days=7.0, per_day=2000.0, fleet=[GPT_4O]))
    usual = list(traffic(SCENARIOS["none"], 7, days=7.0, per_day=2000.0, fleet=[GPT_4O]))
    free = at_weekend(np.array([s.ended_at for s in spans]))
    weekdays = [s for s, f in zip(spans, free, strict=True) if not f]
    weekend = [s for s, f in zip(spans, free, strict=True) if f]
    assert weekdays == [s for s in usual if s.ended_at < EPOCH + 5 * DAY_S]
    assert len(weekend) / 2 == pytest.approx(0.4 * len(weekdays) / 5, rel=0.06)
    assert _prompts(weekend) == pytest.approx(0.8 * _prompts(weekdays), rel=0.06)


def test_an_update_and_a_weekend_come_together() -> None:
    """On a weekend after the update the answers are shorter, and the prompts are those of the weekend."""
    both = combined(SCENARIOS["update-in-week"].behaviour, SCENARIOS["update-in-week"].weekend)
    assert (both.length, both.prompts, both.shares) == (0.72, 0.8, (0.60, 0.25, 0.15))
    assert combined(NORMAL, NORMAL) == NORMAL


def test_an_outage_ends() -> None:
    """Most calls fail in the hour after the onset, and few after that."""
    after = _of(_log("outage", per_day=6000.0), after=True)
    assert _errors([s for s in after if s.ended_at < ONSET + 3600]) > 0.3
    assert _errors([s for s in after if s.ended_at > ONSET + 3700]) < 0.05


def test_a_rollout_is_gradual() -> None:
    """Early in a roll-out answers are longer than late in it."""
    after = _of(_log("gradual-update", per_day=6000.0), after=True)
    early = [s for s in after if s.ended_at < ONSET + DAY_S / 8]
    late = [s for s in after if s.ended_at > ONSET + DAY_S / 2]
    assert _median_output(late) < 0.85 * _median_output(early)


def test_volume_follows_the_hour() -> None:
    """The busiest hours carry about three times the traffic of the quietest."""
    at = arrivals(np.random.default_rng(1), EPOCH, EPOCH + 10 * DAY_S, 20_000.0)
    hour = (at % DAY_S) // 3600
    peak, trough = (np.isin(hour, hours).sum() for hours in ((13, 14), (1, 2)))
    assert len(at) == pytest.approx(200_000, rel=0.02)
    assert peak / trough == pytest.approx(3.0, rel=0.1)


def test_what_failed_says_nothing_of_an_answer() -> None:
    """Failed attempts have an error and no answer; answered ones the reverse."""
    at = np.linspace(EPOCH, EPOCH + DAY_S, 4000)
    for span in attempts(np.random.default_rng(3), GPT_4O, at, SCENARIOS["outage"].behaviour):
        failed = span.status == "error"
        assert (span.error_class is not None) == (span.http_status is not None) == failed
        assert (span.output_tokens is None) == (span.finish_reason is None) == (span.response_id is None) == failed


HIDDEN = {
    "native": set(),
    # LiteLLM has its own ids and shows its alias for the snapshot, no texts, and not what failed calls asked
    "litellm": {"span_id", "response_model", "response_chars", "input_tokens"},
    "otlp": {"sent_model", "input_tokens"},
}


@pytest.mark.parametrize("form", HIDDEN)
def test_each_form_decodes_to_what_it_does_not_hide(form: str) -> None:
    """What is written as native, LiteLLM or OTLP comes back from the decoders, but for what that form cannot say."""
    encode = {"native": payloads.native, "litellm": payloads.litellm, "otlp": lambda span: payloads.otlp([span])}[form]
    for span in _log("outage", days=1.1, per_day=200.0):
        decoded = decode(Message(Origin("t", 0, 0), encode(span)))
        assert (decoded.format, decoded.rejects, decoded.unknown) == (form, [], {})
        [found] = decoded.spans
        for name, value in msgspec.structs.asdict(span).items():
            if name not in HIDDEN[form] or (name == "input_tokens" and span.status == "ok"):
                expected = pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
                assert getattr(found, name) == expected, name


def test_a_litellm_payload_stays_under_a_kilobyte() -> None:
    """The embedded broker keeps little; payloads are trimmed to suit."""
    assert max(len(payloads.litellm(span)) for span in _log("outage", per_day=500.0)) < 1000


def test_otlp_requests_one_after_another_are_one_request() -> None:
    """Protobuf merges concatenated requests, so a file of them is read whole."""
    spans = _log("none", days=0.1, per_day=500.0)
    value = payloads.otlp(spans[:10]) + payloads.otlp(spans[10:])
    found = decode(Message(Origin("t", 0, 0), value)).spans
    assert [s.span_id for s in found] == [s.span_id for s in spans]


# the command


def test_the_command_lists_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    """`simulate --list` names each scenario with what it does and what a monitor should call it."""
    assert cli.main(["simulate", "--list"]) == 0
    out = capsys.readouterr().out
    for name, scenario in SCENARIOS.items():
        assert f"{name} " in out
        assert f"{scenario.text} (cause: {scenario.cause})" in out


@pytest.mark.parametrize("form", HIDDEN)
def test_the_command_writes_what_undertow_reads(form: str, tmp_path: Path) -> None:
    """A file of each format is the same for the same seed and decodes to as many spans as were written."""
    one, two = tmp_path / "one.pb", tmp_path / "two.pb"
    for path in (one, two):
        assert cli.main(["simulate", "--scenario", "silent-update", "--out", str(path), "--format", form, *QUICK]) == 0
    assert one.read_bytes() == two.read_bytes()
    decoded = decode(Message(Origin("t", 0, 0), one.read_bytes()))
    assert len(decoded.spans) == len(_log("silent-update", seed=1, days=0.2, onset_days=0.1, per_day=500.0))
    assert not decoded.rejects


def test_the_command_produces_to_kafka() -> None:
    """Every span of the log arrives at a Kafka-protocol broker."""
    confluent = pytest.importorskip("confluent_kafka", reason="needs confluent-kafka, the extra `demo`")
    mock = confluent.Producer({"test.mock.num.brokers": 1})
    [broker] = mock.list_topics(timeout=10).brokers.values()
    address = f"{broker.host}:{broker.port}"
    assert cli.main(["simulate", "--scenario", "none", "--kafka", address, "--api-version", "2.0", *QUICK]) == 0
    consumer = confluent.Consumer({"bootstrap.servers": address, "group.id": "count"})
    ends = [
        consumer.get_watermark_offsets(confluent.TopicPartition("llm_requests", p), timeout=10)[1] for p in range(4)
    ]
    consumer.close()
    assert sum(ends) == len(_log("none", seed=1, days=0.2, onset_days=0.1, per_day=500.0))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "x"], "--scenario is missing"),
        (["--scenario", "none"], "--out FILE or --kafka HOST:PORT is missing"),
        (["--scenario", "none", "--out", "x", "--days", "0"], "--days must be positive"),
        (["--scenario", "none", "--out", "x", "--rate", "-1"], "--rate must be positive"),
        (["--scenario", "nothing", "--out", "x"], "invalid choice"),
        (["--scenario", "none", "--out", "x", "--kafka", "h:1"], "not allowed with"),
        (["--scenario", "none", "--kafka", "h:1", "--api-version", "two"], "--api-version"),
        (["--scenario", "none", "--kafka", "localhost"], "--kafka: expected HOST:PORT, got 'localhost'"),
        (["--scenario", "none", "--out", "x", "--seed", "-1"], "--seed must not be negative"),
        (["--scenario", "none", "--out", "x", "--onset", "-1"], "--onset must not be negative"),
    ],
)
def test_a_command_that_makes_no_sense_ends_with_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each mistake is told in one sentence that names the option."""
    assert cli.main(["simulate", *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scenario", "onset", "told"),
    [
        ("slow", "0.1", "change after 0.1 days: calls take twice as long"),
        ("slow", "3", "no change, for the log ends before it would come: --days 0.2 --onset 3"),
        ("none", "3", "spans; nothing changes"),
        ("weekly", "3", "spans; weekends differ, nothing changes"),
    ],
)
def test_the_command_says_what_it_planted(
    scenario: str, onset: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change that the log is too short for is not announced, nor one of a scenario without any."""
    arguments = ["--out", str(tmp_path / "x"), "--days", "0.2", "--onset", onset, "--per-day", "50"]
    assert cli.main(["simulate", "--scenario", scenario, *arguments]) == 0
    assert told in capsys.readouterr().err
