"""Mail: plain text by SMTP, to a judged address and within the attempt's one deadline, as everything that leaves.

The mails of an alert have one thread (`References`), each its own `Message-ID`, the same for every retry (RFC 5322).
"""

import io
import smtplib
import socket
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime

from undertow.channels import EmailConfig
from undertow.notify.attempt import Attempt, fault
from undertow.notify.egress import Egress, Line, Refused
from undertow.notify.message import Outgoing
from undertow.notify.story import TEXTS, Story, cut, tell

SUBJECT_LIMIT = 200
READY = 220

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


def port(receiver: EmailConfig) -> int:
    """The port of the server, the usual one of its security where none is set."""
    return receiver.port or _PORTS[receiver.tls]


def payload(story: Story, message_id: str, receiver: EmailConfig) -> EmailMessage:
    """The mail: subject, the sentence, the facts a line each, and the link."""
    domain = receiver.sender.rpartition("@")[2]
    mail = EmailMessage(policy=WIRE)
    mail["From"] = Address("Undertow", addr_spec=receiver.sender)
    mail["To"] = ", ".join(receiver.to)
    mail["Subject"] = cut(f"[{story.severity}] {story.title}", SUBJECT_LIMIT)
    mail["Date"] = format_datetime(datetime.fromtimestamp(story.told_at, UTC))
    mail["Message-ID"] = f"<{message_id}@{domain}>"
    mail["References"] = f"<{_token(story.alert_id)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    facts = "\n".join(f"{label}: {value}" for label, value in story.facts)
    link = f"\n{TEXTS['labels']['link']}: {story.link}\n" if story.link else ""
    mail.set_content(f"{story.sentence}\n\n{facts}\n{link}")
    return mail


def send(entry: Outgoing, receiver: EmailConfig, egress: Egress, now: float) -> Attempt:  # noqa: ARG001
    """One attempt to deliver `entry`; it never raises for what the server or the network does."""
    mail = payload(tell(entry.body), entry.webhook_id, receiver)
    try:
        with egress.dial(receiver.host, port(receiver)) as line:
            return _converse(line, mail, receiver)
    except Refused as refusal:
        return Attempt("retry", f"refused: {refusal}")
    except TimeoutError:
        return Attempt("retry", "timeout")
    except smtplib.SMTPResponseException as error:
        return Attempt("retry", f"smtp_{error.smtp_code}", answer=_bytes(error.smtp_error))
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        return Attempt("retry", f"smtp_{code}", answer=_bytes(answer))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return Attempt("retry", fault(error))


def _converse(line: Line, mail: EmailMessage, receiver: EmailConfig) -> Attempt:
    session = _Session(line)
    try:
        if receiver.tls == "implicit":
            line.secure()
        code, said = session.connect(receiver.host, port(receiver))
        if code != READY:
            raise smtplib.SMTPConnectError(code, said)
        if receiver.tls == "starttls":
            session.starttls(context=line.tls)
        if receiver.username and receiver.password:
            session.login(receiver.username, receiver.password.reveal())
        refused = session.send_message(mail)
        with suppress(smtplib.SMTPException, OSError):
            session.docmd("QUIT")  # the mail is accepted, whatever becomes of the farewell
    finally:
        session.close()
    return Attempt("sent", "smtp_250_some_refused" if refused else "smtp_250")


class _Session(smtplib.SMTP):
    """The conversation of smtplib on a line that is connected already, each operation given the time that is left."""

    def __init__(self, line: Line) -> None:
        self._line = line
        super().__init__(local_hostname="undertow", timeout=line.left())
        self._host = line.host  # the name that a certificate must bear after STARTTLS

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        return self._line.sock

    def send(self, s: bytes | str) -> None:  # type: ignore[override]
        if self.sock:
            self.sock.settimeout(self._line.left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock:
            self.file = io.BufferedReader(self._line.reader(self.sock))
        try:
            return super().getreply()
        except smtplib.SMTPServerDisconnected:
            self._line.left()  # where the deadline is why, that is what is said
            raise


def _token(text: str) -> str:
    return "".join(ch if ch.isalnum() and ch.isascii() else "_" for ch in text)[:64]


def _bytes(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode()
