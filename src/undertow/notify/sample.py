"""An incident that never was, for `undertow alerts test` and to see what channels make of it."""

from typing import Any, Literal

from undertow.notify.message import body

Event = Literal["opened", "updated", "resolved", "stale"]
EVENTS: tuple[Event, ...] = ("opened", "updated", "resolved", "stale")

BEGAN_S = 1300.0
FOUND_S = 600.0
"""So many seconds before the message the sample's change began and was found."""


def sample(event: Event, now: float, dashboard_url: str = "") -> tuple[str, str]:
    """Type and body of a message told at `now` (Unix seconds); each event is of one and the same incident."""
    kind = "llm.data.stale" if event == "stale" else f"llm.drift.{event}"
    document = _stale(now) if event == "stale" else _drift(event, now)
    return kind, body(kind, document, now, dashboard_url=dashboard_url, quality={"reject_ratio": 0.0, "late": 0})


def _target() -> dict[str, Any]:
    return {"gateway": "sample", "provider": "openai", "model": "gpt-4", "deployment": None}


def _drift(event: Event, now: float) -> dict[str, Any]:
    status = {"opened": "open", "updated": "acknowledged", "resolved": "resolved"}[event]
    noted = [{"at": now, "by": "undertow alerts test", "status": status}]
    return {
        "id": "inc_sample",
        "target": _target(),
        "cause": "provider_update",
        "lane": "content",
        "severity": "critical",
        "status": status,
        "opened_at": now - FOUND_S,
        "opened_after_spans": 13246,
        "resolved_at": now if event == "resolved" else None,
        "change_point": now - BEGAN_S,
        "change_point_interval": [now - BEGAN_S - 600, now - BEGAN_S + 600],
        "signals": [
            {
                "signal": "output_tokens",
                "lane": "content",
                "direction": "down",
                "effect": {"name": "ratio", "value": 0.88, "ci95": [0.86, 0.9], "n_before": 10012, "n_after": 900},
                "log10_evidence": 7.3,
            }
        ],
        "cost": {
            "tokens_per_day": -203000.0,
            "tokens_ci95": [-240000.0, -166000.0],
            "usd_per_day": None,
            "usd_ci95": None,
        },
        "why": ["traffic_quiet", "other_targets_quiet"],
        "recommendation": {"action": "down_weight", "multiplier": 0.5},
        **({} if event == "opened" else {"history": noted}),
    }


def _stale(now: float) -> dict[str, Any]:
    return {
        "id": "inc_sample_stale",
        "target": _target(),
        "cause": "data_stale",
        "lane": "data",
        "severity": "warning",
        "status": "open",
        "opened_at": now,
        "resolved_at": None,
        "change_point": now - BEGAN_S,
        "signals": [],
        "text": "openai/gpt-4 was not heard for 22 minutes; in its baseline it came far more often",
    }
