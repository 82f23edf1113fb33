"""What happened around a target, as marks on a line of time."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from undertow.quiet import matches
from undertow.span import Target
from undertow.watch.pool import members, subject

Document = dict[str, Any]
Kind = Literal[
    "prompt_version",
    "gateway_release",
    "fingerprint",
    "snapshot",
    "weight",
    "incident",
    "accepted",
    "baseline",
    "silence",
]
OF_NOTICES: Mapping[str, Kind] = {
    "new_prompt_version": "prompt_version",
    "new_gateway_version": "gateway_release",
    "new_app_version": "gateway_release",
    "new_sdk_version": "gateway_release",
    "new_fingerprint": "fingerprint",
    "new_response_model": "snapshot",
    "baseline_not_homogeneous": "baseline",
}
"""The other notices tell of the traffic, which is drawn by itself."""


def of(
    target: Target,
    window: tuple[float, float],
    *,
    notices: Iterable[Document] = (),
    changes: Iterable[Document] = (),
    incidents: Iterable[Document] = (),
    silences: Iterable[Document] = (),
    state: Mapping[str, Any] | None = None,
) -> list[Document]:
    """`{"at", "kind", "text", "incident"}` of everything about `target` in [start, end), in order of time.

    `incident` is the id of the one that a mark is about, else null. What is told of a pool is told of its members.
    """
    start, end = window
    about = (
        *_noticed(document for document in notices if _concerns(document, target)),
        *_weighed(document for document in changes if _concerns(document, target)),
        *(mark for document in incidents if _concerns(document, target) for mark in _lived(document)),
        *_silenced(silences, target),
        *_of_state(state or {}),
    )
    inside = [mark for mark in about if start <= mark["at"] < end]
    return sorted(inside, key=lambda mark: float(mark["at"]))


def _mark(at: float, kind: Kind, text: str, incident: str | None = None) -> Document:
    return {"at": at, "kind": kind, "text": text, "incident": incident}


def _concerns(document: Document, target: Target) -> bool:
    one = subject(document)
    return one == target or target in members(one) or document["target"] == target.as_dict()


def _noticed(notices: Iterable[Document]) -> Iterator[Document]:
    for one in notices:
        if kind := OF_NOTICES.get(one["kind"]):
            yield _mark(one["at"], kind, one["text"])


def _weighed(changes: Iterable[Document]) -> Iterator[Document]:
    for one in changes:
        text = f"weight {one['before']:g} to {one['after']:g}: {str(one['reason']).replace('_', ' ')}"
        yield _mark(one["at"], "weight", text)


def _lived(incident: Document) -> Iterator[Document]:
    yield _mark(incident["opened_at"], "incident", _said(incident), incident["id"])
    for one in incident.get("history", ()):
        if one["status"] == "accepted":
            yield _mark(one["at"], "accepted", f"{one['by']} accepted {_said(incident)}", incident["id"])


def _said(incident: Document) -> str:
    moved = [f"{s['signal']} went {s['direction']}" for s in incident["signals"] if s.get("direction") != "changed"]
    return f"{incident['cause'].replace('_', ' ')}: {', '.join(moved) or 'declared'}"


def _silenced(silences: Iterable[Document], target: Target) -> Iterator[Document]:
    for one in silences:
        given = {key: one["matchers"].get(key) for key in ("provider", "model")}
        if matches(given, {"target": target.as_dict(), "lane": "", "cause": ""}):
            why = f": {one['comment']}" if one.get("comment") else ""
            yield _mark(one["starts_at"], "silence", f"silenced by {one['by']}{why}")


def _of_state(state: Mapping[str, Any]) -> Iterator[Document]:
    """When the baseline was frozen, and since when nothing is heard."""
    if state.get("baseline_end") is not None:
        answers = state.get("baseline_spans") or 0
        text = f"baseline {state.get('baseline_version', 1)} frozen: {answers:,} answers"
        yield _mark(state["baseline_end"], "baseline", text)
    if state.get("stale_since") is not None:
        yield _mark(state["stale_since"], "silence", "nothing was heard since")
