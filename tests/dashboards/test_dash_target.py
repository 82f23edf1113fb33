"""The page of one target: what moved is drawn first, with what happened beside it, and the rest when asked for."""

import json
import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from undertow_dashboards import clock

from .conftest import Open
from .fixtures import HOSTILE, HOUR, FakeApi, incident, target, target_state
from .test_dash_pages import harmless, texts

GPT = {"gateway": "litellm-prod", "provider": "openai", "model": "gpt-4o"}


def drawn(app: AppTest) -> list[dict[str, Any]]:
    """The Vega-Lite specifications of the charts."""
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def asked(api: FakeApi, path: str) -> list[dict[str, str]]:
    """The queries of a path."""
    return [query for at, query in api.asked if at == path]


def test_what_moved_is_drawn_and_what_did_not_is_folded(api: FakeApi, open_page: Open) -> None:
    """The address names the target; one signal moved, and the monitor is asked for that one alone."""
    app = open_page("target", **GPT)
    assert not app.exception
    assert app.title[0].value == "`gpt-4o` changed"
    assert [header.value.split(" :")[0] for header in app.header] == ["Answer length"]
    folded = [box.label.split("**")[1] for box in app.expander if "**" in box.label]
    assert folded == ["Parse failures", "Refusals", "Answers cut at the limit", "How answers end"]
    for path in ("/v1/series", "/v1/distribution", "/v1/evidence"):
        assert [query["signal"] for query in asked(api, path)] == ["output_tokens"]
    assert len(api.asked) <= 8


def test_the_pictures_are_told_in_words(open_page: Open) -> None:
    """The comparison, the evidence against its threshold, and the marks each have a sentence; tables hold the rest."""
    app = open_page("target", **GPT)
    said = texts(app)
    assert "Before: median 240 tokens, half between 168 and 336 (10,012 answers)." in said
    assert "The evidence passed the alarm's 10^5.2 by " in said
    assert "No release or deploy of ours within 3 hours of the change at " in said
    assert "own release: prompt version v3" in said
    assert {"prompt tokens", "log10 evidence", "measure"} <= {
        column for table in app.dataframe for column in table.value
    }


def test_an_incident_is_a_line_with_the_way_to_its_page(open_page: Open) -> None:
    """A link from an old alert needs only the incident's id; decisions are taken on the incident's page."""
    app = open_page("target", incident="inc_01")
    assert app.title[0].value == "`gpt-4o` changed"
    assert "Answer length down 22 %" in texts(app)
    assert not app.button
    assert [link.proto.page for link in app.get("page_link") if "incident" in link.proto.page]


def test_a_lane_in_the_address_shows_its_signals(api: FakeApi, open_page: Open) -> None:
    """Failures are drawn when asked for, and what moved elsewhere is still named."""
    app = open_page("target", **GPT, lane="failures")
    assert [header.value.split(" :")[0] for header in app.header] == ["Failures by class"]
    assert "Moved too, but not among these: answer length." in texts(app)
    assert [query["signal"] for query in asked(api, "/v1/series")] == ["error"]
    assert "No signal about cost is watched" in texts(open_page("target", **GPT, lane="cost"))


def test_what_was_served_is_told_with_its_turn(api: FakeApi, open_page: Open) -> None:
    """Fingerprints and snapshots come over time, and no signal is asked for."""
    app = open_page("target", **GPT, lane="what was served")
    said = texts(app)
    assert "gpt-4o-2024-08-06 all the time." in said
    assert "fp_6b68a8204b since about " in said
    assert "before that fp_44709d6fcb; 2 in all." in said
    assert not asked(api, "/v1/series")


def test_a_route_in_the_address_narrows_what_is_drawn(api: FakeApi, open_page: Open) -> None:
    """One route is asked for and named; the evidence is said to be that of all."""
    app = open_page("target", **GPT, route="triage")
    assert app.selectbox[1].options == ["all routes", "triage", "extract"]
    assert app.selectbox[1].value == 1
    assert {query["route"] for query in asked(api, "/v1/series") + asked(api, "/v1/distribution")} == {"triage"}
    assert "It is that of all routes together." in texts(app)
    app.selectbox[1].select_index(2).run()
    assert app.query_params["route"] in ("extract", ["extract"])
    assert asked(api, "/v1/series")[-1]["route"] == "extract"


