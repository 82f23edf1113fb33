"""The API behind each page of the dashboard, over a week of spans that are rolled, beside scans of the raw rows.

The spans are made by SQL, in hours, for at fifty million the making would take longer than all that is measured.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import numpy as np
import pyarrow as pa

from bench.figures import figure, seconds
from undertow.api.app import create
from undertow.clock import system_clock
from undertow.config import Config
from undertow.store import Store, rolling, rollups, rows
from undertow.watch.loop import Watcher

T0 = 1_767_571_200.0
HOUR_S = 3600.0
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
END = T0 + WEEK_S
TARGETS = int(os.environ.get("BENCH_TARGETS", "12"))
REPEATS = 7

_SPANS = """
    SELECT 's' || i AS span_id, $start + i * $step AS started_at, 'openai' AS provider,
        'gpt-' || (hash(i) % $targets) AS model, 'bench-' || (hash(i) % $targets % 4) AS gateway,
        'route-' || (hash(i, 1) % 5) AS route, 'chat' AS operation, true AS stream,
        CASE hash(i, 2) % 40 WHEN 0 THEN 'error' ELSE 'ok' END AS status,
        CASE WHEN status = 'error' THEN 'timeout' END AS error_class,
        CASE WHEN status = 'ok' THEN 'gpt-2026-01-01' END AS response_model,
        CASE WHEN status = 'ok' THEN 'fp_' || (hash(i, 3) % 3) END AS system_fingerprint,
        CASE WHEN status = 'ok' THEN CASE hash(i, 4) % 20 WHEN 0 THEN 'length' ELSE 'stop' END END AS finish_reason,
        CAST(hash(i, 5) % 4000 AS BIGINT) AS input_tokens,
        CASE WHEN status = 'ok' THEN CAST(20 * exp(3.5 * (hash(i, 6) % 1000) / 1000) AS BIGINT) END AS output_tokens,
        0.5 * exp(3 * (hash(i, 7) % 100000) / 100000) AS duration_s,
        CASE WHEN status = 'ok' THEN 0.1 * exp(2 * (hash(i, 8) % 100000) / 100000) END AS ttft_s,
        (input_tokens + coalesce(output_tokens, 0)) * 1e-5 AS cost_usd,
        CASE WHEN status = 'ok' THEN hash(i, 9) % 50 <> 0 END AS parse_ok, false AS refusal, 200::BIGINT AS http_status,
        started_at + duration_s AS ended_at, false AS late, 'native' AS format
    FROM range($count) AS numbers(i)"""

_LATER = """
    SELECT * REPLACE ($hour || span_id AS span_id, started_at + $shift AS started_at, ended_at + $shift AS ended_at)
    FROM first_hour"""


class Page(NamedTuple):
    """A request that a page makes, and the SQL over raw rows that is measured beside it."""

    name: str
    path: str
    parameters: dict[str, Any]
    limit: str
    bare: str


def run(spans: int) -> Iterator[dict[str, Any]]:
    """CONTRACTS 7 objects for a week of `spans` spans."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.duckdb"
        with Store.open(path, clock=None) as store:
            _fill(store, spans)
            yield from _rolled(store, spans)
        with Store.open(path, clock=None) as store, asyncio.Runner() as runner:
            app = create(store, Watcher(store, Config(), system_clock), None, Config(), system_clock)
            size = path.stat().st_size / 1e9
            for page in _pages():
                yield _page(store, lambda page=page: runner.run(_ask(app, page)), page, spans, size)  # type: ignore[misc]


