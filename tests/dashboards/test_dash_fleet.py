"""The fleet's page: open incidents in sentences, then every target, filtered by what the address says."""

import json
import time
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pytest
import streamlit as st

from undertow.store.plan import BUCKET_S
from undertow_dashboards import standing
from undertow_dashboards.shapes import FleetRow, Incident, Target, TargetState
from undertow_dashboards.views import fleet

from .conftest import Open
from .fixtures import HOUR, FakeApi, incident, many, target, target_state
from .test_dash_pages import texts

NOW = 1_790_000_000.0
ODD = ("m" * 300, "نموذج مرحبا", "'); drop table span;--", "<img onerror=alert(1)>")


def cells(app: Any) -> pd.DataFrame:
    """The table of targets."""
    return app.dataframe[0].value


def row(state: str, model: str = "m", severity: int = 99, requests: int = 0, **known: Any) -> standing.Row:
    """A row of the table."""
    where = Target("openai", model)
    return standing.Row(
        TargetState(where, state=state, **known), FleetRow(where, requests), severity, known.get("last")
    )


def test_the_incident_stands_first_in_one_sentence(open_page: Open) -> None:
    """What changed, how surely, whose doing and what to do stand before everything else."""
    app = open_page()
    assert not app.exception
    assert app.title[0].value == "1 of 5 targets changed"
    assert app.subheader[0].value.startswith("Answer length down 22 % (19 to 25 %) since ")
    said = texts(app)
    assert "Very strong evidence (10^7.3); a silent update by the provider" in said
    assert "recommended: give it 50 % of its usual share of traffic." in said


def test_each_target_stands_in_the_table_the_urgent_ones_first(open_page: Open) -> None:
    """State in words with its time, traffic, weight, errors, times and price, in that order of concern."""
    app = open_page()
    assert "1 changed, 1 not enough data, 1 learning, 2 as usual." in texts(app)
    found = cells(app)
    assert [text.split(" ", 1)[0] for text in found["state"]] == ["▲", "?", "…", "✓", "✓"]
    assert found["state"][0].startswith("▲ changed since ")
    assert found["state"][2].startswith("… learning until about ")
    first = found.iloc[0]
    assert (first["weight"], first["share"], first["requests"], first["cost"]) == (0.5, 20.0, 6000, 0.011)
    assert first["last change"] == "2 hours ago"
    assert pd.isna(found["cost"][2])


def test_a_column_that_says_the_same_of_every_target_is_left_out(api: FakeApi, open_page: Open) -> None:
    """Gateway and deployment have a column where they tell targets apart, so that the rest fits on the screen."""
    assert set(cells(open_page())["gateway"]) == {"litellm-prod", "otel-gateway"}
    found = api.answers["/v1/targets"]["targets"]
    api.answers["/v1/targets"] = {"targets": [row for row in found if row["target"]["gateway"] == "litellm-prod"]}
    assert "gateway" not in cells(open_page())


def test_without_targets_the_page_says_what_to_do(api: FakeApi, open_page: Open) -> None:
    """An empty monitor explains how the first data arrive."""
    api.answers["/v1/targets"] = {"targets": []}
    app = open_page()
    assert app.title[0].value == "No targets yet"
    assert "undertow doctor" in texts(app)


def test_calm_fleet_is_called_as_usual(api: FakeApi, open_page: Open) -> None:
    """Without an incident the title says so, and only when every target can be judged."""
    now = time.time()
    api.answers["/v1/incidents"] = {"incidents": []}
    api.answers["/v1/targets"] = {"targets": [target_state(target(m), now=now) for m in ("a", "b")]}
    assert open_page().title[0].value == "Everything is as usual"
    api.answers["/v1/targets"]["targets"][0]["state"] = "insufficient_data"
    assert open_page().title[0].value == "No change found; 1 of 2 targets can be judged"


def test_a_target_without_traffic_in_the_window_is_still_listed(api: FakeApi, open_page: Open) -> None:
    """What the fleet's numbers leave out is unknown, and not zero."""
    api.answers["/v1/fleet"] = {"targets": []}
    found = cells(open_page())
    assert len(found) == 5
    assert found["p50"].isna().all()
    assert found["errors"].isna().all()


@pytest.mark.parametrize(
    ("query", "models"),
    [
        ({"states": "changed"}, ["gpt-4o"]),
        ({"providers": "openai"}, ["gpt-4o", "gpt-4o-mini"]),
        ({"gateways": "otel-gateway"}, ["claude-sonnet-4-5"]),
        ({"models": "gpt-4o", "states": "learning"}, ["gpt-4o"]),
        ({"find": "SONNET"}, ["claude-sonnet-4-5"]),
    ],
)
def test_the_address_filters(open_page: Open, query: dict[str, str], models: list[str]) -> None:
    """A link shows what its sender saw."""
    assert list(cells(open_page(**query))["model"]) == models


def test_a_chosen_filter_leaves_what_is_like_that(open_page: Open) -> None:
    """What somebody chooses on the page does the same as the address."""
    app = open_page()
    app.multiselect(key="states").select("as usual").run()
    assert len(cells(app)) == 2


def test_filters_that_leave_nothing_say_so(open_page: Open) -> None:
    """An empty table is explained."""
    app = open_page(find="no such model")
    assert not app.dataframe
    assert "No target is like that" in texts(app)


