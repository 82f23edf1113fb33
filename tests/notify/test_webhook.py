import base64
import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from undertow.config import Secret, WebhookConfig
from undertow.notify.attempt import classify, fault
from undertow.notify.egress import Egress, Guard
from undertow.notify.message import Outgoing
from undertow.notify.webhook import send, sign


def secret() -> str:
    """A new signing secret."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


@pytest.fixture(name="entry")
def _entry() -> Outgoing:
    return Outgoing("msg_1", "webhook:h:1", "inc_1", 1, "llm.drift.opened", '{"type":"llm.drift.opened"}', 0.0)


@pytest.fixture(name="deliver")
def _deliver(receiver: Any) -> Callable[..., Any]:
    def deliver(entry: Outgoing, key: str, now: float | None = None, deadline_s: float = 5.0, **more: Any) -> Any:
        egress = Egress(Guard(["127.0.0.1"]), deadline_s=deadline_s)
        return send(entry, WebhookConfig(url=receiver.url, secret=Secret(key), **more), egress, now or time.time())

    return deliver


def test_the_reference_verifier_accepts_what_was_received(entry: Outgoing, deliver: Any, receiver: Any) -> None:
    """Headers and bytes as they arrive over a socket verify with the standardwebhooks library."""
    key = secret()
    assert deliver(entry, key).outcome == "sent"
    headers, body = receiver.requests[0]
    assert Webhook(key).verify(body, headers) == {"type": "llm.drift.opened"}
    assert headers["webhook-id"] == entry.webhook_id
    assert headers["content-type"] == "application/json"


def test_the_published_vector_comes_out() -> None:
    """The example of the Standard Webhooks libraries: this id, time, body and secret give this signature."""
    entry = Outgoing("msg_p5jXN8AQM9LWM0D4loKWxJek", "c", "i", 1, "k", '{"test": 2432232314}', 0.0)
    headers = sign(entry, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], 1614265330.9)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.integers(0, 26))
def test_a_tampered_byte_is_refused(place: int) -> None:
    """No byte of the body can change unnoticed."""
    entry = Outgoing("msg_1", "c", "i", 1, "k", '{"type":"llm.drift.opened"}', 0.0)
    key, body = secret(), bytearray(entry.body.encode())
    headers = sign(entry, [key], time.time())
    Webhook(key).verify(bytes(body), headers)
    body[place] ^= 1
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(key).verify(bytes(body), headers)


def test_a_stale_timestamp_a_foreign_key_and_another_id_are_refused(entry: Outgoing) -> None:
    """A recording cannot be played back later, nor under another id, nor be made without the key."""
    key = secret()
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(key).verify(entry.body, sign(entry, [key], time.time() - 301))
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(secret()).verify(entry.body, sign(entry, [key], time.time()))
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(key).verify(entry.body, sign(entry, [key], time.time()) | {"webhook-id": "msg_2"})


def test_while_a_secret_is_changed_both_verify(entry: Outgoing, deliver: Any, receiver: Any) -> None:
    """`secret` and `previous_secret` sign both, so that a receiver may hold either; a third one verifies nothing."""
    old, new = secret(), secret()
    deliver(entry, new, previous_secret=Secret(old))
    headers, body = receiver.requests[0]
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret()).verify(body, headers)


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        ((200,), "sent", "http_200"),
        ((204,), "sent", "http_204"),
        ((301, "Location: http://127.0.0.1:1/"), "retry", "http_301"),
        ((308, "Location: http://127.0.0.1:1/"), "retry", "http_308"),
        ((400,), "retry", "http_400"),
        ((404,), "retry", "http_404"),
        ((410,), "gone", "http_410"),
        ((429,), "throttled", "http_429"),
        ((500,), "retry", "http_500"),
        ((502,), "throttled", "http_502"),
        ((504,), "throttled", "http_504"),
    ],
)
def test_what_each_status_means(
    answer: Any, outcome: str, detail: str, entry: Outgoing, deliver: Any, receiver: Any
) -> None:
    """Only 2xx is received; a redirect is a failure, 410 the end, 429, 502 and 504 a request to slow down."""
    receiver.answers = [receiver.says(*answer)]
    attempt = deliver(entry, secret())
    assert (attempt.outcome, attempt.detail) == (outcome, detail)


def test_retry_after_is_seconds_or_a_date_and_bounded() -> None:
    """Both forms of RFC 9110 are understood, the past is no wait, and a century is a day."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
    in_a_minute = format_datetime(datetime(2026, 11, 20, 12, 1, tzinfo=UTC), usegmt=True)
    assert classify(429, "120", now).wait_s == 120.0
    assert classify(503, in_a_minute, now) == classify(503, "60", now)
    assert classify(429, in_a_minute, now + 3600).wait_s == 0.0
    assert classify(429, "9999999999", now).wait_s == 86_400.0


@pytest.mark.parametrize(
    "date", ["Fri, 20 Nov 2026 12:01:00 GMT", "Friday, 20-Nov-26 12:01:00 GMT", "Fri Nov 20 12:01:00 2026"]
)
def test_every_form_of_an_http_date_is_in_utc(date: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 5.6.7 has three, one of which names no zone: the monitor's own is no stand-in."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert classify(429, date, datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()).wait_s == 60.0
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text(), st.integers(100, 599))
def test_no_retry_after_makes_the_sender_stumble(text: str, status: int) -> None:
    """Whatever stands in the header, the answer is classified and the wait is sane."""
    assert 0 <= classify(status, text, 0.0).wait_s <= 86_400


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), "unknown_host"),
        (ssl.SSLCertVerificationError("self-signed"), "certificate_not_trusted"),
        (ConnectionRefusedError(), "connection_refused"),
        (http.client.RemoteDisconnected(), "no_answer"),
        (http.client.BadStatusLine("x"), "not_http"),
        (ConnectionResetError(), "connection_reset"),
        (http.client.IncompleteRead(b""), "IncompleteRead"),
    ],
)
def test_what_the_network_does_has_a_name(error: Exception, reason: str) -> None:
    """A fault is told in words, and by the name of its error where there are none."""
    assert fault(error) == reason


def test_garbage_a_hang_up_and_silence_are_retried(entry: Outgoing, deliver: Any, receiver: Any) -> None:
    """What is no HTTP answer is a failed attempt with a reason, never an exception."""
    receiver.answers = [b"not http\r\n\r\n", b"", lambda _stream: time.sleep(0.5)]
    attempts = [deliver(entry, secret(), deadline_s=0.2) for _ in range(3)]
    assert [attempt.outcome for attempt in attempts] == ["retry"] * 3
    assert [attempt.detail for attempt in attempts] == ["not_http", "no_answer", "timeout"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://127.0.0.1:1/\u00fc", "http://127.0.0.1:1/a b"])
def test_nobody_there_and_unsendable_paths_are_retried(url: str, entry: Outgoing) -> None:
    """A closed port or a path that HTTP cannot carry fails the attempt, with a reason that holds no URL."""
    attempt = send(entry, WebhookConfig(url=url, secret=Secret(secret())), Egress(Guard(["127.0.0.1"])), 0.0)
    assert attempt.outcome == "retry"
    assert "127.0.0.1" not in attempt.detail


def test_a_refused_address_is_named(entry: Outgoing) -> None:
    """The reason says which host was refused and which setting opens it."""
    attempt = send(entry, WebhookConfig(url="http://127.0.0.1:1/", secret=Secret(secret())), Egress(Guard()), 0.0)
    assert (attempt.outcome, "alerts.allow_hosts" in attempt.detail) == ("retry", True)
