"""What is known of a change: when, how large, where and what it costs; and what incidents do with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from undertow.config import BaselineConfig, DetectConfig, WeightsConfig
from undertow.span import Target
from undertow.watch import sizing
from undertow.watch.attribution import Facts
from undertow.watch.baseline import DAY_S
from undertow.watch.document import ENOUGH_ROWS
from undertow.watch.events import Event
from undertow.watch.frame import Frame, Names
from undertow.watch.incident import Incidents
from undertow.watch.shares import Budget
from undertow.watch.sizing import Cost, Sizing
from undertow.watch.target import TargetWatch
from undertow_detectors.effect import Effect

HERE = Target("litellm", "openai", "gpt-4o", None)
ONSET = 3 * DAY_S
PER_DAY = 4000


def names(values: list[str | None]) -> Names:
    """A text column."""
    return Names.of(pa.chunked_array([pa.array(values, pa.string())]))


def answers(rng: np.random.Generator, days: float, long: float = 1.0, short: float = 1.0) -> Frame:
    """Answers over some days; from ONSET on those of either route are `long` or `short` times as long."""
    n = int(days * PER_DAY)
    at = np.sort(rng.uniform(0, days * DAY_S, n))
    is_long = rng.random(n) < 0.5
    factor = np.where(at >= ONSET, np.where(is_long, long, short), 1.0)
    return Frame(
        span_id=np.array([f"{days}-{i}" for i in range(n)], object),
        at=at,
        ok=np.ones(n, bool),
        content=np.ones(n, bool),
        input_tokens=np.round(rng.lognormal(5, 0.5, n)),
        output_tokens=np.round(rng.lognormal(4 + is_long, 0.6, n) * factor),
        parse_ok=np.full(n, np.nan),
        refusal=(rng.random(n) < np.where(at >= ONSET, 0.05 * (long != 1) + 0.01, 0.01)).astype(float),
        finish_length=np.zeros(n),
        group=names(["chat\x1flong" if one else "chat\x1fshort" for one in is_long]),
        snapshot=names([None] * n),
        fingerprint=names([None] * n),
        prompt_version=names([None] * n),
    )


class Fixture:
    """One target with a baseline of two days, its later spans, and what alarmed."""

    def __init__(self, seed: int, **change: float) -> None:
        self.spans = answers(np.random.default_rng(seed), 4.0, **change)
        self.watch = TargetWatch(HERE, DetectConfig(baseline=BaselineConfig(min_spans=2000)))
        self.events = [e for e in self.watch.feed(self.spans, Budget(30, 4)) if e.kind == "drift"]

    def lookup(self, target: Target, since: float, until: float) -> Frame | None:
        """The spans of a time."""
        assert target == HERE
        some = self.spans[(self.spans.at > since) & (self.spans.at <= until)]
        return some if len(some) else None

    def measured(self, subject: str = "output_tokens", near_s: float | None = None, later_s: float = 0.0) -> Sizing:
        """The change by the first alarm of a signal, looked at some time `later_s`."""
        event = next(e for e in self.events if e.subject == subject)
        near_s = self.watch.near_s if near_s is None else near_s
        size = sizing.measure(self.watch, replace(event, at=event.at + later_s), event.since, near_s, self.lookup)
        assert size is not None
        return size


@pytest.fixture(name="changed", scope="module")
def _changed() -> Fixture:
    return Fixture(1, long=0.7)


@pytest.mark.parametrize("subject", ["output_tokens", "refusal"])
def test_a_change_is_dated_with_an_interval(changed: Fixture, subject: str) -> None:
    """Numbers and rates: the change point lies in its interval, and so does the change."""
    size = changed.measured(subject)
    assert size.change_point is not None
    assert size.interval is not None
    assert size.interval[0] <= ONSET <= size.interval[1]
    assert size.interval[0] <= size.change_point <= size.interval[1]
    assert size.interval[1] - size.interval[0] < 6 * 3600


def test_more_data_make_it_sharper(changed: Fixture) -> None:
    """A day later the effect's interval is narrower and holds what was done; so does the change time's."""
    early, late = changed.measured(), changed.measured(later_s=DAY_S)
    assert early.effect is not None
    assert late.effect is not None
    assert late.effect.n_after > 2 * early.effect.n_after
    assert np.ptp(late.effect.ci95) < np.ptp(early.effect.ci95)
    assert late.interval is not None
    assert late.interval[0] <= ONSET <= late.interval[1]


def test_the_strata_tell_where_it_changed(changed: Fixture) -> None:
    """Where answers became 0.7 times as long the intervals hold that, elsewhere they hold 1; the largest come first."""
    parts = changed.measured(later_s=DAY_S).parts
    assert {part.route for part in parts} == {"long", "short"}
    assert len(parts) <= sizing.MOST_STRATA
    assert [p.effect.n_after for p in parts] == sorted((p.effect.n_after for p in parts), reverse=True)
    held = {"long": 0.7, "short": 1.0}
    assert np.mean([p.effect.ci95[0] <= held[p.route] <= p.effect.ci95[1] for p in parts]) >= 0.8
    assert {p.input_size for p in parts if p.input_size.startswith("under")}
    assert {p.input_size for p in parts if p.input_size.endswith("or more")}


def test_it_costs_what_the_answers_grew_by_a_day(changed: Fixture) -> None:
    """Tokens a day: the mean answer's change times the answers a day; unknown dollars stay unknown."""
    size = changed.measured(later_s=DAY_S)
    assert size.cost is not None
    assert size.cost.tokens_ci95 is not None
    mean_long = np.exp(5 + 0.6**2 / 2)
    expected = -0.3 * mean_long * PER_DAY / 2
    assert size.cost.tokens_ci95[0] < expected < size.cost.tokens_ci95[1] < 0
    assert size.cost.usd_per_day is None


