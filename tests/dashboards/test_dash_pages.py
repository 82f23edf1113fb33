"""Each page as Streamlit runs it, against an API on a real port."""

import re
import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from . import answers
from .conftest import Open
from .fixtures import HOSTILE, HOUR, FakeApi, incident, target, target_state

PAGES = ("fleet", "target", "cost", "budget", "ingestion")


def texts(app: AppTest) -> str:
    """Everything that the page says."""
    kinds = (
        app.title,
        app.header,
        app.subheader,
        app.text,
        app.markdown,
        app.caption,
        app.info,
        app.warning,
        app.error,
    )
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def test_late_spans_and_wrong_clocks_are_told(api: FakeApi, open_page: Open) -> None:
    """The page Ingestion says what is not judged and whose clock is ahead, in the monitor's words as plain text."""
    troubles = [
        {"why": "late_spans", "text": "60 of the last 1,000 spans came too late"},
        {"why": "clock_ahead", "text": "the clock of host <b>h</b> is 3 minutes ahead"},
    ]
    api.answers["/v1/ingest"]["troubles"] = troubles
    app = open_page("ingestion")
    assert [one.value for one in app.warning][-2:] == [
        "Many spans come too late and are not judged.",
        "A clock is ahead: its spans are judged later.",
    ]
    assert "The clock of host <b>h</b> is 3 minutes ahead." in [one.value for one in app.text]


@pytest.mark.parametrize("page", ["fleet", "ingestion"])
def test_old_data_are_called_stale(api: FakeApi, open_page: Open, page: str) -> None:
    """When the newest request is old the page says that it describes the past."""
    api.answers["/v1/ingest"]["newest"] = time.time() - 3.5 * HOUR
    app = open_page(page)
    assert app.warning[0].value.startswith("Stale: the newest request ended 3 hours ago.")


@pytest.mark.parametrize("page", ["fleet", "ingestion"])
@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("source_unreachable", "Kafka cannot be reached since "),
        ("topic_silent", "Topic `<b>t</b>` has brought nothing since "),
        ("all_targets_silent", "Nothing was heard of any target since "),
    ],
)
def test_a_silent_collector_does_not_look_like_a_healthy_fleet(
    api: FakeApi, open_page: Open, page: str, why: str, told: str
) -> None:
    """What is wider than one target is told above everything else; a silent target is stale in its row."""
    silent = [{"why": one, "subject": "<b>t</b>", "since": time.time() - HOUR} for one in (why, "target_silent")]
    api.answers["/v1/ingest"]["silent"] = silent
    app = open_page(page)
    assert not app.exception
    [warning] = app.warning
    assert warning.value.startswith(told)
    assert warning.value.endswith("What changed after that is not seen here.")


def test_fresh_data_are_not_called_stale(open_page: Open) -> None:
    """Negative control: with new requests there is no warning."""
    assert not open_page().warning


