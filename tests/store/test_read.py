"""Series and distributions against numpy, and that rollups say what the rows say."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from undertow.batch import Batch, Decoded, Origin
from undertow.errors import UsageError
from undertow.span import Span
from undertow.store import Store
from undertow.store.bins import WIDTH
from undertow.store.signals import SIGNALS

T0 = 1_767_600_000.0
LEVELS = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}


@pytest.fixture(name="spans", scope="module")
def _spans() -> list[Span]:
    """Three hours of calls of two models, with failures, fallbacks and unknown values."""
    rng = random.Random(3)
    return [
        Span(
            span_id=str(i),
            started_at=T0 + i * 5.0,
            provider="openai",
            model=f"m{i % 2}",
            status=rng.choice(["ok", "ok", "ok", "error", "cancelled"]),
            fallback=rng.choice([None, False, True]),
            output_tokens=rng.choice([None, 4, 100, 2000]),
            input_tokens=rng.randrange(1000),
            duration_s=rng.choice([None, rng.random() * 9 + 1]),
            ttft_s=rng.choice([None, rng.random()]),
            cost_usd=rng.random(),
            finish_reason=rng.choice([None, "stop", "length"]),
            parse_ok=rng.choice([None, True, False]),
            refusal=rng.choice([None, True, False]),
            response_model=rng.choice([None, f"m{i % 2}", "m-2026-01-01"]),
        )
        for i in range(2000)
    ]


@pytest.fixture(name="full", scope="module")
def _full(spans: list[Span]) -> Iterator[Store]:
    """A store with those calls, in batches that cut the ten minutes anywhere."""
    with Store.open(None, clock=None) as store:
        for start in range(0, len(spans), 333):
            batch = Batch()
            batch.add(Origin("t", 0, start), Decoded("native", spans[start : start + 333]))
            store.ingest(batch)
        yield store


def answered(span: Span) -> bool:
    """Takes part in content."""
    return span.status == "ok" and span.fallback is not True


def per_token(span: Span) -> float | None:
    """Seconds per output token, as CONTRACTS 1 derives it."""
    known = span.duration_s is not None and span.ttft_s is not None and (span.output_tokens or 0) >= 16
    return (span.duration_s - span.ttft_s) / span.output_tokens if known else None  # type: ignore[operator]


BY_HAND: dict[str, Callable[[Span], Any]] = {
    "output_tokens": lambda s: s.output_tokens if answered(s) else None,
    "input_tokens": lambda s: s.input_tokens,
    "duration_s": lambda s: s.duration_s if s.status == "ok" else None,
    "ttft_s": lambda s: s.ttft_s if s.status == "ok" else None,
    "time_per_output_token_s": lambda s: per_token(s) if s.status == "ok" else None,
    "cost_usd": lambda s: s.cost_usd,
    "parse_fail": lambda s: None if s.parse_ok is None or not answered(s) else not s.parse_ok,
    "refusal": lambda s: s.refusal if answered(s) else None,
    "finish_length": lambda s: None if s.finish_reason is None or not answered(s) else s.finish_reason == "length",
    "served_snapshot": lambda s: s.response_model != s.model if s.response_model and s.status == "ok" else None,
    "error": lambda s: s.status == "error",
}


def expected(spans: list[Span], signal: str, start: float, end: float) -> dict[str, Any]:
    """`n` and quantiles or rate of model m1 over [start, end)."""
    taken = [BY_HAND[signal](s) for s in spans if s.model == "m1" and start <= s.ended_at < end]
    known = [float(value) for value in taken if value is not None]
    if SIGNALS[signal].kind == "rate":
        return {"n": len(known), "rate": pytest.approx(np.mean(known))}
    levels = {name: pytest.approx(np.quantile(known, level), rel=WIDTH) for name, level in LEVELS.items()}
    return {"n": len(known)} | levels


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(("start", "step_s"), [(T0, 600.0), (T0 + 7, 450.0), (T0, 3600.0)])
def test_series(full: Store, spans: list[Span], signal: str, start: float, step_s: float) -> None:
    """Each step has the number of values and their quantiles or rate, off the rollups as off the rows."""
    found = full.series(spans[1].target, signal, start, start + 7200, step_s)
    ats = [start + i * step_s for i in range(int(7200 / step_s))]
    assert found["points"] == [{"at": at} | expected(spans, signal, at, at + step_s) for at in ats]
    assert (found["kind"], found["unit"]) == (SIGNALS[signal].kind, SIGNALS[signal].unit)


@pytest.mark.parametrize("signal", SIGNALS)
def test_distribution(full: Store, spans: list[Span], signal: str) -> None:
    """Two stretches of time, summed up alike."""
    found = full.distribution(spans[1].target, signal, (T0, T0 + 3000), (T0 + 3000, T0 + 6000))
    for part, start in (("before", T0), ("after", T0 + 3000)):
        stretch = found[part]
        flat = {"n": stretch["n"]} | (stretch["quantiles"] if "quantiles" in stretch else {"rate": stretch["rate"]})
        assert (stretch["from"], stretch["to"]) == (start, start + 3000)
        assert flat == expected(spans, signal, start, start + 3000)


def test_nothing_there(full: Store, spans: list[Span]) -> None:
    """A stretch without values has n = 0 and no quantiles; a series has no points."""
    found = full.distribution(spans[0].target, "output_tokens", (0, 1), (1, 2))
    assert found["before"] == {"from": 0, "to": 1, "n": 0, "quantiles": dict.fromkeys(LEVELS), "ecdf": []}
    assert full.distribution(spans[0].target, "refusal", (0, 1), (1, 2))["after"]["rate"] is None
    assert full.series(spans[0].target, "refusal", 0, 600, 600)["points"] == []


def test_targets(full: Store, spans: list[Span]) -> None:
    """Counts and times of each target come from the rollups."""
    found = full.targets()
    for row, model in zip(found, ("m0", "m1"), strict=True):
        ended_at = [span.ended_at for span in spans if span.model == model]
        assert row["target"] == {"gateway": None, "provider": "openai", "model": model, "deployment": None}
        assert (row["spans"], row["first"], row["last"]) == (1000, min(ended_at), max(ended_at))


def test_which_model_answered_is_a_snapshot_an_alias_or_unknown(full: Store, spans: list[Span]) -> None:
    """Answers are counted by what the log says of the model that gave them."""
    for row, model in zip(full.targets(), ("m0", "m1"), strict=True):
        said = Counter(s.response_model for s in spans if s.model == model and s.status == "ok")
        assert row["served_model"] == {"snapshot": said["m-2026-01-01"], "alias": said[model], "unknown": said[None]}


@pytest.mark.parametrize("ask", [("nonsense", 0.0, 1.0, 1.0), ("refusal", 1.0, 0.0, 1.0), ("refusal", 0.0, 1.0, 0.0)])
def test_senseless_questions(full: Store, spans: list[Span], ask: tuple[str, float, float, float]) -> None:
    """An unknown signal, an empty range or a step of nothing is a UsageError."""
    with pytest.raises(UsageError):
        full.series(spans[0].target, *ask)


def test_too_many_points(full: Store, spans: list[Span]) -> None:
    """A question for more points than anyone can see is refused."""
    with pytest.raises(UsageError, match="at most 10000 steps"):
        full.series(spans[0].target, "refusal", 0.0, 1e9, 1.0)


def test_unknown_column(full: Store) -> None:
    """Only columns of the span can be asked for."""
    with pytest.raises(UsageError, match="no such span columns: payload"):
        full.released(None, 0.0, columns=["payload"])


def test_costs_tell_the_tokens_that_were_paid_for(store: Store, make: Any, batch_of: Any) -> None:
    """Tokens of requests without a price, and halves of what is known, are not among the priced."""
    fields = [{"cost_usd": 0.5, "output_tokens": 30}, {"cost_usd": 0.25, "output_tokens": None}, {"output_tokens": 7}]
    store.ingest(batch_of([make(i, input_tokens=10, **each) for i, each in enumerate(fields)]))
    start = make(0).started_at // 600 * 600
    (point,) = store.cost(start, start + 600, 600)["targets"][0]["points"]
    assert (point["priced"], point["priced_tokens"], point["cost_usd"]) == (2, 40, 0.75)
