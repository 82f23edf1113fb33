from typing import Any


def test_detectability_is_what_the_watcher_says(api: Any, ok: Any) -> None:
    """What would be noticed comes from the detection loop."""
    api.watcher.noticeable = {"false_alarm_interval_days": 30.0, "signals": [{"signal": "refusal"}]}
    assert ok(api.get("/v1/detectability")) == api.watcher.noticeable