def _fill(store: Store, spans: int) -> None:
    """The first hour is made, the others are the same later; each is inserted and summed up as a batch is."""
    hours = round(WEEK_S / HOUR_S)
    values = {"count": spans // hours, "start": T0, "step": HOUR_S / (spans // hours), "targets": TARGETS}
    with store._read() as con:
        first = rows.complete(con.execute(_SPANS, values).to_arrow_table())
    for hour in range(hours):
        if hour % 24 == 0:
            print(f"bench: query, day {hour // 24} of 7", file=sys.stderr)
        with store._read() as con:
            con.register("first_hour", first)
            _insert(store, con.execute(_LATER, {"hour": hour, "shift": hour * HOUR_S}).to_arrow_table())
        if hour % 24 == 23:  # such large batches go around the log, so that none would come before a roll's own commit
            store._writer.execute("CHECKPOINT")


def _insert(store: Store, arrivals: pa.Table) -> None:
    ended_at = arrivals["ended_at"].to_numpy()
    newest = float(ended_at.max())
    with store._written() as con:
        con.register("arrivals", arrivals)
        con.execute("INSERT INTO spans BY NAME SELECT * FROM arrivals")
        rollups.add(con, float(ended_at.min()), newest)
        touched = store._memory.rolls.touched(np.asarray(ended_at))
        rolling.touch(con, touched, store._memory.rolls)
        con.unregister("arrivals")
        con.execute("INSERT OR REPLACE INTO progress VALUES ('newest', ?)", [newest])
    store._memory.rolls.remember(touched)
    store._memory.newest = newest


def _rolled(store: Store, spans: int) -> Iterator[dict[str, Any]]:
    """How long rolling takes of an hour's worth of time, and for how long of that nobody can write."""
    with store._read() as con:
        scan = seconds(lambda: con.execute("SELECT sum(output_tokens), sum(duration_s) FROM spans").fetchall())
    put = store._put
    puts: list[tuple[float, float]] = []
    slices: list[tuple[float, float]] = []
    store._put = lambda *args: _timed(lambda: put(*args), puts)  # type: ignore[method-assign]
    while store._memory.rolls.open and _timed(store.roll, slices):
        pass
    longest, cpu = max(wall for wall, _ in slices), [cpu for _, cpu in puts]
    note = (
        f"the longest of {len(slices)}, {sum(wall for wall, _ in slices):.1f} s in all; writers waited "
        f"{max(puts)[0]:.3f} s at most ({max(cpu):.3f} CPU-s, median {median(cpu):.3f})"
    )
    yield figure("query.roll", longest, "s", "one scan of all raw rows", scan, spans, note)


def _timed(work: Callable[[], bool], into: list[tuple[float, float]]) -> bool:
    """What `work` says; how long it took, and how long of that it computed."""
    wall, cpu = time.perf_counter(), time.thread_time()
    more = work()
    into.append((time.perf_counter() - wall, time.thread_time() - cpu))
    return more


def _pages() -> Iterator[Page]:
    target = {"gateway": f"bench-{3 % TARGETS % 4}", "provider": "openai", "model": f"gpt-{3 % TARGETS}"}
    model = f"model = 'gpt-{3 % TARGETS}'"
    scan, day = "SELECT sum(output_tokens) FROM spans WHERE ", f"ended_at >= {END - DAY_S}"
    week, last = {"start": T0, "end": END}, {"start": END - DAY_S, "end": END}
    one, raw = "one sum over the target's raw rows", "the same counts off the raw rows"
    group = "SELECT model, count(*), min(ended_at), max(ended_at) FROM spans"
    yield Page("overview", "targets", {}, raw, f"{group} GROUP BY model")
    yield Page("fleet", "fleet", {}, raw, f"{group} WHERE {day} GROUP BY model")
    signal = target | {"signal": "output_tokens"}
    yield Page("series", "series", signal | week | {"step_s": 3600}, one, scan + model)
    yield Page("series.day", "series", signal | last | {"step_s": 600}, one, f"{scan}{model} AND {day}")
    route = {"route": "route-1", "step_s": 3600}
    yield Page("series.route", "series", signal | week | route, one, f"{scan}{model} AND route = 'route-1'")
    rate = target | {"signal": "error", "step_s": 3600}
    yield Page("series.rate", "series", rate | week, one, scan + model)
    cut = END - 2 * DAY_S + 777.0
    sides = {"before_start": T0 + 123.0, "before_end": cut, "after_start": cut, "after_end": END}
    yield Page("distribution", "distribution", signal | sides, one, scan + model)
    names = target | {"signal": "finish_reason"}
    yield Page("distribution.names", "distribution", names | sides, one, scan + model)
    field = {"field": "finish_reason", "step_s": 3600}
    yield Page("shares", "shares", target | field | week, one, scan + model)
    yield Page("cost", "cost", {}, "one sum over all raw rows", "SELECT sum(cost_usd) FROM spans")
    yield Page("ingest", "ingest", {}, "the spans of a day counted", f"SELECT count(*) FROM spans WHERE {day}")  # noqa: S608


async def _ask(app: Any, page: Page) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321", trust_env=False) as client:
        (await client.get(f"/v1/{page.path}?{urlencode(page.parameters)}")).raise_for_status()


def _page(store: Store, ask: Callable[[], Any], page: Page, spans: int, size: float) -> dict[str, Any]:
    with store._read() as con:
        times = [(seconds(ask), seconds(lambda: con.execute(page.bare).fetchall())) for _ in range(REPEATS)]
    ours, other = (median(column) for column in zip(*times, strict=True))
    note = f"median of {REPEATS}, slowest {max(times)[0]:.3f} s; {TARGETS} targets; {size:.2f} GB"
    return figure(f"query.{page.name}", ours, "s", page.limit, other, spans, note)
