"""Deleting by age.

A span that detection has still to judge stays, however old, and so does one of no sketch, and so do the messages of an
alert that stands: they say who has to hear of its end.
"""

import math
from typing import NamedTuple

import duckdb

from undertow.config import StoreConfig
from undertow.store.rolled import Rolls, whole_hours

DAY_S = 86400.0
_DELETE = {
    "spans": "DELETE FROM spans WHERE ended_at < $rolled AND (late OR ended_at <= $cursor)",
    "rollups": "DELETE FROM rollups WHERE last < $rollup",
    "evidence": 'DELETE FROM evidence WHERE "at" < $rollup',
    "sketches": "DELETE FROM sketches WHERE bucket < $sketches",
    "sketches_hour": "DELETE FROM sketches_hour WHERE bucket < $sketches",
    "hours": "DELETE FROM hours WHERE bucket < $sketches",
    "buckets": "DELETE FROM buckets WHERE bucket < $sketches",
    "rejects": "DELETE FROM rejects WHERE received_at < $raw",
    "payloads": "UPDATE rejects SET payload = NULL WHERE payload IS NOT NULL AND received_at < $text",
    "outbox": """DELETE FROM outbox WHERE state <> 'pending' AND changed_at < $raw AND NOT EXISTS (
        SELECT 1 FROM alerts WHERE alerts.id = 'alert ' || incident_id OR contains(alerts.document, incident_id))""",
    "notices": "DELETE FROM notices WHERE noticed_at < $rollup",
    "audit": "DELETE FROM audit WHERE recorded_at < $rollup",
    "instrumentations": "DELETE FROM instrumentations WHERE last_seen < $rollup",
    "silences": "DELETE FROM silences WHERE ends_at < $rollup",
    "weight_changes": "DELETE FROM weight_changes WHERE changed_at < $rollup",
}
_USES = {
    "spans": ("rolled", "cursor"),
    "rollups": ("rollup",),
    "evidence": ("rollup",),
    "sketches": ("sketches",),
    "sketches_hour": ("sketches",),
    "hours": ("sketches",),
    "buckets": ("sketches",),
    "payloads": ("text",),
    "notices": ("rollup",),
    "audit": ("rollup",),
    "instrumentations": ("rollup",),
    "silences": ("rollup",),
    "weight_changes": ("rollup",),
}


_UNTOLD = ("sketches_hour", "hours", "buckets")


class Limits(NamedTuple):
    """What is older goes, in Unix seconds on whole hours.

    Raw rows before `raw` go now, and those before `gone` may be; sketches before `sketches` go.
    """

    raw: float
    gone: float
    sketches: float


def limits(config: StoreConfig, now: float, rolls: Rolls) -> Limits:
    """Raw rows go up to the first hour that is not rolled, and sketches up to where there may be raw rows."""
    first = min(rolls.open | rolls.loose, default=math.inf)
    raw = whole_hours(min(now - config.raw_retention_days * DAY_S, first))
    gone = max(raw, rolls.gone)
    return Limits(raw, gone, min(raw, whole_hours(now - config.rollup_retention_days * DAY_S)))


def retain(
    con: duckdb.DuckDBPyConnection, config: StoreConfig, now: float, cursor: float, found: Limits
) -> dict[str, int]:
    """Delete what is older at `now` than the operator keeps, inside the caller's transaction; how many rows of each."""
    con.execute("INSERT OR REPLACE INTO progress VALUES ('gone', ?)", [found.gone])
    values = {
        "raw": now - config.raw_retention_days * DAY_S,
        "rollup": now - config.rollup_retention_days * DAY_S,
        "text": now - config.text_retention_days * DAY_S,
        "cursor": cursor,
        "rolled": found.raw,
        "sketches": found.sketches,
    }
    deleted = {}
    for name, sql in _DELETE.items():
        chosen = {key: values[key] for key in _USES.get(name, ("raw",))}
        deleted[name] = con.execute(sql, chosen).fetchall()[0][0]
    return {name: count for name, count in deleted.items() if name not in _UNTOLD}
