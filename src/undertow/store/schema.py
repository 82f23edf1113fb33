"""The tables, and how an older file becomes a current one.

Columns of `spans` follow span.FIELDS, those of `rollups` signals.SIGNALS and those of sketches cells.MEASURES: what is
missing in an older file is added when it is opened. Any other change is a step of MIGRATIONS.
"""

from collections.abc import Mapping, Sequence

import duckdb

from undertow.errors import StoreError
from undertow.span import FIELDS
from undertow.store import evidence, instrumentations
from undertow.store.cells import MEASURES as CELL
from undertow.store.db import transaction
from undertow.store.signals import SIGNALS, TOTALS

_SQL = {
    "str": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "map": "MAP(VARCHAR, VARCHAR)",
    "json": "VARCHAR",
}

ORIGIN_COLUMNS: dict[str, str] = {
    "topic": "VARCHAR",
    "partition": "INTEGER",
    "offset": "BIGINT",
    "index": "INTEGER",
    "format": "VARCHAR",
}
SPAN_COLUMNS: dict[str, str] = {f.name: _SQL[f.kind] for f in FIELDS} | {"ended_at": "DOUBLE"}
MEASURES: dict[str, str] = {
    column: kind for name in SIGNALS for column, kind in ((f"{name}_n", "BIGINT"), (f"{name}_sum", "DOUBLE"))
} | dict.fromkeys(TOTALS, "DOUBLE")
FOLLOWING: dict[str, dict[str, str]] = {
    "spans": SPAN_COLUMNS | {"late": "BOOLEAN"} | ORIGIN_COLUMNS,
    "rollups": MEASURES,
    "sketches": CELL,
    "sketches_hour": CELL,
}
"""Columns that follow a definition elsewhere, by table."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE spans (ended_at DOUBLE);
    CREATE TABLE rollups (
        bucket BIGINT, gateway VARCHAR, provider VARCHAR, model VARCHAR, deployment VARCHAR, operation VARCHAR,
        status VARCHAR, spans BIGINT, late BIGINT, first DOUBLE, last DOUBLE);
    CREATE TABLE rejects (
        received_at DOUBLE, reason VARCHAR, detail VARCHAR, topic VARCHAR, "partition" INTEGER, "offset" BIGINT,
        "index" INTEGER, format VARCHAR, sha256 VARCHAR, length BIGINT, payload BLOB);
    CREATE TABLE source_offsets (
        topic VARCHAR, "partition" INTEGER, next_offset BIGINT, PRIMARY KEY (topic, "partition"));
    CREATE TABLE counters (kind VARCHAR, name VARCHAR, count BIGINT, PRIMARY KEY (kind, name));
    CREATE TABLE progress (name VARCHAR PRIMARY KEY, value DOUBLE);
    CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR);
    CREATE TABLE detector_state (key VARCHAR PRIMARY KEY, state BLOB);
    CREATE TABLE incidents (id VARCHAR PRIMARY KEY, status VARCHAR, opened_at DOUBLE, document VARCHAR);
    CREATE TABLE notices (noticed_at DOUBLE, kind VARCHAR, document VARCHAR);
    CREATE TABLE outbox (
        webhook_id VARCHAR, channel VARCHAR, incident_id VARCHAR, sequence BIGINT, kind VARCHAR, body VARCHAR,
        created_at DOUBLE, attempts INTEGER, next_attempt_at DOUBLE, state VARCHAR, changed_at DOUBLE, detail VARCHAR,
        PRIMARY KEY (webhook_id, channel));
    """,
    """
    CREATE TABLE audit (
        happened_at DOUBLE, recorded_at DOUBLE, subject VARCHAR, action VARCHAR, reason VARCHAR, actor VARCHAR,
        text VARCHAR);
    CREATE TABLE alerts (id VARCHAR PRIMARY KEY, document VARCHAR);
    CREATE TABLE silences (id VARCHAR PRIMARY KEY, ends_at DOUBLE, document VARCHAR);
    CREATE TABLE receivers (channel VARCHAR PRIMARY KEY, disabled_at DOUBLE, detail VARCHAR);
    """,
    "CREATE TABLE weight_changes (changed_at DOUBLE, document VARCHAR);",
    evidence.TABLE,
    """
    CREATE TABLE sketches (
        bucket BIGINT, gateway VARCHAR, provider VARCHAR, model VARCHAR, deployment VARCHAR, route VARCHAR,
        more_routes BOOLEAN);
    CREATE TABLE sketches_hour (
        bucket BIGINT, gateway VARCHAR, provider VARCHAR, model VARCHAR, deployment VARCHAR, route VARCHAR,
        more_routes BOOLEAN);
    CREATE TABLE buckets (bucket BIGINT, rolled BOOLEAN);
    CREATE TABLE hours (bucket BIGINT);
    INSERT INTO buckets SELECT DISTINCT bucket, false FROM rollups;
    """,
    # HTTP wrote its offsets under `http`, which is a topic's name, too. They are its own from this step on; where the
    # file tells of a topic `http`, its partition 0 keeps them as well, with a span by which the first start sees whose
    # they are. Of other partitions, too, a span is what this file has to recognise a topic by.
    """
    ALTER TABLE spans ADD COLUMN IF NOT EXISTS topic VARCHAR;
    ALTER TABLE spans ADD COLUMN IF NOT EXISTS "partition" INTEGER;
    ALTER TABLE spans ADD COLUMN IF NOT EXISTS "offset" BIGINT;
    ALTER TABLE spans ADD COLUMN IF NOT EXISTS span_id VARCHAR;
    CREATE TABLE source_identities (topic VARCHAR PRIMARY KEY, identity VARCHAR);
    CREATE TABLE kept AS SELECT * FROM source_offsets;
    DROP TABLE source_offsets;
    CREATE TABLE source_offsets (
        topic VARCHAR, identity VARCHAR, "partition" INTEGER, next_offset BIGINT, mark_offset BIGINT,
        mark_timestamp_s DOUBLE, mark_digest VARCHAR, PRIMARY KEY (topic, identity, "partition"));
    INSERT INTO source_offsets BY NAME
        SELECT 'http:api' AS topic, '' AS identity, "partition", next_offset FROM kept
        WHERE topic = 'http' AND "partition" = 0;
    INSERT INTO source_offsets BY NAME
        SELECT topic, '' AS identity, "partition", next_offset, mark_offset, 'span_id:' || span_id AS mark_digest
        FROM kept LEFT JOIN (
            SELECT topic, "partition", max("offset") AS mark_offset, arg_max(span_id, "offset") AS span_id
            FROM spans WHERE NOT starts_with(span_id, topic || ':' || "partition" || ':') GROUP BY ALL
        ) USING (topic, "partition")
        WHERE topic <> 'http' OR "partition" <> 0 OR mark_offset IS NOT NULL AND (
            EXISTS (FROM kept WHERE topic = 'http' AND "partition" > 0)
            OR EXISTS (FROM meta WHERE key = 'group_instance_id')
            AND NOT EXISTS (FROM kept WHERE topic <> 'http' AND NOT starts_with(topic, 'file:')));
    DROP TABLE kept;
    """,
    instrumentations.TABLE,
)
"""Step n makes version n + 1 out of version n; steps are added, never changed."""

