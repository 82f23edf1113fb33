"""The receivers of alerts: through which channel they are told, and of what.

Every channel shares the filters of `Routing`. What a channel sends, and how, is in undertow.notify.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from undertow.keys import Place, Secret
from undertow.veil import Discreet

Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Severity = Literal["info", "warning", "critical"]
Lane = Literal["content", "identity", "traffic", "performance", "errors", "cost", "golden", "data"]
"""Lanes of the detection, and `data` for what went silent."""
Address = Annotated[str, Meta(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$", max_length=254)]

IDENTITY_LABELS = ("alertname", "alert_id", "gateway", "provider", "model", "deployment")
"""Labels of an alert in Alertmanager; they never change while it stands."""
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"


def _says(text: str) -> Meta:
    return Meta(description=text)


class Routing(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """What a channel is told of; an empty list lets everything through, `*` and `?` stand for any text."""

    KIND: ClassVar[str] = ""

    min_severity: Annotated[Severity, _says("least severity that is sent")] = "warning"
    severities: Annotated[list[Severity], _says("only these severities, of those not below `min_severity`")] = []
    providers: Annotated[list[Text], _says("only these providers; `azure.*` is a pattern")] = []
    models: Annotated[list[Text], _says("only these models, or patterns")] = []
    routes: Annotated[
        list[Text], _says("only changes seen on these routes, or patterns, and those whose routes are not known")
    ] = []
    lanes: Annotated[list[Lane], _says("only these lanes")] = []


class WebhookConfig(Routing, frozen=True, kw_only=True):
    """One receiver of alerts, signed as Standard Webhooks."""

    KIND: ClassVar[str] = "webhook"

    name: Annotated[Name | None, _says("its name in logs, metrics and commands; else host and a hash")] = None
    url: Annotated[Text, _says("where to post; http or https")]
    secret: Annotated[Secret | None, _says("signing secret: `whsec_` and base64 of 24 to 64 bytes")] = None
    secret_file: Annotated[str | None, _says("file that holds `secret`")] = None
    previous_secret: Annotated[
        Secret | None, _says("the former secret; messages are signed with it too while the receiver changes over")
    ] = None
    previous_secret_file: Annotated[str | None, _says("file that holds `previous_secret`")] = None


class AlertmanagerConfig(Routing, frozen=True, kw_only=True):
    """A Prometheus Alertmanager, by its v2 API; alerts are posted again until they end."""

    KIND: ClassVar[str] = "alertmanager"

    name: Annotated[Name, _says("its name in logs, metrics and commands")]
    url: Annotated[Text, _says("base address, e.g. `https://alertmanager.example.com`")]
    token: Annotated[Secret | None, _says("bearer token, where a proxy asks for one")] = None
    token_file: Annotated[str | None, _says("file that holds `token`")] = None
    username: Annotated[Text | None, _says("user name for basic authentication, instead of a token")] = None
    password: Annotated[Secret | None, _says("password for basic authentication")] = None
    password_file: Annotated[str | None, _says("file that holds `password`")] = None
    labels: Annotated[dict[str, Text], _says("labels of your own, e.g. `team` or `severity`")] = {}
    repost_s: Annotated[
        Annotated[float, Meta(ge=10, le=3600)],
        _says("seconds between posts of an alert that stands; it ends by itself after four without one"),
    ] = 60.0


class SlackConfig(Routing, frozen=True, kw_only=True):
    """A Slack channel, by an incoming webhook."""

    KIND: ClassVar[str] = "slack"

    name: Annotated[Name, _says("its name in logs, metrics and commands")]
    url: Annotated[Secret | None, _says("the incoming webhook's address, which is a secret")] = None
    url_file: Annotated[str | None, _says("file that holds `url`")] = None


class PagerDutyConfig(Routing, frozen=True, kw_only=True):
    """A PagerDuty service, by the Events API v2."""

    KIND: ClassVar[str] = "pagerduty"

    name: Annotated[Name, _says("its name in logs, metrics and commands")]
    url: Annotated[Text, _says("where to post; `https://events.eu.pagerduty.com/v2/enqueue` in the EU")] = PAGERDUTY_URL
    routing_key: Annotated[Secret | None, _says("integration key of the service")] = None
    routing_key_file: Annotated[str | None, _says("file that holds `routing_key`")] = None


class TeamsConfig(Routing, frozen=True, kw_only=True):
    """A Microsoft Teams channel, by a Power Automate workflow."""

    KIND: ClassVar[str] = "teams"

    name: Annotated[Name, _says("its name in logs, metrics and commands")]
    url: Annotated[Secret | None, _says("the workflow's address, which is a secret")] = None
    url_file: Annotated[str | None, _says("file that holds `url`")] = None


class EmailConfig(Routing, frozen=True, kw_only=True):
    """Mail in plain text, by SMTP."""

    KIND: ClassVar[str] = "email"

    name: Annotated[Name, _says("its name in logs, metrics and commands")]
    host: Annotated[Text, _says("the mail server")]
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None, _says("its port; else 587, or 465 with `implicit`, 25 with `none`")
    ] = None
    tls: Annotated[Literal["starttls", "implicit", "none"], _says("how the connection is secured")] = "starttls"
    username: Annotated[Text | None, _says("user name, where the server wants a login")] = None
    password: Annotated[Secret | None, _says("password")] = None
    password_file: Annotated[str | None, _says("file that holds `password`")] = None
    sender: Annotated[Address, _says("address that the mail comes from")]
    to: Annotated[list[Address], _says("addresses that it goes to")]


Receiver = WebhookConfig | AlertmanagerConfig | SlackConfig | PagerDutyConfig | TeamsConfig | EmailConfig


def check(receivers: Sequence[Receiver], allow_hosts: Sequence[str], place: Place) -> None:
    """Raise ConfigError for what no single type can say of the receivers of one channel.

    Where the address or the body is the secret, http is for the hosts that `allow_hosts` names.
    """
    names: set[str] = set()
    for index, receiver in enumerate(receivers):
        if receiver.name in names:
            raise (place / index / "name").error(f"{receiver.name!r} names two receivers; choose another")
        names |= {receiver.name} if receiver.name else set()
        _check(receiver, place / index)
        if isinstance(receiver, SlackConfig | TeamsConfig | PagerDutyConfig):
            _check_hidden(receiver, allow_hosts, place / index / "url")


def _check(receiver: Receiver, place: Place) -> None:
    match receiver:
        case WebhookConfig():
            _check_webhook(receiver, place)
        case AlertmanagerConfig():
            _check_alertmanager(receiver, place)
        case PagerDutyConfig():
            check_url(receiver.url, place / "url")
            _check_given(receiver.routing_key, "routing_key", place)
        case EmailConfig():
            _check_email(receiver, place)
        case _:
            check_url(_check_given(receiver.url, "url", place).reveal(), place / "url")


def _check_hidden(receiver: SlackConfig | TeamsConfig | PagerDutyConfig, opened: Sequence[str], place: Place) -> None:
    url = receiver.url.reveal() if isinstance(receiver.url, Secret) else receiver.url or ""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in opened:
        raise place.error("is http, which shows its secret on the way; use https, or name the host in allow_hosts")


def _check_given(secret: Secret | None, key: str, place: Place) -> Secret:
    if not secret:
        raise (place / key).error(f"is missing; set it or {key}_file")
    if "\n" in secret.reveal():
        raise (place / key).error("has more than one line")
    return secret


def _check_webhook(webhook: WebhookConfig, place: Place) -> None:
    check_url(webhook.url, place / "url")
    if not webhook.secret:
        raise (place / "secret").error("is missing; set it or secret_file, alerts are always signed")
    _check_webhook_secret(webhook.secret, place / "secret")
    if webhook.previous_secret:
        _check_webhook_secret(webhook.previous_secret, place / "previous_secret")


def _check_alertmanager(receiver: AlertmanagerConfig, place: Place) -> None:
    check_url(receiver.url, place / "url")
    _check_login(receiver, place)
    for label in receiver.labels:
        if label in IDENTITY_LABELS:
            raise (place / "labels" / label).error("is a label that tells alerts apart; choose another name")
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", label):
            raise (place / "labels" / label).error("is not the name of a label: letters, digits and underscores")


def _check_login(receiver: AlertmanagerConfig | EmailConfig, place: Place) -> None:
    if receiver.username and not receiver.password:
        raise (place / "password").error("is missing, username needs it")
    if receiver.password and not receiver.username:
        raise (place / "username").error("is missing, password needs it")
    if isinstance(receiver, AlertmanagerConfig) and receiver.token and receiver.username:
        raise (place / "token").error("is set together with username; keep one of them")


def _check_email(email: EmailConfig, place: Place) -> None:
    _check_login(email, place)
    if not email.to:
        raise (place / "to").error("names nobody")
    if email.username and email.tls == "none":
        raise (place / "tls").error("`none` would send the password in the clear; use starttls or implicit")


def check_url(url: str, place: Place) -> None:
    """Raise ConfigError where `url` is none that can be posted to or opened; it is not told, as it may be a secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise place.error("is not an http or https URL")
    if "@" in parts.netloc:
        raise place.error("holds a user name or a password, which would not be sent but be shown; leave them out")


def _check_webhook_secret(secret: Secret, place: Place) -> None:
    text = secret.reveal()
    try:
        length = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        length = 0
    if not text.startswith("whsec_") or not 24 <= length <= 64:
        raise place.error("expected `whsec_` followed by the base64 of 24 to 64 bytes")