def test_an_opened_signal_is_drawn(api: FakeApi, open_page: Open) -> None:
    """A folded signal costs nothing until it is opened, which the address keeps."""
    app = open_page("target", **GPT, **{"signal refusal": "true"})
    assert [query["signal"] for query in asked(api, "/v1/series")] == ["output_tokens", "refusal"]
    assert "Before: 2.0 % of 10,012 answers. After: 2.2 % of 1,022 answers." in texts(app)


def test_axes_and_words_follow_the_viewers_clock(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """In local time both axis and sentence name the zone; in UTC, the default, both say UTC."""
    assert all("time (UTC)" in json.dumps(spec) for spec in drawn(open_page("target", **GPT))[:1])
    kolkata = clock.of_zone("Asia/Kolkata")
    monkeypatch.setattr(clock, "of_zone", lambda _: kolkata)
    app = open_page("target", **GPT, clock="local")
    assert "time (Asia/Kolkata)" in json.dumps(drawn(app)[0])
    assert " IST (give or take " in texts(app)
    assert " UTC" not in texts(app)


def test_stacked_charts_have_one_time(open_page: Open) -> None:
    """The signal and its evidence cover the same stretch of time."""
    over_time, evidence, *_ = drawn(open_page("target", **GPT))
    ends = {
        json.dumps(layer["encoding"]["x"]["scale"]["domain"])
        for spec in (over_time, evidence)
        for layer in spec["layer"]
    }
    assert len(ends) == 1


@pytest.mark.parametrize(
    ("state", "title", "sentence"),
    [
        ("ok", "is as usual", "As in its baseline of 10,012 answers."),
        ("stale", "is stale: nothing new comes", "Nothing new has come for 3 hours."),
        ("collecting", "is learning what is usual", "Learning what is usual: 220 baseline values so far."),
        ("insufficient_data", "has not enough data", "Not enough data: 220 baseline values. This is not the same as"),
    ],
)
def test_each_state_is_the_title(api: FakeApi, open_page: Open, state: str, title: str, sentence: str) -> None:
    """The title says the state, and old or few data are not called usual."""
    now = time.time()
    row = target_state(target("gpt-4o"), state, now=now, last=now - 3 * HOUR if state == "stale" else now)
    api.answers["/v1/targets"] = {"targets": [row]}
    api.answers["/v1/incidents"] = {"incidents": []}
    app = open_page("target", **GPT)
    assert app.title[0].value == f"`gpt-4o` {title}"
    assert sentence in texts(app)
    assert bool(app.warning) == (state == "stale")


def test_learning_target_shows_what_it_has(api: FakeApi, open_page: Open) -> None:
    """While the baseline is collected the monitor lists no signals; the built-in ones are there all the same."""
    api.answers["/v1/targets"]["targets"][0] |= {"signals": [], "state": "collecting", "ready_at": time.time() + HOUR}
    app = open_page("target", **GPT)
    assert len([box for box in app.expander if "**" in box.label]) == 3
    assert "Learning what is usual: no baseline values so far." in texts(app)
    assert " · ready about " in texts(app)


def test_unknown_target_offers_the_known_ones(open_page: Open) -> None:
    """A dead link says so and lets one choose."""
    app = open_page("target", model="gone", provider="nobody")
    assert "knows no target of this name" in app.warning[0].value
    assert len(app.selectbox[0].options) == 5


def test_choosing_a_target_changes_the_address(open_page: Open) -> None:
    """What is shown can be sent to somebody as a link; the clock and the time shown stay."""
    app = open_page("target", **GPT, window="1 week")
    app.selectbox[0].select_index(2).run()
    assert app.title[0].value == "`claude-sonnet-4-5` is as usual"
    assert app.query_params["provider"] in ("anthropic", ["anthropic"])
    assert app.query_params["window"] in ("1 week", ["1 week"])
    assert "incident" not in app.query_params


@pytest.mark.parametrize("path", ["/v1/series", "/v1/distribution", "/v1/evidence", "/v1/marks"])
def test_what_the_monitor_does_not_draw_is_told_in_words(api: FakeApi, open_page: Open, path: str) -> None:
    """A problem answer, or an older monitor without the route, does not take the page down."""
    api.status[path] = 404
    app = open_page("target", **GPT)
    assert not app.exception
    told = {
        "/v1/series": "Nothing to draw over time.",
        "/v1/distribution": "The monitor cannot compare this signal before and after.",
        "/v1/evidence": "Evidence at the alarm 10^7.3; the alarm is at 10^5.2; 10,012 baseline values.",
        "/v1/marks": "Nothing else is known to have happened in this time.",
    }
    assert told[path] in texts(app)


def test_no_targets_is_said_plainly(api: FakeApi, open_page: Open) -> None:
    """An empty monitor has nothing to choose from."""
    api.answers["/v1/targets"] = {"targets": []}
    assert open_page("target").title[0].value == "No targets yet"


def test_two_hundred_targets_can_be_chosen_from(api: FakeApi, open_page: Open) -> None:
    """The box holds them all and the page asks for one."""
    now = time.time()
    names = [target(f"model-{i}") for i in range(200)]
    api.answers["/v1/targets"] = {"targets": [target_state(where, now=now) for where in names]}
    app = open_page("target", provider="openai", model="model-77", gateway="litellm-prod")
    assert app.title[0].value == "`model-77` is as usual"
    assert len(app.selectbox[0].options) == 200
    assert {query["model"] for query in asked(api, "/v1/series")} == {"model-77"}


@pytest.mark.parametrize("lane", ["answers", "what was served"])
@pytest.mark.parametrize("bad", [*HOSTILE, "x" * 300, "مرحبا بالعالم"])
def test_hostile_text_stays_text(api: FakeApi, open_page: Open, bad: str, lane: str) -> None:
    """Names of signals, routes, marks and served models that a gateway made up are shown and never obeyed."""
    now = time.time()
    where = target(bad, bad, bad, bad)
    row = target_state(where, "alert", now=now, text=bad, open_incidents=["inc_01"])
    row["signals"] += [row["signals"][0] | {"signal": bad}, row["signals"][1] | {"signal": f"{bad} too"}]
    found = incident(where, now=now, id=bad, status=bad, severity=bad)
    found["signals"].append({"signal": bad, "direction": bad, "effect": {"name": bad, "value": 1.0}, "text": bad})
    api.answers["/v1/targets"] = {"targets": [row]}
    api.answers["/v1/incidents"] = {"incidents": [found]}
    api.answers["/v1/notices"] = {"notices": [{"kind": bad, "target": where, "at": now, "text": bad}]}
    kinds = (bad, "snapshot")
    api.answers["/v1/marks"] = {"marks": [{"at": now - HOUR, "kind": kind, "text": bad} for kind in kinds]}
    api.answers["/v1/shares"] = {"field": bad, "points": [{"at": now - HOUR, "n": 5, "shares": {bad: 3}, "other": 2}]}
    app = open_page("target", **where, lane=lane, route=bad)
    harmless(app)
    assert "\u202e" not in texts(app)


@pytest.mark.parametrize(
    ("mode", "changes", "told"),
    [
        ("enforce", {}, "weight × 0.5 ·"),
        ("advisory", {}, "weight × 0.5, advice that no gateway follows ·"),
        ("enforce", {"reason": "override", "expires_at": 1.0}, "weight × 0.5 set by a person until "),
    ],
)
def test_the_weight_says_who_set_it_and_who_follows(
    api: FakeApi, open_page: Open, mode: str, changes: dict[str, Any], told: str
) -> None:
    """Advice, the policy's weight and a person's own are told apart where the weight stands."""
    feed = api.answers["/v1/weights"]
    feed["mode"] = mode
    feed["weights"][0] |= changes
    assert told in texts(open_page("target", incident="inc_01"))


def test_a_weight_is_no_reason_to_hide_a_target(api: FakeApi, open_page: Open) -> None:
    """Where the feed cannot be had, the page stands as it is."""
    api.status["/v1/weights"] = 503
    app = open_page("target", incident="inc_01")
    assert not app.exception
    assert "weight × 0.5 ·" in texts(app)