_GONE = "coalesce((SELECT value FROM progress WHERE name = 'gone'), 0)"
_ROLL_AGAIN = f"""
    UPDATE buckets SET rolled = false WHERE bucket >= {_GONE};
    DELETE FROM hours WHERE bucket >= {_GONE};"""  # noqa: S608
"""Sketches that lack a column are made anew where there are raw rows to make them of."""


def migrate(con: duckdb.DuckDBPyConnection, name: str, steps: Sequence[str] = MIGRATIONS) -> int:
    """Bring the database to the newest version and return that; `name` is the file, for messages.

    Raises StoreError when the file belongs to a newer Undertow or to something else; nothing is changed then.
    """
    version = _version(con, name)
    if version > len(steps):
        raise StoreError(
            f"{name} has schema version {version}, but this Undertow knows {len(steps)}: "
            "upgrade Undertow or name another file in store.path"
        )
    with transaction(con):
        con.execute("CREATE TABLE IF NOT EXISTS undertow_schema (version INTEGER)")
        for step in steps[version:]:
            con.execute(step)
        grown = [table for table, columns in FOLLOWING.items() if _add_missing(con, table, columns)]
        if "sketches" in grown:
            con.execute(_ROLL_AGAIN)
        if version != len(steps):  # a file that is current, and may be damaged further on, is opened without a write
            con.execute("DELETE FROM undertow_schema")
            con.execute("INSERT INTO undertow_schema VALUES (?)", [len(steps)])
    return len(steps)


def _tables(con: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()}


def _version(con: duckdb.DuckDBPyConnection, name: str) -> int:
    tables = _tables(con)
    if "undertow_schema" in tables:
        return int(con.execute("SELECT max(version) FROM undertow_schema").fetchall()[0][0])
    if tables:
        raise StoreError(f"{name} is a DuckDB database of something else: name another file in store.path")
    return 0


def _add_missing(con: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str]) -> bool:
    """Whether any column was missing."""
    found = con.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [table]).fetchall()
    present = {row[0] for row in found}
    missing = {column: kind for column, kind in columns.items() if column not in present}
    for column, kind in missing.items():
        con.execute(f'ALTER TABLE {table} ADD COLUMN "{column}" {kind}')
    return bool(missing)
