import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.notify.message import BODY_LIMIT_BYTES, alert_id, body, data_quality, fingerprint


def test_the_body_is_the_incident_and_what_a_receiver_needs(incident: dict[str, Any]) -> None:
    """Type, time and data, which is the incident object with the four additions of CONTRACTS 5."""
    told = json.loads(body("llm.drift.opened", incident, 1763635321.25, dashboard_url="https://d.example/", quality={}))
    assert (told["type"], told["timestamp"]) == ("llm.drift.opened", "2025-11-20T10:42:01.250Z")
    added = {key: told["data"].pop(key) for key in ("alert_id", "fingerprint", "data_quality", "links")}
    assert told["data"] == incident
    assert added["alert_id"] == "al_01"
    assert added["links"] == {"dashboard": "https://d.example/incident?id=inc_01"}


def test_without_a_dashboard_there_is_no_link(incident: dict[str, Any]) -> None:
    """A link that leads nowhere is worse than none."""
    assert json.loads(body("llm.drift.opened", incident, 0.0))["data"]["links"] == {}


def test_missing_data_lead_to_what_came_in(incident: dict[str, Any]) -> None:
    """An alert about missing data is no incident of a model, and has no page of its own."""
    told = body("llm.data.stale", incident | {"lane": "data"}, 0.0, dashboard_url="https://d.example")
    assert json.loads(told)["data"]["links"] == {"dashboard": "https://d.example/ingestion"}


def test_the_fingerprint_outlives_what_a_transition_changes(incident: dict[str, Any]) -> None:
    """Cause, lane, severity, status and change point are refreshed; whose change it is stays."""
    later = incident | {"cause": "unresolved", "lane": "identity", "severity": "warning", "change_point": 1.0}
    assert fingerprint(later) == fingerprint(incident)
    assert alert_id(later) == alert_id(incident)


@pytest.mark.parametrize("other", [{"id": "inc_02"}, {"target": {"model": "b"}}])
def test_another_change_has_another_fingerprint(other: dict[str, Any], incident: dict[str, Any]) -> None:
    """Changes are told apart by their target and their incident."""
    assert fingerprint(incident | other) != fingerprint(incident)


@given(
    st.lists(st.text(max_size=300), max_size=200),
    st.text(max_size=512),
)
def test_every_body_is_under_twenty_kilobytes(names: list[str], model: str) -> None:
    """However long names are and however many signals moved, the core of the incident is told."""
    target = {"gateway": model, "provider": model, "model": model, "deployment": model}
    signals = [{"signal": name, "direction": "up", "effect": None, "log10_evidence": 1.0} for name in names]
    incident = {"id": "inc_1", "target": target, "signals": signals, "why": names, "severity": "critical"}
    text = body("llm.drift.opened", incident, 0.0)
    assert len(text.encode()) < BODY_LIMIT_BYTES
    told = json.loads(text)["data"]
    assert told["target"] == target
    assert told["signals"] == signals or told["truncated"]


def test_strata_are_cut_before_anything_else(incident: dict[str, Any]) -> None:
    """An incident whose strata are too long for a message keeps all its signals and effects."""
    strata = [{"route": "r" * 200, "input_size": "any input size", "value": 0.5}] * 12
    signals = [{"signal": f"s{i}", "effect": {"value": 0.5}, "strata": strata} for i in range(12)]
    told = json.loads(body("llm.drift.opened", incident | {"signals": signals, "cost": {"usd_per_day": 3.0}}, 0.0))[
        "data"
    ]
    assert told["signals"] == [{"signal": f"s{i}", "effect": {"value": 0.5}} for i in range(12)]
    assert told["cost"] == {"usd_per_day": 3.0}
    assert told["truncated"]


def test_the_longest_names_a_span_can_have_fit() -> None:
    """512 control characters are six bytes each in JSON, in each of four names."""
    longest = "\x01" * 512
    target = dict.fromkeys(("gateway", "provider", "model", "deployment"), longest)
    incident = {"id": "inc_1", "target": target, "signals": [{"signal": "x" * 20_000}], "severity": "critical"}
    told = json.loads(body("llm.drift.opened", incident, 0.0, dashboard_url="https://d.example"))["data"]
    assert told["target"] == target
    assert told["links"] == {"dashboard": "https://d.example/incident?id=inc_1"}


def test_data_quality_is_unknown_where_nothing_was_read() -> None:
    """A ratio of nothing is None and not zero."""
    totals = {"read": 0, "stored": 0, "duplicates": 0, "rejected": 0, "skipped": 0, "late": 0}
    assert data_quality({"totals": totals}) == {"reject_ratio": None, "late": 0, "newest": None}
    assert data_quality({"totals": totals | {"read": 8, "rejected": 2}, "newest": 5.0})["reject_ratio"] == 0.25
    assert msgspec.json.encode(data_quality({"totals": totals}))
