"""A store filled with a week of spans that are made by SQL.

Fifty million that are made one by one would take longer than all that is measured.
"""

import os
import sys
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from undertow.span import Target
from undertow.store import Store, rolling, rollups, rows
from undertow.store.cells import TARGET
from undertow.store.lateness import Arrivals

HOUR_S = 3600.0
DAY_S = 86_400.0
DAYS = 7
WEEK_S = DAYS * DAY_S
TARGETS = int(os.environ.get("BENCH_TARGETS", "12"))

_SPANS = """
    SELECT 's' || i AS span_id, $start + i * $step AS started_at, gateway, provider, model, deployment,
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
    FROM range($count) AS numbers(i) JOIN targets ON place = hash(i) % $targets ORDER BY i"""

_PLACES = pa.schema([("place", pa.int64()), *((name, pa.string()) for name in TARGET)])

_LATER = """
    SELECT * REPLACE ($hour || span_id AS span_id, started_at + $shift AS started_at, ended_at + $shift AS ended_at)
    FROM first_hour"""


def targets() -> list[Target]:
    """So many targets as are asked for, behind four gateways."""
    return [Target(f"bench-{i % 4}", "openai", f"gpt-{i}", None) for i in range(TARGETS)]


def fill(store: Store, spans: int, start: float, of: Sequence[Target], days: int = DAYS) -> int:
    """So many `days` of `spans` spans of these targets from `start` on, in Unix seconds; how many in whole hours.

    The first hour is made, the others are the same later; each is inserted and summed up as a batch is.
    """
    hours = 24 * days
    values = {"count": spans // hours, "start": start, "step": HOUR_S / (spans // hours), "targets": len(of)}
    places = pa.Table.from_pylist([{"place": i} | one.as_dict() for i, one in enumerate(of)], _PLACES)
    with store._read() as con:
        con.register("targets", places)
        first = rows.complete(con.execute(_SPANS, values).to_arrow_table())
    for hour in range(hours):
        if hour % 24 == 0:
            print(f"bench: made of a week: day {hour // 24} of {days}", file=sys.stderr)
        with store._read() as con:
            con.register("first_hour", first)
            _insert(store, con.execute(_LATER, {"hour": hour, "shift": hour * HOUR_S}).to_arrow_table())
        if hour % 24 == 23:  # such large batches go around the log, so that none would come before a roll's own commit
            store._writer.execute("CHECKPOINT")
    return hours * int(first.num_rows)


def _insert(store: Store, arrivals: pa.Table) -> None:
    ended_at = arrivals["ended_at"].to_numpy()
    first, last = float(ended_at.min()), float(ended_at.max())
    with store._written() as con:
        con.register("arrivals", arrivals)
        con.execute("INSERT INTO spans BY NAME SELECT * FROM arrivals")
        rollups.add(con, first, last)
        touched = store._memory.rolls.touched(np.asarray(ended_at))
        rolling.touch(con, touched, store._memory.rolls)
        con.unregister("arrivals")
        arrivals = Arrivals.read(con, store._lateness_s)
        arrivals.keep(con)
    store._memory.rolls.remember(touched)
    store._memory.arrivals = arrivals
