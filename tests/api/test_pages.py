"""What the pages of the dashboard stand on: all targets at once, costs, names over time, and throughput."""

from typing import Any

import pytest

OF = {"gateway": "g", "provider": "openai", "model": "gpt-4"}


def test_the_fleet_is_every_target_of_the_window(api: Any, ok: Any) -> None:
    """Requests and their share of the gateway, errors, times and costs; what is unknown is null."""
    api.fill()
    found = ok(api.get("/v1/fleet"))
    (row,) = found["targets"]
    assert row["target"] == OF | {"deployment": None}
    assert (row["requests"], row["share"], row["error_rate"]) == (100, 1.0, 0.0)
    assert row["output_tokens"] == sum(100 + i % 10 for i in range(100))
    assert [row[name] for name in ("p50_s", "p95_s", "p99_s", "ttft_p50_s", "cost_usd")] == [None] * 5
    assert row["cost_usd_per_1k_tokens"] is None
    assert ok(api.get("/v1/fleet?window_s=600"))["targets"][0]["requests"] < 100


def test_a_fleet_of_nothing_is_empty(api: Any, ok: Any) -> None:
    """Before anything came there is nobody to tell of."""
    assert ok(api.get("/v1/fleet"))["targets"] == []


def test_costs_come_day_by_day(api: Any, ok: Any, problem: Any) -> None:
    """Requests without a cost are counted and cost nothing that is known; steps are whole ten minutes."""
    api.fill()
    found = ok(api.get("/v1/cost"))
    (target,) = found["targets"]
    assert found["step_s"] == 86400
    assert target["points"] == [
        {
            "at": found["start"] + 30 * 86400,
            "requests": 100,
            "priced": 0,
            "priced_tokens": None,
            "cost_usd": None,
            "input_tokens": 0,
            "output_tokens": sum(100 + i % 10 for i in range(100)),
        }
    ]
    assert "whole 600 s" in problem(api.get("/v1/cost?step_s=601"), 400)


def test_shares_are_counts_by_name(api: Any, ok: Any, problem: Any) -> None:
    """A field of names over time; one that is not there is named with those that are."""
    api.fill()
    found = ok(api.get("/v1/shares", params={**OF, "field": "finish_reason", "step_s": 86400}))
    assert found["field"] == "finish_reason"
    assert [point | {"at": None} for point in found["points"]] == [
        {"at": None, "n": 100, "shares": {"stop": 100}, "other": 0}
    ]
    assert ok(api.get("/v1/shares", params={**OF, "field": "route"}))["points"] == []
    assert "finish_reason" in problem(api.get("/v1/shares", params={**OF, "field": "canary"}), 400)


def test_requests_are_a_series(api: Any, ok: Any) -> None:
    """How many there were of each step."""
    api.fill()
    found = ok(api.get("/v1/series", params={**OF, "signal": "requests"}))
    assert found["kind"] == "count"
    assert sum(point["n"] for point in found["points"]) == 100


def test_a_distribution_has_a_curve_and_routes(api: Any, ok: Any) -> None:
    """Each side has at most a hundred points up to a share of one; a field of names has shares instead."""
    api.fill()
    params = {**OF, "signal": "output_tokens", "before_start": 0, "before_end": api.clock()}
    found = ok(api.get("/v1/distribution", params=params))
    assert found["before"]["ecdf"] == [[100.0 + i, pytest.approx((i + 1) / 10)] for i in range(10)]
    assert found["routes"][0]["route"] is None
    named = ok(api.get("/v1/distribution", params=params | {"signal": "finish_reason"}))
    assert (named["kind"], named["before"]["shares"], named["before"]["other"]) == ("shares", {"stop": 100}, 0)


def test_ingestion_tells_formats_and_throughput(api: Any, ok: Any) -> None:
    """Which formats spans came in, and how many were stored of each ten minutes of the last day."""
    api.fill()
    found = ok(api.get("/v1/ingest"))
    assert found["formats"] == [{"name": "native", "count": 100}]
    assert sum(point["n"] for point in found["throughput"]["points"]) == 100
    assert found["throughput"]["per_s"] is None or found["throughput"]["per_s"] > 0
