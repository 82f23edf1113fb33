"""Who wrote the spans of each source, in which version, and when they were seen; written with each batch."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import duckdb

from undertow.batch import Batch, instrumentations
from undertow.columns import plain
from undertow.instrumentation import Instrumentation

TABLE = """
    CREATE TABLE instrumentations (
        topic VARCHAR, name VARCHAR, version VARCHAR, spans BIGINT, first_seen DOUBLE, last_seen DOUBLE,
        PRIMARY KEY (topic, name, version));
"""
"""An unknown version is an empty text here, because a key has no nulls."""

NAMES = 64
"""Pairs of name and version that are kept of a source, because senders choose both."""
OTHER = Instrumentation("(other)")
"""What counts for those beyond."""

Key = tuple[str, Instrumentation]
"""The source, and who wrote."""


def add(con: duckdb.DuckDBPyConnection, batch: Batch, at: float) -> None:
    """Add what `batch`, received at `at` in Unix seconds, brought; part of the caller's transaction.

    Spans are counted as they are read, so one that comes again counts again.
    """
    counts = _tally(batch)
    if not counts:
        return
    topics = list({topic for topic, _ in counts})
    found = con.execute("SELECT topic, name, version FROM instrumentations WHERE list_contains($1, topic)", [topics])
    known = {(topic, Instrumentation(name, version or None)) for topic, name, version in found.fetchall()}
    rows = [(topic, one.name, one.version or "", count) for (topic, one), count in _bounded(counts, known).items()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    con.execute(
        """INSERT INTO instrumentations SELECT unnest($1), unnest($2), unnest($3), unnest($4), $5, $5
           ON CONFLICT DO UPDATE SET spans = instrumentations.spans + excluded.spans,
               first_seen = least(instrumentations.first_seen, excluded.first_seen),
               last_seen = greatest(instrumentations.last_seen, excluded.last_seen)""",
        [*columns, at],
    )


def listed(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return a row for each, those of one source together, the last seen first."""
    names = ("topic", "name", "version", "spans", "first_seen", "last_seen")
    rows = con.execute(
        """SELECT topic, name, nullif(version, ''), spans, first_seen, last_seen FROM instrumentations
           ORDER BY topic, last_seen DESC, spans DESC, name, version"""
    )
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def _tally(batch: Batch) -> Counter[Key]:
    counts: Counter[Key] = Counter()
    for origin, decoded in batch.messages:
        for found, count in instrumentations(decoded).items():
            counts[origin.topic, found] += count
    return Counter({(plain(topic), found): count for (topic, found), count in counts.items()})


def _bounded(counts: Counter[Key], known: Iterable[Key]) -> Counter[Key]:
    """`counts` with new ones beyond NAMES of a source under OTHER."""
    bounded: Counter[Key] = Counter()
    kept = set(known)
    room = Counter({topic: NAMES for topic, _ in counts}) - Counter(topic for topic, found in kept if found != OTHER)
    for (topic, found), count in counts.items():
        key = (topic, found)
        if key not in kept and room[topic] > 0:
            kept.add(key)
            room[topic] -= 1
        bounded[key if key in kept else (topic, OTHER)] += count
    return bounded
