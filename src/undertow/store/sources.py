"""How far each source was read, by which topic it was; `ingest` writes it beside the rows."""

from typing import Any

import duckdb

from undertow.batch import Batch, Mark, Position
from undertow.columns import plain

_CURRENT = "coalesce((SELECT identity FROM source_identities AS i WHERE i.topic = o.topic), '')"


def move(con: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Write the offsets of `batch`; part of the caller's transaction."""
    for topic, former in batch.formerly.items():
        values = [batch.identities[topic], plain(topic), former]
        con.execute("UPDATE source_offsets SET identity = ? WHERE topic = ? AND identity = ?", values)
    for topic, identity in batch.identities.items():
        con.execute(
            """INSERT INTO source_identities VALUES (?, ?)
               ON CONFLICT DO UPDATE SET identity = excluded.identity WHERE identity <> excluded.identity""",
            [plain(topic), identity],
        )
    for (topic, partition), offset in batch.next_offsets.items():
        mark = batch.marks.get((topic, partition), (None, None, None))
        row = [plain(topic), batch.identities.get(topic, ""), partition, offset, *mark]
        con.execute("INSERT OR REPLACE INTO source_offsets VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def offsets(con: duckdb.DuckDBPyConnection, topic: str) -> dict[int, int]:
    """Next offset by partition of `topic` as it was read last."""
    found = con.execute(
        f'SELECT "partition", next_offset FROM source_offsets AS o WHERE topic = ? AND identity = {_CURRENT}',  # noqa: S608
        [topic],
    )
    return dict(found.fetchall())


def positions(con: duckdb.DuckDBPyConnection, topic: str) -> dict[str, dict[int, Position]]:
    """How far `topic` was read under each of its identities, the current one last."""
    found: dict[str, dict[int, Position]] = {}
    rows = con.execute(
        f"""SELECT identity, "partition", next_offset, mark_offset, mark_timestamp_s, mark_digest
            FROM source_offsets AS o WHERE topic = ? ORDER BY identity = {_CURRENT}, identity, "partition\"""",  # noqa: S608
        [topic],
    ).fetchall()
    for identity, partition, next_offset, *mark in rows:
        kept = Mark(*mark) if mark[0] is not None else None
        found.setdefault(identity, {})[partition] = Position(next_offset, kept)
    return found


def listed(con: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """`partitions` of sources as they were read last, and those of topics that were `replaced`."""
    rows = con.execute(
        f"""SELECT topic, "partition", next_offset, nullif(identity, ''), identity = {_CURRENT}
            FROM source_offsets AS o ORDER BY topic, identity, "partition\""""  # noqa: S608
    ).fetchall()
    names = ("topic", "partition", "next_offset", "identity")
    told = [(dict(zip(names, row[:4], strict=True)), row[4]) for row in rows]
    return {
        "partitions": [row for row, current in told if current],
        "replaced": [row for row, current in told if not current],
    }
