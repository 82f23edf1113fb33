from typing import Any


def test_detectability_is_what_the_watcher_says(api: Any, ok: Any) -> None:
    """What would be noticed comes from the detection loop."""
    api.watcher.noticeable = {"false_alarm_interval_days": 30.0, "signals": [{"signal": "refusal"}]}
    assert ok(api.get("/v1/detectability")) == api.watcher.noticeable


def test_memory_is_what_the_watcher_says(api: Any, ok: Any) -> None:
    """The last days against former baselines, a week of them unless told otherwise; no day is a mistake."""
    assert ok(api.get("/v1/memory"))["days"] == 7
    assert ok(api.get("/v1/memory?days=30"))["days"] == 30
    assert api.get("/v1/memory?days=0").status_code == 422
