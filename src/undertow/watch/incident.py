"""Incidents: one for each change of a target, however many signals tell of it.

The documents are the incident objects of CONTRACTS 2. A signal joins an open incident of its lane, or one whose change
it overlaps in time; otherwise it opens its own. Every transition has a named reason.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from undertow.config import WeightsConfig
from undertow.span import Target
from undertow.watch.attribution import Attribution, Cause, Change, Facts, attribute
from undertow.watch.events import Event, Lane
from undertow.watch.pool import Pool, akin, named, place, subject
from undertow.watch.sizing import Sizing
from undertow.watch.weights import STANDING, recommendation

Transition = Literal["opened", "updated", "refreshed", "resolved"]
"""Refreshed: the numbers are better known; it is kept, and nobody is told."""
Document = dict[str, Any]
Measure = Callable[[Target, Event, float, float], Sizing | None]
"""(target, event, since, near_s) to what is known of the change by then; see `sizing.measure`."""
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


LANES: tuple[Lane, ...] = ("content", "errors", "performance", "cost", "identity")
"""An incident is of the first of these that a signal of it belongs to."""


@dataclass(frozen=True, slots=True)
class Told:
    """A transition to be told: what happened to which incident, as it is now and as it was `before`."""

    transition: Transition
    reason: str
    incident: Document
    before: Document | None = None


class Incidents:
    """The standing incidents of the fleet, and what becomes of them as events arrive in order of time."""

    def __init__(self, standing: list[Document], measure: Measure, weights: WeightsConfig) -> None:
        self.standing = {document["id"]: document for document in standing}
        self._measure = measure
        self._weights = weights

    def apply(self, target: Target, event: Event, fleet: Mapping[Target, Facts]) -> list[Told]:
        """Open, extend or reconsider incidents after `event`, which `fleet` already knows."""
        if event.kind == "drift":
            told = [self._drift(target, event, fleet)]
        elif event.kind == "recovered":
            told = [self._recovered(document, event) for document in self.of(target)]
        elif event.kind == "declared" and not isinstance(target, Pool):
            told = [self._declared(target, event, fleet[target].near_s)]
        else:
            told = []
        reconsidered = (self._reconsider(document, event, fleet) for document in self.standing.values())
        return [one for one in (*told, *reconsidered) if one]

    def of(self, target: Target) -> list[Document]:
        """The standing incidents of one target or pool."""
        return [d for d in self.standing.values() if subject(d) == target]

    def known(self, target: Target, event: Event, near_s: float) -> bool:
        """Whether an incident stands that a drift of the answers, `event`, adds to."""
        return bool(self.of(target) or self._shared(target, event, near_s))

    def close(self, incident_id: str, at: float, status: str, by: str) -> Told | None:
        """A person decided: `resolved` or `accepted` ends it, `acknowledged` leaves it standing."""
        document = self.standing.get(incident_id)
        if document is None:
            return None
        before = deepcopy(document)
        _note(document, at, by, status)
        if status in STANDING:
            return Told("updated", status, document, before)
        self._end(document, at)
        return Told("resolved", status, document, before)

    def _recovered(self, document: Document, event: Event) -> Told | None:
        """A signal is back; with the last one that was measured the incident is over."""
        mine = [s for s in document["signals"] if (s["signal"], s["direction"]) == (event.subject, event.direction)]
        if not mine or mine[0].get("recovered_at"):
            return None
        before = deepcopy(document)
        mine[0]["recovered_at"] = event.at
        if any(s["lane"] != "identity" and not s.get("recovered_at") for s in document["signals"]):
            return Told("refreshed", "signal_recovered", document, before)
        _note(document, event.at, "undertow", "resolved", reason="recovered")
        self._end(document, event.at)
        return Told("resolved", "recovered", document, before)

    def _end(self, document: Document, at: float) -> None:
        document["resolved_at"] = at
        del self.standing[document["id"]]

    def _drift(self, target: Target, event: Event, fleet: Mapping[Target, Facts]) -> Told | None:
        document = self._joined(target, event, event.lane, fleet[target].near_s)
        own = document is not None and _has_lane(document, event.lane)
        if not own and (shared := self._shared(target, event, fleet[target].near_s)):
            return _noted(shared, target, event)
        if document is None:
            said = attribute(Change(target, event.since, event.at, event.lane), fleet)
            size = self._measure(target, event, event.since, fleet[target].near_s)
            return self._open(target, event, event.lane, said, size)
        known = next((s for s in document["signals"] if s["signal"] == event.subject), None)
        if known and known["direction"] == event.direction and not _doubled(document, known, event):
            return None
        since = min(event.since, document["change_point"]) if known else event.since
        size = self._measure(target, event, since, fleet[target].near_s)
        return self._join(document, event, size, fleet)

    def _declared(self, target: Target, event: Event, near_s: float) -> Told | None:
        if self._joined(target, event, "identity", near_s):
            return None  # `_reconsider` renames its cause
        said = Attribution("declared_update", (f"{event.subject}_changed",))
        return self._open(target, event, "identity", said, None)

    def _joined(self, target: Target, event: Event, lane: str, near_s: float) -> Document | None:
        """The incident of `target` that `event` belongs to."""
        for document in self.of(target):
            if _has_lane(document, lane) or _overlaps(document, event, near_s):
                return document
        return None

    def _shared(self, target: Target, event: Event, near_s: float) -> Document | None:
        """The incident of a pool that tells of the same answers as `event` of a member, or the other way round."""
        others = (d for d in self.standing.values() if subject(d) != target and akin(subject(d), target))
        alike = (d for d in others if event.lane == "content" and _has_lane(d, "content"))
        return next((d for d in alike if _overlaps(d, event, near_s)), None)

    def _open(self, target: Target, event: Event, lane: str, said: Attribution, size: Sizing | None) -> Told:
        document: Document = {
            "id": _identifier(target, lane, event),
            **named(target),
            "cause": said.cause,
            "lane": lane,
            "severity": "info" if lane == "identity" else SEVERITY[said.cause],
            "status": "open",
            "opened_at": event.at,
            "opened_after_spans": event.spans,
            "resolved_at": None,
            "change_point": event.since,
            "change_point_interval": None,
            "signals": [],
            "cost": None,
            "why": list(said.why),
            "recommendation": recommendation(said.cause, self._weights),
        }
        _put_signal(document, event, size)
        self.standing[document["id"]] = document
        return Told("opened", said.why[0], document)

    def _join(self, document: Document, event: Event, size: Sizing | None, fleet: Mapping[Target, Facts]) -> Told:
        before = deepcopy(document)
        replaced = _put_signal(document, event, size)
        if replaced and replaced["direction"] == event.direction:
            return Told("refreshed", "still_there", document, before)
        document["lane"] = min(document["lane"], event.lane, key=LANES.index)
        self._name(document, _attributed(document, fleet, event.at))
        return Told("updated", "signal_joined", document, before)

    def _reconsider(self, document: Document, event: Event, fleet: Mapping[Target, Facts]) -> Told | None:
        target = subject(document)
        if target not in fleet:  # a pool that was dissolved
            return None
        if event.at <= document["opened_at"] or event.at > document["opened_at"] + fleet[target].near_s:
            return None
        said = _attributed(document, fleet, event.at)
        if document["lane"] == "identity" or said.cause == document["cause"]:
            return None
        before = deepcopy(document)
        self._name(document, said)
        return Told("updated", "cause_reconsidered", document, before)

    def _name(self, document: Document, said: Attribution) -> None:
        document["cause"], document["why"] = said.cause, list(said.why)
        document["recommendation"] = recommendation(said.cause, self._weights)
        document["severity"] = SEVERITY[said.cause]


def _note(document: Document, at: float, by: str, status: str, **more: str) -> None:
    """Give it a status, and write down who did, when, and why."""
    document["status"] = status
    document.setdefault("history", []).append({"at": at, "by": by, "status": status, **more})


def _noted(document: Document, target: Target, event: Event) -> Told | None:
    """Write into an incident that the pool, or a member of it, moved too; once for each signal of each."""
    whose = "the pool" if isinstance(target, Pool) else place(target)
    text = f"{event.subject} went {event.direction or 'another way'} at {whose} too"
    if any(one.get("text") == text for one in document.get("history", ())):
        return None
    before = deepcopy(document)
    _note(document, event.at, "undertow", document["status"], text=text)
    return Told("refreshed", "moved_too", document, before)


def _overlaps(document: Document, event: Event, near_s: float) -> bool:
    """Whether both may be one change; that of `event` may have begun `near_s` before the estimate."""
    begun = (document["change_point_interval"] or [document["change_point"]])[0]
    return bool(event.since - near_s <= document["opened_at"] and event.at >= begun)


def _has_lane(document: Document, lane: str) -> bool:
    return document["lane"] == lane or any(signal.get("lane") == lane for signal in document["signals"])


def _doubled(document: Document, signal: Document, event: Event) -> bool:
    """Whether there is about twice as much data as when the signal was last measured, and more is of use."""
    measured = float((signal["effect"] or {}).get("n_after", math.inf))
    last: int = signal.get("measured_after_spans") or document["opened_after_spans"]
    return event.spans - last >= measured and measured < ENOUGH_ROWS


def _put_signal(document: Document, event: Event, size: Sizing | None) -> Document | None:
    """Take a measured signal into an incident, and what it says of the whole; returns the one that it replaces."""
    signals = document["signals"]
    place = next((i for i, s in enumerate(signals) if s["signal"] == event.subject), len(signals))
    replaced: list[Document] = signals[place : place + 1]
    signals[place : place + 1] = [_bare_signal(event) | (size.of_signal() if size else {})]
    document["cost"] = (size and size.of_incident()) or document.get("cost")
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


def _attributed(document: Document, fleet: Mapping[Target, Facts], at: float) -> Attribution:
    return attribute(Change(subject(document), document["change_point"], at, document["lane"]), fleet)


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
