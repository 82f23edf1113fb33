import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.notify.render import CHANNELS, DASHBOARD, GOLDEN, NOW, payload, rendered

from undertow.channels import IDENTITY_LABELS
from undertow.notify import alertmanager, mail, pagerduty, slack, teams
from undertow.notify.message import body
from undertow.notify.sample import EVENTS, sample
from undertow.notify.story import TEXTS, tell
from undertow.watch import signals
from undertow.watch.attribution import Cause
from undertow_dashboards import words

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.json")}


def _units(_: Any, limit: int, text: Any, __: Any) -> Any:
    """Lengths as UTF-16 counts them, which is the most that any receiver can."""
    if isinstance(text, str) and len(text.encode("utf-16-le")) > 2 * limit:
        yield jsonschema.ValidationError(f"{len(text)} characters, and more than {limit} units")


Strict = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"maxLength": _units})
KINDS = ("llm.drift.opened", "llm.drift.updated", "llm.drift.resolved", "llm.data.stale")
PAGERDUTY_BYTES = 512 * 1000
HOSTILE = [
    "<!channel>",
    "<https://evil.example|click>",
    "[click](https://evil.example)",
    "{cause.__class__}",
    "a\r\nBcc: all@example.com",
    "\u202egpt\u0000",
    "x" * 5000,
    "é" * 5000,
    "😀" * 3000,
    "👩‍👩‍👧‍👦" * 500,
    "模型" * 2000,
    "מודל" * 1000,
    "نموذج \u200f" * 600,
    "a" + "\u0301" * 3000,
]

names = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=60), st.text(min_size=1, max_size=3).map(lambda t: t * 999)
)
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.just(0.0))
times = st.floats(0, 4e9)
ends = st.one_of(st.none(), st.lists(numbers, min_size=2, max_size=2))


