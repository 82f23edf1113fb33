"""The store: appending beside a bare insert of the same rows."""

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from bench.figures import figure, seconds
from undertow.batch import Batch, Decoded, Origin
from undertow.span import Span
from undertow.store import Store
from undertow.store import rows as store_rows

T0 = 1_767_571_200.0
BATCH = 10_000
WEEK_S = 7 * 86400.0
MODELS = 12


def run(spans: int) -> Iterator[dict[str, Any]]:
    """CONTRACTS 7 objects for a week of `spans` spans of twelve models, in batches of ten thousand."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with Store.open(path / "store.duckdb", clock=None) as store:
            yield _append(store, path / "bare.duckdb", spans)


def _span(i: int, step_s: float, rng: random.Random) -> Span:
    return Span(
        span_id=f"{rng.getrandbits(128):032x}",
        trace_id=f"{rng.getrandbits(128):032x}",
        started_at=T0 + i * step_s,
        provider="openai",
        model=f"gpt-{i % MODELS}",
        gateway="bench",
        response_model="gpt-2026-01-01",
        route=f"route-{i % 5}",
        stream=True,
        input_tokens=rng.randrange(4000),
        output_tokens=rng.randrange(800),
        duration_s=rng.random() * 9,
        ttft_s=rng.random(),
        cost_usd=rng.random() / 100,
        http_status=200,
        finish_reason="stop" if i % 20 else "length",
        parse_ok=i % 50 != 0,
        refusal=False,
    )


def _batches(spans: int) -> Iterator[Batch]:
    rng = random.Random(1)
    step_s = WEEK_S / spans
    for start in range(0, spans, BATCH):
        batch = Batch()
        for i in range(start, min(start + BATCH, spans)):
            batch.add(Origin("bench", 0, i), Decoded("native", [_span(i, step_s, rng)]))
        yield batch


def _append(store: Store, bare: Path, spans: int) -> dict[str, Any]:
    """Both sides take turns batch by batch, so that other load on the machine meets both."""
    ours = limit = cpu = slowest = 0.0
    with duckdb.connect(str(bare), config={"threads": 1, "checkpoint_threshold": "256MB"}) as con:
        for batch in _batches(spans):
            table = store_rows.table(batch)
            limit += seconds(lambda table=table: _insert(con, table))  # type: ignore[misc]
            before = time.process_time()
            took = seconds(lambda batch=batch: store.ingest(batch))  # type: ignore[misc]
            cpu += time.process_time() - before
            ours, slowest = ours + took, max(slowest, took)
    note = f"{spans / cpu:.0f} spans per cpu-second; slowest batch {slowest:.3f} s"
    return figure(
        "store.append", spans / ours, "spans/s", "the same rows as Arrow, inserted bare", spans / limit, spans, note
    )


def _insert(con: duckdb.DuckDBPyConnection, table: pa.Table) -> None:
    con.register("arrivals", table)
    con.execute("CREATE TABLE IF NOT EXISTS spans AS SELECT * FROM arrivals LIMIT 0")
    con.execute("INSERT INTO spans SELECT * FROM arrivals")
    con.unregister("arrivals")
