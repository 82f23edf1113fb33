"""One event of a provider shows at many targets: which incidents belong together, and how they are told as one.

Each target keeps its own incident. Those of a group share its id and one alert, which is that of the first of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from undertow.watch.lifecycle import STANDING
from undertow.watch.pool import akin, subject

Document = dict[str, Any]

LISTED = 20
"""An alert lists so many targets; more are counted."""


def companion(document: Mapping[str, Any], others: Iterable[Document], window_s: float) -> Document | None:
    """The incident whose group `document`, which just opened, belongs to: the first of the same event.

    The same event: another target of the provider, the same lane, opened at most `window_s` before.
    """
    alike = [
        other
        for other in others
        if other["lane"] == document["lane"]
        and other["severity"] != "info"
        and other["target"]["provider"] == document["target"]["provider"]
        and 0 <= document["opened_at"] - other["opened_at"] <= window_s
        and not akin(subject(other), subject(document))
    ]
    return min(alike, key=lambda other: (other["opened_at"], other["id"]), default=None)


def group_id(leader: Mapping[str, Any]) -> str:
    """The id of the group that an incident is the first of."""
    return "grp_" + str(leader["id"]).removeprefix("inc_")


def siblings_agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two targets of one model saw the same signal go the same way."""
    same = all(one["target"][key] == other["target"][key] for key in ("provider", "model"))
    return same and bool(_moves(one) & _moves(other))


def _moves(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(s["signal"], s["direction"]) for s in document["signals"] if s["lane"] != "identity"}


def leader_id(document: Mapping[str, Any]) -> str:
    """The id of the incident whose alert tells of `document`: the first of its group, or itself."""
    group = document.get("group")
    return "inc_" + group.removeprefix("grp_") if group else str(document["id"])


def together(members: Sequence[Document]) -> Document:
    """The incidents of one alert as one document: the first of them, standing as long as any of them does.

    `members` are in order of opening. `targets` lists the first LISTED of a group, `targets_total` counts all.
    """
    first = members[0]
    if len(members) == 1:
        return first
    standing = [one for one in members if one["status"] in STANDING]
    statuses = {one["status"] for one in standing}
    told = standing or members
    return first | {
        "status": "open" if "open" in statuses else "acknowledged" if statuses else _ended(members)["status"],
        "resolved_at": None if standing else max(one["resolved_at"] for one in members),
        "severity": max((one["severity"] for one in told), key=("info", "warning", "critical").index),
        "targets": [_listed(one) for one in members[:LISTED]],
        "targets_total": len(members),
    }


def _ended(members: Sequence[Document]) -> Document:
    return max(members, key=lambda one: float(one["resolved_at"]))


def _listed(document: Mapping[str, Any]) -> Document:
    return {"incident": document["id"]} | {key: document[key] for key in ("target", "cause", "severity", "status")}
