"""Who is told of what: every channel's filters, and the name of a receiver in rows, logs and metrics."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from undertow.channels import Receiver, Routing, WebhookConfig
from undertow.globs import fits

SEVERITIES = ("info", "warning", "critical")

Told = Literal[
    "told", "below_min_severity", "other_severity", "other_provider", "other_model", "other_route", "other_lane"
]

_AND_MORE = re.compile(r" and \d+ more$")


def channel(receiver: Receiver) -> str:
    """The name of a receiver in rows, logs and metrics.

    A webhook without a name is told by its host and a hash, since a URL can hold a secret.
    """
    if receiver.name or not isinstance(receiver, WebhookConfig):
        return f"{receiver.KIND}:{receiver.name}"
    digest = hashlib.sha256(receiver.url.encode()).hexdigest()[:8]
    return f"webhook:{urlsplit(receiver.url).hostname}:{digest}"


def decide(incident: Mapping[str, Any], receiver: Routing) -> Told:
    """Whether `receiver` wants to hear of `incident`."""
    severity = "info" if incident.get("cause") == "own_release" else incident["severity"]
    target: Mapping[str, Any] = incident.get("target") or {}
    if SEVERITIES.index(severity) < SEVERITIES.index(receiver.min_severity):
        return "below_min_severity"
    if receiver.severities and severity not in receiver.severities:
        return "other_severity"
    if not _fits(receiver.providers, [target.get("provider")]):
        return "other_provider"
    if not _fits(receiver.models, [target.get("model")]):
        return "other_model"
    if receiver.lanes and incident.get("lane") not in (*receiver.lanes, None):
        return "other_lane"
    routes = _routes(incident) if receiver.routes else None
    return "told" if routes is None or _fits(receiver.routes, routes) else "other_route"


def _fits(patterns: Sequence[str], values: Sequence[str | None]) -> bool:
    """Whether one of the values is wanted; nothing is wanted in particular, or the value is not known: it is."""
    return not patterns or not all(values) or any(fits(value or "", p) for value in values for p in patterns)


def _routes(incident: Mapping[str, Any]) -> list[str] | None:
    """The routes that the signals were seen on, None where they are not known or not all told."""
    told = [str(part["route"]) for part in _parts(incident)]
    if not told or any(_AND_MORE.search(text) for text in told):
        return None
    return [route for text in told for route in (text, *text.split(", "))]


def _parts(incident: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (part for signal in incident.get("signals") or () for part in signal.get("strata") or ())
