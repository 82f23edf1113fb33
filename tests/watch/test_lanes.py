"""Signals beyond the answers' length: latency, errors, prices, classes, and what the users send themselves."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from undertow.config import BaselineConfig
from undertow.watch import baseline as baselines
from undertow.watch import custom, performance, signals
from undertow.watch.baseline import DAY_S, Baseline, Collector
from undertow.watch.frame import Frame, Names
from undertow.watch.heads import NEVER_SEEN
from undertow.watch.shares import Budget
from undertow.watch.stream import Stream
from undertow_detectors.esr import Alarm

SHARED = Budget(30, 10)
N = 8000


def names(values: list[str | None]) -> Names:
    """A text column."""
    return Names.of(pa.chunked_array([pa.array(values, pa.string())]))


def load(at: np.ndarray, rng: np.random.Generator, sway: float) -> np.ndarray:
    """What the day and half hours of more or less work do to latency."""
    slots = (at // 1800).astype(int)
    level = np.zeros(slots.max() + 1)
    for i in range(max(1, slots.min()), len(level)):
        level[i] = 0.8 * level[i - 1] + rng.normal(0, sway * 0.6)
    return (1 + 0.2 * np.sin(2 * np.pi * at / DAY_S)) * np.exp(level[slots])


def spans(seed: int, start_day: float, days: float = 2.0, n: int = N, sway: float = 0.03, **more: Any) -> Frame:
    """n answers of one route whose latency follows the load."""
    rng = np.random.default_rng(seed)
    at = start_day * DAY_S + np.sort(rng.uniform(0, days * DAY_S, n))
    busy = load(at, rng, sway)
    output = np.full(n, 100.0)
    ttft = 0.4 * rng.lognormal(0, 0.2, n) * busy
    given = {
        "outcome": names(["ok"] * n),
        "ttft_s": ttft,
        "duration_s": ttft + 0.02 * output * rng.lognormal(0, 0.1, n) * busy,
        "finish_reason": names(rng.choice(["stop", "tool_calls"], n, p=[0.8, 0.2]).tolist()),
    }
    known, unknown = np.ones(n, bool), np.full(n, np.nan)
    return Frame(
        np.array([f"{seed}-{i}" for i in range(n)], object), at, known, known, np.full(n, 50.0), output, unknown,
        unknown, unknown, names(["chat\x1fa"] * n), names(["s"] * n), names(["f"] * n), names([None] * n), given | more,
    )  # fmt: skip


def frozen(frame: Frame) -> Baseline:
    """A baseline of all of `frame`."""
    collector = Collector(BaselineConfig(min_spans=10**9))
    collector.feed(frame)
    return collector.freeze()


def alarms(name: str, before: Frame, after: Frame) -> list[tuple[str, str]]:
    """Subject and direction of every alarm of one signal."""
    signal = next(s for s in signals.of(before) if s.name == name)
    stream = Stream.learn(signal, frozen(before))
    found = [one for _, one in stream.feed(after, SHARED) if isinstance(one, Alarm)]
    return [(stream.subject(alarm), alarm.direction) for alarm in found]


@pytest.mark.parametrize("name", ["ttft_s", "time_per_output_token_s"])
def test_load_is_no_slowness_and_a_slower_provider_is(name: str) -> None:
    """Of ten targets whose load sways at most one raises something; a provider slower by three tenths does."""
    assert sum(bool(alarms(name, spans(seed, 0), spans(seed + 100, 2))) for seed in range(10)) <= 1
    before, after = spans(1, 0), spans(2, 2)
    slower = {k: np.asarray(after.more[k]) * 1.3 for k in ("ttft_s", "duration_s")}
    assert alarms(name, before, replace(after, more=after.more | slower))[0] == (name, "up")


def test_without_the_sway_the_load_would_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with a tolerance that does not know the load, half hours are taken for changes."""
    monkeypatch.setattr(performance, "tolerance", lambda *_: 0.0)
    raised = [alarms("time_per_output_token_s", spans(seed, 0), spans(seed + 100, 2)) for seed in range(4)]
    assert all(raised)


