"""What else could have moved the answers, and was looked at and found not to."""

from collections.abc import Mapping
from typing import Any

ORDER = ("own_release", "declared_update", "one_tenant_moved", "one_route_moved", "traffic_moved")
"""Explanations in the order in which `attribution.RULES` asks for them."""
UNKNOWN = {"one_tenant_moved", "one_route_moved"}
"""They speak only where tenants and routes are known well enough, so that their silence rules out nothing."""
CONTROLS = {"routes_agree": "one_route_moved", "other_targets_quiet": "other_providers_moved"}
"""What the reasons of an incident rule out by themselves."""


def of(incident: Mapping[str, Any]) -> list[str]:
    """The explanations that are ruled out, by name; none of what only a declaration opened."""
    if incident["lane"] == "identity":
        return []
    why, cause = list(incident.get("why") or ()), incident["cause"]
    spoke = cause if cause in ORDER else next((reason for reason in why if reason in ORDER), "")
    asked = ORDER[: ORDER.index(spoke)] if spoke else _before_any(cause, why)
    found = [name for name in asked if name not in UNKNOWN]
    return found + [CONTROLS[reason] for reason in why if reason in CONTROLS]


def _before_any(cause: str, why: list[str]) -> tuple[str, ...]:
    """A lane that speaks alone is asked before the traffic is; the provider is blamed after all others."""
    alone = cause in ("infrastructure", "availability") or "price_changed" in why
    return ORDER[: ORDER.index("one_tenant_moved")] if alone else ORDER
