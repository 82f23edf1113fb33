"""Many targets: what storing and judging the same spans takes under ten names and under more of them.

What a span costs must not grow with the number of names, or a request id in a model's name stops the monitor.
"""

import random
import resource
import time
from collections.abc import Iterator
from typing import Any

from bench.figures import figure
from undertow.batch import Batch, Decoded, Origin
from undertow.config import Config
from undertow.span import Span
from undertow.store import Store
from undertow.watch.loop import Watcher

T0 = 1_767_571_200.0
HOURS = 72.0
BATCH = 5000
FEW, MANY = 10, (1000, 10_000)
MOST_SPANS = 100_000
TIMES = 3.0
KIB = 1024


def run(spans: int) -> Iterator[dict[str, Any]]:
    """CONTRACTS 7 objects, of at most MOST_SPANS spans."""
    n = min(spans, MOST_SPANS)
    _judged(min(n, BATCH), FEW)  # what is loaded once is no part of it
    few, _, _ = _judged(n, FEW)
    for names in MANY:
        took, told, rows = _judged(n, names)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB
        note = (
            f"{n:,} spans under {names:,} names, {took:.2f} CPU-s, are {rows:,} targets; under {FEW} names {few:.2f};"
            f" GET /v1/targets {told:.2f} CPU-s; peak of the process {peak:,.0f} MiB"
        )
        name = "detect.targets" if names == MANY[-1] else f"detect.targets-{names}"
        yield figure(name, took / few, "times", f"as many spans of {FEW} targets", TIMES, n, note)


def _judged(spans: int, names: int) -> tuple[float, float, int]:
    """CPU seconds that so many spans take to be stored and judged, and to be told; how many targets they are."""
    with Store.open(None, clock=None) as store:
        watcher = Watcher(store, Config(), lambda: store.newest() or 0.0, replayed=True)
        took = 0.0
        for batch in _batches(spans, names):
            began = time.process_time()
            store.ingest(batch)
            watcher.tick()
            took += time.process_time() - began
        began = time.process_time()
        watcher.tick(final=True)
        judged = time.process_time()
        rows = len(watcher.targets())
        return took + judged - began, time.process_time() - judged, rows


def _batches(spans: int, names: int) -> Iterator[Batch]:
    rng = random.Random(1)
    for start in range(0, spans, BATCH):
        batch = Batch()
        for i in range(start, min(start + BATCH, spans)):
            batch.add(Origin("bench", 0, i), Decoded("native", [_span(i, HOURS * 3600 / spans, names, rng)]))
        yield batch


def _span(i: int, step_s: float, names: int, rng: random.Random) -> Span:
    return Span(
        span_id=f"{rng.getrandbits(128):032x}",
        started_at=T0 + i * step_s,
        provider="openai",
        model=f"gpt-{rng.randrange(names)}",
        gateway="bench",
        route=f"route-{i % 5}",
        input_tokens=rng.randrange(4000),
        output_tokens=rng.randrange(800),
        duration_s=rng.random() * 9,
        ttft_s=rng.random(),
        cost_usd=rng.random() / 100,
        finish_reason="stop" if i % 20 else "length",
        parse_ok=i % 50 != 0,
        refusal=False,
    )