def test_the_sway_is_that_of_the_load_and_not_the_noise_of_medians() -> None:
    """Differences of half hours a day apart are sqrt(2) times the load's own deviation; without load they are none."""
    told = [performance.level_sway(f.at, f.numbers("ttft_s")) for f in (spans(s, 0, 8, 32_000) for s in range(3))]
    assert np.mean(told) == pytest.approx(0.03 * np.sqrt(2), rel=0.3)
    calm = spans(1, 0, 8, 32_000, sway=0.0)
    assert performance.level_sway(calm.at, calm.numbers("ttft_s")) < 0.02
    short = spans(1, 0, 0.5)
    assert performance.level_sway(short.at, short.numbers("ttft_s")) == performance.UNKNOWN_SWAY


def test_calls_that_are_not_streamed_are_compared_by_their_size() -> None:
    """Without a first token the whole call is judged, among answers of its size."""

    def whole(frame: Frame, factor: float = 1.0) -> Frame:
        more = {"outcome": frame.more["outcome"], "duration_s": frame.numbers("duration_s") * factor}
        return replace(frame, more=more)

    assert alarms("duration_s", whole(spans(1, 0)), whole(spans(2, 2))) == []
    assert alarms("duration_s", whole(spans(1, 0)), whole(spans(2, 2), 1.5))[0] == ("duration_s", "up")


def test_an_error_never_seen_is_noticed_and_fewer_errors_are_not() -> None:
    """Of errors only a rise counts, of a class that was there before or of a new one."""
    rng = np.random.default_rng(1)

    def failing(seed: int, day: int, classes: list[str], rate: float) -> Frame:
        drawn = np.where(rng.random(N) < rate, rng.choice(classes, N), "ok")
        return spans(seed, day, outcome=names(drawn.tolist()))

    before = failing(1, 0, ["timeout", "rate_limited"], 0.02)
    assert alarms("error_class", before, failing(2, 2, ["timeout", "rate_limited"], 0.02)) == []
    assert alarms("error_class", before, failing(2, 2, ["timeout"], 0.001)) == []
    assert alarms("error_class", before, failing(2, 2, ["timeout", "rate_limited"], 0.06))[0][1] == "up"
    new = alarms("error_class", before, failing(2, 2, ["server_error"], 0.02))
    assert new[0] == (f"error_class={NEVER_SEEN}", "up")


def test_classes_are_watched_against_the_rest() -> None:
    """Another share of one class names that class; length has a signal of its own and the commonest is the rest."""
    before, rng = spans(1, 0), np.random.default_rng(2)
    after = spans(2, 2, finish_reason=names(rng.choice(["stop", "tool_calls"], N, p=[0.7, 0.3]).tolist()))
    assert alarms("finish_reason", before, spans(2, 2)) == []
    assert alarms("finish_reason", before, after)[0] == ("finish_reason=tool_calls", "up")


def test_values_that_are_always_new_are_nothing_new() -> None:
    """A fingerprint of ever new values raises no alarm of values never seen before."""

    def ids(day: int) -> Names:
        return names([f"{day}-{i}" for i in range(N)])

    assert alarms("schema_fingerprint", spans(1, 0, schema_fingerprint=ids(0)),
                  spans(2, 2, schema_fingerprint=ids(2))) == []  # fmt: skip


def test_a_price_list_that_changes_is_noticed() -> None:
    """Cost by token, among answers of the same share of output."""

    def priced(frame: Frame, dollars: float) -> Frame:
        return replace(frame, more=frame.more | {"cost_usd": (frame.input_tokens + 4 * frame.output_tokens) * dollars})

    before = priced(spans(1, 0), 1e-6)
    assert alarms("price_per_token", before, priced(spans(2, 2), 1e-6)) == []
    assert alarms("price_per_token", before, priced(spans(2, 2), 0.8e-6))[0] == ("price_per_token", "down")


def test_a_price_list_of_ours_that_changes_is_none() -> None:
    """Costs that were derived from list prices are no evidence about the provider, however much they move."""

    def derived(frame: Frame, dollars: float) -> Frame:
        more = {"cost_usd": (frame.input_tokens + frame.output_tokens) * dollars, "cost_derived": np.ones(len(frame))}
        return replace(frame, more=more)

    assert alarms("price_per_token", derived(spans(1, 0), 1e-6), derived(spans(2, 2), 0.5e-6)) == []