@st.composite
def incidents(draw: st.DrawFn) -> dict[str, Any]:
    """Incidents with hostile names and any numbers, none of them impossible as JSON."""
    signal = st.fixed_dictionaries(
        {
            "signal": names,
            "lane": st.sampled_from(["content", "errors"]),
            "direction": st.sampled_from(["up", "down", "changed", "<b>"]),
            "effect": st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {"name": st.sampled_from(["ratio", "rate_difference", "other"]), "value": numbers, "ci95": ends}
                ),
            ),
            "log10_evidence": numbers,
        }
    )
    target = {"gateway": draw(names), "provider": draw(names), "model": draw(names), "deployment": draw(names)}
    return {
        "id": draw(names),
        "target": target,
        "cause": draw(st.one_of(st.sampled_from(get_args(Cause)), names)),
        "lane": "content",
        "severity": draw(st.sampled_from(["info", "warning", "critical"])),
        "status": draw(st.sampled_from(["open", "acknowledged", "resolved", "accepted"])),
        "opened_at": draw(times),
        "resolved_at": draw(st.one_of(st.none(), times)),
        "change_point": draw(st.one_of(st.none(), times)),
        "change_point_interval": draw(st.one_of(st.none(), st.lists(times, min_size=2, max_size=2))),
        "signals": draw(st.lists(signal, max_size=12)),
        "cost": draw(
            st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {"tokens_per_day": numbers, "tokens_ci95": ends, "usd_per_day": numbers, "usd_ci95": ends}
                ),
            )
        ),
        "why": draw(st.lists(names, max_size=4)),
        "recommendation": {"action": draw(names), "multiplier": draw(numbers)},
        "history": [{"at": 0.0, "by": draw(names), "status": "open", "reason": draw(names)}],
    }


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_what_leaves_is_what_the_golden_file_says(channel: str, event: Any) -> None:
    """Nothing that a receiver sees changes unseen; `python -m tests.notify.render` writes the files anew."""
    assert rendered(channel, event) == (GOLDEN / f"{channel}-{event}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("channel", SCHEMAS)
def test_golden_files_fit_what_the_vendor_documents(channel: str, event: Any) -> None:
    """Fields, enumerations and lengths are those of the vendor's documents, written down as JSON schemas."""
    Strict(SCHEMAS[channel]).validate(json.loads((GOLDEN / f"{channel}-{event}.json").read_text()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(incidents(), st.sampled_from(KINDS))
def test_no_incident_breaks_a_limit(incident: dict[str, Any], kind: str) -> None:
    """Whatever names and numbers an incident has, every channel's payload is valid, and short enough."""
    story = tell(body(kind, incident, NOW, dashboard_url=DASHBOARD))
    for channel, schema in SCHEMAS.items():
        Strict(schema).validate(payload(channel, story))
    assert len(msgspec.json.encode(teams.payload(story))) <= teams.BYTES_LIMIT
    assert len(msgspec.json.encode(pagerduty.payload(story))) <= PAGERDUTY_BYTES
    message = payload("email", story)
    assert all("\n" not in value and "\r" not in value for value in message["headers"].values())
    assert set(message["headers"]) == set(json.loads((GOLDEN / "email-opened.json").read_text())["headers"])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_a_name_in_every_channel(name: str, incident: dict[str, Any]) -> None:
    """A model called like markup mentions nobody, links nowhere, and adds no header."""
    told = incident | {"target": {"gateway": name, "provider": "p", "model": name, "deployment": None}}
    story = tell(body("llm.drift.opened", told, NOW))
    message = slack.payload(story)
    assert "<" not in message["text"]
    assert {block["text"]["type"] for block in message["blocks"] if "text" in block} == {"plain_text"}
    assert "\u202e" not in story.sentence
    assert "Bcc" not in payload("email", story)["headers"]
    card = teams.payload(story)["attachments"][0]["content"]
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_any_script_are_within_every_limit(name: str, incident: dict[str, Any]) -> None:
    """An incident with the longest of everything fits, and no character is cut in two."""
    signal = incident["signals"][0] | {"signal": f"topic={name}"}
    worst = incident | {
        "target": dict.fromkeys(("gateway", "provider", "model", "deployment"), name),
        "cause": name,
        "signals": [signal] * 10,
        "text": name,
        "history": [{"at": 0.0, "by": name, "status": "open", "reason": name}],
    }
    for kind in KINDS:
        story = tell(body(kind, worst, NOW, dashboard_url=DASHBOARD))
        for channel, schema in SCHEMAS.items():
            told = payload(channel, story)
            Strict(schema).validate(told)
            msgspec.json.encode(told)  # a half of a character cannot be encoded
        assert len(msgspec.json.encode(teams.payload(story))) <= teams.BYTES_LIMIT
        assert len(msgspec.json.encode(pagerduty.payload(story))) <= PAGERDUTY_BYTES


def test_one_sentence_says_everything_that_matters() -> None:
    """What changed, since when, how sure, what it costs, what was ruled out, what is recommended: one full stop."""
    sentence = tell(sample("opened", NOW)[1]).sentence
    assert sentence == (
        "Answer length went down 12 % (10 to 14 %) at openai/gpt-4 (sample) since 2025-11-20 10:20 UTC "
        "(2025-11-20 10:10 to 10:30), with very strong evidence (10^7.3); cost: about 203,000 output tokens less "
        "(166,000 to 240,000) a day; ruled out: a change of the requests, a change that all targets share, a release "
        "of yours; recommended: give it 50 % of its usual share of traffic."
    )


def test_there_are_words_for_every_cause_and_content_signal() -> None:
    """No name of the code is told where a person could be told words."""
    assert set(get_args(Cause)) == set(TEXTS["cause"])
    assert set(words.SIGNALS) <= set(TEXTS["signal"])
    assert {one.name for one in (*signals.CONTENT, *signals.OPTIONAL)} <= set(TEXTS["signal"])


def test_what_an_incident_lacks_is_not_made_up() -> None:
    """A body cut to its core has no effect, cost or evidence, and says so instead of naming numbers."""
    core = {"id": "inc_1", "target": {"provider": "p", "model": "m"}, "cause": "provider_update", "opened_at": NOW}
    sentence = tell(body("llm.drift.opened", core, NOW)).sentence
    assert "Something changed at p/m" in sentence
    assert "evidence of unknown strength" in sentence
    assert "cost: not known yet" in sentence


def test_data_that_come_again_end_their_alert() -> None:
    """A silence that is over is told as such, and ends at the pager and at Alertmanager."""
    stale = {"id": "stale_1", "target": {}, "cause": "data_stale", "opened_at": NOW - 60, "severity": "critical"}
    story = tell(body("llm.data.stale", stale | {"status": "resolved", "resolved_at": NOW}, NOW))
    assert story.sentence == "Data of all targets are coming again, and are judged again; recommended: no action."
    assert pagerduty.payload(story)["event_action"] == "resolve"
    (alert,) = alertmanager.payload(story, NOW, 60.0, {})
    assert (alert["labels"]["alertname"], alert["endsAt"]) == ("UndertowDataStale", "2025-11-20T10:42:01.250Z")


def test_a_group_of_targets_is_told_as_one(incident: dict[str, Any]) -> None:
    """One event at many targets names the first and counts the others."""
    story = tell(body("llm.drift.opened", incident | {"targets_total": 12}, NOW))
    assert "openai/gpt-4 (g, and 11 more targets)" in story.title


def test_labels_of_an_alert_stay_through_its_life() -> None:
    """Alertmanager knows an alert by its labels: every transition has the same, none of them a score or a severity."""
    stories = [tell(sample(event, NOW, DASHBOARD)[1]) for event in ("opened", "updated", "resolved")]
    told = [alertmanager.payload(story, NOW, 60.0, {})[0] for story in stories]
    assert told[0]["labels"] == told[1]["labels"] == told[2]["labels"]
    assert set(told[0]["labels"]) <= set(IDENTITY_LABELS)


def test_an_alert_ends_when_its_incident_does_and_by_itself_otherwise() -> None:
    """`endsAt` is four posts ahead while it stands, and the end of the incident afterwards; never before `startsAt`."""
    opened, resolved = (tell(sample(event, NOW)[1]) for event in ("opened", "resolved"))
    assert alertmanager.payload(opened, NOW, 60.0, {})[0]["endsAt"] == "2025-11-20T10:46:01.250Z"
    assert alertmanager.payload(resolved, NOW + 5, 60.0, {})[0]["endsAt"] == "2025-11-20T10:42:01.250Z"
    early = alertmanager.payload(opened, 0.0, 60.0, {})[0]
    assert early["startsAt"] < early["endsAt"]


@pytest.mark.parametrize(
    ("event", "action"), [("opened", "trigger"), ("updated", "acknowledge"), ("resolved", "resolve")]
)
def test_pagerduty_follows_the_incident(event: Any, action: str) -> None:
    """Each transition has its action, all under one key."""
    told = pagerduty.payload(tell(sample(event, NOW)[1]))
    assert (told["event_action"], told["dedup_key"]) == (action, "al_sample")


def test_pagerduty_has_an_alert_before_it_is_acknowledged(incident: dict[str, Any]) -> None:
    """A channel may hear of an incident first when somebody looks at it already."""
    looked_at = incident | {"status": "acknowledged"}
    told = [pagerduty.payload(tell(body(f"llm.drift.{kind}", looked_at, NOW))) for kind in ("opened", "updated")]
    assert [event["event_action"] for event in told] == ["trigger", "acknowledge"]


def test_a_key_too_long_for_pagerduty_stays_one_key() -> None:
    """An id over the limit is told by its hash, the same each time."""
    assert pagerduty.dedup_key("x" * 256) == pagerduty.dedup_key("x" * 256) != pagerduty.dedup_key("x" * 257)
    assert len(pagerduty.dedup_key("x" * 256)) <= pagerduty.DEDUP_LIMIT


def test_mails_of_an_alert_have_one_thread() -> None:
    """Each mail has an id of its own, the same at every retry, and refers to the alert."""
    headers = [payload("email", tell(sample(event, NOW)[1]))["headers"] for event in ("opened", "resolved")]
    assert headers[0]["References"] == headers[1]["References"] == "<al_sample@example.com>"
    assert max(len(one["Subject"]) for one in headers) <= mail.SUBJECT_LIMIT
