"""The API behind each page of the dashboard, over a week of spans that are rolled, beside scans of the raw rows."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx

from bench.figures import figure, seconds, trial
from bench.week import DAY_S, DAYS, TARGETS, WEEK_S, fill, targets
from undertow.api.app import create
from undertow.clock import system_clock
from undertow.config import Config
from undertow.store import Store
from undertow.watch.loop import Watcher

T0 = 1_767_571_200.0
END = T0 + WEEK_S
REPEATS = 7


class Page(NamedTuple):
    """A request that a page makes, and the SQL over raw rows that is measured beside it."""

    name: str
    path: str
    parameters: dict[str, Any]
    limit: str
    bare: str


def run(spans: int) -> Iterator[dict[str, Any]]:
    """One object for each page, over a week of `spans` spans; a trial has a day of them."""
    days = 1 if trial(spans) else DAYS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.duckdb"
        with Store.open(path, clock=None) as store:
            fill(store, spans, END - days * DAY_S, targets(), days)
            yield from _rolled(store, spans)
        with Store.open(path, clock=None) as store, asyncio.Runner() as runner:
            app = create(store, Watcher(store, Config(), system_clock), None, Config(), system_clock)
            size = path.stat().st_size / 1e9
            for page in _pages():
                yield _page(store, lambda page=page: runner.run(_ask(app, page)), page, spans, size)  # type: ignore[misc]


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
    busy = targets()[3 % TARGETS]
    one = {name: value for name, value in busy.as_dict().items() if value}
    model = f"model = '{busy.model}'"
    scan, day = "SELECT sum(output_tokens) FROM spans WHERE ", f"ended_at >= {END - DAY_S}"
    week, last = {"start": T0, "end": END}, {"start": END - DAY_S, "end": END}
    sums, raw = "one sum over the target's raw rows", "the same counts off the raw rows"
    group = "SELECT model, count(*), min(ended_at), max(ended_at) FROM spans"
    yield Page("overview", "targets", {}, raw, f"{group} GROUP BY model")
    yield Page("fleet", "fleet", {}, raw, f"{group} WHERE {day} GROUP BY model")
    yield Page("fleet.week", "fleet", {"window_s": WEEK_S}, raw, f"{group} GROUP BY model")
    signal = one | {"signal": "output_tokens"}
    yield Page("series", "series", signal | week | {"step_s": 3600}, sums, scan + model)
    yield Page("series.day", "series", signal | last | {"step_s": 600}, sums, f"{scan}{model} AND {day}")
    route = {"route": "route-1", "step_s": 3600}
    yield Page("series.route", "series", signal | week | route, sums, f"{scan}{model} AND route = 'route-1'")
    rate = one | {"signal": "error", "step_s": 3600}
    yield Page("series.rate", "series", rate | week, sums, scan + model)
    cut = END - 2 * DAY_S + 777.0
    sides = {"before_start": T0 + 123.0, "before_end": cut, "after_start": cut, "after_end": END}
    yield Page("distribution", "distribution", signal | sides, sums, scan + model)
    names = one | {"signal": "finish_reason"}
    yield Page("distribution.names", "distribution", names | sides, sums, scan + model)
    field = {"field": "finish_reason", "step_s": 3600}
    yield Page("shares", "shares", one | field | week, sums, scan + model)
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
