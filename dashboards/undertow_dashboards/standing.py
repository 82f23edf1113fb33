"""Targets as rows of the fleet's table: what each is, how it stands in words, what it does, the urgent ones first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from undertow_dashboards import sentences, words
from undertow_dashboards.shapes import FleetRow, Incident, Target, TargetState

SIGNS = {"alert": "▲", "stale": "■", "insufficient_data": "?", "insufficient": "?", "collecting": "…", "ok": "✓"}
NONE = "(none)"
MAX_NAME = 40
_LAST = 99


@dataclass(frozen=True, slots=True)
class Row:
    """One target: its state, what it did in the window, and the rank of its most severe open incident."""

    state: TargetState
    did: FleetRow
    severity: int
    since: float | None

    @property
    def target(self) -> Target:
        """Whose row it is."""
        return self.state.target


def rows(targets: Sequence[TargetState], fleet: Iterable[FleetRow], incidents: Sequence[Incident]) -> list[Row]:
    """A row for each target, the most urgent first: by state, severity, then traffic."""
    did = {row.target: row for row in fleet}
    standing = _open(incidents)
    found = [_row(state, did.get(state.target, FleetRow(state.target)), standing) for state in targets]
    return sorted(found, key=_urgency)


def _open(incidents: Sequence[Incident]) -> dict[Target, list[Incident]]:
    found: dict[Target, list[Incident]] = {}
    for incident in incidents:
        for target in incident.targets if incident.is_open else ():
            found.setdefault(target, []).append(incident)
    return found


def _row(state: TargetState, did: FleetRow, standing: Mapping[Target, Sequence[Incident]]) -> Row:
    ranks = list(words.SEVERITIES)
    mine = standing.get(state.target, ())
    severity = min((ranks.index(i.severity) for i in mine if i.severity in ranks), default=_LAST)
    known = [at for i in mine if (at := i.change_point if i.change_point is not None else i.opened_at) is not None]
    return Row(state, did, severity, min(known, default=state.last_change))


def _urgency(row: Row) -> tuple[int, int, int, str]:
    rank = sentences.ORDER.get(row.state.state, _LAST)
    return rank, row.severity, -row.did.requests, words.target(row.target)


def standing(row: Row, now: float) -> str:
    """The state as icon, word and time (UTC): `▲ changed since 10:02`."""
    state = row.state
    word = words.STATES.get(state.state, words.UNKNOWN).word
    return f"{SIGNS.get(state.state, '?')} {word}{_when(row, now)}"


def _when(row: Row, now: float) -> str:
    state = row.state
    if state.state == "alert" and row.since is not None:
        return f" since {_clock(row.since, now)}"
    if state.state == "stale":
        since = state.stale_since if state.stale_since is not None else state.last
        return f" since {_clock(since, now)}" if since is not None else ""
    if state.state in ("insufficient_data", "insufficient", "collecting") and state.ready_at is not None:
        return f" until about {_clock(state.ready_at, now)}"
    return ""


def _clock(at: float, now: float) -> str:
    """Without the zone, which the column's name tells."""
    return words.clock_time(at, now).removesuffix(" UTC")


def facets(found: Sequence[Row]) -> dict[str, list[str]]:
    """What can be chosen to filter by, as it reads: names in order, states by urgency."""
    states = {words.STATES.get(row.state.state, words.UNKNOWN).word: None for row in found}
    names = {name: sorted({_facet(row, name) for row in found}) for name in ("provider", "model", "gateway")}
    return {**names, "state": list(states)}


def _facet(row: Row, name: str) -> str:
    if name == "state":
        return words.STATES.get(row.state.state, words.UNKNOWN).word
    return words.clean(getattr(row.target, name) or NONE)


def matching(found: Sequence[Row], chosen: Mapping[str, Sequence[str]], text: str = "") -> list[Row]:
    """The rows of which every chosen facet holds, and of which some name holds `text`, in any case."""
    wanted = text.strip().lower()
    return [
        row
        for row in found
        if all(_facet(row, name) in values for name, values in chosen.items() if values)
        and wanted in words.target(row.target).lower()
    ]


def cells(row: Row, now: float) -> dict[str, object]:
    """A row as cells: names made harmless, durations in seconds, shares of one in per cent, None where unknown."""
    did, target = row.did, row.target
    return {
        "state": standing(row, now),
        "model": words.cell(target.model, MAX_NAME),
        "provider": words.cell(target.provider, MAX_NAME),
        "gateway": words.cell(target.gateway or "", MAX_NAME),
        "deployment": words.cell(target.deployment or "", MAX_NAME),
        "weight": row.state.multiplier,
        "errors": _per_cent(did.error_rate),
        "share": _per_cent(did.share),
        "last change": "" if row.state.last_change is None else words.ago(row.state.last_change, now),
        "p50": did.p50_s,
        "p95": did.p95_s,
        "p99": did.p99_s,
        "cost": did.cost_usd_per_1k_tokens,
        "requests": did.requests,
    }


def _per_cent(share: float | None) -> float | None:
    return None if share is None else 100 * share
