"""Names that are not watched by themselves: their spans keep them, and are found, listed and counted together."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from undertow.span import Target
from undertow.store.cells import TARGET
from undertow.store.db import registered

OTHER = "(other)"
"""What the model is called that stands for many names; and the provider, where it stands for many of these too."""

MOST_LISTED = 2000
"""Targets that are listed one by one where nobody says which they are."""

_SAME = " AND ".join(f"own.{name} IS NOT DISTINCT FROM spans.{name}" for name in TARGET)
_NOT_OWN = f"NOT EXISTS (SELECT 1 FROM own WHERE {_SAME} AND spans.ended_at >= own.since)"  # noqa: S608
_PAIR = "gateway IS NOT DISTINCT FROM $gateway AND provider = $provider"
_NO_PAIR = """NOT EXISTS (SELECT 1 FROM pairs
    WHERE pairs.gateway IS NOT DISTINCT FROM spans.gateway AND pairs.provider = spans.provider)"""


class Others(NamedTuple):
    """Which names are watched by themselves, and which together.

    `own` has a row for each target: its four names and from when on its spans are its own (`since`, Unix s); `buckets`
    gateway and provider of each target that stands for others, None for provider where it stands for all the rest.
    """

    own: pa.Table
    buckets: pa.Table

    @contextmanager
    def known(self, con: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Let a query read `own`, and `buckets` as `pairs`: there is a table of another kind of buckets."""
        with registered(con, "own", self.own), registered(con, "pairs", self.buckets):
            yield


def of_bucket(bucket: Target) -> tuple[str, dict[str, Any]]:
    """The condition on `spans` that one is of `bucket`, where `own` and `pairs` are known, and its values."""
    if bucket.provider == OTHER:
        return f"{_NO_PAIR} AND {_NOT_OWN}", {}
    return f"{_PAIR} AND {_NOT_OWN}", {"gateway": bucket.gateway, "provider": bucket.provider}


OF_OWN = f"EXISTS (SELECT 1 FROM own WHERE {_SAME} AND spans.ended_at >= own.since)"  # noqa: S608
"""The condition on `spans` that one is of a target of `own`."""

_SUMS = ("spans", "late", "snapshot", "alias", "unknown")
LISTED = f"""
    WITH seen AS (
        SELECT {", ".join(TARGET)}, CAST(sum(spans) AS BIGINT) AS spans,
            CAST(sum(late) AS BIGINT) AS late, min(first) AS first,
            coalesce(max(least(last, $believed)) FILTER (first <= $believed), $believed) AS last,
            CAST(coalesce(sum(served_snapshot_sum), 0) AS BIGINT) AS snapshot,
            CAST(coalesce(sum(served_snapshot_n), 0) AS BIGINT) - snapshot AS alias,
            CAST(coalesce(sum(spans) FILTER (status = 'ok'), 0) AS BIGINT) - snapshot - alias AS unknown
        FROM rollups GROUP BY ALL),
    placed AS (
        SELECT spans.*, spans.model = '{OTHER}' OR (own.model IS NULL AND pair.provider IS NOT NULL) AS apart,
            own.model IS NULL AND NOT apart AND (
                (SELECT count(*) FROM pairs WHERE provider IS NULL) > 0
                OR row_number() OVER (
                    ORDER BY own.model IS NULL, apart, spans.spans DESC, {", ".join(f"spans.{name}" for name in TARGET)}
                ) > $most
            ) AS rest
        FROM seen AS spans LEFT JOIN own ON {_SAME}
        LEFT JOIN pairs AS pair
            ON pair.gateway IS NOT DISTINCT FROM spans.gateway AND pair.provider = spans.provider)
    SELECT CASE WHEN NOT rest THEN gateway END AS gateway, CASE WHEN rest THEN '{OTHER}' ELSE provider END AS provider,
        CASE WHEN rest OR apart THEN '{OTHER}' ELSE model END AS model,
        CASE WHEN NOT rest AND NOT apart THEN deployment END AS deployment,
        {", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in _SUMS)},
        min(first) AS first, max(last) AS last, CAST(count(*) AS BIGINT) AS names
    FROM placed GROUP BY 1, 2, 3, 4 ORDER BY provider, model, gateway NULLS FIRST, deployment NULLS FIRST"""  # noqa: S608
"""What was seen by target, those that are watched together as one row: `names` says how many."""

NOBODY = Others(
    pa.table({name: pa.array([], pa.string()) for name in TARGET} | {"since": pa.array([], pa.float64())}),
    pa.table({name: pa.array([], pa.string()) for name in TARGET[:2]}),
)

Key = tuple[str | None, ...]
"""Gateway, provider, model and deployment."""

REST: Key = (None, OTHER, OTHER, None)


def shown(requests: Mapping[Key, int], others: Others, most: int) -> dict[Key, Key]:
    """As which target each one with so many `requests` is shown, as `LISTED` has it: at most `most` and the rest."""
    own = {tuple(row[name] for name in TARGET) for row in others.own.to_pylist()}
    pairs = {(row["gateway"], row["provider"]) for row in others.buckets.to_pylist()}
    everything_else = any(provider is None for _, provider in pairs)
    found = {key: key for key in requests if key in own}
    for key in sorted((key for key in requests if key not in own), key=lambda key: -requests[key]):
        if key[2] == OTHER or key[:2] in pairs:
            found[key] = (*key[:2], OTHER, None)
        else:
            found[key] = REST if everything_else or len(found) >= most else key
    return found
