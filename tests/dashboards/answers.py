"""What a monitor says on the newer routes, as JSON, by path; a callable is asked with the query."""

import math
from collections.abc import Callable
from typing import Any

HOUR, DAY = 3600.0, 86_400.0
Query = dict[str, str]


def routes(targets: list[dict[str, Any]], now: float, change: float) -> dict[str, Any]:
    """Answers for these targets, the first of which changed at `change`."""
    return {
        "/v1/fleet": {
            "until": now,
            "window_s": DAY,
            "targets": [_row(where, i, len(targets)) for i, where in enumerate(targets)],
        },
        "/v1/shares": lambda query: _shares(query, change),
        "/v1/evidence": lambda query: _evidence(query, change),
        "/v1/marks": {"marks": marks(change)},
        "/v1/cost": lambda query: {
            "start": float(query["start"]),
            "end": float(query["end"]),
            "step_s": float(query["step_s"]),
            "targets": [{"target": where, "points": _spent(query, i)} for i, where in enumerate(targets)],
        },
        "/v1/budget": budget(),
        "/v1/weights": {
            "version": 3,
            "generated_at": now,
            "expires_at": now + 600,
            "mode": "advisory",
            "weights": [
                {
                    "target": targets[0],
                    "multiplier": 0.5,
                    "floor": 0.05,
                    "reason": "provider_update",
                    "alert_ids": ["inc_01"],
                    "since": now - 2 * HOUR,
                    "expires_at": now + HOUR,
                    "step": 1,
                }
            ],
        },
        "/v1/weights/changes": {
            "changes": [
                {
                    "at": now - 2 * HOUR,
                    "target": targets[0],
                    "before": 1.0,
                    "after": 0.5,
                    "reason": "provider_update",
                    "by": "undertow",
                }
            ]
        },
        "/v1/weights/overrides": {"overrides": []},
        "/v1/silences": {"silences": []},
        "/v1/receivers": {"disabled": [], "failing": []},
        "/v1/detectability": {
            "false_alarm_interval_days": 30.0,
            "signals": [_detectable(where, i) for i, where in enumerate(targets)],
        },
        "/v1/memory": {"days": 7.0, "until": now, "signals": []},
    }


def _row(where: dict[str, Any], i: int, count: int) -> dict[str, Any]:
    return {
        "target": where,
        "requests": max(6000 - 900 * i, 100),
        "share": 1 / count,
        "error_rate": 0.004 * (i % 9 + 1),
        "p50_s": 1.2 + i % 10 / 5,
        "p95_s": 4.4 + i % 10,
        "p99_s": 9.1 + i % 10,
        "ttft_p50_s": 0.4,
        "cost_usd": 31.2 - i % 10,
        "cost_usd_per_1k_tokens": 0.011 if i != 3 else None,
        "input_tokens": 4_100_000,
        "output_tokens": 1_400_000,
    }


