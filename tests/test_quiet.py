"""When nobody is told: maintenance windows by the clock on the wall, and what a matcher fits."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.quiet import DAYS, MaintenanceConfig, Quiet, matches

INCIDENT = {
    "target": {"gateway": "g", "provider": "openai", "model": "gpt-4o", "deployment": None},
    "lane": "content",
    "cause": "provider_update",
    "signals": [{"strata": [{"route": "chat"}, {"route": "search, summarise"}]}],
}


def at(text: str) -> float:
    """Unix seconds of a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("window", "time", "on"),
    [
        ({"days": ["fri"], "start": "02:00", "end": "04:00"}, "2026-11-20T02:00", True),
        ({"days": ["fri"], "start": "02:00", "end": "04:00"}, "2026-11-20T03:59:59", True),
        ({"days": ["fri"], "start": "02:00", "end": "04:00"}, "2026-11-20T04:00", False),
        ({"days": ["fri"], "start": "02:00", "end": "04:00"}, "2026-11-21T03:00", False),
        ({"start": "02:00", "end": "04:00"}, "2026-11-21T03:00", True),
        ({"days": ["fri"], "start": "22:00", "end": "02:00"}, "2026-11-20T23:00", True),
        ({"days": ["fri"], "start": "22:00", "end": "02:00"}, "2026-11-21T01:59", True),
        ({"days": ["fri"], "start": "22:00", "end": "02:00"}, "2026-11-20T01:00", False),
        ({"days": ["sun"], "start": "22:00", "end": "02:00"}, "2026-11-23T01:00", True),
        ({"days": ["sat", "sun"], "start": "00:00", "end": "24:00"}, "2026-11-21T12:00", True),
        ({"days": ["sat", "sun"], "start": "00:00", "end": "24:00"}, "2026-11-23T00:00", False),
        ({"start": "02:00", "end": "04:00", "timezone": "Asia/Tokyo"}, "2026-11-20T18:00", True),
        ({"start": "02:00", "end": "04:00", "timezone": "Asia/Tokyo"}, "2026-11-20T03:00", False),
        ({"begins": "2026-11-20T22:00:00+01:00", "ends": "2026-11-20T23:00:00+01:00"}, "2026-11-20T21:30", True),
        ({"begins": "2026-11-20T22:00:00+01:00", "ends": "2026-11-20T23:00:00+01:00"}, "2026-11-20T22:00", False),
    ],
)
def test_when_a_window_is_on(window: dict[str, Any], time: str, on: bool) -> None:
    """The start belongs to it and the end does not; a window over midnight belongs to the day on which it starts."""
    assert MaintenanceConfig(name="x", **window).active(at(time)) == on


@given(
    st.lists(st.sampled_from(DAYS), unique=True),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.floats(0, 4e9),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
)
def test_windows_never_stumble(days: list[Any], start: int, end: int, now: float, zone: str) -> None:
    """Any day, any time, any zone and its changes of the clock give an answer; without days it is every day's."""
    texts = [f"{minute // 60:02}:{minute % 60:02}" for minute in (start, end)]
    window = MaintenanceConfig(name="x", days=days, start=texts[0], end=texts[1], timezone=zone)
    daily = MaintenanceConfig(name="x", start=texts[0], end=texts[1], timezone=zone)
    assert daily.active(now) >= window.active(now)


@pytest.mark.parametrize(
    ("matchers", "fits"),
    [
        ({}, True),
        ({"provider": "openai"}, True),
        ({"provider": "open*", "model": "gpt-*", "lane": "content", "cause": "provider_update"}, True),
        ({"provider": "anthropic"}, False),
        ({"provider": "openai", "model": "claude"}, False),
        ({"model": "gpt"}, False),
        ({"route": "*"}, True),
        ({"route": "chat"}, False),
        ({"lane": None, "cause": None, "model": "gpt-4o"}, True),
    ],
)
def test_what_a_matcher_fits(matchers: dict[str, Any], fits: bool) -> None:
    """All that is given must fit; a route only where the incident shows on no other."""
    assert matches(matchers, INCIDENT) == fits


def test_a_route_that_is_not_known_fits_no_matcher() -> None:
    """An incident that nobody measured by route is not silenced with a route."""
    assert not matches({"route": "*"}, INCIDENT | {"signals": []})
    chat = [{"strata": [{"route": "chat"}]}, {"strata": None}]
    assert matches({"route": "chat"}, INCIDENT | {"signals": chat})


def test_an_alert_is_quiet_where_each_of_its_incidents_is() -> None:
    """By one silence or by several things together; the first is named."""
    silence = {"id": "sil_1", "starts_at": 0.0, "ends_at": 10.0, "matchers": {"model": "gpt-4o"}}
    window = MaintenanceConfig(name="night", begins="1970-01-01T00:00:00Z", ends="1970-01-02T00:00:00Z", model="o*")
    other = INCIDENT | {"target": {"provider": "openai", "model": "o3"}}
    third = INCIDENT | {"target": {"provider": "openai", "model": "tts"}}
    quiet = Quiet([silence], [window], 5.0)
    assert quiet.over([INCIDENT, other]) == "silence sil_1"
    assert quiet.over([other]) == "maintenance night"
    assert quiet.over([INCIDENT, third]) == ""
    assert quiet.over([]) == ""
    assert Quiet([silence], [window], 10.0).over([INCIDENT]) == ""
