"""The negative controls of tests that kill a monitor: each does one thing apart that belongs together."""

import json
import time
from typing import Any

import duckdb

from undertow.batch import Batch, Committed
from undertow.commands import serve
from undertow.errors import TryAgain
from undertow.notify.outbox import Deliverer
from undertow.notify.weights import announce
from undertow.store import Store
from undertow.watch import loop, weights
from undertow.watch.loop import Watcher
from undertow.watch.routing import Routing
from undertow.watch.teller import Teller

UNTIL_READ_S = 0.3
"""What a broken one takes between two steps, so that readers come in between."""


class SendsApart(Teller):
    """Writes messages in a transaction of their own, after the one of the incident."""

    later: tuple[Any, ...] = ()

    def tell(self, told: Any, standing: Any, _transaction: Any, now: float) -> None:
        """Keep the messages for later."""
        self.later = (told, standing, now)

    def afterwards(self) -> None:
        """Write them."""
        told, standing, now = self.later
        with self._store.judgement() as transaction:
            super().tell(told, standing, transaction, now)


class TellsAfterwards(Watcher):
    """The watcher that such a teller needs."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._teller = SendsApart(self._store, self._config.alerts)

    def _write(self, *decided: Any) -> None:
        super()._write(*decided)
        if isinstance(self._teller, SendsApart):  # not yet in the midst of a start
            self._teller.afterwards()


class RecordsFirst(Deliverer):
    """Takes a delivery for granted, and then sends."""

    def _attempt(self, entry: Any) -> Any:
        self._store.record_delivery(entry.webhook_id, entry.channel, "delivered", at=self._clock())
        return super()._attempt(entry)


class Remembers(Deliverer):
    """Knows by heart, not by the store, what has to be posted again."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._standing: dict[str, tuple[float, Any]] = {}

    def step(self, now: float) -> int:
        """What the store says, and what is remembered."""
        sent = super().step(now)
        for at, entry in list(self._standing.values()):
            if at <= now:
                self._settle(entry, self._attempt(entry))
        return sent

    def _sent(self, entry: Any, attempt: Any, at: float, again: float | None) -> None:
        super()._sent(entry, attempt, at, None)
        self._standing.pop(entry.incident_id, None)
        if again is not None:
            self._standing[entry.incident_id] = (at + again, entry)


class PublishesFirst(Watcher):
    """Shows the feed before it is committed."""

    def _write(self, *decided: Any) -> None:
        fresh = self._engine.routing.published
        if fresh != self._published:
            before, self._published = self._published, fresh
            time.sleep(UNTIL_READ_S)
            self._published = before
        super()._write(*decided)


class AuditsApart(Watcher):
    """Writes down and announces changes of weights in a transaction of their own."""

    def _put_weights(self, transaction: Any, _: float) -> None:
        routing = self._engine.routing
        self._later = routing.drain()
        if self._later:
            transaction.put_state(loop.WEIGHTS, routing.dump())

    def _write(self, *decided: Any) -> None:
        super()._write(*decided)
        now, published = self._clock(), self._engine.routing.published
        feed = weights.feed(published.version, published.weights, self._config.weights, now)
        if self._later:
            with self._store.judgement() as transaction:
                for change in self._later:
                    transaction.put_weight_change(change)
                for message in announce(feed, self._later, self._config.alerts, now):
                    transaction.put_outgoing(message)


class CountsAnew(Routing):
    """Forgets its version, and what people said."""

    def dump(self) -> bytes:
        """All but those."""
        return json.dumps(json.loads(super().dump()) | {"version": 1, "overrides": []}).encode()

    @staticmethod
    def restored(*kept: Any) -> "CountsAnew":
        """One that forgets as well."""
        routing = Routing.restored(*kept)
        routing.__class__ = CountsAnew
        return routing  # type: ignore[return-value]


_commit = Store.ingest


def answer_first(store: Any, batch: Batch) -> Committed:
    """Takes a batch for granted, and commits it when the next one comes."""
    with store._writing:
        waiting, store.waiting = getattr(store, "waiting", Batch()), batch
        _commit(store, waiting)
    return Committed(stored=batch.spans)


def checkpoint_or_die(store: Any) -> None:
    """Write the log into the file at the first try, and take a refusal for the end of the database."""
    with store._writing:
        try:
            store._writer.execute("CHECKPOINT")
        except duckdb.TransactionException as error:
            raise TryAgain(f"see that the disk has space ({error})") from error


VARIANTS: dict[str, tuple[Any, str, Any]] = {
    "sends_apart": (serve, "Watcher", TellsAfterwards),
    "records_first": (serve, "Deliverer", RecordsFirst),
    "remembers": (serve, "Deliverer", Remembers),
    "publishes_first": (serve, "Watcher", PublishesFirst),
    "audits_apart": (serve, "Watcher", AuditsApart),
    "dies_of_checkpoint": (Store, "checkpoint", checkpoint_or_die),
    "counts_anew": (loop, "Routing", CountsAnew),
    "answers_first": (Store, "ingest", answer_first),
}
"""Where in the monitor each takes a place: owner, name, what is put there."""
