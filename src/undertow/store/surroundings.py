"""What stands around an incident: its messages, what happened beside it, and where its spans are."""

from collections.abc import Sequence
from typing import Any, Literal

import duckdb

from undertow.span import Target
from undertow.store.read import documents, rows

Kind = Literal["notices", "weight_changes", "silences", "incidents"]
_OF = {
    "notices": "SELECT document FROM notices WHERE noticed_at >= $start AND noticed_at < $end ORDER BY noticed_at",
    "weight_changes": (
        "SELECT document FROM weight_changes WHERE changed_at >= $start AND changed_at < $end ORDER BY changed_at"
    ),
    "silences": "SELECT document FROM silences WHERE ends_at >= $start ORDER BY ends_at",
    "incidents": "SELECT document FROM incidents WHERE opened_at < $end ORDER BY opened_at, id",
}
_BOUND = {"silences": ("start",), "incidents": ("end",)}
_TARGET = " AND ".join(
    f"{name} IS NOT DISTINCT FROM ${name}" for name in ("gateway", "provider", "model", "deployment")
)
_REACHES_S = (3600.0, 86_400.0, 30 * 86_400.0)
"""How far is looked for spans: further only where too few are nearer, for a busy target has millions in a month."""


def between(con: duckdb.DuckDBPyConnection, kind: Kind, start: float, end: float) -> list[dict[str, Any]]:
    """Documents in order of time: notices and changes over [start, end), silences that end later than `start`,
    and incidents that opened before `end`."""
    given = {"start": start, "end": end}
    return documents(con, _OF[kind], {name: given[name] for name in _BOUND.get(kind, ("start", "end"))})


def deliveries(con: duckdb.DuckDBPyConnection, alert: str) -> list[dict[str, Any]]:
    """The messages of an alert in order, each with its state: pending, standing, delivered or dead."""
    return rows(
        con,
        """SELECT channel, kind, state, attempts, changed_at,
               CASE WHEN state IN ('pending', 'standing') THEN next_attempt_at END AS next_attempt_at,
               coalesce(detail, '') AS detail
           FROM outbox WHERE incident_id = $alert ORDER BY sequence, channel""",
        {"alert": alert},
    )


def around(
    con: duckdb.DuckDBPyConnection, target: Target, before: float, after: float, most: int
) -> tuple[float, float]:
    """Where the last `most` spans until `before` begin, and the first `most` after `after` end; a month at most."""
    given = target.as_dict() | {"most": most}
    first = _furthest(con, "min", "DESC", given, [(before - reach, before) for reach in _REACHES_S])
    last = _furthest(con, "max", "ASC", given, [(after, after + reach) for reach in _REACHES_S])
    return (before if first is None else first - 1e-6, after if last is None else last)


def _furthest(
    con: duckdb.DuckDBPyConnection, pick: str, way: str, given: dict[str, Any], windows: Sequence[tuple[float, float]]
) -> float | None:
    """The time of the last of the `most` nearest spans in the first of the windows that has so many, or in the last."""
    sql = f"""SELECT count(*), {pick}(ended_at) FROM (SELECT ended_at FROM spans WHERE NOT late AND {_TARGET}
              AND ended_at > $low AND ended_at <= $high ORDER BY ended_at {way} LIMIT $most)"""  # noqa: S608
    at = None
    for low, high in windows:
        ((n, at),) = con.execute(sql, given | {"low": low, "high": high}).fetchall()
        if n == given["most"]:
            break
    return at
