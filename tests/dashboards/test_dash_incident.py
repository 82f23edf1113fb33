"""The page of an incident: what is known, and what people decide about it."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from undertow_dashboards import decisions

from .conftest import Open
from .fixtures import HOSTILE, HOUR, FakeApi, incident, target
from .test_dash_pages import harmless, texts

URL = "/v1/incidents/inc_01"


def decide(app: AppTest, decision: str, by: str = "Ada", reason: str = "we asked them") -> AppTest:
    """Fill the form and send it."""
    app.radio(key="decision inc_01").set_value(decision)
    app.text_input(key="name decide inc_01").input(by)
    app.text_input(key="reason decide inc_01").input(reason)
    return next(b for b in app.button if b.label == "Decide").click().run()


def test_the_sentence_and_what_stands_behind_it(open_page: Open) -> None:
    """What, since when, how sure, whose doing, what was ruled out, what it costs and who was told stand on one page."""
    app = open_page("incident", id="inc_01")
    assert not app.exception
    assert app.title[0].value.startswith("Answer length down 22 % (19 to 25 %) since ")
    said = texts(app)
    for part in ("Very strong evidence (10^7.3).", "A silent update by the provider.", "The requests did not change."):
        assert part in said
    assert "About 9,100 output tokens less" in said
    assert "1 of 2 messages delivered, 1 waiting." in said
    tables = [frame.value for frame in app.dataframe]
    before, since = (list(frame["request (span_id)"]) for frame in tables if "request (span_id)" in frame)
    assert (before[0], since[0]) == ("req-before-0", "req-after-0")
    sent = next(frame for frame in tables if "channel" in frame)
    assert list(sent["state"]) == ["delivered", "waiting"]
    assert list(sent["why"]) == ["", "http_503"]


@pytest.mark.parametrize("decision", ["acknowledge", "accept", "resolve"])
def test_a_decision_carries_who_and_why(api: FakeApi, open_page: Open, decision: str) -> None:
    """Each decision is posted with its author and reason."""
    decide(open_page("incident", id="inc_01"), decision, by=" Ada ")
    assert api.posted == [(f"{URL}/{decision}", {"by": "Ada", "reason": "we asked them"})]


def test_a_decision_can_say_whether_it_was_real(api: FakeApi, open_page: Open) -> None:
    """The verdict goes with the decision, for the budget of false alarms."""
    app = open_page("incident", id="inc_01")
    app.radio(key="verdict inc_01").set_value("a false alarm")
    decide(app, "resolve")
    assert api.posted[0][1]["verdict"] == "false_alarm"


@pytest.mark.parametrize(("by", "reason", "lacking"), [("", "why", "your name"), ("Ada", " ", "a reason")])
def test_nobody_decides_without_a_name_and_a_reason(
    api: FakeApi, open_page: Open, by: str, reason: str, lacking: str
) -> None:
    """What is missing is named and nothing is sent."""
    app = decide(open_page("incident", id="inc_01"), "accept", by, reason)
    assert not api.posted
    assert f"Write {lacking} first" in app.warning[0].value


def test_a_refused_decision_is_told(api: FakeApi, open_page: Open) -> None:
    """When the monitor does not take a decision, the page says why."""
    api.status[f"{URL}/accept"] = 409
    app = decide(open_page("incident", id="inc_01"), "accept")
    assert "The monitor did not take it:" in texts(app)
    assert "answers 409" in texts(app)


def test_a_name_is_typed_once_in_a_session(open_page: Open) -> None:
    """The next form knows who is there."""
    app = decide(open_page("incident", id="inc_01"), "acknowledge")
    assert app.text_input(key="name silence inc_01").value == "Ada"


def test_silence_is_prefilled_and_bounded(api: FakeApi, open_page: Open) -> None:
    """A silence from an incident matches its model and has an end."""
    app = open_page("incident", id="inc_01")
    app.text_input(key="name silence inc_01").input("Ada")
    app.text_input(key="reason silence inc_01").input("migration")
    next(b for b in app.button if b.label == "Silence").click().run()
    path, told = api.posted[0]
    assert path == "/v1/silences"
    assert told["matchers"] == {"provider": "openai", "model": "gpt-4o"}
    assert (told["for_s"], told["by"], told["comment"]) == (4 * HOUR, "Ada", "migration")


def test_override_names_target_share_and_end(api: FakeApi, open_page: Open) -> None:
    """A weight that a person sets goes out with its end, author and reason."""
    app = open_page("incident", id="inc_01")
    place = "gpt-4o at openai via litellm-prod"
    app.slider(key=f"multiplier {place}").set_value(10)
    app.text_input(key=f"name override {place}").input("Ada")
    app.text_input(key=f"reason override {place}").input("bad answers")
    next(b for b in app.button if b.label == "Set the weight").click().run()
    path, told = api.posted[0]
    assert path == "/v1/weights/overrides"
    assert (told["target"]["model"], told["multiplier"], told["reason"]) == ("gpt-4o", 0.1, "bad answers")
    assert told["until"] == pytest.approx(time.time() + 4 * HOUR, abs=60)


def test_a_past_incident_can_only_be_judged(api: FakeApi, open_page: Open) -> None:
    """When it is over, people still say whether it was real."""
    api.answers[URL] |= {"status": "resolved", "resolved_at": time.time()}
    app = open_page("incident", id="inc_01")
    assert not [b for b in app.button if b.label == "Decide"]
    app.text_input(key="name judge inc_01").input("Ada")
    app.text_input(key="reason judge inc_01").input("our own test")
    app.radio(key="verdict inc_01").set_value("a false alarm")
    next(b for b in app.button if b.label == "Judge").click().run()
    assert api.posted == [(f"{URL}/judge", {"by": "Ada", "reason": "our own test", "verdict": "false_alarm"})]


def test_without_an_id_all_are_listed(api: FakeApi, open_page: Open) -> None:
    """Open ones first of all; the filter is in the address."""
    now = time.time()
    over = incident(target("b"), now=now, id="inc_02", status="accepted", resolved_at=now)
    api.answers["/v1/incidents"]["incidents"].append(over)
    app = open_page("incident")
    assert app.title[0].value == "1 open incident, 1 over"
    assert not any("inc_02" in link.proto.query_string for link in app.get("page_link"))
    assert "accepted as the new normal" in texts(open_page("incident", show="over"))


def test_no_incident_is_said_calmly(api: FakeApi, open_page: Open) -> None:
    """An empty list explains when one would open."""
    api.answers["/v1/incidents"] = {"incidents": []}
    app = open_page("incident")
    assert app.title[0].value == "0 open incidents, 0 over"
    assert "None has so far" in texts(app)


def test_unknown_incident_is_said_plainly(open_page: Open) -> None:
    """An id that the monitor does not know is no traceback."""
    app = open_page("incident", id="inc_nope")
    assert not app.exception
    assert app.title[0].value == "The monitor cannot answer this"


@pytest.mark.parametrize("bad", [*HOSTILE, "x" * 300, "\u0627\u0644\u0639\u0631\u0628\u064a\u0629"])
def test_hostile_text_stays_text(api: FakeApi, open_page: Open, bad: str) -> None:
    """Nothing from a log or a person becomes markup."""
    now = time.time()
    where = target(bad, bad, bad, bad)
    found = incident(where, now=now, why=[bad], cause=bad, ruled_out=[bad])
    found["trail"] = [{"at": now, "action": bad, "reason": bad, "by": bad, "text": bad}]
    found["deliveries"] = [{"channel": bad, "kind": bad, "state": bad, "detail": bad}]
    found["examples"] = [{"span_id": bad, "route": bad, "signal": bad, "side": bad}]
    api.answers[URL] = found
    app = open_page("incident", id="inc_01")
    harmless(app)


@pytest.mark.parametrize(("name", "matcher"), [("gpt-4*", "gpt-4[*]"), ("a" * 300, "a" * 64 + "*")])
def test_a_matcher_means_the_name(name: str, matcher: str) -> None:
    """Wildcards in a model's name are not wildcards of the silence."""
    assert decisions.literal(name) == matcher


