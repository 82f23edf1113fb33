"""Which share of its own weight a target should get until its incident is looked at (CONTRACTS 6).

Everything here is pure: the same incidents, targets and configuration give the same feed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from undertow.config import WeightsConfig
from undertow.notify.message import alert_id
from undertow.span import Target
from undertow.watch.lifecycle import STANDING as STANDING
from undertow.watch.pool import members, subject

LOWERING_CAUSES = frozenset({"provider_update"})
"""Causes that lower a weight; everything else is told, not acted upon."""

_TIMES = ("since", "expires_at")

Entry = dict[str, Any]


def recommendation(cause: str, config: WeightsConfig) -> dict[str, Any]:
    """What an incident of `cause` recommends: the policy of this module, as the incident object carries it."""
    if cause not in LOWERING_CAUSES:
        return {"action": "none", "multiplier": 1.0}
    return {"action": "down_weight", "multiplier": max(config.multiplier, config.floor)}


def entries(
    incidents: Iterable[Mapping[str, Any]], targets: Iterable[Target], config: WeightsConfig, now: float
) -> list[Entry]:
    """The targets whose weight is not their own, in a fixed order; `now` in Unix seconds ends what has expired.

    A target gets `config.multiplier`, never less than `config.floor`, while an incident of a lowering cause stands, of
    itself or of a pool that it is in. Of a group, the targets with one (gateway, model), at least one keeps 1; a group
    of one carries its multiplier.
    """
    standing: dict[Target, list[Mapping[str, Any]]] = {}
    for incident in incidents:
        for target in members(subject(incident)) if _lowers(incident, now) else ():
            standing.setdefault(target, []).append(incident)
    spared = _spared(standing, set(targets) | set(standing))
    return [_entry(target, standing[target], config, target in spared) for target in sorted(standing, key=_order)]


def etag(version: int, mode: str, weights: Sequence[Entry]) -> str:
    """A strong ETag over everything in the feed but its times."""
    timeless = [{k: v for k, v in entry.items() if k not in _TIMES} for entry in weights]
    canonical = msgspec.json.encode([version, mode, timeless], order="sorted")
    return f'"{hashlib.sha256(canonical).hexdigest()[:32]}"'


def feed(version: int, weights: Sequence[Entry], config: WeightsConfig, now: float) -> dict[str, Any]:
    """The body of `GET /v1/weights`. Times are Unix seconds.

    A reader applies an entry until `expires_at` of the feed or of the entry, whichever is first; past that, and for
    every target that is absent, the multiplier is 1.
    """
    return {
        "version": version,
        "generated_at": now,
        "expires_at": now + config.ttl_s,
        "mode": config.mode,
        "weights": list(weights),
    }


def _lowers(incident: Mapping[str, Any], now: float) -> bool:
    expires_at = _expires_at(incident)
    return (
        incident["cause"] in LOWERING_CAUSES
        and incident["status"] in STANDING
        and (expires_at is None or now < expires_at)
    )


def _expires_at(incident: Mapping[str, Any]) -> float | None:
    at: float | None = (incident.get("recommendation") or {}).get("expires_at")
    return at


def _spared(standing: Mapping[Target, Sequence[Mapping[str, Any]]], known: Iterable[Target]) -> set[Target]:
    """Where a whole group of two or more is lowered, the one lowered last: its siblings' traffic is already there."""
    groups: dict[tuple[str | None, str], list[Target]] = {}
    for target in known:
        groups.setdefault((target.gateway, target.model), []).append(target)
    return {
        max(group, key=lambda target: (_since(standing[target]), _order(target)))
        for group in groups.values()
        if len(group) > 1 and all(target in standing for target in group)
    }


def _since(incidents: Sequence[Mapping[str, Any]]) -> float:
    return min(float(incident["opened_at"]) for incident in incidents)


def _order(target: Target) -> tuple[str, str, str, str]:
    return target.gateway or "", target.provider, target.model, target.deployment or ""


def _entry(target: Target, incidents: Sequence[Mapping[str, Any]], config: WeightsConfig, spared: bool) -> Entry:
    ends = [_expires_at(incident) for incident in incidents]
    return {
        "target": target.as_dict(),
        "multiplier": 1.0 if spared else max(config.multiplier, config.floor),
        "floor": config.floor,
        "reason": "last_of_group" if spared else incidents[0]["cause"],
        "alert_ids": sorted(alert_id(incident) for incident in incidents),
        "since": _since(incidents),
        "expires_at": None if None in ends else max(end for end in ends if end is not None),
        "step": 0 if spared else 1,
    }
