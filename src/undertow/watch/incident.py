"""Incidents: one for each change of a target, however many signals tell of it.

A signal joins an open incident of its lane, or one whose change it overlaps in time; otherwise it opens its own. Every
transition is one of `lifecycle.RULES`; `document` is what an incident holds.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace

from undertow.config import DetectConfig, WeightsConfig
from undertow.span import Target
from undertow.watch.attribution import Attribution, Change, Facts, attribute
from undertow.watch.document import (
    Document,
    Verdict,
    doubled,
    has_lane,
    judgement,
    opened,
    overlaps,
    put_signal,
    severity,
)
from undertow.watch.events import Event, Lane
from undertow.watch.grouping import companion, group_id, siblings_agree
from undertow.watch.lifecycle import ITSELF, RULES, STANDING, Reason, Told, ended_by, lowered, move
from undertow.watch.pool import Pool, akin, is_gateway, place, subject
from undertow.watch.sizing import Sizing
from undertow.watch.weights import recommendation

Measure = Callable[[Target, Event, float, float], Sizing | None]
"""(target, event, since, near_s) to what is known of the change by then; see `sizing.measure`."""


LANES: tuple[Lane, ...] = ("content", "errors", "performance", "cost", "identity")
"""An incident is of the first of these that a signal of it belongs to."""


class Incidents:
    """The standing incidents of the fleet, and what becomes of them as events arrive in order of time."""

    def __init__(
        self,
        known: list[Document],
        measure: Measure,
        weights: WeightsConfig,
        detect: DetectConfig = DetectConfig(),  # noqa: B008  frozen
    ) -> None:
        self.standing = {document["id"]: document for document in known if document["status"] in STANDING}
        self._ended = [document for document in known if ended_by(document) == "recovered"]
        self._measure = measure
        self._weights = weights
        self._reopen_s, self._group_s = detect.reopen_h * 3600, detect.group_window_h * 3600

    def apply(self, target: Target, event: Event, fleet: Mapping[Target, Facts]) -> list[Told]:
        """Open, extend or reconsider incidents after `event`, which `fleet` already knows."""
        told: list[Told | None]
        if event.kind == "drift":
            told = list(self._grouped(self._drift(target, event, fleet), event.at))
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

    def close(
        self, incident_id: str, at: float, status: str, by: str, text: str = "", verdict: Verdict | None = None
    ) -> Told | None:
        """A person decided, and why: `resolved` or `accepted` ends it, `acknowledged` leaves it standing.

        `verdict` is what they think of it, where they say so.
        """
        reasons: Mapping[str, Reason] = {name: name for name in ("resolved", "accepted", "acknowledged")}
        document = self.standing.get(incident_id)
        if document is None:
            return None
        before = deepcopy(document)
        if verdict:
            document["verdict"] = judgement(verdict, at, by, text)
        told = move(document, reasons[status], at, by=by, before=before, text=text)
        if status not in STANDING:
            del self.standing[incident_id]
        return told

    def judge(self, document: Document, verdict: Verdict, at: float, by: str, text: str) -> Told:
        """Whether it was real, as a person says, at any time; `document` is the incident as it is kept."""
        known = (*self.standing.values(), *self._ended)
        document = next((one for one in known if one["id"] == document["id"]), document)
        before = deepcopy(document)
        document["verdict"] = judgement(verdict, at, by, text)
        return move(document, "judged", at, by=by, before=before, text=f"{verdict}: {text}" if text else verdict)

    def weigh(self, incident_id: str, reason: Reason, at: float, by: str, text: str = "") -> Told | None:
        """Further evidence speaks for or against an incident: `golden_agrees`, `golden_disagrees`, `siblings_agree`.

        One that was demoted is a step less severe and recommends nothing. None where it says nothing new.
        """
        document = self.standing.get(incident_id)
        if document is None or document.get("confirmation") == RULES[reason].confirmation:
            return None
        before = deepcopy(document)
        document["confirmation"] = RULES[reason].confirmation
        self._rate(document)
        return move(document, reason, at, by=by, before=before, text=text)

    def _recovered(self, document: Document, event: Event) -> Told | None:
        """A signal is back; with the last one that was measured the incident is over."""
        mine = [s for s in document["signals"] if (s["signal"], s["direction"]) == (event.subject, event.direction)]
        if not mine or mine[0].get("recovered_at"):
            return None
        before = deepcopy(document)
        mine[0]["recovered_at"] = event.at
        if any(s["lane"] != "identity" and not s.get("recovered_at") for s in document["signals"]):
            return move(document, "signal_recovered", event.at, before=before)
        del self.standing[document["id"]]
        self._ended = [one for one in self._ended if event.at - one["resolved_at"] <= self._reopen_s] + [document]
        return move(document, "recovered", event.at, before=before)

    def _came_back(self, target: Target, event: Event, size: Sizing | None) -> Told | None:
        """The same change soon after its recovery is the same incident: a provider that flaps alerts once."""
        for document in sorted(self._ended, key=lambda one: (one["resolved_at"], one["id"]), reverse=True):
            soon = 0 <= event.at - document["resolved_at"] <= self._reopen_s
            same = any((s["signal"], s["direction"]) == (event.subject, event.direction) for s in document["signals"])
            if soon and same and subject(document) == target:
                before = deepcopy(document)
                put_signal(document, event, size, dated=False)
                self._ended.remove(document)
                self.standing[document["id"]] = document
                return move(document, "came_back", event.at, before=before)
        return None

    def _grouped(self, told: Told | None, at: float) -> Iterator[Told | None]:
        """What opened, in the group of the event that it is part of; and which siblings it speaks for."""
        if told is None or told.transition != "opened" or told.incident["severity"] == "info":
            yield told
            return
        document = told.incident
        others = [other for other in self.standing.values() if other is not document]
        if first := companion(document, others, self._group_s):
            document["group"] = first.get("group") or group_id(first)
            if not first.get("group"):
                first["group"] = document["group"]
                yield move(first, "grouped", at, text=place(subject(document)))
        fellows = [other for other in others if first and other.get("group") == document["group"]]
        agreeing = [other for other in fellows if siblings_agree(document, other)]
        if agreeing:
            document["confirmation"] = "confirmed"
        yield replace(told, then=deepcopy(document))
        for other in agreeing:
            yield self.weigh(other["id"], "siblings_agree", at, ITSELF, place(subject(document)))

    def _drift(self, target: Target, event: Event, fleet: Mapping[Target, Facts]) -> Told | None:
        document = self._joined(target, event, event.lane, fleet[target].near_s)
        own = document is not None and has_lane(document, event.lane)
        if not own and (shared := self._shared(target, event, fleet[target].near_s)):
            return _noted(shared, target, event)
        if document is None:
            said = attribute(Change(target, event.since, event.at, event.lane), fleet)
            size = self._measure(target, event, event.since, fleet[target].near_s)
            return self._came_back(target, event, size) or self._open(target, event, event.lane, said, size)
        known = next((s for s in document["signals"] if s["signal"] == event.subject), None)
        again = known is not None and "recovered_at" in known
        if known and known["direction"] == event.direction and not (again or doubled(document, known, event)):
            return None
        since = min(event.since, document["change_point"]) if known and not again else event.since
        size = self._measure(target, event, since, fleet[target].near_s)
        return self._join(document, event, size, fleet, dated=not again)

    def _declared(self, target: Target, event: Event, near_s: float) -> Told | None:
        if self._joined(target, event, "identity", near_s):
            return None  # `_reconsider` renames its cause
        said = Attribution("declared_update", (f"{event.subject}_changed",))
        return self._open(target, event, "identity", said, None)

    def _joined(self, target: Target, event: Event, lane: str, near_s: float) -> Document | None:
        """The incident of `target` that `event` belongs to."""
        for document in self.of(target):
            if has_lane(document, lane) or overlaps(document, event, near_s):
                return document
        return None

    def _shared(self, target: Target, event: Event, near_s: float) -> Document | None:
        """The incident of a pool that tells of the same answers as `event` of a member, or the other way round."""
        others = (d for d in self.standing.values() if subject(d) != target and akin(subject(d), target))
        alike = (d for d in others if event.lane == "content" and has_lane(d, "content"))
        return next((d for d in alike if overlaps(d, event, near_s)), None)

    def _open(self, target: Target, event: Event, lane: str, said: Attribution, size: Sizing | None) -> Told:
        document = opened(target, lane, event, said, self._advice(target, said.cause))
        put_signal(document, event, size)
        self.standing[document["id"]] = document
        return move(document, "declared" if lane == "identity" else "drifted", event.at, text=said.why[0])

    def _join(
        self, document: Document, event: Event, size: Sizing | None, fleet: Mapping[Target, Facts], *, dated: bool
    ) -> Told:
        before = deepcopy(document)
        replaced = put_signal(document, event, size, dated=dated)
        if replaced and replaced["direction"] == event.direction:
            return move(document, "still_there", event.at, before=before)
        document["lane"] = min(document["lane"], event.lane, key=LANES.index)
        self._name(document, _attributed(document, fleet, event.at))
        return move(document, "signal_joined", event.at, before=before, text=event.subject)

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
        return move(document, "cause_reconsidered", event.at, before=before, text=said.cause)

    def _name(self, document: Document, said: Attribution) -> None:
        document["cause"], document["why"] = said.cause, list(said.why)
        self._rate(document)

    def _rate(self, document: Document) -> None:
        """How severe it is and what it recommends, by its cause and by what else speaks for it."""
        demoted = document.get("confirmation") == "demoted"
        usual = severity(document["lane"], document["cause"])
        document["severity"] = lowered(usual, document.get("confirmation"))
        document["recommendation"] = self._advice(subject(document), "unresolved" if demoted else document["cause"])

    def _advice(self, target: Target, cause: str) -> Document:
        """What is recommended; of a gateway as a whole nothing, for nobody knows which of its targets it is."""
        return recommendation("unresolved" if is_gateway(target) else cause, self._weights)


def _noted(document: Document, target: Target, event: Event) -> Told | None:
    """Write into an incident that the pool, or a member of it, moved too; once for each signal of each."""
    whose = "the pool" if isinstance(target, Pool) else place(target)
    text = f"{event.subject} went {event.direction or 'another way'} at {whose} too"
    if any(one.get("text") == text for one in document.get("history", ())):
        return None
    return move(document, "moved_too", event.at, text=text)


def _attributed(document: Document, fleet: Mapping[Target, Facts], at: float) -> Attribution:
    return attribute(Change(subject(document), document["change_point"], at, document["lane"]), fleet)