def _steps(query: Query) -> list[float]:
    start, end, step = (float(query[name]) for name in ("start", "end", "step_s"))
    return [start + i * step for i in range(int((end - start) // step) + 1)]


def _shares(query: Query, change: float) -> dict[str, Any]:
    def shares(at: float) -> dict[str, int]:
        if query["field"] == "system_fingerprint":
            return {"fp_44709d6fcb" if at < change else "fp_6b68a8204b": 80}
        if query["field"] == "response_model":
            return {"gpt-4o-2024-08-06": 80}
        return {"stop": 74, "length": 4 if at < change else 1, "tool_calls": 2}

    points = [{"at": at, "n": sum(shares(at).values()), "shares": shares(at)} for at in _steps(query)]
    return {"field": query["field"], "points": points}


def _evidence(query: Query, change: float) -> dict[str, Any]:
    start, end = float(query["start"]), float(query["end"])
    points = []
    for i in range(int((end - start) // 1200)):
        at = start + i * 1200
        moved = query["signal"] == "output_tokens" and query["model"] == "gpt-4o"
        grown = max(0.0, (at - change) / 1200) if moved else 0.0
        level = 0.6 + 0.4 * math.sin(i * 1.7) + grown
        points.append({"at": at, "log10_evidence": level, "log10_threshold": 5.2})
    return {"signal": query["signal"], "log10_threshold": 5.2, "points": points}


def marks(change: float) -> list[dict[str, Any]]:
    """One mark of each kind around the change."""
    return [
        {"at": change - 30 * HOUR, "kind": "baseline", "text": "baseline 1 frozen with 10,012 answers"},
        {"at": change - 20 * HOUR, "kind": "prompt_version", "text": "prompt version v3"},
        {"at": change - 9 * HOUR, "kind": "gateway_release", "text": "gateway 1.84.0"},
        {"at": change - 300, "kind": "fingerprint", "text": "fp_6b68a8204b"},
        {"at": change, "kind": "incident", "text": "answer length down"},
        {"at": change + HOUR / 2, "kind": "weight", "text": "weight 1 to 0.5"},
    ]


def _spent(query: Query, i: int) -> list[dict[str, Any]]:
    return [
        {
            "at": at,
            "requests": 6000,
            "priced": 6000 if i != 3 else 0,
            "cost_usd": 30.0 - 4 * (i % 7) + math.sin(at) if i != 3 else None,
            "input_tokens": 4_000_000,
            "output_tokens": 1_300_000,
            "priced_tokens": 5_300_000 if i != 3 else None,
        }
        for at in _steps(query)
    ]


def budget(**changes: Any) -> dict[str, Any]:
    """Three months with one false alarm."""
    counts = {"incidents": 3, "false_alarms": 1, "real": 1, "unjudged": 1}
    return {
        "false_alarm_interval_days": 30.0,
        "days": 90.0,
        "observed_days": 61.0,
        "allowed": 61.0 / 30,
        **counts,
        "by_lane": {
            "content": counts | {"guaranteed": True},
            "performance": {"incidents": 2, "false_alarms": 0, "real": 2, "unjudged": 0, "guaranteed": False},
        },
        "upper95": 2.33,
        "upper95_with_unjudged": 3.1,
        "note": "Only incidents of lanes with the guarantee count.",
    } | changes


def _detectable(where: dict[str, Any], i: int) -> dict[str, Any]:
    known = i < 3
    return {
        "target": where,
        "signal": "output_tokens",
        "kind": "numeric",
        "baseline_values": 10012 if known else 140,
        "level": 240.0 if known else None,
        "per_day": 6000.0 if known else None,
        "within_day": {"up": 0.09, "down": -0.08} if known else None,
        "within_week": {"up": 0.04, "down": -0.04} if known else None,
        "expected_delay": [{"change": -0.1, "requests": 1900, "days": 0.3}] if known else [],
    }


def incident_details(now: float) -> dict[str, Any]:
    """What /v1/incidents/{id} has beyond the list."""
    return {
        "ruled_out": ["traffic_quiet"],
        "verdict": None,
        "deliveries": [
            {
                "channel": "webhook:ops",
                "kind": "llm.drift.opened",
                "state": "delivered",
                "attempts": 1,
                "changed_at": now - 2 * HOUR,
                "next_attempt_at": None,
                "detail": "",
            },
            {
                "channel": "slack:oncall",
                "kind": "llm.drift.opened",
                "state": "pending",
                "attempts": 3,
                "changed_at": now - HOUR,
                "next_attempt_at": now + HOUR,
                "detail": "http_503",
            },
        ],
        "examples": [
            {
                "span_id": f"req-{side}-{i}",
                "at": now - 3 * HOUR if side == "before" else now - HOUR,
                "route": "triage",
                "signal": "output_tokens",
                "value": 240.0 if side == "before" else 171.0,
                "side": side,
            }
            for side in ("before", "after")
            for i in range(3)
        ],
        "trail": [
            {
                "at": now - 2.2 * HOUR,
                "recorded_at": now - 2.2 * HOUR,
                "action": "opened",
                "reason": "drifted",
                "by": "undertow",
                "text": "",
            }
        ],
    }


Answer = dict[str, Any] | Callable[[Query], dict[str, Any]]