@pytest.mark.parametrize("page", [*PAGES, "incident", "weights", "detectability"])
def test_absent_api_is_said_plainly(open_page: Open, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    """Where nobody answers, the page names the address and the command that helps, and shows no traceback."""
    monkeypatch.setenv("UNDERTOW_API_URL", "http://127.0.0.1:9")
    app = open_page(page)
    assert not app.exception
    assert app.title[0].value == "The monitor is away"
    assert "http://127.0.0.1:9" in texts(app)
    assert "undertow serve" in texts(app)


def test_last_copy_stays_with_its_age(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the monitor goes away the page keeps what it said and how long ago."""
    app = open_page()
    monkeypatch.setenv("UNDERTOW_API_URL", "http://127.0.0.1:9")
    app.run()
    assert app.title[0].value == "1 of 5 targets changed"
    assert "The monitor does not answer; this is what it said" in app.info[0].value


def test_refused_token_names_the_variable(api: FakeApi, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token is told from an absent monitor, and is not shown."""
    api.token = "right"
    monkeypatch.setenv("UNDERTOW_API_TOKEN", "wrong-secret")
    app = open_page()
    assert app.title[0].value == "The monitor refuses this dashboard"
    assert "UNDERTOW_API_TOKEN" in texts(app)
    assert "wrong-secret" not in texts(app)
    monkeypatch.setenv("UNDERTOW_API_TOKEN", "right")
    assert open_page().title[0].value == "1 of 5 targets changed"


def test_foreign_answer_is_not_taken_for_ours(api: FakeApi, open_page: Open) -> None:
    """A server that answers something else is named as such."""
    api.answers["/v1/incidents"] = b"<html>hello</html>"
    assert open_page().title[0].value == "This is not an Undertow monitor"


def test_an_incident_of_a_pool_stands_at_each_member(api: FakeApi, open_page: Open) -> None:
    """The fleet names the targets that were taken together, and each one's page shows the incident and its notes."""
    where = target("gpt-4o-mini")
    note = {"at": time.time() - HOUR, "by": "undertow", "status": "open", "text": "refusal went up at prod/eu too"}
    found = incident(target("gpt-4o-mini", deployment="*"), now=time.time(), history=[note])
    found["pooled"] = [target("gpt-4o-mini", deployment="eu"), where]
    api.answers["/v1/incidents"] = {"incidents": [found]}
    together = "Seen in 2 quiet targets taken together: litellm-prod/eu, litellm-prod."
    assert together in texts(open_page())
    app = open_page("target", **{key: value for key, value in where.items() if value})
    assert not app.exception
    assert "Answer length down 22 %" in texts(app)


def hostile_world(api: FakeApi, bad: str) -> dict[str, Any]:
    """Put `bad` wherever a gateway's text can get to."""
    now = time.time()
    where = target(bad, bad, bad, bad)
    state = target_state(where, "alert", now=now, text=bad, open_incidents=["inc_01"])
    found = incident(where, now=now, lane=bad, why=[bad], cause=bad, history=[{"at": now, "by": bad, "status": bad}])
    found["pooled"] = [where]
    found["history"].append({"at": now, "by": bad, "status": bad, "text": bad})
    found["signals"].append({"signal": bad, "direction": bad, "effect": {"name": bad, "value": 1.0}, "text": bad})
    api.answers["/v1/targets"] = {"targets": [state]}
    api.answers["/v1/incidents"] = {"incidents": [found]}
    api.answers["/v1/notices"] = {"notices": [{"kind": bad, "target": where, "at": now, "text": bad}]}
    routes = answers.routes([where], now, now - HOUR)
    api.answers |= {path: routes[path] for path in ("/v1/fleet", "/v1/cost")}
    lane = {"incidents": 1, "unjudged": 1, "guaranteed": True}
    api.answers["/v1/budget"] = answers.budget(by_lane={bad: lane}, note=bad)
    ingest = api.answers["/v1/ingest"]
    ingest["rejects"] = [{"reason": bad, "count": 3}]
    ingest["partitions"][0]["topic"] = bad
    ingest["unknown_keys"] = [{"name": bad, "count": 1}]
    ingest["source"] = {"state": bad, "detail": bad}
    told = {"topic": bad, "name": bad, "version": bad, "warnings": [{"affects": bad, "text": bad}]}
    ingest["instrumentations"].append(told)
    api.answers["/v1/rejects"] = {"rejects": [{"reason": bad, bad: bad}]}
    api.answers["/readyz"]["parts"][0] = {"part": bad, "ok": False, "state": bad, "detail": bad}
    return where


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("bad", HOSTILE)
def test_hostile_names_stay_text(api: FakeApi, open_page: Open, page: str, bad: str) -> None:
    """Markup in names is shown, never obeyed: outside code spans no Markdown of the page holds any of it."""
    where = hostile_world(api, bad)
    app = open_page(page, **where) if page == "target" else open_page(page)
    harmless(app)


def harmless(app: AppTest) -> None:
    """No text from outside is markup or a formula."""
    assert not app.exception
    captions = [caption for radio in app.radio for caption in radio.proto.captions]
    assert not [text for text in captions if "<" in without_code(text) or "](" in without_code(text)]
    rendered = [*app.title, *app.header, *app.subheader, *app.markdown, *app.caption, *app.info, *app.warning]
    for element in rendered:
        outside = without_code(str(element.value)).replace("\\$", "")
        assert not any(
            mark in outside for mark in ("<", "](", "$", "www.", "://", "x^2", "# ", ";--", ":smile", "\u202e")
        )
        assert not getattr(element, "allow_html", False)
    for table in app.dataframe:
        assert not [cell for cell in table.value.to_numpy().flat if str(cell).startswith(("=", "+", "-", "@"))]


def without_code(markdown: str) -> str:
    """Markdown less its code spans, by CommonMark's rule: a run of backticks closes at the next run of equal length."""

    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", markdown)


def test_ingestion_counts_lag_and_rejects(open_page: Open) -> None:
    """Lag, totals and reasons stand in words and tables."""
    app = open_page("ingestion")
    assert not app.exception
    assert app.title[0].value == "Reading, 42 messages behind"
    assert {m.label: m.value for m in app.metric}["duplicates"] == "40"
    assert "250 rejected, most often invalid json (201)." in texts(app)
    assert list(next(f.value for f in app.dataframe if "lag (messages)" in f.value)["lag (messages)"]) == [0, 7, 14, 21]


@pytest.mark.parametrize(
    ("state", "word"),
    [("broker_unavailable", "Broker away"), ("topic_missing", "Topic missing"), ("group_conflict", "Group shared")],
)
def test_ingestion_names_what_the_source_lacks(api: FakeApi, open_page: Open, state: str, word: str) -> None:
    """A source in trouble is the title of the page, with what to do about it."""
    api.answers["/v1/ingest"]["source"]["state"] = state
    parts = api.answers["/readyz"]["parts"]
    parts[0] = {"part": "source", "ok": False, "state": state, "detail": ""}
    api.status["/readyz"] = 503
    app = open_page("ingestion")
    assert app.title[0].value.startswith(word)
    assert "Works." in texts(app)


def test_ingestion_without_anything_says_so(api: FakeApi, open_page: Open) -> None:
    """No messages, no partitions, no rejects: three plain sentences."""
    api.answers["/v1/ingest"] = {"partitions": [], "totals": {}, "rejects": [], "newest": None, "source": None}
    app = open_page("ingestion")
    assert app.title[0].value.startswith("Nothing read yet")
    assert "Nothing was rejected." in texts(app)
    assert "No requests yet." in texts(app)


def test_ingestion_tells_how_many_come_in(open_page: Open) -> None:
    """Throughput and formats stand in words and tables."""
    app = open_page("ingestion")
    assert "12.5 a second in the last minute." in texts(app)
    assert any("format" in frame.value.columns for frame in app.dataframe)


def test_ingestion_names_who_wrote_the_spans(api: FakeApi, open_page: Open) -> None:
    """A table has instrumentations and versions, and what is wrong with one stands above it, once for all topics."""
    rows = api.answers["/v1/ingest"]["instrumentations"]
    rows[1]["warnings"] = [{"affects": "tokens", "text": "Reasoning is counted twice."}]
    rows.append(rows[1] | {"topic": "another"})
    app = open_page("ingestion")
    [warning] = app.warning
    assert warning.value == "Wrong at the source: tokens of `gcp.vertex.agent 2.13.0`."
    assert "Reasoning is counted twice." in [one.value for one in app.text]
    table = next(frame.value for frame in app.dataframe if "instrumentation" in frame.value.columns)
    assert list(table["version"]) == ["1.0b0", "2.13.0", "unknown", "2.13.0"]
    assert list(table["wrong at the source"]) == ["", "tokens", "", "tokens"]


def test_nothing_is_said_of_who_wrote_the_spans_where_nobody_is_known(api: FakeApi, open_page: Open) -> None:
    """Negative control: an older monitor tells of no instrumentations, and one without faults is not warned of."""
    assert not open_page("ingestion").warning
    del api.answers["/v1/ingest"]["instrumentations"]
    app = open_page("ingestion")
    assert not app.exception
    assert "Who wrote the spans" not in texts(app)


def test_ingestion_names_channels_that_are_not_reached(api: FakeApi, open_page: Open) -> None:
    """A receiver that is gone is on the page of what works."""
    api.answers["/v1/receivers"] = {"disabled": [], "failing": [{"channel": "slack:ops", "detail": "http_503"}]}
    said = texts(open_page("ingestion"))
    assert "slack:ops" in said
    assert "http_503" in said.lower()


def test_a_part_that_works_and_needs_somebody_is_not_green() -> None:
    """Late spans, a clock that is ahead or a receiver that is away are a warning, though the monitor is ready."""
    from undertow_dashboards.shapes import Part
    from undertow_dashboards.views.ingestion import part_word

    assert part_word(Part("event_time", True, "late", "120 of the last 127 spans came too late")).colour == "orange"
    assert part_word(Part("event_time", True, "running")).colour == "green"
    assert part_word(Part("event_time", False, "late", "all spans came too late")).colour == "red"