def test_what_people_did_is_not_buried(api: FakeApi, open_page: Open) -> None:
    """Steps that only made the numbers better known stand in a folded table of their own."""
    now = time.time()
    steps = [{"at": now, "action": "refreshed", "reason": "still_there", "by": "undertow"} for _ in range(40)]
    api.answers[URL]["trail"] += [*steps, {"at": now, "action": "updated", "reason": "acknowledged", "by": "Ada"}]
    tables = [f.value for f in open_page("incident", id="inc_01").dataframe if "what" in f.value.columns]
    assert [len(table) for table in tables] == [2, 42]
    assert tables[0]["by"][0] == "Ada"


def test_two_hundred_incidents_are_listed(api: FakeApi, open_page: Open) -> None:
    """A provider-wide event opens many at once."""
    now = time.time()
    many = [incident(target(f"m{i}"), now=now, id=f"inc_{i}") for i in range(200)]
    api.answers["/v1/incidents"] = {"incidents": many}
    app = open_page("incident")
    assert not app.exception
    assert app.title[0].value == "200 open incidents, 0 over"


@pytest.mark.parametrize(("mode", "warned"), [("advisory", True), ("enforce", False)])
def test_a_weight_that_nobody_follows_is_no_remedy(api: FakeApi, open_page: Open, mode: str, warned: bool) -> None:
    """Who takes traffic away by hand hears that the mode is advisory before, and not after the night."""
    api.answers["/v1/weights"]["mode"] = mode
    assert ("no gateway follows it" in texts(open_page("incident", id="inc_01"))) == warned


