import base64
import json
import logging
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.notify.smtp_server import serving

from undertow import channels
from undertow.channels import (
    AlertmanagerConfig,
    EmailConfig,
    PagerDutyConfig,
    Receiver,
    SlackConfig,
    TeamsConfig,
    WebhookConfig,
)
from undertow.clock import ManualClock
from undertow.config import AlertsConfig, Secret
from undertow.errors import ConfigError
from undertow.keys import Place
from undertow.notify.attempt import Attempt
from undertow.notify.egress import Egress, Guard
from undertow.notify.message import Outgoing
from undertow.notify.outbox import Deliverer, plan
from undertow.notify.routing import channel
from undertow.notify.sample import sample
from undertow.notify.senders import again_s, reaches, send
from undertow.store import Store
from undertow.telemetry import Measurements, prometheus_text

NOW = 1_763_635_321.25
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.json")}
CANARIES = [
    "canary-slack-1f3a",
    "canary-teams-2b4c",
    "canary-pagerduty-3c5d",
    "canary-token-4d6e",
    "canary-password-5e7f",
    "canary-mail-6f80",
    "Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LTcwOTE=",
]


def everyone(url: str, smtp_port: int = 25) -> AlertsConfig:
    """A receiver of each channel at `url`, every secret of it a canary."""
    slack, teams, pagerduty, token, password, mail, webhook = CANARIES
    base = url.rsplit("/", 1)[0]
    return AlertsConfig(
        webhook=[WebhookConfig(name="w", url=url, secret=Secret(f"whsec_{webhook}"))],
        alertmanager=[
            AlertmanagerConfig(name="t", url=f"{base}/prefix/", token=Secret(token)),
            AlertmanagerConfig(name="b", url=base, username="u", password=Secret(password)),
        ],
        slack=[SlackConfig(name="ops", url=Secret(f"{base}/{slack}"))],
        pagerduty=[PagerDutyConfig(name="p", url=url, routing_key=Secret(pagerduty))],
        teams=[TeamsConfig(name="all", url=Secret(f"{base}/{teams}"))],
        email=[
            EmailConfig(
                name="m",
                host="127.0.0.1",
                port=smtp_port,
                tls="starttls",
                username="u",
                password=Secret(mail),
                sender="u@example.com",
                to=["a@example.com"],
            )
        ],
        allow_hosts=["127.0.0.1"],
        dashboard_url="https://undertow.example.com",
    )


def sent(receiver: Receiver, kind: str = "", **more: Any) -> Any:
    """One attempt to send the sample."""
    told, body = sample("opened", NOW)
    entry = Outgoing("msg_1", channel(receiver), "inc_sample", 0, kind or told, body, NOW, **more)
    return send(entry, receiver, Egress(Guard(["127.0.0.1"])), NOW)


@pytest.mark.parametrize("name", ["alertmanager:t", "slack:ops", "pagerduty:p", "teams:all"])
def test_each_channel_posts_what_its_vendor_takes(name: str, receiver: Any) -> None:
    """Over a socket, each sends JSON that fits what the vendor documents."""
    to = {channel(one): one for one in everyone(receiver.url).receivers()}[name]
    assert sent(to).outcome == "sent"
    ((headers, body),) = receiver.requests
    told = json.loads(body)
    if name == "pagerduty:p":
        assert told.pop("routing_key") == CANARIES[2]
    jsonschema.validate(told, SCHEMAS[name.partition(":")[0]])
    assert headers["content-type"] == "application/json"


def test_alertmanager_is_logged_in_to(receiver: Any) -> None:
    """With a bearer token or with basic authentication, under the path that the base address has."""
    token, basic = everyone(receiver.url).alertmanager
    sent(token)
    sent(basic)
    headers = [headers["authorization"] for headers, _ in receiver.requests]
    assert headers[0] == f"Bearer {CANARIES[3]}"
    assert base64.b64decode(headers[1].removeprefix("Basic ")).decode() == f"u:{CANARIES[4]}"


def test_what_has_no_words_is_for_webhooks_alone(receiver: Any) -> None:
    """A pager is not told of every new weight, and its place in the outbox is free."""
    alerts = everyone(receiver.url)
    assert sent(alerts.pagerduty[0], "llm.weights.changed").detail == "not_for_this_channel"
    assert receiver.requests == []
    assert sent(alerts.webhook[0], "llm.weights.changed").outcome == "sent"


def test_an_event_that_pagerduty_calls_invalid_is_given_up(receiver: Any) -> None:
    """A 400 of PagerDuty's ends the attempts of that event; a 400 of another channel is tried again."""
    alerts = everyone(receiver.url)
    receiver.answers = [receiver.says(400)] * 2
    assert sent(alerts.pagerduty[0]) == Attempt("gone", "http_400")
    assert sent(alerts.webhook[0]) == Attempt("retry", "http_400")


