from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from undertow.config import Config
from undertow.crew import Health
from undertow.errors import TryAgain
from undertow.watch.clocks import Clocks
from undertow_collectors.source import SourceStatus


def parts(response: Any) -> dict[str, Any]:
    """The lines of /readyz by part."""
    return {part.pop("part"): part for part in response.json()["parts"]}


def test_alive_is_always_answered(api: Any, ok: Any) -> None:
    """Even while parts are not ready."""
    api.health["detection"] = Health(False, "dead", "x")
    assert ok(api.get("/healthz")) == {"alive": True}


def test_ready_has_a_line_for_each_part(api: Any, ok: Any) -> None:
    """Source, store, detection, event time, outbox and upkeep, each with its state."""
    assert ok(api.get("/readyz"))["ready"] is True
    assert parts(api.get("/readyz")) == {
        name: {"ok": True, "state": "running", "detail": ""}
        for name in ("source", "store", "detection", "event_time", "outbox", "upkeep")
    }


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        ("running", True),
        ("rebalancing", True),
        ("paused", True),
        ("connecting", False),
        ("broker_unavailable", False),
        ("topic_missing", False),
        ("offset_out_of_range", False),
        ("topic_replaced", False),
        ("group_conflict", False),
        ("store_refused", False),
        ("stopped", False),
    ],
)
def test_what_is_wrong_with_the_source_is_named(state: Any, ready: bool, api: Any) -> None:
    """The named state and its sentence stand in /readyz, which is 503 while somebody is needed."""
    api.source.now = SourceStatus(state, "in words")
    response = api.get("/readyz")
    assert (response.status_code, response.json()["ready"]) == ((200, True) if ready else (503, False))
    assert parts(response)["source"] == {"ok": ready, "state": state, "detail": "in words"}


def test_without_kafka_the_monitor_is_ready(api: Any) -> None:
    """Spans come by HTTP alone, which is said."""
    response = api.start(source=None).get("/readyz")
    assert response.status_code == 200
    assert parts(response)["source"]["state"] == "none"


def test_a_thread_that_fails_and_a_store_that_died_are_named(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on its own line; the others stay."""
    api.health["detection"] = Health(False, "failing", "ValueError: x (for 5 s)")

    def fail(_: str) -> None:
        raise TryAgain("the disk is full")

    monkeypatch.setattr(api.store, "meta", fail)
    response = api.get("/readyz")
    found = parts(response)
    assert response.status_code == 503
    assert found["store"] == {"ok": False, "state": "failing", "detail": "the disk is full"}
    assert found["detection"] == {"ok": False, "state": "failing", "detail": "ValueError: x (for 5 s)"}
    assert found["outbox"]["ok"]


def test_a_receiver_that_is_away_is_told_and_leaves_the_monitor_ready(api: Any) -> None:
    """A webhook that fails is no reason to take dashboard and ingestion out of service."""
    api.deliverer.failing["webhook:h:1"] = "http_500"
    response = api.get("/readyz")
    assert response.status_code == 200
    assert parts(response)["outbox"]["state"] == "retrying"
    assert "webhook:h:1 (http_500)" in parts(response)["outbox"]["detail"]


@pytest.mark.parametrize("task", ["rolling", "retention", "checkpoint"])
def test_upkeep_that_fails_again_and_again_is_a_state_and_leaves_the_monitor_ready(task: str, api: Any) -> None:
    """Told with its cause from the third failure on; what is tried again and succeeds is nobody's business."""
    api.health[task] = Health(False, "failing", "questions were under way", failures=2)
    assert parts(api.get("/readyz"))["upkeep"] == {"ok": True, "state": "running", "detail": ""}
    api.health[task] = Health(False, "failing", "questions were under way", failures=3)
    response = api.get("/readyz")
    assert (response.status_code, response.json()["ready"]) == (200, True)
    told = {"ok": True, "state": "failing", "detail": f"{task}: questions were under way"}
    assert parts(response)["upkeep"] == told
    assert f'undertow_upkeep_failures{{task="{task}"}} 3.0' in api.get("/metrics").text


def test_late_spans_are_a_state_and_nothing_but_late_ones_is_not_ready(api: Any) -> None:
    """The part says what the alert says; it is not ready where nothing that came could be judged."""
    api.fill()
    Clocks(api.store, Config(), lambda: 0.0).tick()
    assert parts(api.get("/readyz"))["event_time"]["state"] == "running"
    api.store._memory.arrivals = replace(api.store._memory.arrivals, late=np.ones(100, np.bool_))
    Clocks(api.store, Config(), lambda: 0.0).tick()
    response = api.get("/readyz")
    part = parts(response)["event_time"]
    assert (response.status_code, part["ok"], part["state"]) == (503, False, "late")
    assert part["detail"].startswith("100 of the last 100 spans came too late to be judged, of ")
    found = api.get("/v1/ingest").json()
    assert [one["why"] for one in found["troubles"]] == ["late_spans"]
    assert found["late"]["spans"] == 100
    api.store._memory.arrivals = replace(api.store._memory.arrivals, late=np.arange(100) < 50)
    assert api.get("/readyz").status_code == 200
