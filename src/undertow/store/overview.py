"""All targets at once: how they do, what they cost, and how much comes in."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.errors import UsageError
from undertow.store import bins, rolled
from undertow.store.cells import TARGET, Asked
from undertow.store.crowd import MOST_LISTED, NOBODY, Key, Others, shown
from undertow.store.history import Row, Window, by_group, one_array, steps
from undertow.store.plan import BUCKET_S
from undertow.store.read import rows

_SUMS = f"""
    SELECT {", ".join(TARGET)}, CAST(floor((bucket - $start) / $step) AS BIGINT) AS step,
        CAST(sum(spans) AS BIGINT) AS requests,
        sum(error_sum) AS errors,
        CAST(coalesce(sum(cost_usd_n), 0) AS BIGINT) AS priced,
        coalesce(sum(cost_usd_sum), 0) AS cost_usd,
        CAST(coalesce(sum(input_tokens_sum), 0) AS BIGINT) AS input_tokens,
        CAST(coalesce(sum(all_output_tokens), 0) AS BIGINT) AS output_tokens,
        sum(priced_cost_usd) AS priced_cost_usd, CAST(sum(priced_tokens) AS BIGINT) AS priced_tokens
    FROM rollups WHERE bucket >= $start AND bucket < $end
    GROUP BY ALL ORDER BY {", ".join(TARGET)}, step"""  # noqa: S608
_TIMES = {"p50_s": ("duration_s", 0.5), "p95_s": ("duration_s", 0.95), "p99_s": ("duration_s", 0.99)} | {
    "ttft_p50_s": ("ttft_s", 0.5)
}


_ADDED = (
    "requests", "errors", "priced", "cost_usd", "input_tokens", "output_tokens", "priced_cost_usd", "priced_tokens"
)  # fmt: skip
"""What is summed up, where names are shown as one."""


def _sums(
    con: duckdb.DuckDBPyConnection, window: Window, step_s: float, others: Others, most: int
) -> tuple[list[Row], dict[Key, Key]]:
    """The sums of each target as it is shown, by step, and as what each name is shown."""
    found = rows(con, _SUMS, {"start": window[0], "end": window[1], "step": step_s})
    requests: Counter[Key] = Counter()
    for row in found:
        requests[_key(row)] += row["requests"]
    places = shown(requests, others, most)
    merged: dict[tuple[Key, int], Row] = {}
    for row in found:
        place = places[_key(row)]
        known = merged.setdefault((place, row["step"]), {**row, **dict.fromkeys(_ADDED), **_names(place)})
        known |= {name: _plus(known[name], row[name]) for name in _ADDED}
    ordered = sorted(merged, key=lambda of: ([name or "" for name in of[0]], of[1]))
    return [merged[key] for key in ordered], places


def _plus(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other


def _names(key: Key) -> Row:
    return dict(zip(TARGET, key, strict=True))


def _key(row: Row) -> Key:
    return tuple(row[name] for name in TARGET)


def fleet(
    con: duckdb.DuckDBPyConnection, until: float, window_s: float, others: Others = NOBODY, most: int = MOST_LISTED
) -> Row:
    """Every target that had a request in the `window_s` before `until`, which is rounded to whole ten minutes.

    `others` says which names are targets and which are watched together; of other names `most` are told apart.
    """
    start = (until - window_s) // BUCKET_S * BUCKET_S
    found, places = _sums(con, (start, until), until - start, others, most)
    requests: dict[str | None, int] = {}
    for row in found:
        requests[row["gateway"]] = requests.get(row["gateway"], 0) + row["requests"]
    times = _times(con, start, until, places)
    targets = [_standing(row, requests[row["gateway"]]) | times.get(_key(row), dict.fromkeys(_TIMES)) for row in found]
    return {"until": until, "window_s": window_s, "targets": targets}


def _standing(row: Row, of_gateway: int) -> Row:
    priced = row["priced"] > 0
    return {
        "target": {name: row[name] for name in TARGET},
        "requests": row["requests"],
        "share": row["requests"] / of_gateway,
        "error_rate": row["errors"] / row["requests"],
        "cost_usd": row["cost_usd"] if priced else None,
        "cost_usd_per_1k_tokens": 1000 * row["priced_cost_usd"] / row["priced_tokens"]
        if row["priced_tokens"]
        else None,
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
    }


def _times(con: duckdb.DuckDBPyConnection, start: float, until: float, places: Mapping[Key, Key]) -> dict[Key, Row]:
    """Quantiles of the times that answers took, by target as it is shown."""
    cover = rolled.cover(con, start, until, until - start)
    cells = Asked(cover, TARGET, ["duration_s_bins", "ttft_s_bins"]).read(con)
    owners, names = numbered(cells, TARGET)
    keys = list(dict.fromkeys(places.get(name, name) for name in names))
    index = {key: place for place, key in enumerate(keys)}
    owners = np.array([index[places.get(name, name)] for name in names], np.int64)[owners]
    found: dict[Key, Row] = {key: dict.fromkeys(_TIMES) for key in keys}
    for signal in ("duration_s", "ttft_s"):
        wanted = [name for name, (of, _) in _TIMES.items() if of == signal]
        levels = [_TIMES[name][1] for name in wanted]
        for place, held in by_group(cells, f"{signal}_bins", owners):
            found[keys[place]] |= zip(wanted, bins.quantiles(held, levels) or (), strict=True)
    return found


def numbered(cells: pa.Table, names: Sequence[str]) -> tuple[NDArray[np.int64], list[tuple[Any, ...]]]:
    """For each row the place of its values of `names` among those there are, and what there is, each once."""
    owners = np.zeros(cells.num_rows, np.int64)
    for name in names:  # numbered anew after each, so that the numbers stay small however many names there are
        held = one_array(cells[name]).dictionary_encode("encode")
        both = owners * max(1, len(held.dictionary)) + held.indices.to_numpy()
        owners = pa.array(both).dictionary_encode().indices.to_numpy().astype(np.int64)
    first = np.unique(owners, return_index=True)[1]
    return owners, list(zip(*(cells[name].take(first).to_pylist() for name in names), strict=True))


def cost(
    con: duckdb.DuckDBPyConnection, window: Window, step_s: float, others: Others = NOBODY, most: int = MOST_LISTED
) -> Row:
    """What each target cost over a window of whole ten minutes, in steps; a step without requests has no point."""
    if step_s % BUCKET_S:
        raise UsageError(f"costs come in steps of whole {BUCKET_S} s")
    start, end = steps(window, step_s)
    start = start // BUCKET_S * BUCKET_S
    targets = []
    found, _ = _sums(con, (start, end), step_s, others, most)
    for key, of_target in groupby(found, _key):
        points = [_spent(row, start + row["step"] * step_s) for row in of_target]
        targets.append({"target": dict(zip(TARGET, key, strict=True)), "points": points})
    return {"start": start, "end": end, "step_s": step_s, "targets": targets}


def _spent(row: Row, at: float) -> Row:
    names = ("requests", "priced", "priced_tokens", "cost_usd", "input_tokens", "output_tokens")
    point = {"at": at} | {name: row[name] for name in names}
    return point if row["priced"] else point | {"priced_tokens": None, "cost_usd": None}


def stored(con: duckdb.DuckDBPyConnection, until: float, window_s: float) -> Iterator[Row]:
    """How many spans were stored of each ten minutes before `until` that have any."""
    found = con.execute(
        "SELECT bucket, CAST(sum(spans) AS BIGINT) FROM rollups WHERE bucket > $start AND bucket <= $until "
        "GROUP BY bucket ORDER BY bucket",
        {"start": until - window_s - BUCKET_S, "until": until},
    ).fetchall()
    return ({"at": float(bucket), "n": n} for bucket, n in found)
