"""What an incident holds, the object of CONTRACTS 2, and how a signal is written into it."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Literal

from undertow.span import Target
from undertow.watch.attribution import Attribution, Cause
from undertow.watch.events import Event
from undertow.watch.pool import named
from undertow.watch.sizing import Sizing

Document = dict[str, Any]
Verdict = Literal["real", "false_alarm"]

ENOUGH_ROWS = 50_000
"""A change that was measured on so many values is not measured again."""

SEVERITY: Mapping[Cause, str] = {
    "provider_update": "critical",
    "unresolved": "warning",
    "infrastructure": "warning",
    "availability": "critical",
    "declared_update": "warning",
    "own_release": "info",
}


def opened(target: Target, lane: str, event: Event, said: Attribution, advice: Document) -> Document:
    """A new incident of `target`, before any signal is in it; `advice` is what it recommends."""
    return {
        "id": _identifier(target, lane, event),
        **named(target),
        "cause": said.cause,
        "lane": lane,
        "severity": severity(lane, said.cause),
        "confirmation": None,
        "group": None,
        "opened_at": event.at,
        "opened_after_spans": event.spans,
        "resolved_at": None,
        "change_point": event.since,
        "change_point_interval": None,
        "signals": [],
        "cost": None,
        "why": list(said.why),
        "recommendation": advice,
        "verdict": None,
    }


def severity(lane: str, cause: Cause) -> str:
    """How severe it is before anything else speaks for it or against it; what was declared is for information."""
    return "info" if lane == "identity" else SEVERITY[cause]


def judgement(verdict: Verdict, at: float, by: str, reason: str) -> Document:
    """What an incident carries of a person's verdict."""
    return {"verdict": verdict, "by": by, "at": at, "reason": reason}


def overlaps(document: Document, event: Event, near_s: float) -> bool:
    """Whether both may be one change; that of `event` may have begun `near_s` before the estimate."""
    begun = (document["change_point_interval"] or [document["change_point"]])[0]
    return bool(event.since - near_s <= document["opened_at"] and event.at >= begun)


def has_lane(document: Document, lane: str) -> bool:
    """Whether it is of `lane`, or a signal of it is."""
    return document["lane"] == lane or any(signal.get("lane") == lane for signal in document["signals"])


def doubled(document: Document, signal: Document, event: Event) -> bool:
    """Whether there is about twice as much data as when the signal was last measured, and more is of use."""
    measured = float((signal["effect"] or {}).get("n_after", math.inf))
    last: int = signal.get("measured_after_spans") or document["opened_after_spans"]
    return event.spans - last >= measured and measured < ENOUGH_ROWS


def put_signal(document: Document, event: Event, size: Sizing | None, *, dated: bool = True) -> Document | None:
    """Take a measured signal into an incident, and what it says of the whole; returns the one that it replaces.

    `dated` False leaves the incident's own change time.
    """
    signals = document["signals"]
    place = next((i for i, s in enumerate(signals) if s["signal"] == event.subject), len(signals))
    replaced: list[Document] = signals[place : place + 1]
    signals[place : place + 1] = [_bare_signal(event) | (size.of_signal() if size else {})]
    document["cost"] = (size and size.of_incident()) or document.get("cost")
    if dated:
        _date(document)
    return replaced[0] if replaced else None


def _date(document: Document) -> None:
    """Take over the change time of the signal that tells it most sharply; a declared change has its own."""
    if any(signal["lane"] == "identity" for signal in document["signals"]):
        return
    dated = [signal for signal in document["signals"] if signal.get("change_point_interval")]
    if dated:
        sharpest = min(dated, key=lambda s: s["change_point_interval"][1] - s["change_point_interval"][0])
        document.update({key: sharpest[key] for key in ("change_point", "change_point_interval")})


def _bare_signal(event: Event) -> Document:
    return {
        "signal": event.subject,
        "lane": event.lane,
        "direction": event.direction or "changed",
        "effect": None,
        "measured_after_spans": event.spans,
        "log10_evidence": round(event.log10_evidence, 2) if event.log10_evidence else None,
        "text": event.text or None,
    }


def _identifier(target: Target, lane: str, event: Event) -> str:
    identity = json.dumps([*named(target).values(), lane, event.subject, event.spans, round(event.at, 3)])
    return "inc_" + hashlib.blake2b(identity.encode(), digest_size=10).hexdigest()