def test_the_users_own_signals_of_every_type_are_watched() -> None:
    """Truth values, numbers and text each become a stream; a built-in name is not taken over."""
    rng = np.random.default_rng(3)

    def own(seed: int, day: int, good: float, size: float, tones: list[float]) -> Frame:
        texts = [
            json.dumps({"good": bool(rng.random() < good), "size": float(rng.normal(size)), "ttft_s": 1.0,
                        "tone": str(rng.choice(["warm", "cold"], p=tones))}) for _ in range(N)
        ]  # fmt: skip
        columns = custom.columns(pa.chunked_array([pa.array(texts)]))
        more = {k: v if isinstance(v, np.ndarray) else Names.of(v) for k, v in columns.items()}
        return spans(seed, day, **more)

    before, same = own(1, 0, 0.5, 10, [0.5, 0.5]), own(2, 2, 0.5, 10, [0.5, 0.5])
    other = own(2, 2, 0.6, 10.3, [0.6, 0.4])
    kinds = {s.name: s.kind for s in signals.of(before) if s.name in ("good", "size", "tone", "ttft_s")}
    assert kinds == {"good": "binary", "size": "numeric", "tone": "categorical", "ttft_s": "numeric"}
    for name, subject in (("good", "good"), ("size", "size"), ("tone", "tone=")):
        assert alarms(name, before, same) == []
        assert alarms(name, before, other)[0][0].startswith(subject)


def test_one_name_with_values_of_several_types_keeps_each_apart() -> None:
    """What is not of a column's type is unknown in it."""
    texts = ['{"x": true}', '{"x": 2}', '{"x": "a"}', None, "{}"]
    columns = custom.columns(pa.chunked_array([pa.array(texts)]))
    assert columns[custom.key("binary", "x")].tolist()[:1] == [1.0]
    assert columns[custom.key("numeric", "x")].tolist()[1] == 2.0
    assert columns[custom.key("categorical", "x")].to_pylist() == [None, None, "a", None, None]
    assert np.isnan(columns[custom.key("numeric", "x")]).sum() == 4
    assert custom.parse("signals/numeric/a/b") == ("numeric", "a/b")
    assert custom.parse("ttft_s") is None


def test_optional_columns_survive_saving_and_joining() -> None:
    """A baseline keeps every column; a part that lacks one is unknown in it."""
    whole = Frame.concat([spans(1, 0, n=900), replace(spans(2, 2, n=900), more={})])
    saved = baselines.load(baselines.dump(frozen(whole))).frame
    assert list(saved.columns()) == list(whole.columns())
    assert np.isnan(saved.numbers("ttft_s")[900:]).all()
    assert (saved.names("finish_reason").codes[900:] == -1).all()
    assert saved.names("finish_reason").values == whole.names("finish_reason").values


def test_another_tokeniser_shows_in_the_characters_to_a_token() -> None:
    """The same answers cut into more tokens: fewer characters to each."""
    rng = np.random.default_rng(1)
    chars = {"response_chars": 100.0 * rng.normal(4.2, 0.2, N)}
    before, after = spans(1, 0, **chars), spans(2, 2, **chars)
    assert alarms("chars_per_token", before, after) == []
    finer = replace(after, output_tokens=after.output_tokens * 1.05)
    assert alarms("chars_per_token", before, finer)[0] == ("chars_per_token", "down")


def test_characters_stand_in_for_tokens_that_were_not_counted() -> None:
    """A log without token counts is watched by the characters of its answers; one with them is not, twice."""
    rng = np.random.default_rng(1)
    uncounted = np.full(N, np.nan)
    before = replace(spans(1, 0, response_chars=rng.lognormal(6, 0.5, N)), output_tokens=uncounted)
    after = replace(spans(2, 2, response_chars=0.8 * rng.lognormal(6, 0.5, N)), output_tokens=uncounted)
    assert alarms("response_chars", before, after)[0] == ("response_chars", "down")
    counted = spans(1, 0, response_chars=rng.lognormal(6, 0.5, N))
    signal = next(s for s in signals.of(counted) if s.name == "response_chars")
    assert not Stream.learn(signal, frozen(counted)).sufficient
