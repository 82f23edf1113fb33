"""The length of an answer beside its other measures: found sooner when it alone changes, without more false alarms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from undertow.config import BaselineConfig
from undertow.watch import adjusted, signals
from undertow.watch.adjusted import Adjustment
from undertow.watch.baseline import DAY_S, Baseline, Collector
from undertow.watch.frame import Frame, Names
from undertow.watch.shares import Budget
from undertow.watch.stream import Stream
from undertow_detectors import esr, pit

SHARED = Budget(30, 10)


def answers(seed: int, n: int = 4_000, length: float = 1.0, start_day: float = 0.0, **changed: Any) -> Frame:
    """n answers whose length shows in their lines and their lists, up to a fifth."""
    rng = np.random.default_rng(seed)
    at = start_day * DAY_S + np.sort(rng.uniform(0, 2 * DAY_S, n))
    size = rng.normal(0, 1, n)
    lists = (rng.random(n) < 1 / (1 + np.exp(-size))).astype(float)
    tokens = np.round(300 * length * np.exp(size + 0.4 * lists + rng.normal(0, 0.3, n)))
    known, unknown, none = np.ones(n, bool), np.full(n, np.nan), np.zeros(n)
    given = {"signals/numeric/lines": np.exp(2 + size), "signals/binary/has_list": lists}
    one = Names(np.zeros(n, np.int64), ("chat\x1fa",))
    frame = Frame(
        np.array([f"{seed}-{i}" for i in range(n)], object), at, known, known, rng.lognormal(5, 1, n), tokens, unknown,
        none, none, one, Names.unknown(n), Names.unknown(n), Names.unknown(n), given,
    )  # fmt: skip
    return replace(frame, **changed)


def frozen(frame: Frame) -> Baseline:
    """A baseline of all of `frame`."""
    collector = Collector(BaselineConfig(min_spans=10**9))
    collector.feed(frame)
    return collector.freeze()


def delay(name: str, before: Frame, after: Frame) -> int | None:
    """Row of the first alarm of a signal."""
    signal = next(s for s in signals.of(before) if s.name == name)
    rows = [row for row, _ in Stream.learn(signal, frozen(before)).feed(after, SHARED)]
    return rows[0] if rows else None


def test_a_change_of_the_length_alone_is_found_several_times_sooner() -> None:
    """Answers a tenth shorter with as many lines: a third of the requests that the plain length takes, or fewer."""
    before, after = answers(1, 8_000), answers(2, 8_000, length=0.9, start_day=2)
    sooner, plain = delay(adjusted.NAME, before, after), delay("output_tokens", before, after)
    assert sooner is not None
    assert sooner < (plain if plain is not None else len(after)) / 3


def test_the_effect_is_in_natural_units() -> None:
    """What is told is the ratio of lengths at equal measures."""
    before, after = answers(1), answers(2, length=0.9, start_day=2)
    signal = next(s for s in signals.of(before) if s.name == adjusted.NAME)
    change = Stream.learn(signal, frozen(before)).change(after)
    assert change is not None
    assert change.ci95[0] < 0.9 < change.ci95[1]
    assert change.ci95[1] - change.ci95[0] < 0.03


@pytest.mark.parametrize("n", [600, 2_000])
def test_it_raises_no_more_false_alarms_than_promised(n: int) -> None:
    """Over 200 fresh baselines fewer alarms come than a share that the threshold allows, overfitting included."""
    alarms = observed = 0
    for seed in range(200):
        before, after = answers(seed, n), answers(10_000 + seed, 2_000, start_day=2)
        signal = next(s for s in signals.of(before) if s.name == adjusted.NAME)
        stream = Stream.learn(signal, frozen(before))
        alarms += len(stream.feed(after, Budget(10.0 / max(1.0, stream.per_day), 1000)))  # a nominal 10,000
        observed += 2_000
    assert alarms <= observed / 10_000


def test_without_slack_it_would() -> None:
    """Negative control: a baseline of 600 taken for the truth alarms in most runs of half the promised length."""
    alarmed = 0
    for seed in range(60):
        before, after = answers(seed, 600), answers(10_000 + seed, 5_000, start_day=2)
        signal = next(s for s in signals.of(before) if s.name == adjusted.NAME)
        stream = Stream.learn(signal, frozen(before))
        x, stratum = stream.placed(after)
        bets = stream.heads[0].plain_bets(x, stratum, pit.seeds(after.span_id.tolist()))
        _, alarms = esr.advance(esr.State.start(12), bets, after.at, float(np.log(10_000)), stream.directions)
        alarmed += bool(alarms)
    assert alarmed > 36


def test_cut_answers_and_unknown_measures_take_no_part() -> None:
    """The limit says how long a cut answer is, and without a measure nothing is expected."""
    before = answers(1)
    fitted = Adjustment.fit(before)
    assert fitted is not None
    lines = before.more["signals/numeric/lines"].copy()  # type: ignore[union-attr]
    lines[:10] = np.nan
    cut = before.finish_length.copy()
    cut[10:20] = 1
    found = fitted.read(replace(before, finish_length=cut, more=before.more | {"signals/numeric/lines": lines}))
    assert np.isnan(found[:20]).all()
    assert not np.isnan(found[20:]).any()


@pytest.mark.parametrize("missing", ["measures", "answers"])
def test_without_measures_or_answers_there_is_none(missing: str) -> None:
    """Nothing to adjust by, or too few answers for the coefficients: the plain length alone is watched."""
    before = answers(1, n=150 if missing == "answers" else 4_000)
    if missing == "measures":
        before = replace(before, more={}, refusal=np.full(len(before), np.nan))
    assert Adjustment.fit(before) is None
    assert adjusted.NAME not in [s.name for s in signals.of(before)]


def test_hostile_measures_do_no_harm() -> None:
    """Infinite spread, constants and copies of one another are survived, and lengths stay finite."""
    before = answers(1)
    rng = np.random.default_rng(1)
    odd = {
        "signals/numeric/heavy": rng.pareto(0.3, len(before)) * 1e9,
        "signals/numeric/same": np.full(len(before), 3.0),
        "signals/numeric/copy": before.more["signals/numeric/lines"],
        "signals/numeric/negative": -rng.lognormal(0, 3, len(before)),
    }
    before = replace(before, more=before.more | odd)
    fitted = Adjustment.fit(before)
    assert fitted is not None
    read = fitted.read(before)
    assert np.isfinite(read).all()
    assert (read > 0).all()