@pytest.mark.parametrize(
    ("quiet", "told"),
    [
        ("silence sil_1", "Nobody is told of it while the silence `sil_1` lasts; the Weights page can end it."),
        ("maintenance <b>nightly</b>", "Nobody is told of it while the maintenance window `<b>nightly</b>` lasts."),
    ],
)
def test_who_looks_at_a_silenced_incident_sees_that(api: FakeApi, open_page: Open, quiet: str, told: str) -> None:
    """On its page and on the fleet's card the reason stands; the list has a badge."""
    api.answers[URL]["quiet"] = quiet
    api.answers["/v1/incidents"]["incidents"][0]["quiet"] = quiet
    for page, query in (("incident", {"id": "inc_01"}), ("fleet", {})):
        assert told in texts(open_page(page, **query))
    assert "silenced]" in texts(open_page("incident"))


def test_what_people_are_told_of_has_no_word_about_silence(open_page: Open) -> None:
    """Nothing is said where nothing is silenced."""
    assert "Nobody is told of it" not in texts(open_page("incident", id="inc_01"))


def test_a_second_click_decides_nothing_more(api: FakeApi, open_page: Open) -> None:
    """A slow monitor makes people click again: one decision, one line in the trail; another one is told as ever."""
    app = decide(open_page("incident", id="inc_01"), "acknowledge")
    app = decide(app, "acknowledge")
    assert len(api.posted) == 1
    decide(app, "accept")
    assert len(api.posted) == 2


def test_what_was_refused_can_be_sent_again_at_once(api: FakeApi, open_page: Open) -> None:
    """What the monitor did not take stays typed, and the next click counts."""
    api.status[f"{URL}/accept"] = 503
    app = decide(open_page("incident", id="inc_01"), "accept")
    assert app.text_input(key="reason decide inc_01").value == "we asked them"
    api.status.clear()
    decide(app, "accept")
    assert len(api.posted) == 2
