"""What the dashboard notes beside incidents, for events that are none."""

from undertow.span import Target
from undertow.watch.document import Document
from undertow.watch.events import Event
from undertow.watch.pool import Pool, named

NOTICES = {
    "traffic": "traffic_mix",
    "new_fingerprint": "new_fingerprint",
    "new_snapshot": "new_response_model",
    "baseline": "baseline_not_homogeneous",
    "users": "traffic_mix",
    "one_tenant": "traffic_mix",
    "crowded": "too_many_targets",
}
OF_POOLS = ("baseline", "users")
"""Kinds of events of a pool that are noticed; its members are there for the rest."""


def notice(target: Target, event: Event) -> Document | None:
    """The notice of an event; None where it has none."""
    kind = f"new_{event.subject}" if event.kind == "release" else NOTICES.get(event.kind)
    if kind is None or (isinstance(target, Pool) and event.kind not in OF_POOLS):
        return None
    return {"kind": kind, **named(target), "at": event.at, "text": event.text}