def test_two_hundred_targets_are_one_table(api: FakeApi, open_page: Open) -> None:
    """Many targets and incidents stay few elements: three cards, the other incidents folded, one table."""
    api.answers |= many(200)
    app = open_page()
    assert not app.exception
    assert app.title[0].value == "20 of 200 targets changed"
    assert len(app.subheader) == 3
    assert "17 more open incidents" in [one.label for one in app.expander]
    assert len(cells(app)) == 200
    assert len(app.dataframe) == 1


@pytest.mark.parametrize("bad", ODD)
def test_odd_names_are_text_in_the_table(api: FakeApi, open_page: Open, bad: str) -> None:
    """Long, right-to-left and hostile names stand as they are, cut at 40 characters."""
    where = target(bad, bad, bad, bad)
    api.answers["/v1/targets"] = {"targets": [target_state(where, now=time.time(), text=bad)]}
    app = open_page()
    assert not app.exception
    shown = cells(app)["model"][0]
    assert len(shown) <= 40
    assert bad.startswith(shown.rstrip("…"))


def test_more_severe_and_busier_targets_come_first() -> None:
    """Within a state the severity of its incidents counts, then its traffic, then its name."""
    targets = [TargetState(Target("p", m), state="alert") for m in ("quiet", "busy", "critical")]
    done = [FleetRow(Target("p", "busy"), 9), FleetRow(Target("p", "quiet"), 1)]
    bad = Incident("i", Target("p", "critical"), severity="critical", change_point=NOW)
    found = standing.rows(targets, done, [bad])
    assert [one.target.model for one in found] == ["critical", "busy", "quiet"]
    assert found[0].since == NOW


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (row("ok"), "✓ as usual"),
        (row("stale", last=NOW - HOUR), "■ stale since 13:13"),
        (row("stale", last=NOW, stale_since=NOW - HOUR), "■ stale since 13:13"),
        (row("insufficient_data", ready_at=NOW + 30 * HOUR), "? not enough data until about 22 Sep 20:13"),
        (row("collecting"), "… learning"),
        (row("brand_new"), "? unknown"),
    ],
)
def test_each_state_has_a_sign_a_word_and_a_time(shown: standing.Row, told: str) -> None:
    """Never the colour alone; where the monitor knows since when or until when, it is said."""
    assert standing.standing(shown, NOW) == told


def test_an_incident_that_is_over_lends_no_urgency() -> None:
    """Only open incidents count."""
    over = Incident("i", Target("p", "m"), severity="critical", status="resolved", change_point=NOW)
    assert standing.rows([TargetState(Target("p", "m"))], [], [over])[0].since is None


def test_a_clicked_name_is_the_target_of_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The click tells the row as it was shown; a row that is gone opens nothing."""
    shown = [row("ok", "a"), row("ok", "b")]
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(st, "dataframe", lambda *_, **__: None)
    assert fleet.table(shown, "enforce") is None
    state[fleet.CLICKED] = type("Click", (), {"row": 1})
    assert fleet.table(shown, "enforce") == Target("openai", "b")
    state[fleet.CLICKED] = type("Click", (), {"row": 2})
    assert fleet.table(shown, "enforce") is None


def test_a_target_can_be_opened_without_a_mouse(open_page: Open) -> None:
    """The box beside the filters goes to the page of the chosen target."""
    app = open_page(find="sonnet")
    assert app.selectbox[0].options == ["claude-sonnet-4-5 at anthropic via otel-gateway"]
    app.selectbox[0].select_index(0).run()
    assert app.title[0].value == "`claude-sonnet-4-5` is as usual"


def test_incidents_beyond_the_cards_have_their_links(api: FakeApi, open_page: Open) -> None:
    """The fourth incident is a line of its own with the sentence."""
    now = time.time()
    found = [incident(target(f"m{i}"), now=now, id=f"inc_{i}") for i in range(4)]
    api.answers["/v1/incidents"] = {"incidents": found}
    app = open_page()
    assert [one.label for one in app.expander] == ["1 more open incident"]
    assert any(str(one.value).startswith("Answer length down 22 %") for one in app.text)


def test_the_day_around_a_change_is_asked_for_in_steps_that_are_kept_ready() -> None:
    """Other steps are read off all raw rows of the day, at every refresh."""
    assert fleet.SPARK_STEP_S % BUCKET_S == 0


@pytest.mark.parametrize(("mode", "named"), [("advisory", "Advice"), ("enforce", "Weight")])
def test_advice_is_not_called_a_weight(api: FakeApi, open_page: Open, mode: str, named: str) -> None:
    """× 0.50 that no gateway follows stands in a column that says so."""
    api.answers["/v1/weights"]["mode"] = mode
    [table] = open_page().dataframe
    assert json.loads(table.proto.columns)["weight"]["label"] == named


@pytest.mark.parametrize(
    ("ready_in", "told"), [(26 * HOUR, "can be judged from about "), (None, "that few requests do not tell yet")]
)
def test_a_fleet_that_learns_is_not_called_unchanged(
    api: FakeApi, open_page: Open, ready_in: float | None, told: str
) -> None:
    """In the first two days the page says that no change is noticed yet, and from when on one would be."""
    now = time.time()
    ready_at = now + ready_in if ready_in else None
    api.answers["/v1/incidents"] = {"incidents": []}
    api.answers["/v1/targets"] = {"targets": [target_state(target("a"), "collecting", now=now, ready_at=ready_at)]}
    app = open_page()
    assert app.title[0].value == "Nothing can be judged yet"
    assert told in app.info[0].value
    api.answers["/v1/targets"] = {"targets": [target_state(target("a"), "stale", now=now)]}
    app = open_page()
    assert app.title[0].value == "Nothing can be judged now"
    assert not app.info
