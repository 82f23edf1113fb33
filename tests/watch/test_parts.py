"""The parts of detection by themselves: frames, strata, baselines, traffic, declarations, saved state."""

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.config import BaselineConfig, DetectConfig, SignalConfig
from undertow.span import Target
from undertow.watch import baseline as baselines
from undertow.watch import snapshot, strata
from undertow.watch.baseline import DAY_S, Baseline, Collector
from undertow.watch.declared import DECLARATIONS, Declared
from undertow.watch.frame import Frame, Names, by_target
from undertow.watch.homogeneity import report
from undertow.watch.shares import Budget, Fleet, of_signal
from undertow.watch.signals import CONTENT
from undertow.watch.stream import Stream
from undertow.watch.traffic import Traffic

SHARED = Budget(interval_days=30, streams=4)


def names(values: list[str | None]) -> Names:
    """A text column."""
    return Names.of(pa.chunked_array([pa.array(values, pa.string())]))


def frame(n: int, rng: np.random.Generator, start: float = 0.0, days: float = 2.0, **columns: object) -> Frame:
    """n answers over some days: two routes, lognormal lengths."""
    route = rng.random(n) < 0.3
    given = {
        "span_id": np.array([f"{start}-{i}" for i in range(n)], object),
        "at": start + np.sort(rng.uniform(0, days * DAY_S, n)),
        "ok": np.ones(n, bool),
        "content": np.ones(n, bool),
        "input_tokens": np.round(rng.lognormal(5, 0.5, n)),
        "output_tokens": np.round(rng.lognormal(4 + route, 0.6, n)),
        "parse_ok": np.full(n, np.nan),
        "refusal": (rng.random(n) < 0.02).astype(float),
        "finish_length": (rng.random(n) < 0.01).astype(float),
        "group": names(["chat\x1fb" if r else "chat\x1fa" for r in route]),
        "snapshot": names(["gpt-4o-2024-11-20"] * n),
        "fingerprint": names(["fp_a"] * n),
        "prompt_version": names([None] * n),
    }
    return Frame(**(given | columns))


def frozen(rng: np.random.Generator, n: int = 6000) -> Baseline:
    """A complete baseline of two days."""
    collector = Collector(BaselineConfig(min_spans=1, min_hours=0))
    collector._config = BaselineConfig(min_spans=10**9)
    collector.feed(frame(n, rng))
    return collector.freeze()


def test_spans_of_several_targets_are_told_apart_in_order() -> None:
    """Missing names are part of a target's identity, and rows keep their order."""
    n = 6
    columns = {
        "span_id": list("abcdef"), "ended_at": [float(i) for i in range(n)], "gateway": ["g", None] * 3,
        "provider": ["p"] * n, "model": ["m"] * n, "deployment": [None] * n, "operation": ["chat"] * n,
        "route": ["r"] * n, "status": ["ok", "ok", "error"] * 2, "fallback": [None, None, None, True, False, None],
        "input_tokens": [1] * n, "output_tokens": [None, 2] * 3, "parse_ok": [None, True] * 3,
        "refusal": [None] * n, "finish_reason": ["length", None] * 3, "response_model": ["m", "m-1"] * 3,
        "system_fingerprint": [None] * n, "prompt_version": [None] * n,
    }  # fmt: skip
    kinds = {"fallback": pa.bool_(), "parse_ok": pa.bool_(), "refusal": pa.bool_(), "output_tokens": pa.int64()}
    texts = {k: pa.string() for k in ("deployment", "system_fingerprint", "prompt_version", "gateway")}
    table = pa.table({k: pa.array(v, (kinds | texts).get(k)) for k, v in columns.items()})
    frames = {target.gateway: one for target, one in by_target(table)}
    assert list(frames["g"].at) == [0, 2, 4]
    assert list(frames[None].at) == [1, 3, 5]
    assert list(frames[None].content) == [True, False, False]
    assert list(frames["g"].snapshot.codes) == [-1, -1, -1]
    assert np.isnan(frames["g"].output_tokens).all()
    assert np.isnan(frames[None].finish_length).all()


ROWS = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 5000)), min_size=1, max_size=400)


