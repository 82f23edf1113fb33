"""Seeded LLM traffic with planted changes: what a gateway would have logged.

Requests arrive by a Poisson process whose rate follows the hour (peak to trough 3:1) and belong to routes that differ
in prompt size, answer size and strictness. Answers are lognormal around a median that grows with the prompt; calls
slow down with load and fail now and then. Where there are tenants, the second sends half as much as the first, the
third a third (Zipf), and each has its own length of answers. A Scenario changes how endpoints answer, or what users
ask, at one moment, and may have weekends that differ. Everything follows from the seed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.span import Span
from undertow_collectors.scenarios import (
    BURSTING,
    DAY_S,
    FLEET,
    NORMAL,
    ROUTES,
    Behaviour,
    Endpoint,
    Scenario,
    combined,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EPOCH = 1_767_571_200.0
"""2026-01-05, a Monday, in Unix seconds: where a simulation starts unless told otherwise."""


def load(at: Floats) -> Floats:
    """Demand at Unix times `at`, relative to the day's mean: 1.5 at 14:00 UTC, 0.5 at 02:00."""
    return 1.0 + 0.5 * np.cos(2 * np.pi * (at / DAY_S - 14 / 24))


def arrivals(rng: np.random.Generator, start: float, end: float, per_day: float) -> Floats:
    """Sorted Unix times of a Poisson process with rate `per_day` times `load`, by thinning."""
    peak = 1.5 * per_day / DAY_S
    at = np.sort(rng.uniform(start, end, rng.poisson(peak * max(0.0, end - start))))
    return at[rng.random(len(at)) < load(at) / 1.5]


