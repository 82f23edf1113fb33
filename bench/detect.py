"""Judging: what it costs and what it finds.

Cost is CPU seconds per million records, on traffic of the simulator in which nothing changes, beside River's ADWIN, the
fastest of the peers, on the same signals in the same run. What is found is the table of `tests/study` on streams of the
simulator and of real answers, each figure beside its goal, with what the peers reach.
"""

import math
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from tests.study import compare, resampled
from tests.study.scoring import delays, figures

from bench import peers
from bench.figures import TRIAL_SPANS, trial
from undertow.batch import Batch, Decoded, Origin
from undertow.clock import system_clock
from undertow.config import Config
from undertow.store import Store
from undertow.watch.engine import Engine
from undertow.watch.frame import COLUMNS, by_target
from undertow.watch.loop import Watcher
from undertow.watch.slices import SLICE_S
from undertow_collectors.scenarios import FLEET, SCENARIOS
from undertow_collectors.simulate import traffic

DAYS = 25.0
BATCH = 10_000
TRIED = ("swap-gpt4",)
"""The streams of a trial."""
GOALS = {
    "false_per_10k": 0.05,
    "mix_alarmed": 0.2,
    "mix_blamed": 0.02,
    "swaps_hit": 0.98,
    "swap_median_delay": 150.0,
    "labelled_right": 0.95,
    "wrong_lane": 0.02,
    "hit_minus_false": 0.85,
}
"""Delays, alarms and blame are to stay below, hits and labels above."""
DELAYS = {"length-minus-10": 900.0, "length-plus-5": 2500.0, "parse-1-to-3": 1000.0, "latency-plus-20": 380.0}
"""The most requests to find a change of such a kind, median."""


def run(spans: int) -> Iterator[dict[str, Any]]:
    """CONTRACTS 7 objects."""
    yield from cost(max(spans, TRIAL_SPANS))
    yield from findings(spans)


def findings(spans: int) -> Iterator[dict[str, Any]]:
    """The figures of the study, which has a size of its own; of few streams, and of some kinds none, in a trial."""
    with tempfile.TemporaryDirectory() as folder:
        if trial(spans):
            resampled.write(Path(folder), kinds=TRIED)
        else:
            compare.write(Path(folder))
        results = compare.study(Path(folder))
    unknown = dict.fromkeys(DELAYS, math.nan)
    reached = {monitor: unknown | figures(rows) | delays(rows) for monitor, rows in results.items()}
    for name, goal in (GOALS | DELAYS).items():
        value = reached["undertow"][name]
        others = ", ".join(f"{monitor} {f[name]:.3g}" for monitor, f in reached.items() if monitor != "undertow")
        yield {
            "bench": f"detect.{name}",
            "value": value if math.isfinite(value) else None,
            "unit": "requests" if name == "swap_median_delay" or name in DELAYS else "",
            "limit": "goal",
            "limit_value": goal,
            "ratio": value / goal if math.isfinite(value) else None,
            "spans": sum(row.spans for row in results["undertow"]),
            "note": f"{len(results['undertow'])} streams; {others}",
        }


def cost(spans: int) -> Iterator[dict[str, Any]]:
    """All at once, in slices as `replay` takes them, and ADWIN."""
    with Store.open(None, clock=None) as store:
        table = released(store, spans)
        batch, engine = judge(store, [table])
        slices, _ = judge(store, sliced(table))
    columns = {
        f"{number}/{stream.signal.name}": stream.values(frame)
        for number, (target, frame) in enumerate(by_target(table))
        for stream in engine.targets[target].streams
    }
    adwin = peers.run("river-adwin", columns)
    limit, n = adwin["cpu_s"], table.num_rows
    watched = f"{len(columns)} streams of {len(engine.targets)} targets, {adwin['values']:,} values"
    yield _figure("detect.batch", batch, limit, n, f"{watched}, traffic and names too")
    yield _figure("detect.slices", slices, limit, n, f"the same in slices of {SLICE_S / 3600:.0f} hours, as replay")
    yield _figure("detect.river-adwin", limit, limit, n, watched)


def released(store: Store, spans: int) -> pa.Table:
    """About so many spans of the simulated fleet, as the store hands them to the judge."""
    per_day = spans / DAYS / len(FLEET)
    batch = Batch()
    for i, span in enumerate(traffic(SCENARIOS["none"], 1, days=DAYS, per_day=per_day)):
        batch.add(Origin("bench", 0, i), Decoded("native", [span]))
        if len(batch.messages) == BATCH:
            store.ingest(batch)
            batch = Batch()
    store.ingest(batch)
    newest = store.newest()
    assert newest is not None
    return store.released(None, newest, columns=COLUMNS)


def sliced(table: pa.Table) -> list[pa.Table]:
    """The table cut in time."""
    slot = (table["ended_at"].to_numpy() // SLICE_S).astype(int)
    cuts = [0, *(i for i in range(1, len(slot)) if slot[i] != slot[i - 1]), len(slot)]
    return [table.slice(begin, end - begin) for begin, end in pairwise(cuts)]


def judge(store: Store, tables: list[pa.Table]) -> tuple[float, Engine]:
    """CPU seconds that judging takes, by an engine without a past."""
    engine = Watcher(store, Config(), system_clock)._engine
    began = time.process_time()
    for table in tables:
        engine.judge(table)
    return time.process_time() - began, engine


def _figure(name: str, cpu_s: float, limit_cpu_s: float, spans: int, note: str) -> dict[str, Any]:
    return {
        "bench": name,
        "value": 1e6 * cpu_s / spans,
        "unit": "CPU-s/million records",
        "limit": "River's ADWIN on the same signals",
        "limit_value": 1e6 * limit_cpu_s / spans,
        "ratio": cpu_s / limit_cpu_s,
        "spans": spans,
        "note": note,
    }
