"""The life of an incident: a state machine whose every transition has a named reason.

Pure: a transition changes the document that it is given and says what happened, at a time that it is told. Replay and
live running therefore agree. `RULES` is the whole machine; docs/incidents.md draws it.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

Transition = Literal["opened", "updated", "refreshed", "resolved"]
"""Refreshed: the numbers are better known; it is kept, and nobody is told."""
Reason = Literal[
    "drifted",
    "declared",
    "signal_joined",
    "still_there",
    "moved_too",
    "grouped",
    "signal_recovered",
    "cause_reconsidered",
    "siblings_agree",
    "golden_agrees",
    "golden_disagrees",
    "acknowledged",
    "accepted",
    "resolved",
    "judged",
    "recovered",
    "came_back",
]
Document = dict[str, Any]

ITSELF = "undertow"
"""Who did what nobody decided."""
STANDING = ("open", "acknowledged")
"""Statuses of an incident that is not over."""
_NEW = ("",)
_OVER = ("resolved",)
_PAST = ("resolved", "accepted")
SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one reason does: `kind` is what is told, `of` the statuses it applies to, `to` the one after it.

    Without `to` the status stays. `confirmation` is what the reason says of the evidence. `noted`: it is written into
    the history that the document carries; the audit table has all of them.
    """

    kind: Transition
    of: tuple[str, ...] = STANDING
    to: str | None = None
    confirmation: str | None = None
    noted: bool = True


RULES: Mapping[str, Rule] = {
    "drifted": Rule("opened", _NEW, "open", noted=False),
    "declared": Rule("opened", _NEW, "open", noted=False),
    "signal_joined": Rule("updated"),
    "still_there": Rule("refreshed", noted=False),
    "moved_too": Rule("refreshed"),
    "grouped": Rule("refreshed"),
    "signal_recovered": Rule("refreshed", noted=False),
    "cause_reconsidered": Rule("updated"),
    "siblings_agree": Rule("updated", confirmation="confirmed"),
    "golden_agrees": Rule("updated", confirmation="confirmed"),
    "golden_disagrees": Rule("updated", confirmation="demoted"),
    "acknowledged": Rule("updated", STANDING, "acknowledged"),
    "accepted": Rule("resolved", STANDING, "accepted"),
    "resolved": Rule("resolved", STANDING, "resolved"),
    "judged": Rule("refreshed", (*STANDING, *_PAST), noted=False),
    "recovered": Rule("resolved", STANDING, "resolved"),
    "came_back": Rule("updated", _OVER, "open"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A transition to be told: what happened to which incident, as it goes on and as it was `before`.

    `then` is the incident right after the transition, whatever becomes of it later in the same round.
    """

    transition: Transition
    reason: str
    incident: Document
    before: Document | None = None
    at: float = 0.0
    by: str = ITSELF
    text: str = ""
    then: Document = field(default_factory=dict)


def move(
    document: Document, reason: Reason, at: float, *, by: str = ITSELF, before: Document | None = None, text: str = ""
) -> Told:
    """Take one transition at `at` (Unix seconds). Raises ValueError where it does not apply to the status.

    `before` is the incident before anything of this transition was written into it; without it, as it is now.
    """
    rule = RULES[reason]
    status = document.get("status", "")
    if status not in rule.of:
        raise ValueError(f"{reason} does not apply to an incident that is {status or 'not there yet'}")
    if before is None and status:
        before = deepcopy(document)
    _apply(document, rule, at)
    if rule.noted:
        note = {"at": at, "by": by, "status": document["status"], "reason": reason}
        document.setdefault("history", []).append(note | ({"text": text} if text else {}))
    return Told(rule.kind, reason, document, before, at, by, text, deepcopy(document))


def _apply(document: Document, rule: Rule, at: float) -> None:
    if rule.to:
        document["status"] = rule.to
        document["resolved_at"] = at if rule.kind == "resolved" else None
    if rule.confirmation:
        document["confirmation"] = rule.confirmation


def lowered(severity: str, confirmation: str | None) -> str:
    """The severity of an incident, one step lower where its evidence was demoted."""
    if confirmation != "demoted":
        return severity
    return SEVERITIES[max(0, SEVERITIES.index(severity) - 1)]


def ended_by(document: Mapping[str, Any]) -> str:
    """The reason that ended an incident; empty while it stands."""
    if document["status"] in STANDING:
        return ""
    history = document.get("history") or [{}]
    return str(history[-1].get("reason") or document["status"])
