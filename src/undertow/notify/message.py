"""One message on its way out, and the JSON body that a receiver gets."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

BODY_LIMIT_BYTES = 20_000
"""Standard Webhooks asks for bodies under 20 kB."""

_CORE = (
    "id",
    "target",
    "cause",
    "lane",
    "severity",
    "status",
    "opened_at",
    "resolved_at",
    "change_point",
    "group",
    "reason",
)
_TOLD_SIGNALS = 10
_QUERY_LIMIT = 1500
_TEXT_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row of the outbox: one transition of one incident, for one channel.

    `sequence` orders the messages of an incident; `body` is JSON and never changes, so every retry sends the same bytes
    under the same `webhook_id`. Times are Unix seconds.
    """

    webhook_id: str
    channel: str
    incident_id: str
    sequence: int
    kind: str
    body: str
    created_at: float
    attempts: int = 0
    next_attempt_at: float = 0.0


def alert_id(incident: Mapping[str, Any]) -> str:
    """The id under which webhooks and the weights feed speak of `incident`: that of its group, if it is in one."""
    group = incident.get("group")
    return "al_" + (str(group).removeprefix("grp_") if group else str(incident["id"]).removeprefix("inc_"))


def fingerprint(incident: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the target and of the incident, which is one change of it: the same in every transition."""
    identity = msgspec.json.encode([incident["target"], incident["id"]], order="sorted")
    return hashlib.sha256(identity).hexdigest()


def data_quality(ingestion: Mapping[str, Any]) -> dict[str, Any]:
    """How far the data behind an alert can be trusted, from the counts of `Store.ingestion`.

    `reject_ratio` is rejected over read, None when nothing was read.
    """
    totals = ingestion["totals"]
    ratio = totals["rejected"] / totals["read"] if totals["read"] else None
    return {"reject_ratio": ratio, "late": totals["late"], "newest": ingestion.get("newest")}


def body(
    kind: str,
    incident: Mapping[str, Any],
    now: float,
    *,
    dashboard_url: str = "",
    quality: Mapping[str, Any] | None = None,
) -> str:
    """The Standard Webhooks body `{"type", "timestamp", "data"}` as JSON of less than 20 kB.

    `data` is the incident object (CONTRACTS 2) with alert_id, fingerprint, data_quality and links. One too long for the
    limit is cut (its strata first, then to its core and first signals, at last its names) and says so in `truncated`.
    """
    added = {
        "alert_id": alert_id(incident),
        "fingerprint": fingerprint(incident),
        "data_quality": dict(quality or {}),
        "links": _links(incident, dashboard_url),
    }
    signals = [{key: one[key] for key in one if key != "strata"} for one in incident.get("signals", [])]
    brief = {**incident, "signals": signals, "truncated": True}
    core = {key: incident[key] for key in _CORE if key in incident} | {"signals": [], "truncated": True}
    some = core | {"signals": signals[:_TOLD_SIGNALS]}
    texts = (encode(kind, now, {**data, **added}) for data in (incident, brief, some, core, _short(core)))
    return next((text for text in texts if len(text) < BODY_LIMIT_BYTES), b"").decode()


def _short(value: Any) -> Any:
    """`value` with every text in it cut: names that would fill a body alone."""
    if isinstance(value, Mapping):
        return {key: _short(inner) for key, inner in value.items()}
    return value[:_TEXT_LIMIT] if isinstance(value, str) else value


def encode(kind: str, now: float, data: Mapping[str, Any]) -> bytes:
    """A Standard Webhooks body of one event at `now`, in Unix seconds."""
    return msgspec.json.encode({"type": kind, "timestamp": rfc3339(now), "data": data})


def _links(incident: Mapping[str, Any], dashboard_url: str) -> dict[str, str]:
    """The page of the incident; of missing data, where it is seen what came in."""
    if not dashboard_url:
        return {}
    query = urlencode({"id": incident["id"]})
    of_one = f"incident?{query}" if len(query) < _QUERY_LIMIT else "incident"
    page = "ingestion" if incident.get("lane") == "data" else of_one
    return {"dashboard": f"{dashboard_url.rstrip('/')}/{page}"}


def rfc3339(at: float) -> str:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
