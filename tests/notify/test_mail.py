import email
import ssl
import time
from collections.abc import Iterator
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from tests.notify.smtp_server import MailServer, serving

from undertow.channels import EmailConfig
from undertow.config import Secret
from undertow.notify.egress import TALK_LIMIT_BYTES, Egress, Guard
from undertow.notify.mail import port, send
from undertow.notify.message import Outgoing
from undertow.notify.sample import sample

HOST = "receiver.example"


def entry() -> Outgoing:
    """The sample, on its way out."""
    kind, body = sample("opened", 1_763_635_321.0)
    return Outgoing("msg_1", "email:m", "inc_sample", 0, kind, body, 0.0)


def configured(server: MailServer, **more: Any) -> EmailConfig:
    """A receiver at the server."""
    usual = {"name": "m", "host": HOST, "port": server.port, "sender": "u@example.com", "to": ["a@example.com"]}
    return EmailConfig(**{**usual, **more})


@pytest.fixture(name="server_tls")
def _server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture(name="egress")
def _egress(certificate: Path) -> Egress:
    client = ssl.create_default_context(cafile=str(certificate))
    return Egress(Guard(["127.0.0.1"]), deadline_s=5, resolver=lambda _host, _port: ["127.0.0.1"], tls=client)


@pytest.fixture(name="plain")
def _plain() -> Iterator[MailServer]:
    with serving() as server:
        yield server


def local(deadline_s: float = 5.0) -> Egress:
    """Egress without TLS, for the server on loopback."""
    return Egress(Guard(["127.0.0.1"]), deadline_s=deadline_s, resolver=lambda _host, _port: ["127.0.0.1"])


@pytest.mark.parametrize("implicit", [False, True])
def test_a_mail_arrives_over_tls_after_a_login(implicit: bool, server_tls: ssl.SSLContext, egress: Egress) -> None:
    """With STARTTLS or TLS from the start, the password and the mail cross only the secured line."""
    with serving(server_tls, implicit) as server:
        tls = "implicit" if implicit else "starttls"
        receiver = configured(server, tls=tls, username="u", password=Secret("canary-password"))
        attempt = send(entry(), receiver, egress, 0.0)
    assert (attempt.outcome, attempt.detail) == ("sent", "smtp_250")
    assert {secured for secured, line in server.seen if line.startswith(("AUTH", "MAIL"))} == {True}
    mail = email.message_from_bytes(server.mails[0], policy=default)
    assert mail["Message-ID"] == "<msg_1@example.com>"
    assert "Answer length went down 12 %" in mail.get_content()


def test_a_certificate_must_bear_the_servers_name(server_tls: ssl.SSLContext, egress: Egress) -> None:
    """A server that cannot prove its name gets neither password nor mail."""
    with serving(server_tls) as server:
        receiver = configured(server, host="other.example", username="u", password=Secret("canary-password"))
        attempt = send(entry(), receiver, egress, 0.0)
    assert (attempt.outcome, attempt.detail) == ("retry", "certificate_not_trusted")
    assert [line for _, line in server.seen if line.startswith(("AUTH", "MAIL"))] == []


def test_a_server_without_starttls_gets_nothing(plain: MailServer) -> None:
    """Somebody on the way who hides the offer gets no plain text instead."""
    plain.extensions = ("AUTH PLAIN",)
    receiver = configured(plain, username="u", password=Secret("canary-password"))
    attempt = send(entry(), receiver, local(), 0.0)
    assert (attempt.outcome, attempt.detail) == ("retry", "SMTPNotSupportedError")
    assert not [line for _, line in plain.seen if line.startswith(("AUTH", "MAIL"))]


def test_without_tls_a_mail_goes_in_the_clear_if_that_is_what_was_asked_for(plain: MailServer) -> None:
    """`tls = "none"` is for a relay beside the monitor."""
    assert send(entry(), configured(plain, tls="none"), local(), 0.0).outcome == "sent"
    assert len(plain.mails) == 1


@pytest.mark.parametrize(
    ("answers", "detail"),
    [
        ({"MAIL": b"550 no\r\n"}, "smtp_550"),
        ({"RCPT": b"451 later\r\n"}, "smtp_451"),
        ({"DATA": b"552 too much\r\n"}, "smtp_552"),
        ({"CONNECT": b"554 go away\r\n"}, "smtp_554"),
        ({"MAIL": b"nonsense\r\n"}, "smtp_-1"),
        ({"CONNECT": b"220-x\r\n" * (TALK_LIMIT_BYTES // 7 + 9)}, "SMTPServerDisconnected"),
    ],
)
def test_what_the_server_refuses_is_tried_again(answers: dict[str, bytes], detail: str, plain: MailServer) -> None:
    """An answer that is no yes is a failed attempt with its code, and an endless one is cut off."""
    plain.answers = answers
    attempt = send(entry(), configured(plain, tls="none"), local(), 0.0)
    assert (attempt.outcome, attempt.detail) == ("retry", detail)


def test_a_mail_that_was_taken_is_sent_whatever_the_farewell(plain: MailServer) -> None:
    """What happens after the server took the mail makes no second one."""
    plain.answers = {"QUIT": b"nonsense\r\n"}
    assert send(entry(), configured(plain, tls="none"), local(), 0.0).outcome == "sent"


def test_a_server_that_drips_meets_the_deadline() -> None:
    """One deadline for the whole conversation, however lively it looks."""
    with serving() as server:
        server.converse = lambda sock: [(time.sleep(0.02), sock.sendall(b"2")) for _ in range(100)]  # type: ignore[method-assign,assignment]
        started = time.monotonic()
        attempt = send(entry(), configured(server, tls="none"), local(0.3), 0.0)
    assert (attempt.outcome, attempt.detail) == ("retry", "timeout")
    assert time.monotonic() - started < 1.5


def test_a_private_mail_server_is_refused_unless_opened(plain: MailServer) -> None:
    """The guard judges mail servers as any receiver, before connecting."""
    closed = Egress(Guard(), resolver=lambda _host, _port: ["127.0.0.1"])
    attempt = send(entry(), configured(plain, tls="none"), closed, 0.0)
    assert attempt.detail.startswith("refused: receiver.example may not be reached")
    assert plain.seen == []


def test_a_password_that_smtp_cannot_carry_is_not_told(
    server_tls: ssl.SSLContext, egress: Egress, caplog: pytest.LogCaptureFixture
) -> None:
    """The error of the standard library holds the password, so only its name is told."""
    with serving(server_tls) as server:
        receiver = configured(server, username="u", password=Secret("canary-pässword"))
        attempt = send(entry(), receiver, egress, 0.0)
    assert (attempt.outcome, attempt.detail) == ("retry", "UnicodeEncodeError")
    assert "canary" not in repr(attempt) + caplog.text


@pytest.mark.parametrize(("tls", "expected"), [("starttls", 587), ("implicit", 465), ("none", 25)])
def test_each_security_has_its_usual_port(tls: Any, expected: int) -> None:
    """Submission, submissions and relay."""
    assert port(EmailConfig(name="m", host="h", tls=tls, sender="a@b.c", to=["d@e.f"])) == expected
