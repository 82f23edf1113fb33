"""Who is told of a transition, and the loop that tells them at least once.

The rows are written with the incident in one transaction; the loop takes what is due, makes one attempt each and writes
down how it went. A kill between the two sends the same message again under the same `webhook-id`.
"""

import hashlib
import http.client
import logging
import math
import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import wait
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Literal, Protocol

from undertow.clock import Clock
from undertow.config import AlertsConfig
from undertow.errors import TryAgain
from undertow.notify.aside import aside
from undertow.notify.attempt import Attempt
from undertow.notify.egress import Egress, Guard
from undertow.notify.message import Outgoing, body
from undertow.notify.routing import channel, decide
from undertow.notify.senders import again_s, pace_s, reaches, send

SCHEDULE_S = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Wait before each attempt, as Standard Webhooks recommends; after the last one a message is dead."""

JITTER = 0.1
"""Waits are stretched by up to this share, so that receivers that failed together do not return together."""

_POLL_S = 1.0
_THROTTLE_S = 60.0
_ROUND = 100
_GONE = f"http_{http.client.GONE:d}"
_ORDER = {"llm.drift.opened": 0, "llm.drift.updated": 1, "llm.drift.resolved": 2}

Recorded = Literal["delivered", "standing", "retry", "dead"]

log = logging.getLogger(__name__)


class Notices(Protocol):
    """A transaction that takes notices."""

    def put_notice(self, document: dict[str, Any]) -> None:
        """Keep a notice for the dashboard."""
        ...

    def disable(self, channel: str, at: float, detail: str) -> None:
        """Send nothing to a receiver any more."""
        ...


class Outbox(Protocol):
    """What the loop needs of the store."""

    def due(self, now: float, limit: int) -> Sequence[Outgoing]:
        """Undelivered messages whose time has come, the first of each (incident, channel), `limit` of a channel."""
        ...

    def record_delivery(
        self,
        webhook_id: str,
        channel: str,
        outcome: Recorded,
        *,
        at: float,
        next_attempt_at: float | None = None,
        detail: str = "",
    ) -> None:
        """Count one attempt and keep what it came to."""
        ...

    def judgement(self) -> AbstractContextManager[Notices]:
        """A transaction."""
        ...

    def disabled(self) -> Sequence[Mapping[str, Any]]:
        """Receivers that said they are gone, each with its `channel`."""
        ...


def plan(
    kind: str,
    incident: Mapping[str, Any],
    alerts: AlertsConfig,
    now: float,
    *,
    quality: Mapping[str, Any] | None = None,
    heard: Collection[str] = (),
) -> list[Outgoing]:
    """The messages that one transition of `incident` at `now` (Unix seconds) sends, one for each receiver told.

    Pure, so that a transition judged again after a crash gives the same ids. `quality` is the `data_quality` of the
    body, `heard` are the channels that were told of it earlier: they hear how it goes on, whatever became of it.
    """
    every = {channel(receiver): receiver for receiver in alerts.receivers()}
    told = [name for name, to in every.items() if name in heard or decide(incident, to) == "told"]
    if not told:
        return []
    text = body(kind, incident, now, dashboard_url=alerts.dashboard_url, quality=quality)
    webhook_id = "msg_" + hashlib.sha256(text.encode()).hexdigest()[:32]
    sequence = round(now * 1000) * len(_ORDER) + _ORDER.get(kind, 0)
    return [Outgoing(webhook_id, name, incident["id"], sequence, kind, text, now, 0, now) for name in told]


class Deliverer:
    """Empties the outbox. `deliveries` counts attempts by (channel, outcome); `failing` is why the last one failed.

    A receiver that fails is left alone for the rest of the round, so that one that hangs delays the others once; one
    that answers 410 is disabled, in the store, until somebody enables it.
    """

    def __init__(
        self, store: Outbox, alerts: AlertsConfig, clock: Clock, rng: random.Random, egress: Egress | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._egress = egress or Egress(Guard(alerts.allow_hosts))
        self._receivers = {channel(receiver): receiver for receiver in alerts.receivers()}
        self._throttled: dict[str, tuple[float, float]] = {}
        self._asked_at: dict[tuple[str, int], float] = {}
        self._gone: set[str] = set()
        self._unrecorded: list[Callable[[], None]] = []
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self.failing: dict[str, str] = {}
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Round after round until `stop`; a round that fails is logged and the next one tries again.

        An attempt under way at `stop` is left behind, unrecorded: the next start makes it again. Raises TryAgain, after
        which only a new process can go on.
        """
        self._stop = stop
        while not stop.wait(_POLL_S):
            try:
                self.step(self._clock())
            except TryAgain:
                raise
            except _StoppingError:
                return
            except Exception:
                log.exception("a round of the outbox failed")

    def step(self, now: float) -> int:
        """One round at `now` (Unix seconds): one attempt for each message that is due. Returns how many were sent."""
        self._write_down()
        sent = 0
        failed: set[str] = set()
        entries = self._store.due(now, _ROUND)
        self._gone = {one["channel"] for one in self._store.disabled()} if entries else set()
        for entry in entries:
            if entry.channel in failed or self._waits(entry.channel, now) or self._too_soon(entry, now):
                continue
            attempt = self._attempt(entry)
            self._settle(entry, attempt)
            sent += attempt.outcome == "sent"
            if attempt.outcome in ("retry", "throttled"):
                failed.add(entry.channel)
        return sent

    def _waits(self, channel: str, now: float) -> bool:
        """Whether a receiver asked for time; by a clock that was set back it has had it."""
        asked_at, wait_s = self._throttled.get(channel, (now, 0.0))
        return 0 <= now - asked_at < wait_s

    def _too_soon(self, entry: Outgoing, now: float) -> bool:
        """Whether the host that a message goes to was asked so lately that it would turn it away.

        What is held back waits for a later round; a clock that was set back holds back nothing for longer than that.
        """
        receiver = self._receivers.get(entry.channel)
        if receiver is None or entry.channel in self._gone or not (pace := pace_s(receiver)):
            return False
        return 0 <= now - self._asked_at.get(reaches(receiver), -math.inf) < pace

    def _attempt(self, entry: Outgoing) -> Attempt:
        receiver = self._receivers.get(entry.channel)
        if receiver is None:
            return Attempt("gone", "not_configured")
        if entry.channel in self._gone:
            return Attempt("gone", "gone_before")
        if pace_s(receiver):
            self._asked_at[reaches(receiver)] = self._clock()
        attempt = self._unless_stopped(partial(send, entry, receiver, self._egress, self._clock()))
        self.deliveries[entry.channel, attempt.outcome] += 1
        return attempt

    def _unless_stopped(self, work: Callable[[], Attempt]) -> Attempt:
        """What `work` comes to; a receiver may hold it for its whole deadline, but not the end of the process."""
        attempt = aside(work, "attempt")
        while not self._stop.is_set():
            if wait([attempt], _POLL_S / 10).done:
                return attempt.result()
        raise _StoppingError

    def _settle(self, entry: Outgoing, attempt: Attempt) -> None:
        """Write down what an attempt came to, and when the next one is."""
        at = self._clock()
        receiver = self._receivers.get(entry.channel)
        again = again_s(entry, receiver, attempt) if receiver else None
        if attempt.outcome == "sent":
            self._sent(entry, attempt, at, again)
            return
        self.failing[entry.channel] = attempt.detail
        if attempt.outcome == "throttled":
            self._throttled[entry.channel] = (at, attempt.wait_s or _THROTTLE_S)
        if attempt.outcome == "gone" or (again is None and entry.attempts + 1 >= len(SCHEDULE_S)):
            self._bury(entry, attempt, at)
            return
        wait_s = SCHEDULE_S[min(entry.attempts + 1, len(SCHEDULE_S) - 1)] * (1 + JITTER * self._rng.random())
        wait_s = wait_s if again is None else min(wait_s, again)
        log.warning("%s to %s: %s, next in %.0f s", entry.kind, entry.channel, attempt.detail, wait_s)
        self._record(
            entry.webhook_id,
            entry.channel,
            "retry",
            at=at,
            next_attempt_at=at + max(wait_s, attempt.wait_s),
            detail=attempt.detail,
        )

    def _record(self, *attempt: Any, **outcome: Any) -> None:
        self._unrecorded.append(partial(self._store.record_delivery, *attempt, **outcome))
        self._write_down()

    def _write_down(self) -> None:
        """Keep what attempts came to; until the store takes it nothing more is sent, or it would be sent each round."""
        while self._unrecorded:
            self._unrecorded[0]()
            self._unrecorded.pop(0)

    def _sent(self, entry: Outgoing, attempt: Attempt, at: float, again: float | None) -> None:
        """A message that a receiver forgets stays in the outbox until a later one of its incident takes its place."""
        self.failing.pop(entry.channel, None)
        outcome: Recorded = "delivered" if again is None else "standing"
        following = None if again is None else at + again
        self._record(entry.webhook_id, entry.channel, outcome, at=at, next_attempt_at=following, detail=attempt.detail)

    def _bury(self, entry: Outgoing, attempt: Attempt, at: float) -> None:
        log.error("%s to %s is given up: %s", entry.kind, entry.channel, attempt.detail)
        self._record(entry.webhook_id, entry.channel, "dead", at=at, detail=attempt.detail)
        text = f"{entry.kind} of {entry.incident_id} was not delivered to {entry.channel}: {attempt.detail}"
        with self._store.judgement() as judgement:
            if attempt.detail == _GONE:
                self._gone.add(entry.channel)
                judgement.disable(entry.channel, at, attempt.detail)
            judgement.put_notice({"kind": "webhook_dead", "target": None, "at": at, "text": text})


class _StoppingError(Exception):
    """The loop is asked to stop in the middle of an attempt."""
