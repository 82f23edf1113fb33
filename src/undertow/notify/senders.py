"""The channels: which module sends what is meant for a receiver. Adding one is described in README.md."""

import logging
from typing import assert_never
from urllib.parse import urlsplit

from undertow.channels import (
    AlertmanagerConfig,
    EmailConfig,
    PagerDutyConfig,
    Receiver,
    SlackConfig,
    TeamsConfig,
    WebhookConfig,
)
from undertow.notify import alertmanager, mail, pagerduty, slack, teams, webhook
from undertow.notify.attempt import Attempt
from undertow.notify.egress import Egress
from undertow.notify.message import Outgoing
from undertow.notify.story import tells

log = logging.getLogger(__name__)


def send(entry: Outgoing, receiver: Receiver, egress: Egress, now: float) -> Attempt:
    """One attempt to deliver `entry`; it never raises for what a receiver, the network or a message does.

    Webhooks get every type of message, the others those that there are words for. A message that a channel cannot make
    its payload of is one that failed, so that it holds up nobody else's.
    """
    if not isinstance(receiver, WebhookConfig) and not tells(entry.kind):
        return Attempt("sent", "not_for_this_channel")
    try:
        return _send(entry, receiver, egress, now)
    except Exception as error:
        log.exception("%s could not be put into words for %s", entry.kind, entry.channel)
        return Attempt("retry", f"fault: {type(error).__name__}")


def _send(entry: Outgoing, receiver: Receiver, egress: Egress, now: float) -> Attempt:
    match receiver:
        case WebhookConfig():
            return webhook.send(entry, receiver, egress, now)
        case AlertmanagerConfig():
            return alertmanager.send(entry, receiver, egress, now)
        case SlackConfig():
            return slack.send(entry, receiver, egress, now)
        case PagerDutyConfig():
            return pagerduty.send(entry, receiver, egress, now)
        case TeamsConfig():
            return teams.send(entry, receiver, egress, now)
        case EmailConfig():
            return mail.send(entry, receiver, egress, now)
        case _:
            assert_never(receiver)


def again_s(entry: Outgoing, receiver: Receiver, attempt: Attempt) -> float | None:
    """In how many seconds `entry` is sent again although it arrived, None for never: only Alertmanager forgets."""
    if isinstance(receiver, AlertmanagerConfig) and tells(entry.kind) and not attempt.detail.startswith("fault"):
        return alertmanager.again_s(entry, receiver)
    return None


def pace_s(receiver: Receiver) -> float:
    """Least seconds between two messages to the host of a receiver; 0 where it says nothing of a pace."""
    return slack.PACE_S if isinstance(receiver, SlackConfig) else 0.0


def reaches(receiver: Receiver) -> tuple[str, int]:
    """The host and port that a receiver is reached at."""
    if isinstance(receiver, EmailConfig):
        return receiver.host, mail.port(receiver)
    url = receiver.url if isinstance(receiver.url, str) else receiver.url.reveal() if receiver.url else ""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