def test_dollars_are_told_where_spans_carry_them() -> None:
    """At a hundred-thousandth of a dollar a token, dollars a day are tokens a day by that price."""
    priced = Fixture(1, long=0.7)
    baseline = priced.watch.baseline
    assert baseline is not None
    before, after = ({"cost_usd": f.output_tokens * 1e-5} for f in (baseline.frame, priced.spans))
    priced.watch.baseline = replace(baseline, frame=replace(baseline.frame, more=before))
    priced.spans = replace(priced.spans, more=after)
    cost = priced.measured(later_s=DAY_S).cost
    assert cost is not None
    assert cost.tokens_per_day is not None
    assert cost.usd_per_day == pytest.approx(cost.tokens_per_day * 1e-5)
    assert cost.usd_ci95 == pytest.approx([end * 1e-5 for end in cost.tokens_ci95 or ()])


def test_a_mere_mix_of_strata_costs_nothing() -> None:
    """The cost compares like with like: what did not change within the strata has an interval around 0."""
    steady = Fixture(3)
    event = Event("drift", 4 * DAY_S, ONSET, 0, "output_tokens", "up")
    short = steady.spans[steady.spans.group.recode({"chat\x1fshort": 1}) == 1]
    size = sizing.measure(steady.watch, event, ONSET, 600.0, lambda *_: short)
    assert size is not None
    assert size.cost is not None
    assert size.cost.tokens_ci95 is not None
    assert size.cost.tokens_ci95[0] < 0 < size.cost.tokens_ci95[1]


def test_it_looks_further_back_when_the_change_was_before(changed: Fixture) -> None:
    """An estimate that is late by more than the spans looked at is mended by looking at more."""
    event = next(e for e in changed.events if e.subject == "output_tokens")
    late = replace(event, at=ONSET + DAY_S / 2)
    asked: list[float] = []

    def lookup(target: Target, since: float, until: float) -> Frame | None:
        asked.append(since)
        return changed.lookup(target, since, until)

    size = sizing.measure(changed.watch, late, ONSET + 3600, 600.0, lookup)
    assert size is not None
    assert len(asked) == 3
    assert size.interval is not None
    assert size.interval[0] <= ONSET <= size.interval[1]


def test_spans_that_do_not_reach_back_give_no_interval(changed: Fixture) -> None:
    """When retention took what was before the change, its time has no interval, and the effect is told all the same."""
    event = next(e for e in changed.events if e.subject == "output_tokens")
    kept = changed.spans[changed.spans.at > ONSET]
    size = sizing.measure(changed.watch, event, event.since, 60.0, lambda *_: kept[kept.at <= event.at])
    assert size is not None
    assert size.interval is None
    assert size.effect is not None


