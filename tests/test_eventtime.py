"""Event time: what several sources agree on moves it, and no single span, host or target does."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow import eventtime
from undertow.eventtime import EventTime, Sources, Times, agreed

T0 = 1_767_600_000.0
LATENESS_S = 60.0
Rule = Callable[[Sources, Times], Times]


def one_by_one(sources: Sources, times: Times, lateness_s: float) -> list[float]:
    """The rule as the README of the store tells it, arrival by arrival: event time after each."""
    now = bound = -math.inf
    rest, found = 0, []
    for place, time in enumerate(times.tolist()):
        if time <= bound:
            now = max(now, time)
        elif rest <= 0:
            known, seen = agreed(sources[: place + 1], times[: place + 1], lateness_s)
            bound = max(bound, known + lateness_s)
            window = times[place + 1 - seen : place + 1].tolist()
            now = max([now, *(held for held in window if held <= known), *([time] if time <= bound else [])])
            rest = seen // 4 + 1
        rest -= 1
        found.append(now)
    return found


def in_pieces(sources: Sources, times: Times, lateness_s: float, sizes: list[int]) -> list[float]:
    """The same by `EventTime`, which gets the arrivals in pieces of `sizes`, over and over."""
    state, found, at = EventTime(lateness_s), [], 0
    while at < len(times):
        size = sizes[at % len(sizes)]
        state, running = state.after(sources[at : at + size], times[at : at + size])
        found += running.tolist()
        at += size
    return found


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 400), st.booleans()), max_size=120),
    st.lists(st.integers(1, 50), min_size=1, max_size=5),
    st.sampled_from([0.0, 10.0, 60.0]),
)
def test_the_quick_way_is_the_rule(arrivals: list[tuple[int, int, bool]], sizes: list[int], lateness_s: float) -> None:
    """However arrivals are cut into batches, event time after each is that of the rule, one by one."""
    sources = np.array([source for source, *_ in arrivals], np.int64)
    times = np.array([T0 + 3.0 * place + at / 2 + 5000 * far for place, (_, at, far) in enumerate(arrivals)])
    assert in_pieces(sources, times, lateness_s, sizes) == one_by_one(sources, times, lateness_s)


def test_event_time_is_a_number_that_messages_can_hold() -> None:
    """The arrival that is looked at may be the newest of all; as numpy's float no alert could be written of it."""
    sources, times = traffic(1.0, 1, n=200)
    state = EventTime(LATENESS_S)
    for place in range(200):
        state, _ = state.after(sources[place : place + 1], times[place : place + 1])
        assert (type(state.now), type(state.bound)) == (float, float)


def running_maximum(_: Sources, times: Times) -> Times:
    """The negative control: the newest of any span."""
    return np.maximum.accumulate(times)


def event_time(sources: Sources, times: Times) -> Times:
    """Event time after each arrival."""
    return EventTime(LATENESS_S).after(sources, times)[1]


def late(rule: Rule, sources: Sources, times: Times) -> int:
    """How many come too late by a rule."""
    before = np.concatenate(([-math.inf], rule(sources, times)))[:-1]
    return int(np.count_nonzero(times <= before - LATENESS_S))


