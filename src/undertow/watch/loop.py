"""The detection loop: what is released is judged, and verdicts, state and cursor are committed in one transaction."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from undertow.clock import Clock
from undertow.config import Config
from undertow.errors import UsageError
from undertow.notify.weights import announce
from undertow.span import Target
from undertow.store import Store
from undertow.store.crowd import Others
from undertow.store.state import Judgement
from undertow.watch import examples, memory, sizing, weights
from undertow.watch.detectability import Detectability
from undertow.watch.document import Document, Verdict
from undertow.watch.engine import Engine, Judged
from undertow.watch.events import Event
from undertow.watch.frame import COLUMNS
from undertow.watch.incident import Incidents
from undertow.watch.kept import former
from undertow.watch.lifecycle import ITSELF, STANDING, Reason, Told
from undertow.watch.listing import listed, silences
from undertow.watch.lookups import Lookups
from undertow.watch.notices import notice
from undertow.watch.override import Override
from undertow.watch.pool import subject
from undertow.watch.readiness import last_changes
from undertow.watch.roster import is_bucket
from undertow.watch.routing import Routing
from undertow.watch.slices import Slices
from undertow.watch.teller import Teller
from undertow.watch.weights import Published

EVERY = 2**31 - 1
WEIGHTS = '["weights"]'
"""The key of the policy's state, among those of the detectors."""

Changed = TypeVar("Changed")

log = logging.getLogger(__name__)


