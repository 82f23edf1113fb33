"""The weights feed as it is read (CONTRACTS 6), and which causes lower a weight.

Everything here is pure. `routing` decides which multiplier a target has.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from typing import Any

import msgspec

from undertow.config import WeightsConfig
from undertow.notify.message import alert_id
from undertow.span import Target
from undertow.watch.ladder import Lowering, multiplier
from undertow.watch.lifecycle import STANDING as STANDING
from undertow.watch.pool import is_gateway, members, subject

_TIMES = ("since", "expires_at")

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Published:
    """What the feed says: a version that grows with every change, its ETag, and the entries in a fixed order."""

    version: int
    etag: str
    weights: tuple[Entry, ...]

    @staticmethod
    def of(version: int, mode: str, weights: Sequence[Entry]) -> "Published":
        """Under the ETag that belongs to it."""
        return Published(version, etag(version, mode, weights), tuple(weights))


def recommendation(cause: str, config: WeightsConfig) -> dict[str, Any]:
    """What an incident of `cause` recommends: the first step of the ladder, as the incident object carries it."""
    if cause not in config.causes:
        return {"action": "none", "multiplier": 1.0}
    return {"action": "down_weight", "multiplier": multiplier(1, config)}


def lowering(incidents: Iterable[Mapping[str, Any]], config: WeightsConfig) -> dict[Target, Lowering]:
    """What lowers each target: the standing incidents of itself, or of a pool that it is in, as one."""
    found: dict[Target, list[Mapping[str, Any]]] = {}
    for incident in incidents:
        if _lowers(incident, config):
            for target in filterfalse(is_gateway, members(subject(incident))):
                found.setdefault(target, []).append(incident)
    return {target: _as_one(found[target]) for target in sorted(found, key=order)}


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


def order(target: Target) -> tuple[str, str, str, str]:
    """Sorts targets, group by group."""
    return target.gateway or "", target.model, target.provider, target.deployment or ""


def _lowers(incident: Mapping[str, Any], config: WeightsConfig) -> bool:
    """One whose evidence was demoted recommends nothing."""
    standing = incident["status"] in STANDING and incident.get("confirmation") != "demoted"
    return standing and incident["cause"] in config.causes


def _as_one(incidents: Sequence[Mapping[str, Any]]) -> Lowering:
    first = min(incidents, key=lambda incident: (float(incident["opened_at"]), str(incident["id"])))
    held = all(incident["status"] == "acknowledged" for incident in incidents)
    ids = tuple(sorted(alert_id(incident) for incident in incidents))
    return Lowering(str(first["cause"]), float(first["opened_at"]), ids, held)