@pytest.mark.parametrize("body", ["", "[]", '{"type": 1}', '{"timestamp": "2026", "type": "llm.drift.opened"}'])
def test_a_message_that_makes_no_sense_holds_up_nobody(body: str, receiver: Any) -> None:
    """What cannot be put into words is a failed attempt of its channel, which the schedule ends one day."""
    for to in everyone(receiver.url).receivers()[1:]:
        entry = Outgoing("msg_1", channel(to), "inc_sample", 0, "llm.drift.opened", body, NOW)
        attempt = send(entry, to, Egress(Guard(["127.0.0.1"])), NOW)
        assert attempt.outcome == "retry"
        assert attempt.detail.startswith("fault: ")
        assert again_s(entry, to, attempt) is None
    assert receiver.requests == []


@pytest.mark.parametrize("answer", [400, 403, 404, 429, 500, 301])
def test_what_a_vendor_refuses_is_tried_again(answer: int, receiver: Any) -> None:
    """No answer but 2xx is a delivery; what the receiver said can be looked at and is in no repr."""
    receiver.answers = [b"HTTP/1.1 %d No\r\nContent-Length: 14\r\n\r\ninvalid_blocks" % answer]
    attempt = sent(everyone(receiver.url).slack[0])
    assert attempt.outcome == ("throttled" if answer == 429 else "retry")
    assert attempt.answer == b"invalid_blocks"
    assert "invalid_blocks" not in repr(attempt)


def test_only_an_alert_that_stands_is_sent_again() -> None:
    """Alertmanager forgets what it is not told again; the end of an incident, and other channels, need it once."""
    alerts = everyone("http://127.0.0.1:1/x")
    for event, expected in (("opened", 60.0), ("updated", 60.0), ("resolved", None)):
        kind, body = sample(event, NOW)  # type: ignore[arg-type]
        entry = Outgoing("msg_1", "c", "inc_sample", 0, kind, body, NOW)
        assert again_s(entry, alerts.alertmanager[0], Attempt("sent", "http_200")) == expected
        assert again_s(entry, alerts.slack[0], Attempt("sent", "http_200")) is None


def test_no_channel_reaches_a_private_address_that_nobody_opened(receiver: Any) -> None:
    """Every channel leaves through the same guard, mail too, and says which setting opens a host."""
    kind, body = sample("opened", NOW)
    for to in everyone(receiver.url).receivers():
        entry = Outgoing("msg_1", channel(to), "inc_sample", 0, kind, body, NOW)
        attempt = send(entry, to, Egress(Guard()), NOW)
        assert attempt.outcome == "retry"
        assert attempt.detail.startswith("refused: 127.0.0.1 may not be reached")
    assert receiver.requests == []


def test_everybody_is_reached_at_host_and_port() -> None:
    """What `doctor` and `alerts list` name is what an attempt connects to."""
    alerts = everyone("http://127.0.0.1:81/x", 2525)
    assert {reaches(one) for one in alerts.receivers()} == {("127.0.0.1", 81), ("127.0.0.1", 2525)}
    assert reaches(SlackConfig(name="s", url=Secret("https://hooks.example/x"))) == ("hooks.example", 443)


def test_canary_secrets_are_told_nowhere(receiver: Any, incident: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Delivered, refused or unreachable: no secret is in a log, repr, notice, metric, outbox row or message."""
    caplog.set_level(logging.DEBUG)
    refusals = [500, 429, 403, 410, 500, 500]
    clock = ManualClock(NOW)
    with serving() as server, Store.open(None) as store:
        server.answers = {"STARTTLS": b"454 no " + CANARIES[5].encode() + b"\r\n"}
        alerts = everyone(receiver.url, server.port)
        deliverer = Deliverer(store, alerts, clock, random.Random(1))
        for answers in ([], [receiver.says(one) for one in refusals]):
            receiver.answers = answers
            with store.judgement() as judgement:
                for entry in plan("llm.drift.opened", incident, alerts, clock()):
                    judgement.put_outgoing(entry)
            told = repr(store.due(clock(), 100))
            deliverer.step(clock())
            clock.advance(400)
        told += prometheus_text(Measurements(store, None, deliverer, clock)).decode()
        told += repr(store.notices()) + repr(alerts) + repr(deliverer.failing) + repr(dict(deliverer.deliveries))
    assert len(receiver.requests) == 2 * len(refusals)
    assert any(CANARIES[2] in body.decode() for _, body in receiver.requests), "the canaries are there to be found"
    assert "http_500" in told + caplog.text
    for canary in CANARIES:
        assert canary not in told + caplog.text, canary


def test_configured_secrets_are_not_in_error_messages() -> None:
    """An address that is none is not repeated, since it is a secret."""
    bad = SlackConfig(name="s", url=Secret(f"hooks.slack.com/{CANARIES[0]}"))
    with pytest.raises(ConfigError) as caught:
        channels.check([bad], [], Place("undertow.toml") / "alerts" / "slack")
    assert str(caught.value) == "undertow.toml: alerts.slack[0].url: is not an http or https URL"
