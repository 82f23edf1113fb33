"""Deleting by age.

A span that detection has still to judge stays, however old, and so do the messages of an alert that stands: they say
who has to hear of its end.
"""

import duckdb

from undertow.config import StoreConfig

_DAY_S = 86400.0
_DELETE = {
    "spans": "DELETE FROM spans WHERE ended_at < $raw AND (late OR ended_at <= $cursor)",
    "rollups": "DELETE FROM rollups WHERE last < $rollup",
    "evidence": 'DELETE FROM evidence WHERE "at" < $rollup',
    "rejects": "DELETE FROM rejects WHERE received_at < $raw",
    "payloads": "UPDATE rejects SET payload = NULL WHERE payload IS NOT NULL AND received_at < $text",
    "outbox": """DELETE FROM outbox WHERE state <> 'pending' AND changed_at < $raw AND NOT EXISTS (
        SELECT 1 FROM alerts WHERE alerts.id = 'alert ' || incident_id OR contains(alerts.document, incident_id))""",
    "notices": "DELETE FROM notices WHERE noticed_at < $rollup",
    "audit": "DELETE FROM audit WHERE recorded_at < $rollup",
    "silences": "DELETE FROM silences WHERE ends_at < $rollup",
    "weight_changes": "DELETE FROM weight_changes WHERE changed_at < $rollup",
}
_USES = {
    "spans": ("raw", "cursor"),
    "rollups": ("rollup",),
    "evidence": ("rollup",),
    "payloads": ("text",),
    "notices": ("rollup",),
    "audit": ("rollup",),
    "silences": ("rollup",),
    "weight_changes": ("rollup",),
}


def retain(con: duckdb.DuckDBPyConnection, config: StoreConfig, now: float, cursor: float) -> dict[str, int]:
    """Delete what is older at `now` than the operator keeps, inside the caller's transaction; how many rows of each."""
    limits = {
        "raw": now - config.raw_retention_days * _DAY_S,
        "rollup": now - config.rollup_retention_days * _DAY_S,
        "text": now - config.text_retention_days * _DAY_S,
        "cursor": cursor,
    }
    deleted = {}
    for name, sql in _DELETE.items():
        values = {key: limits[key] for key in _USES.get(name, ("raw",))}
        deleted[name] = con.execute(sql, values).fetchall()[0][0]
    return deleted
