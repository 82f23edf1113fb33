"""Writes what `telling` decides into the transaction of the incidents: messages, what was said, and the audit trail."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from undertow.config import AlertsConfig
from undertow.notify.message import data_quality
from undertow.quiet import Quiet
from undertow.store import Store
from undertow.store.state import Judgement
from undertow.watch import telling
from undertow.watch.grouping import leader_id, together
from undertow.watch.lifecycle import ITSELF, Told, ended_by
from undertow.watch.telling import Round, Said

Document = dict[str, Any]
ALERT = "alert "
"""How the keys of alerts about incidents begin in the store."""


class Teller:
    """What people are told of the incidents of one store."""

    def __init__(self, store: Store, alerts: AlertsConfig) -> None:
        self._store, self._alerts = store, alerts

    def tell(self, told: Sequence[Told], standing: Mapping[str, Document], transaction: Judgement, now: float) -> None:
        """Record every transition of a round and send what is to be sent, at `now` by the clock."""
        if not told:
            return
        said, quiet, heard, kept = self._said(), self._quiet(now), dict[str, set[str]](), cache(self._store.incidents)
        known = dict(standing)
        for one in reversed(told):
            known[one.incident["id"]] = one.before or {}
        for one in told:
            document = one.incident
            known[document["id"]] = one.then
            transaction.put_audit(
                document["id"], one.transition, one.reason, one.by, at=one.at, recorded_at=now, text=one.text
            )
            if one.transition == "refreshed":
                continue
            key = leader_id(document)
            members = self._members(one.then, known, kept)
            round_ = telling.transition(one, members, said.get(key, Said()), quiet, now)
            said[key] = round_.said
            self._put(key, round_, members, transaction, now, heard.setdefault(key, set()))

    def remind(self, standing: Mapping[str, Document], now: float) -> int:
        """Send what time alone makes due: what was owed, and what still stands. Returns how many alerts were."""
        said = self._said()
        if not said:
            return 0
        quiet, rounds, kept = self._quiet(now), [], cache(self._store.incidents)
        for key, one in said.items():
            first = standing.get(key) or self._store.incident(key)
            members = self._members(first, standing, kept) if first else []
            if members and (round_ := telling.due(members, one, quiet, self._alerts, now)):
                rounds.append((key, round_, members))
        if rounds:
            with self._store.judgement() as transaction:
                for key, round_, members in rounds:
                    self._put(key, round_, members, transaction, now, set())
        return len(rounds)

    def _put(
        self, key: str, round_: Round, members: Sequence[Document], transaction: Judgement, now: float,
        heard: set[str],
    ) -> None:  # fmt: skip
        """Write one round; `heard` are the channels told in this transaction, which the store does not know yet."""
        if telling.finished(round_.said, members):
            transaction.delete_alert(ALERT + key)
        else:
            transaction.put_alert(ALERT + key, round_.said.as_dict())
        message = round_.message
        if message is None:
            self._put_silence(key, round_, members, transaction, now)
            return
        if not self._alerts.receivers():
            return
        quality = data_quality(self._store.ingestion())
        known = {*heard, *self._store.heard(key)}
        entries = telling.outgoing(message, members, self._alerts, now, quality=quality, heard=known)
        heard.update(entry.channel for entry in entries)
        for entry in entries:
            transaction.put_outgoing(entry)
        channels = ", ".join(entry.channel for entry in entries) or "nobody"
        transaction.put_audit(key, "told", message.reason, ITSELF, at=now, recorded_at=now, text=channels)

    def _put_silence(
        self, key: str, round_: Round, members: Sequence[Document], transaction: Judgement, now: float
    ) -> None:
        """Why nobody is told: not yet, or never."""
        if round_.untold:
            ended = ended_by(together(members)) or "resolved"
            transaction.put_audit(key, "never_told", ended, ITSELF, at=now, recorded_at=now, text=round_.untold)
        elif round_.said.owed:
            why = round_.said.quiet or "told with the other targets of its group"
            transaction.put_audit(key, "held_back", round_.said.owed, ITSELF, at=now, recorded_at=now, text=why)

    def _members(
        self, document: Document, known: Mapping[str, Document], every: Callable[[], list[Document]]
    ) -> list[Document]:
        """The incidents of one alert, the first of its group before the others; `every` reads the store."""
        group = document.get("group")
        if not group:
            return [document]
        kept = {one["id"]: one for one in every() if one.get("group") == group}
        first = leader_id(document)
        if first not in kept and (leader := self._store.incident(first)):
            kept[first] = leader
        kept |= {key: one for key, one in known.items() if key in kept or one.get("group") == group}
        kept[document["id"]] = document
        there = (one for one in kept.values() if one)
        return sorted(there, key=lambda one: (one["id"] != first, one["opened_at"], one["id"]))

    def _said(self) -> dict[str, Said]:
        kept = self._store.alerts().items()
        return {key.removeprefix(ALERT): Said(**one) for key, one in kept if key.startswith(ALERT)}

    def _quiet(self, now: float) -> Quiet:
        silences: Iterable[Document] = self._store.silences(now)
        return Quiet(silences, self._alerts.maintenance, now)