def test_what_cannot_be_measured_is_none(changed: Fixture) -> None:
    """A signal that is not followed, and spans that are gone."""
    event = next(e for e in changed.events if e.subject == "output_tokens")
    unknown = replace(event, subject="no_such_signal")
    assert sizing.measure(changed.watch, unknown, ONSET, 60.0, changed.lookup) is None
    assert sizing.measure(changed.watch, event, ONSET, 60.0, lambda *_: None) is None


# ------------------------------------------------------------------- incidents


def sized(since: float, half: float, n_after: int = 100, tokens: float | None = None) -> Sizing:
    """A change at `since`, give or take `half` seconds."""
    effect = Effect("ratio", 0.8, (0.7, 0.9), 5000, n_after)
    cost = Cost(tokens, (tokens - 1, tokens + 1), None, None) if tokens is not None else None
    return Sizing(since, (since - half, since + half), effect, (sizing.Part("r", "any input size", effect),), cost)


def drift(at: float, subject: str = "output_tokens", spans: int = 0) -> Event:
    """An alarm of a signal."""
    return Event("drift", at, at - 500, spans, subject, "down", 8.0)


Told = Callable[..., list[Any]]


def book(*sizes: Sizing) -> tuple[Incidents, Told]:
    """Incidents whose measurements are `sizes`, in order; and how to tell them an event."""
    waiting = iter(sizes)
    incidents = Incidents([], lambda *_: next(waiting), WeightsConfig())
    facts = Facts(near_s=100.0)

    def tell(event: Event) -> list[Any]:
        facts.add(event)
        return incidents.apply(HERE, event, {HERE: facts})

    return incidents, tell


def test_an_incident_tells_time_size_strata_and_cost() -> None:
    """The document carries what was measured, and that an alarm selected it."""
    _, tell = book(sized(9_800.0, 60.0, tokens=-5.0))
    [opened] = tell(drift(10_000.0))
    document = opened.incident
    assert (document["change_point"], document["change_point_interval"]) == (9_800.0, [9_740.0, 9_860.0])
    [signal] = document["signals"]
    assert signal["effect"]["value"] == 0.8
    assert signal["strata"] == [{"route": "r", "input_size": "any input size", **signal["effect"]}]
    assert (document["cost"]["tokens_per_day"], document["cost"]["usd_per_day"]) == (-5.0, None)
    assert "selected" in document["cost"]["note"]


def test_the_sharpest_signal_dates_the_incident() -> None:
    """A signal that joins with a narrower interval dates the change; one with a wider interval does not."""
    _, tell = book(sized(9_800.0, 60.0), sized(9_700.0, 300.0), sized(9_810.0, 5.0))
    [opened] = tell(drift(10_000.0))
    tell(drift(10_100.0, "refusal"))
    assert opened.incident["change_point"] == 9_800.0
    tell(drift(10_200.0, "parse_fail"))
    assert opened.incident["change_point_interval"] == [9_805.0, 9_815.0]


def test_measured_at_every_doubling_until_it_is_enough() -> None:
    """After 100 values at 100 more, then at 200 more; after ENOUGH_ROWS never again."""
    sizes = sized(0.0, 9.0, 100), sized(0.0, 8.0, 200), sized(0.0, 7.0, ENOUGH_ROWS)
    _, tell = book(*sizes)
    [opened] = tell(drift(10_000.0, spans=1_000))
    told = [bool(tell(drift(10_000.0 + spans, spans=spans))) for spans in (1_099, 1_100, 1_299, 1_300, 10**7)]
    assert told == [False, True, False, True, False]
    assert opened.incident["change_point_interval"] == [-7.0, 7.0]


def test_a_declared_change_keeps_its_own_time() -> None:
    """The time at which a snapshot changed is known; a signal that joins does not move it."""
    _, tell = book(sized(9_000.0, 60.0))
    declared = Event("declared", 9_500.0, 9_400.0, 0, "response_model", lane="identity")
    [opened] = tell(declared)
    tell(drift(9_700.0))
    assert (opened.incident["change_point"], opened.incident["change_point_interval"]) == (9_400.0, None)
