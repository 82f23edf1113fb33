"""Recognising a span that was stored before: gateways retry their exports.

Two spans are the same if they have one `span_id` and began within WINDOW_S of each other. A bounded set of recent ids
names the suspects and the spans table settles them, so the answer is exact whatever the set has forgotten.
"""

from collections.abc import Sequence, Set

import duckdb
import pyarrow as pa

from undertow.store.db import registered

WINDOW_S = 120.0
RECENT_IDS = 1_000_000


class Recent:
    """Hashes of the ids that were stored last, in buckets of WINDOW_S of `started_at`, about 70 bytes each.

    When there are more than `limit`, the oldest buckets go; any span that could be in one of those is a suspect.
    """

    def __init__(self, limit: int = RECENT_IDS) -> None:
        self.limit = limit
        self._buckets: dict[int, set[int]] = {}
        self._size = 0
        self._forgotten: float = float("-inf")

    def __len__(self) -> int:
        return self._size

    def suspects(self, ids: Sequence[str], started_at: Sequence[float]) -> list[int]:
        """Places of the spans that may have been stored before; no others were."""
        found = []
        empty: frozenset[int] = frozenset()
        near: dict[int, tuple[Set[int], ...]] = {}
        for i, (key, started) in enumerate(zip(map(hash, ids), started_at, strict=True)):
            bucket = int(started // WINDOW_S)
            if bucket not in near:
                near[bucket] = tuple(self._buckets.get(b, empty) for b in (bucket, bucket - 1, bucket + 1))
            here, before, after = near[bucket]
            if key in here or key in before or key in after or bucket - 1 <= self._forgotten:
                found.append(i)
        return found

    def add(self, ids: Sequence[str], started_at: Sequence[float]) -> None:
        """Remember spans that were stored."""
        for span_id, started in zip(ids, started_at, strict=True):
            bucket = self._buckets.setdefault(int(started // WINDOW_S), set())
            before = len(bucket)
            bucket.add(hash(span_id))
            self._size += len(bucket) - before
        while self._size > self.limit:
            self._forget(min(self._buckets))

    def _forget(self, bucket: int) -> None:
        self._size -= len(self._buckets.pop(bucket))
        self._forgotten = max(self._forgotten, bucket)

    @classmethod
    def rebuilt(cls, con: duckdb.DuckDBPyConnection, limit: int = RECENT_IDS) -> "Recent":
        """The set as the spans table implies it, after a start."""
        recent = cls(limit)
        counts = con.execute(
            """SELECT CAST(floor(started_at / ?) AS BIGINT) AS bucket, count(*) FROM spans
               GROUP BY bucket ORDER BY bucket DESC""",
            [WINDOW_S],
        ).fetchall()
        room = limit
        for bucket, count in counts:
            room -= count
            if room < 0:
                recent._forgotten = bucket
                break
        since = (recent._forgotten + 1) * WINDOW_S
        rows = con.execute("SELECT span_id, started_at FROM spans WHERE started_at >= ?", [since]).to_arrow_table()
        recent.add(rows["span_id"].to_pylist(), rows["started_at"].to_pylist())
        return recent


def new_spans(con: duckdb.DuckDBPyConnection, recent: Recent, spans: pa.Table) -> pa.Table:
    """Those of `spans`, in their order, that were neither stored before nor repeat one before them."""
    ids, started_at = spans["span_id"].to_pylist(), spans["started_at"].to_pylist()
    known = _stored(con, spans, recent.suspects(ids, started_at))
    kept = first_of_each(ids, started_at, known)
    return spans if len(kept) == len(ids) else spans.take(pa.array(kept, pa.int64()))


def _stored(con: duckdb.DuckDBPyConnection, spans: pa.Table, places: Sequence[int]) -> set[int]:
    if not places:
        return set()
    at = pa.array(places, pa.int64())
    suspects = spans.select(["span_id", "started_at"]).take(at).append_column("place", at)
    times = suspects["started_at"].to_pylist()
    with registered(con, "suspects", suspects):
        rows = con.execute(
            """SELECT DISTINCT suspects.place FROM suspects JOIN spans ON spans.span_id = suspects.span_id
               AND abs(spans.started_at - suspects.started_at) <= $window
               WHERE spans.started_at BETWEEN $first AND $last""",
            {"window": WINDOW_S, "first": min(times) - WINDOW_S, "last": max(times) + WINDOW_S},
        ).fetchall()
    return {row[0] for row in rows}


def first_of_each(ids: Sequence[str], started_at: Sequence[float], known: set[int]) -> list[int]:
    """Places of the spans to store: neither `known` nor a repetition of one before it in the batch."""
    new = [i for i in range(len(ids)) if i not in known]
    if len({ids[i] for i in new}) == len(new):
        return new
    kept: list[int] = []
    times: dict[tuple[str, int], list[float]] = {}
    for i in new:
        bucket = int(started_at[i] // WINDOW_S)
        near = [t for b in (bucket - 1, bucket, bucket + 1) for t in times.get((ids[i], b), ())]
        if all(abs(started_at[i] - t) > WINDOW_S for t in near):
            times.setdefault((ids[i], bucket), []).append(started_at[i])
            kept.append(i)
    return kept