def traffic(per_s: float, sources: int, n: int = 4000, seed: int = 0) -> tuple[Sources, Times]:
    """Spans of some sources, one with most of the traffic, up to 20 s out of order."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, sources + 1)
    times = T0 + np.cumsum(rng.exponential(1 / per_s, n)) - rng.uniform(0, 20, n)
    return rng.choice(sources, n, p=share / share.sum()).astype(np.int64), times


def far_future(sources: Sources, times: Times) -> tuple[Sources, Times]:
    """One span of tomorrow."""
    times[1000] += 86_400.0
    return sources, times


def first_of_all(sources: Sources, times: Times) -> tuple[Sources, Times]:
    """The first span of all is of another century."""
    times[0] = 4e9
    return sources, times


def one_host(sources: Sources, times: Times) -> tuple[Sources, Times]:
    """One source of five is 150 s ahead."""
    times[sources == 1] += 150.0
    return sources, times


def busiest_host(sources: Sources, times: Times) -> tuple[Sources, Times]:
    """The source with most of the traffic is a day ahead."""
    times[sources == 0] += 86_400.0
    return sources, times


def unnamed_host(_: Sources, times: Times) -> tuple[Sources, Times]:
    """One of four hosts is 150 s ahead, and nothing says which span is of which."""
    ahead = np.random.default_rng(3).random(len(times)) < 0.25
    return np.zeros(len(times), np.int64), times + np.where(ahead, 150.0, 0.0)


def names_without_end(sources: Sources, times: Times) -> tuple[Sources, Times]:
    """One span of twenty is a day ahead, and each of them is of a source of its own, as by an id in a name."""
    wrong = np.random.default_rng(3).random(len(times)) < 0.05
    names = np.where(wrong, 1000 + np.arange(len(times)), sources)
    return names, times + np.where(wrong, 86_400.0, 0.0)


def rare_names(sources: Sources, times: Times) -> tuple[Sources, Times]:
    """Ten names that nobody heard before come in short order, of another century."""
    sources[1000:1050:5], times[1000:1050:5] = np.arange(1000, 1010), 4e9
    return sources, times


def in_bursts(sources: Sources, times: Times) -> tuple[Sources, Times]:
    """Every source ships what it has every twenty seconds, and one of them is ahead."""
    order = np.lexsort((times, sources, times // 20))
    return one_host(sources[order], times[order])


FAULTS = [far_future, first_of_all, one_host, busiest_host, unnamed_host, in_bursts, names_without_end, rare_names]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("per_s", [0.5, 5.0, 50.0])
def test_a_wrong_clock_makes_nobody_late(
    fault: Callable[[Sources, Times], tuple[Sources, Times]], per_s: float
) -> None:
    """One span or one host that is ahead makes no other span late; by the running maximum it makes many so."""
    arrivals = fault(*traffic(per_s, 5))
    few = 5 if fault is unnamed_host and per_s < 1 else 0  # of few arrivals many may be ahead by chance
    assert late(event_time, *arrivals) <= few
    assert late(running_maximum, *arrivals) > 100


@pytest.mark.parametrize("fault", [names_without_end, rare_names])
def test_names_without_end_are_no_majority(
    fault: Callable[[Sources, Times], tuple[Sources, Times]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: were each name a source however seldom it comes, a few spans would make most others late."""
    arrivals = fault(*traffic(5.0, 3))
    assert late(event_time, *arrivals) == 0
    monkeypatch.setattr(eventtime, "_often", lambda sources: set(sources.tolist()))
    assert late(event_time, *arrivals) > 2000


def test_names_without_end_go_on_by_themselves() -> None:
    """Where every span comes to be of another name, and the old names fall silent, event time goes on all the same."""
    sources, times = traffic(5.0, 3)
    sources[2000:] = 1000 + np.arange(2000)
    running = event_time(sources, times)
    assert late(event_time, sources, times) == 0
    assert np.maximum.accumulate(times)[-1] - running[-1] < LATENESS_S


@pytest.mark.parametrize(("per_s", "sources"), [(1, 1), (1, 3), (10, 1), (10, 25), (1000, 25)])
def test_ordinary_traffic_is_not_held(per_s: float, sources: int) -> None:
    """Where no clock is wrong event time is that of the newest span, or hardly behind it."""
    arrivals = traffic(per_s, sources)
    lag = running_maximum(*arrivals)[100:] - event_time(*arrivals)[100:]
    assert np.quantile(lag, 0.95) <= 20.0
    assert np.max(lag) <= 120.0


@pytest.mark.parametrize("gap_s", [10.0, 50.0, 300.0, 3000.0])
def test_a_single_source_goes_on_by_itself(gap_s: float) -> None:
    """Spans that come rarely and evenly move event time, a few behind at the most."""
    times = T0 + gap_s * np.arange(200)
    found = event_time(np.zeros(200, np.int64), times)
    assert np.all(times[20:] - found[20:] <= 3 * gap_s)


def test_after_a_night_it_goes_on_when_several_agree() -> None:
    """One span of the next morning is held; once some have come event time is with them, though a source has gone."""
    sources, evening = traffic(1.0, 2, 500)
    morning = evening[-1] + 8 * 3600.0 + 2.0 * np.arange(60)
    found = event_time(np.append(sources, np.zeros(60, np.int64)), np.append(evening, morning))
    assert found[500] < evening.max() + 60
    assert found[-1] == morning[-1]


def test_a_source_that_fell_silent_holds_nothing_back() -> None:
    """Two of three sources stop for good; event time follows the third after its own lateness."""
    sources, times = traffic(3.0, 3, 3000)
    alive = (times < times[1000]) | (sources == 2)
    found = event_time(sources[alive], times[alive])
    assert times[alive].max() - found[-1] < 60


def test_of_two_the_one_behind_is_followed() -> None:
    """Nobody knows which of two clocks is right: no span becomes late, and what is ahead is held."""
    sources, times = traffic(2.0, 2)
    times[sources == 1] += 86_400.0
    assert late(event_time, sources, times) == 0
    assert event_time(sources, times)[-1] < times[sources == 0].max() + 1


def test_a_fleet_that_agrees_on_a_wrong_time_moves_it() -> None:
    """The bound of the rule: where all clocks are an hour ahead and come back, all is late until that hour is over."""
    sources, times = traffic(5.0, 5, 40_000)
    wrong = np.arange(40_000) < 5000
    assert late(event_time, sources, times + 3600.0 * wrong) == pytest.approx(5 * 3600, rel=0.1)