@given(ROWS, st.integers(1, 80))
def test_every_stratum_is_as_large_as_asked(rows: list[tuple[str, int]], least: int) -> None:
    """No stratum of the baseline has fewer rows than the least; a route is left out only with its whole operation."""
    group = names([f"chat\x1f{route}" for route, _ in rows])
    tokens = np.array([float(t) for _, t in rows])
    fitted = strata.fit(group, tokens, least)
    assigned = fitted.assign(group, tokens)
    if len(rows) < least:
        assert fitted.count == 0
        assert (assigned == -1).all()
    elif len(set(tokens)) == len(tokens):
        assert (np.bincount(assigned[assigned >= 0], minlength=fitted.count) >= least * 0.9 - 1).all()
        assert (assigned >= 0).all()


def test_a_route_the_baseline_did_not_know_has_no_stratum() -> None:
    """New routes are not compared with anything."""
    fitted = strata.fit(names(["chat\x1fa"] * 100), np.arange(100.0), 10)
    assert list(fitted.assign(names(["chat\x1fnew", "chat\x1fa"]), np.array([5.0, 5.0]))) == [-1, 0]


@given(st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_a_baseline_ends_at_the_same_span_whatever_the_batches(sizes: list[int]) -> None:
    """The spans' own times and counts decide where a baseline is complete."""
    spans = frame(3000, np.random.default_rng(1), days=3)
    config = BaselineConfig(min_spans=1500, min_hours=40)
    whole = Collector(config)
    expected = whole.feed(spans)
    parts = Collector(config)
    taken = begin = 0
    for size in [*sizes, 3000]:
        if not parts.complete and begin < len(spans):
            taken += parts.feed(spans[begin : begin + size])
            begin += size
    assert taken == expected
    assert parts.freeze().end == whole.freeze().end


def test_a_baseline_needs_both_spans_and_hours() -> None:
    """Many spans in an hour are not enough, nor are a few over days."""
    rng = np.random.default_rng(1)
    for spans, days in ((5000, 0.1), (100, 9.0)):
        collector = Collector(BaselineConfig())
        collector.feed(frame(spans, rng, days=days))
        assert not collector.complete


def test_a_large_baseline_is_thinned_to_the_same_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which rows are kept depends on the spans alone, not on how they arrived."""
    monkeypatch.setattr(baselines, "MAX_ROWS", 200)
    spans = frame(2000, np.random.default_rng(2))
    one, many = Collector(BaselineConfig()), Collector(BaselineConfig())
    one.feed(spans)
    for begin in range(0, 2000, 90):
        many.feed(spans[begin : begin + 90])
    assert list(one.freeze().frame.span_id) == list(many.freeze().frame.span_id)
    assert one.freeze().thinning == 10


def test_a_saved_baseline_judges_like_the_one_that_was_frozen() -> None:
    """Saving and reading a baseline changes no reference."""
    rng = np.random.default_rng(3)
    before = frozen(rng)
    after = baselines.load(baselines.dump(before))
    spans = frame(500, rng, start=2 * DAY_S)
    for signal in CONTENT:
        one, other = Stream.learn(signal, before, 0.0), Stream.learn(signal, after, 0.0)
        one.feed(spans, SHARED)
        other.feed(spans, SHARED)
        assert one.log10_evidence == other.log10_evidence


def test_saved_state_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """State is versioned; an unknown version is said, not guessed."""
    blob = snapshot.dump({"a": 1}, {"b": np.arange(3)})
    assert snapshot.load(blob)[0] == {"a": 1}
    monkeypatch.setattr(snapshot, "VERSION", 2)
    with pytest.raises(ValueError, match="another version"):
        snapshot.load(blob)


def test_a_signal_with_few_values_is_insufficient_and_silent() -> None:
    """Under 500 reference values nothing is judged, however large the change."""
    rng = np.random.default_rng(4)
    stream = Stream.learn(CONTENT[0], frozen(rng, 400), 0.0)
    changed = frame(2000, rng, start=3 * DAY_S, output_tokens=np.full(2000, 1.0))
    assert not stream.sufficient
    assert stream.feed(changed, SHARED) == []


def test_a_tolerated_change_is_no_alarm() -> None:
    """Lengths within the tolerance raise nothing; without it they do."""
    rng = np.random.default_rng(5)
    before = frozen(rng)
    after = frame(6000, rng, start=3 * DAY_S)
    longer = replace(after, output_tokens=after.output_tokens * 1.1)
    assert Stream.learn(CONTENT[0], before, 0.0).feed(longer, SHARED)
    assert Stream.learn(CONTENT[0], before, 0.25).feed(longer, SHARED) == []


def test_a_baseline_that_changes_half_way_is_reported() -> None:
    """Half a baseline of other answers is said; a homogeneous one is not."""
    rng = np.random.default_rng(6)
    steady = frozen(rng)
    lengths = steady.frame.output_tokens * np.where(np.arange(6000) < 3000, 1.0, 1.3)
    halves = replace(steady.frame, output_tokens=lengths)
    broken = Baseline(halves, 6000, 6000, steady.start, steady.end)
    assert report(Stream.learn(CONTENT[0], steady, 0.0)) == ""
    assert "not homogeneous" in report(Stream.learn(CONTENT[0], broken, 0.0))


def test_traffic_that_moves_is_noticed_once_and_becomes_the_reference() -> None:
    """Longer prompts are one event; after a new reference of their own they are ordinary."""
    rng = np.random.default_rng(7)
    lane = Traffic(BaselineConfig(min_spans=2000, min_hours=24), frozen(rng))
    days = [frame(3000, rng, start=(4 + d) * DAY_S, days=1) for d in range(6)]  # Monday to Saturday
    moved = [replace(day, input_tokens=day.input_tokens * 1.5) for day in days]
    events = [event for f in moved for event in lane.feed(f, 0, SHARED)]
    assert [e.kind for e in events] == ["traffic"]
    assert "the size of the prompts went up" in events[0].text
    assert lane.learned is not None
    assert lane.collecting_from is None


@pytest.mark.parametrize(
    ("declaration", "column", "kinds"),
    [
        (DECLARATIONS[0], "snapshot", ["new_snapshot", "declared"]),
        (DECLARATIONS[1], "fingerprint", ["new_fingerprint"]),
        (DECLARATIONS[2], "prompt_version", ["release", "release"]),
    ],
)
def test_declared_values_are_marked_when_new_and_told_when_they_take_over(
    declaration: object, column: str, kinds: list[str]
) -> None:
    """A new value appears once; only snapshots and prompt versions can take over."""
    rng = np.random.default_rng(8)
    lane = Declared(declaration, names(["old"] * 100))
    events = lane.feed(frame(200, rng, **{column: names(["old"] * 100 + ["new"] * 100)}), 1000)
    assert [e.kind for e in events] == kinds
    assert events[0].spans == 1101
    again = Declared(declaration, names([]))
    again.restore(lane.dump())
    assert again.feed(frame(50, rng, **{column: names(["new"] * 50)}), 1200) == []


def test_several_values_that_coexist_never_take_over() -> None:
    """Two snapshots served half and half are no change after the first sight."""
    rng = np.random.default_rng(9)
    values = ["a" if x else "b" for x in rng.random(5000) < 0.5]
    lane = Declared(DECLARATIONS[0], names(values))
    assert lane.feed(frame(5000, rng, snapshot=names(values)), 0) == []


def test_the_budget_is_shared_by_all_streams() -> None:
    """Twice the streams need twice the evidence each; twice the interval too."""
    base = Budget(30, 4).log_threshold(5000)
    assert math.isclose(math.exp(base), 30 * 5000 * 4)
    assert math.isclose(Budget(30, 8).log_threshold(5000) - base, math.log(2))
    assert math.isclose(Budget(60, 4).log_threshold(5000) - base, math.log(2))


def test_weights_move_the_budget_and_keep_its_sum() -> None:
    """Three times the weight is a third of the threshold; the false alarms of all add up to the promise."""
    config = DetectConfig(target_weights={"openai/gpt-4o": 3.0}, signals={"parse_fail": SignalConfig(weight=2.0)})
    targets = [Target("g", "openai", "gpt-4o", None), Target("g", "openai", "mini", None)]
    fleet, names = Fleet.of(config, targets), ["output_tokens", "parse_fail"]
    heavy, light = map(fleet.share, targets)
    assert (heavy.streams, light.streams) == pytest.approx((4 / 3, 4))
    shares = [of_signal(heavy, config, name, names).streams for name in names]
    assert shares == pytest.approx([4, 2])
    assert sum(1 / share for share in shares) + 1 / light.streams == pytest.approx(1)