def at_weekend(at: Floats) -> Bools:
    """Whether Unix times `at` are on a Saturday or Sunday (UTC); 1970 began on a Thursday."""
    weekend: Bools = (at // DAY_S + 3) % 7 >= 5
    return weekend


def attempts(
    rng: np.random.Generator, endpoint: Endpoint, ended_at: Floats, behaviour: Behaviour = NORMAL, tenants: int = 0
) -> list[Span]:
    """One span for each moment of `ended_at` (Unix seconds), in that order, from one of so many `tenants`."""
    n = len(ended_at)
    tenant = _tenants(rng, n, tenants, behaviour.burst) if tenants else None
    route = rng.choice(len(ROUTES), n, p=behaviour.shares or _each("share"))
    prompt = _tokens(rng, _each("input_tokens")[route] * behaviour.prompts, _each("input_spread")[route])
    answer = _answers(rng, endpoint, route, prompt, behaviour, 1.0 if tenant is None else _lengths(tenant))
    ttft, duration = _times(rng, endpoint, ended_at, answer["output_tokens"], behaviour)
    failed = rng.random(n) < behaviour.errors * load(ended_at)
    failure = _failures(rng, n)
    duration = np.where(failed, failure.pop("duration_s"), duration)
    stream = rng.random(n) < 0.5
    cost = (prompt * endpoint.input_price + answer["output_tokens"] * endpoint.output_price) / 1e6
    asked = {
        "started_at": ended_at - duration,
        "duration_s": duration,
        "status": np.where(failed, "error", "ok"),
        "stream": stream,
        "route": _each("name")[route],
        "max_tokens": _each("max_tokens")[route],
        "input_tokens": prompt,
    } | ({} if tenant is None else {"labels": _labels(tenant)})
    answered = answer | {
        "cost_usd": cost,
        "response_model": np.full(n, behaviour.response_model or endpoint.response_model),
        "system_fingerprint": np.full(n, behaviour.fingerprint or endpoint.fingerprint),
        "ttft_s": _where(stream, ttft),
        "parse_ok": _where(_each("structured")[route], answer["parse_ok"]),
    }
    columns = (
        asked
        | {name: _where(failed, values) for name, values in failure.items()}
        | {name: _where(~failed, values) for name, values in answered.items()}
    )
    return _spans(rng, endpoint, behaviour.prompt_version, columns)


def traffic(
    scenario: Scenario,
    seed: int,
    *,
    start: float = EPOCH,
    days: float = 4.0,
    onset_days: float = 3.0,
    per_day: float = 3000.0,
    fleet: Sequence[Endpoint] = FLEET,
) -> Iterator[Span]:
    """The log of `days` from `start` in order of (ended_at, span_id), `per_day` attempts at each endpoint.

    The scenario's change comes `onset_days` after the start. Days are made one by one, so memory does not grow.
    """
    sources = [np.random.default_rng([seed, index]) for index in range(len(fleet))]
    onset = start + onset_days * DAY_S
    for day in range(int(np.ceil(days))):
        begin, end = start + day * DAY_S, start + min(day + 1, days) * DAY_S
        spans: list[Span] = []
        for index, (rng, endpoint) in enumerate(zip(sources, fleet, strict=True)):
            at = _thinned(rng, scenario, arrivals(rng, begin, end, per_day))
            changed = _changed(rng, scenario, at, onset) & (scenario.everywhere or index == 0)
            for rows, behaviour in ((~changed, NORMAL), (changed, scenario.behaviour)):
                free = rows & at_weekend(at) & (scenario.weekend != NORMAL)
                spans += attempts(rng, endpoint, at[rows & ~free], behaviour, scenario.tenants)
                if free.any():
                    spans += attempts(rng, endpoint, at[free], combined(behaviour, scenario.weekend), scenario.tenants)
        yield from sorted(spans, key=lambda span: (span.ended_at, span.span_id))


def _each(name: str) -> NDArray[Any]:
    return np.array([getattr(route, name) for route in ROUTES])


def _odds(rate: Floats, factor: float) -> Floats:
    return rate * factor / (1 - rate + rate * factor)


def _tokens(rng: np.random.Generator, median: Floats, spread: Floats) -> Ints:
    return np.maximum(1, rng.lognormal(np.log(median), spread)).astype(np.int64)


def _where(known: Bools, values: NDArray[Any]) -> NDArray[Any]:
    out: NDArray[Any] = np.full(len(values), None, dtype=object)
    out[known] = values[known]
    return out


def _thinned(rng: np.random.Generator, scenario: Scenario, at: Floats) -> Floats:
    """Without what a weekend brings less; nothing is drawn for other days, so that these stay what they are."""
    free = at_weekend(at)
    lost = np.zeros(len(at), np.bool_)
    if scenario.weekend_volume != 1:
        lost[free] = rng.random(int(free.sum())) >= scenario.weekend_volume
    return at[~lost]


def _changed(rng: np.random.Generator, scenario: Scenario, at: Floats, onset: float) -> Bools:
    reached = (at - onset) / scenario.rollout_s if scenario.rollout_s else np.where(at >= onset, 1.0, 0.0)
    return (at < onset + scenario.lasts_s) & (rng.random(len(at)) < reached)


def _answers(
    rng: np.random.Generator,
    endpoint: Endpoint,
    route: Ints,
    prompt: Ints,
    behaviour: Behaviour,
    lengths: Floats | float,
) -> dict[str, NDArray[Any]]:
    n = len(route)
    usual = _each("output_tokens")[route] * (prompt / _each("input_tokens")[route]) ** _each("growth")[route]
    refusal = rng.random(n) < _odds(_each("refusal")[route], behaviour.refusals)
    median = np.where(refusal, 40.0, usual * endpoint.verbosity * behaviour.length * lengths)
    wanted = _tokens(rng, median, _each("output_spread")[route])
    limit = _each("max_tokens")[route]
    cut = (wanted >= limit) | (~refusal & (rng.random(n) < behaviour.cut_off))
    output = np.where(cut, limit, wanted)
    broken = rng.random(n) < _odds(_each("parse_failure")[route], behaviour.parse_failures)
    return {
        "output_tokens": output,
        "response_chars": (output * rng.normal(4.2, 0.2, n)).astype(np.int64),
        "finish_reason": np.where(cut, "length", "stop"),
        "refusal": refusal,
        "parse_ok": ~(broken | refusal | cut),
    }


def _tenants(rng: np.random.Generator, n: int, tenants: int, burst: float) -> Ints:
    """Who sends each request, counted from 1, the most frequent."""
    shares = 1 / np.arange(1, tenants + 1)
    usual = rng.choice(tenants, n, p=shares / shares.sum()) + 1
    return np.where(rng.random(n) < burst, BURSTING, usual)


def _lengths(tenant: Ints) -> Floats:
    """How long a tenant's answers are, half to twice the usual length, spread evenly over the tenants."""
    lengths: Floats = 2.0 ** (2 * (tenant * (math.sqrt(5) - 1) / 2 % 1) - 1)
    return lengths


def _labels(tenant: Ints) -> NDArray[Any]:
    return np.array([{"tenant": f"tenant-{number:02d}"} for number in tenant], object)


def _failures(rng: np.random.Generator, n: int) -> dict[str, NDArray[Any]]:
    kind = rng.choice(3, n, p=(0.5, 0.3, 0.2))
    return {
        "error_class": np.array(["rate_limited", "server_error", "timeout"])[kind],
        "http_status": np.array([429, 500, 408])[kind],
        "duration_s": np.array([0.2, 1.5, 30.0])[kind] * rng.uniform(0.8, 1.2, n),
    }


def _times(
    rng: np.random.Generator, endpoint: Endpoint, at: Floats, output: Ints, behaviour: Behaviour
) -> tuple[Floats, Floats]:
    busy = 0.6 + 0.4 * load(at)
    noise = rng.lognormal(0.0, (0.30, 0.12), (len(at), 2)) * (busy * behaviour.latency)[:, None]
    ttft = endpoint.first_token_s * noise[:, 0]
    return ttft, ttft + endpoint.token_s * output * noise[:, 1]


def _spans(
    rng: np.random.Generator, endpoint: Endpoint, prompt_version: str, columns: Mapping[str, NDArray[Any]]
) -> list[Span]:
    names = list(columns)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    ids = rng.bytes(24 * len(columns["started_at"])).hex()
    return [
        Span(
            span_id=f"{ids[i : i + 32]}:{ids[i + 32 : i + 48]}",
            trace_id=ids[i : i + 32],
            response_id=f"chatcmpl-{ids[i + 16 : i + 40]}" if row[names.index("status")] == "ok" else None,
            gateway=endpoint.gateway,
            provider=endpoint.provider,
            model=endpoint.model,
            deployment=endpoint.deployment,
            sent_model=endpoint.sent_model,
            prompt_version=prompt_version,
            temperature=0.2,
            **dict(zip(names, row, strict=True)),
        )
        for i, row in zip(range(0, len(ids), 48), rows, strict=True)
    ]