class Watcher:
    """Owns the engine; safe from any thread.

    A tick that fails leaves the store as it was, and the engine is read from it again. Weights follow the clock, but in
    event time where the past is replayed.
    """

    def __init__(self, store: Store, config: Config, clock: Clock, *, replayed: bool = False) -> None:
        self._store, self._config, self._clock, self._replayed = store, config, clock, replayed
        self._lock = threading.RLock()
        self._detectability = Detectability()
        self._teller = Teller(store, config.alerts)
        self._slices = Slices(store, config.detect.lateness_s, clock)
        self._lookup = Lookups(store)
        self._current: Engine | None = self._restored()
        if not replayed:
            self._change_weights(lambda _: None)  # another mode is another version, kept before anybody sees it

    def tick(self, final: bool = False, progress: Callable[[int], None] | None = None) -> int:
        """Judge what is released, `final` meaning that nothing more will come; returns how many spans were judged."""
        judged = 0
        for after, until in self._slices.due(final=final):
            with self._lock:  # let go between slices, so that a long catch-up does not keep readers waiting
                judged += self._commit(after, until)
            if progress:
                progress(judged)
        if not self._replayed:
            self._change_weights(lambda routing: routing.follow(self._clock()))
        return judged

    def targets(self) -> list[Document]:
        """The state of each target, as `GET /v1/targets` tells it."""
        with self._lock:
            changes = last_changes(self._store.incidents())
            return list(listed(self._engine, self._seen(), changes, self._clock()))

    def target(self, target: Target) -> Document | None:
        """The state of one target; None where it was never seen."""
        with self._lock:
            changes = last_changes(self._store.incidents())
            rows = [row for row in self._seen() if row["target"] == target.as_dict()]
            return next(listed(self._engine, rows, changes, self._clock()), None)

    def others(self) -> tuple[Others, int]:
        """Which names are targets and which are watched together as of the last commit; how many targets may be."""
        return self._others, self._config.detect.max_targets

    def _seen(self) -> list[Document]:
        """What was seen of each target, names without end together."""
        return self._store.targets(*self.others())

    def weights(self) -> Published:
        """The weights feed as of the last commit; never waits for a tick."""
        return self._published

    def overrides(self) -> list[Document]:
        """The overrides of weights that stand."""
        with self._lock:
            return [override.as_dict() for override in self._engine.routing.overrides()]

    def override(self, target: Target, multiplier: float, until: float, by: str, reason: str) -> Document:
        """A person sets a weight until then. Raises UsageError where no target of the group would keep 1."""
        made = Override(target, multiplier, self._clock(), until, by, reason)
        self._change_weights(lambda routing: routing.override(made))
        return made.as_dict()

    def withdraw(self, override_id: str, by: str) -> Document | None:
        """End an override early; None where it does not stand."""
        ended = self._change_weights(lambda routing: routing.withdraw(override_id, by, self._clock()))
        return ended.as_dict() if ended else None

    def silences(self) -> list[tuple[Document, float, bool]]:
        """Each target that has a baseline, when it was last heard, and whether it is silent since."""
        with self._lock:
            return list(silences(self._engine, self._seen(), self._clock()))

    def memory(self, days: float) -> Document:
        """The last `days` against every baseline that a target ever had, as `GET /v1/memory` tells it."""
        with self._lock:
            watches = [watch for target, watch in self._engine.targets.items() if not is_bucket(target)]
            states, until = self._store.states(), self._store.cursor()
        return memory.told(watches, lambda target: former(target, states), until, days, self._engine.lookup)

    def detectability(self) -> Document:
        """What would be noticed, as `GET /v1/detectability` tells it."""
        with self._lock:  # not for the arithmetic: references stay as they are
            watches, fleet = list(self._engine.watches.values()), self._engine.fleet
        return self._detectability.told(watches, fleet)

    def acknowledge(
        self, incident_id: str, by: str, reason: str = "", verdict: Verdict | None = None
    ) -> Document | None:
        """Someone looks at it; it stays open."""
        return self._decide(incident_id, "acknowledged", by, reason, verdict)

    def resolve(self, incident_id: str, by: str, reason: str = "", verdict: Verdict | None = None) -> Document | None:
        """It is over; the baseline stays."""
        return self._decide(incident_id, "resolved", by, reason, verdict)

    def accept(self, incident_id: str, by: str, reason: str = "", verdict: Verdict | None = None) -> Document | None:
        """What changed is the new normal; a new baseline is collected from the change on."""
        return self._decide(incident_id, "accepted", by, reason, verdict)

    def judge(self, incident_id: str, by: str, reason: str, verdict: Verdict) -> Document | None:
        """A person says whether it was real, also when it is over; None where there is none."""
        with self._lock:
            document = self._store.incident(incident_id)
            if document is None:
                return None
            told = self._engine.incidents.judge(document, verdict, self._clock(), by, reason)
            with self._restoring():
                self._write([told], (), self._store.cursor())
            return told.incident

    def examples(self, incident: Document) -> list[Document]:
        """Spans on both sides of a change, by their ids, as `GET /v1/incidents/{id}` tells them."""
        return examples.of(incident, self._store.around, self._engine.lookup)

    def weigh(self, incident_id: str, reason: Reason, by: str = ITSELF, text: str = "") -> Document | None:
        """Evidence from elsewhere, such as fixed prompts, confirms or demotes an incident; None where it is not new."""
        with self._lock:
            now = self._clock()
            told = self._engine.incidents.weigh(incident_id, reason, now, by, text)
            if told is None:
                return None
            with self._restoring():
                self._engine.routing.learn(now, self._engine.incidents.standing.values())
                self._write([told], (), self._store.cursor())
            return told.incident

    def remind(self) -> int:
        """Tell what time alone makes due, such as the end of a silence; returns how many alerts were told."""
        with self._lock:
            return self._teller.remind(self._engine.incidents.standing, self._clock())

    def _change_weights(self, change: Callable[[Routing], Changed]) -> Changed:
        """Commit what `change` does, if that is anything; all of it is taken back where it fails."""
        with self._lock, self._restoring(unless=UsageError):
            changed = change(self._engine.routing)
            if self._engine.routing.published != self._published:
                self._write([], [], self._store.cursor())
            return changed

    @contextmanager
    def _restoring(self, unless: type[Exception] | tuple[()] = ()) -> Iterator[None]:
        """Where the block fails the engine is as the store has it; not after `unless`, before which nothing changes."""
        try:
            yield
        except unless:
            raise
        except BaseException:
            self._current = None
            raise

    @property
    def _engine(self) -> Engine:
        self._current = self._current or self._restored()  # after a failure, at which reading may have failed as well
        return self._current

    def _decide(self, incident_id: str, status: str, by: str, reason: str, verdict: Verdict | None) -> Document | None:
        with self._lock:
            now = self._clock()
            told = self._engine.incidents.close(incident_id, now, status, by, reason, verdict)
            if told is None:
                return None
            with self._restoring():
                self._engine.routing.learn(now, self._engine.incidents.standing.values())
                judged = self._accepted(told.incident) if status == "accepted" else []
                more = (one for *_, some in judged for one in some)
                self._write([told, *more], judged, self._store.cursor())
            return told.incident

    def _accepted(self, incident: Document) -> Sequence[Judged]:
        """Judge by what came since the change, from where it surely was there."""
        until = self._store.cursor()
        if until is None:
            return []
        surely = (incident["change_point_interval"] or [incident["change_point"]])[-1]
        return self._engine.accept(subject(incident), min(surely, until), until)

    def _commit(self, after: float | None, until: float) -> int:
        table = self._store.released(after, until, columns=COLUMNS)
        with self._restoring():
            if not self._replayed:
                self._engine.routing.follow(self._clock())
            judged = self._engine.judge(table)
            if self._replayed:
                self._engine.routing.advance(until)
            self._write([told for *_, some in judged for told in some], judged, until)
        return int(table.num_rows)

    def _write(self, told: Sequence[Told], judged: Sequence[Judged], until: float | None) -> None:
        now = self._clock()
        with self._store.judgement() as transaction:
            if until is not None:
                transaction.advance(until)
            for key, blob in self._engine.unsaved():
                if blob is None:
                    transaction.delete_state(key)
                else:
                    transaction.put_state(key, blob)
            transaction.put_evidence([*self._engine.traced()])
            for noted in filter(None, (notice(target, event) for target, event, _ in judged)):
                transaction.put_notice(noted)
            for one in told:
                log.info("incident %s %s (%s)", one.incident["id"], one.transition, one.reason)
                transaction.put_incident(one.incident)
            self._teller.tell(told, self._engine.incidents.standing, transaction, now)
            self._put_weights(transaction, now)
        self._published, self._others = self._engine.routing.published, self._engine.roster.others()

    def _put_weights(self, transaction: Judgement, now: float) -> None:
        """The policy, its changes, and who hears of them."""
        routing, config = self._engine.routing, self._config
        changes = routing.drain()
        if not changes and routing.published == self._published:
            return
        transaction.put_state(WEIGHTS, routing.dump())
        for change in changes:
            log.info("weight of %s: %g (%s)", change["target"], change["after"], change["reason"])
            transaction.put_weight_change(change)
        published = routing.published
        feed = weights.feed(published.version, published.weights, config.weights, now)
        for message in announce(feed, changes, config.alerts, now):
            transaction.put_outgoing(message)

    def _restored(self) -> Engine:
        standing = [d for status in STANDING for d in self._store.incidents(status=status, limit=EVERY)]
        known = [*standing, *self._store.incidents(status="resolved")]
        incidents = Incidents(known, self._measure, self._config.weights, self._config.detect)
        states = self._store.states()
        routing = self._routing(states.get(WEIGHTS))
        engine = Engine(self._config.detect, incidents, self._lookup, routing, replayed=self._replayed)
        engine.restore(states)
        routing.rates, self._lookup.roster = engine.rates, engine.roster
        cursor = self._store.cursor()
        if cursor is not None:
            since = engine.collecting()
            joint = {target: since.pop(target) for target in [*since] if engine.unnamed.is_joint(target)}
            engine.recollect(self._lookup.every(since, cursor))
            engine.recollect(
                (t, frame) for t, at in joint.items() if (frame := engine.lookup(t, at, cursor)) is not None
            )
        self._published, self._others = routing.kept, engine.roster.others()
        if incidents.standing:
            routing.learn(routing.at if self._replayed else self._clock(), incidents.standing.values())
        return engine

    def _routing(self, saved: bytes | None) -> Routing:
        if saved is None:
            version, _, _ = (self._store.meta("weights_version") or "0").partition(" ")  # as older versions kept it
            routing = Routing(self._config.weights, version=int(version))
        else:
            routing = Routing.restored(saved, self._config.weights)
        if not self._replayed:
            routing.resume(self._clock())
        return routing

    def _measure(self, target: Target, event: Event, since: float, near_s: float) -> sizing.Sizing | None:
        return sizing.measure(self._engine.watches[target], event, since, near_s, self._engine.lookup)
