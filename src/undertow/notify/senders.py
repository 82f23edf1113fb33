"""The channels: which module sends what is meant for a receiver. Adding one is described in README.md."""

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


def send(entry: Outgoing, receiver: Receiver, egress: Egress, now: float) -> Attempt:
    """One attempt to deliver `entry`; it never raises for what a receiver or the network does.

    Webhooks get every type of message, the others those that there are words for.
    """
    if isinstance(receiver, WebhookConfig):
        return webhook.send(entry, receiver, egress, now)
    if not tells(entry.kind):
        return Attempt("sent", "not_for_this_channel")
    match receiver:
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


def again_s(entry: Outgoing, receiver: Receiver) -> float | None:
    """In how many seconds `entry` is sent again although it arrived, None for never: only Alertmanager forgets."""
    if isinstance(receiver, AlertmanagerConfig) and tells(entry.kind):
        return alertmanager.again_s(entry, receiver)
    return None


def reaches(receiver: Receiver) -> tuple[str, int]:
    """The host and port that a receiver is reached at."""
    if isinstance(receiver, EmailConfig):
        return receiver.host, mail.port(receiver)
    url = receiver.url if isinstance(receiver.url, str) else receiver.url.reveal() if receiver.url else ""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
