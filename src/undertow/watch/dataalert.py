"""Alerts on the data themselves: each is told once when it opens and once when it ends, also over a restart."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from undertow.config import Config
from undertow.notify.message import data_quality
from undertow.notify.outbox import plan
from undertow.quiet import Quiet
from undertow.store import Store
from undertow.store.state import Judgement
from undertow.watch.lifecycle import ITSELF

Document = dict[str, Any]
NOBODY = {"gateway": None, "provider": None, "model": None, "deployment": None}
MINOR = ("target_silent", "clock_ahead")
"""Reasons that are warnings; the others are critical."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of alert: its type as a message, its names in the store and in ids, its cause, and the two reasons."""

    event: str
    name: str
    opened: str
    ended: str

    @property
    def prefix(self) -> str:
        """How its keys begin in the store."""
        return f"{self.name} "

    @property
    def cause(self) -> str:
        """The cause that its documents tell."""
        return f"data_{self.name}"


STALE = Kind("llm.data.stale", "stale", "silent", "heard_again")
LATE = Kind("llm.data.late", "late", "late", "in_time_again")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with the data, such as a silent topic, since a time in Unix seconds."""

    why: str
    subject: str
    since: float
    text: str
    target: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """The same as long as it lasts, and the next time."""
        return f"{self.why} {self.subject}"


class Change(NamedTuple):
    """What begins, what is over, and what stands and was held back, by key."""

    begun: Mapping[str, Trouble]
    over: tuple[str, ...]
    pending: tuple[str, ...]


class DataAlerts:
    """The alerts of one kind that stand."""

    def __init__(self, store: Store, config: Config, kind: Kind) -> None:
        self._store, self._config, self._kind = store, config, kind
        kept = store.alerts()
        self.standing = {k.removeprefix(kind.prefix): v for k, v in kept.items() if k.startswith(kind.prefix)}

    def change(self, found: Mapping[str, Trouble], wanted: Mapping[str, Trouble]) -> Change:
        """What changes where all of `found` is wrong, and `wanted` of it is to be told."""
        begun = {key: one for key, one in wanted.items() if key not in self.standing}
        over = tuple(key for key in self.standing if key not in found)
        pending = tuple(key for key, one in self.standing.items() if not one["told"] and key in found)
        return Change(begun, over, pending)

    @contextmanager
    def committing(self, change: Change, now: float) -> Iterator[Judgement]:
        """Commit the change with whatever the block adds to the transaction."""
        standing = dict(self.standing)
        quiet = Quiet(self._store.silences(now), self._config.alerts.maintenance, now)
        with self._store.judgement() as transaction:
            for key, one in change.begun.items():
                standing[key] = {"document": opened(one, self._kind, now), "told": False}
                document_id = standing[key]["document"]["id"]
                transaction.put_audit(
                    document_id, "opened", self._kind.opened, ITSELF, at=one.since, recorded_at=now, text=one.text
                )
            for key in (*change.begun, *change.pending):
                if not quiet.over([standing[key]["document"]]):
                    standing[key] = standing[key] | {"told": True}
                    self._send(standing[key]["document"], transaction, now, over=False)
                transaction.put_alert(self._kind.prefix + key, standing[key])
            for key in change.over:
                self._end(key, standing.pop(key), transaction, now)
            yield transaction
        self.standing = standing

    def _end(self, key: str, over: Document, transaction: Judgement, now: float) -> None:
        document = over["document"] | {"status": "resolved", "resolved_at": now, "reason": self._kind.ended}
        transaction.put_audit(document["id"], "resolved", self._kind.ended, ITSELF, at=now, recorded_at=now)
        transaction.delete_alert(self._kind.prefix + key)
        if over["told"]:
            self._send(document, transaction, now, over=True)

    def _send(self, document: Document, transaction: Judgement, now: float, *, over: bool) -> None:
        """An end goes to who heard of the beginning alone."""
        quality = data_quality(self._store.ingestion())
        heard = self._store.heard(document["id"])
        for entry in plan(self._kind.event, document, self._config.alerts, now, quality=quality, heard=heard):
            if entry.channel in heard or not over:
                transaction.put_outgoing(entry)


def opened(one: Trouble, kind: Kind, now: float) -> Document:
    """The document of an alert, in the shape of an incident, so that every channel can tell it."""
    digest = hashlib.blake2b(f"{one.key} {now}".encode(), digest_size=10).hexdigest()
    return {
        "id": f"{kind.name}_{digest}",
        "target": dict(one.target) if one.target else dict(NOBODY),
        "cause": kind.cause,
        "lane": "data",
        "severity": "warning" if one.why in MINOR else "critical",
        "confirmation": None,
        "group": None,
        "status": "open",
        "opened_at": now,
        "opened_after_spans": None,
        "resolved_at": None,
        "change_point": one.since,
        "change_point_interval": None,
        "signals": [],
        "cost": None,
        "why": [one.why],
        "recommendation": {"action": "none", "multiplier": 1.0},
        "text": one.text,
        "reason": kind.opened,
    }


def standing(alerts: Mapping[str, Document], kind: Kind) -> list[Document]:
    """`{"why", "subject", "since", "target", "text"}` of each alert of the kind among the store's that is not over."""
    kept = {
        key.removeprefix(kind.prefix): one["document"] for key, one in alerts.items() if key.startswith(kind.prefix)
    }
    found = [(*key.split(" ", 1), told) for key, told in kept.items()]
    return [
        {"why": why, "subject": subject, "since": told["change_point"], "target": told["target"], "text": told["text"]}
        for why, subject, told in found
    ]
