"""`undertow serve`, to be killed by SIGKILL at a point of a roll or of one message: decide, store, send, record.

    python killed_monitor.py PLAN [ARGUMENT...]

PLAN is a JSON object of a `Plan`; the arguments are those of `undertow serve`. Rounds come
ten times a second, and the clock may run faster; everything else is the monitor as it is.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

import broken_monitor

from undertow import cli, log_rates
from undertow.commands import serve
from undertow.notify import outbox
from undertow.notify.message import Outgoing
from undertow.store import Store, rolling
from undertow.store.state import Judgement

ROUND_S = 0.1
EVERY_LINE = 10**9


@dataclass
class Plan:
    """Where to die: at the point `at`, at the `nth` message there of this `kind`, `of` this incident if it is given.

    Without a `kind` each passing counts. Rolling, retention and checkpoints go on every `upkeep_s`, where that is
    given, and write `piece_bytes` at once. `broken` names variants of broken_monitor. The clock runs `speed` times as
    fast as the wall's since `since`.
    """

    at: str = ""
    kind: str = ""
    of: str = ""
    nth: int = 1
    broken: list[str] = field(default_factory=list)
    speed: float = 1.0
    since: float = 0.0
    upkeep_s: float = 0.0
    piece_bytes: int = rolling.PIECE_BYTES

    def clock(self) -> float:
        """Unix seconds, the same in every life."""
        return self.since + (time.time() - self.since) * self.speed


class Killer:
    """Knows which messages a thread is busy with, and kills the process at the point of the plan, once it is ready."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._met, self.armed = plan, 0, False
        self._here = threading.local()
        self._known: dict[str, Outgoing] = {}

    def begin(self) -> None:
        """This thread begins with something else."""
        self._here.busy_with = []

    def meet(self, entry: Outgoing) -> None:
        """This thread is busy with `entry`, too."""
        self._known[entry.webhook_id] = entry
        self._here.busy_with.append(entry)

    def find(self, webhook_id: str) -> Outgoing:
        """A message that was met before."""
        return self._known[webhook_id]

    def point(self, name: str) -> None:
        """A point; the process may end here."""
        busy_with = getattr(self._here, "busy_with", [])
        meant = not self._plan.kind or any(self._meant(entry) for entry in busy_with)
        if self.armed and name == self._plan.at and meant:
            self._met += 1
            if self._met == self._plan.nth:
                os.kill(os.getpid(), signal.SIGKILL)

    def _meant(self, entry: Outgoing) -> bool:
        return entry.kind == self._plan.kind and self._plan.of in ("", entry.incident_id)


def patch(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """Put `wrapper(original, ...)` in the place of an attribute."""
    original = getattr(owner, name)
    setattr(owner, name, wraps(original)(lambda *args, **named: wrapper(original, *args, **named)))


def watch(killer: Killer, clock: Callable[[], float]) -> None:
    """Put the points into the monitor: those of the store are its own, those around sending are made here."""

    def judgement(original: Callable[..., None], self: Judgement) -> None:
        killer.begin()
        original(self)

    def put(original: Callable[..., None], self: Judgement, entry: Outgoing) -> None:
        killer.meet(entry)
        original(self, entry)

    def send(original: Callable[..., Any], entry: Outgoing, *more: Any) -> Any:
        killer.begin()
        killer.meet(entry)
        killer.point("before_send")
        attempt = original(entry, *more)
        killer.point("after_send")
        return attempt

    def record(original: Callable[..., None], self: Store, webhook_id: str, *row: Any, **more: Any) -> None:
        killer.begin()
        killer.meet(killer.find(webhook_id))
        original(self, webhook_id, *row, **more)

    def due(original: Callable[..., list[Outgoing]], self: Store, now: float, limit: int) -> list[Outgoing]:
        entries = original(self, now, limit)
        killer.begin()
        for entry in entries:
            killer.meet(entry)
        return entries

    def told(original: Callable[..., None], text: str, *values: Any) -> None:
        original(text, *values)
        killer.armed = killer.armed or text.startswith("ready on")

    patch(serve.log, "info", told)
    patch(Judgement, "__init__", judgement)
    patch(Judgement, "put_outgoing", put)
    patch(outbox, "send", send)
    patch(Store, "record_delivery", record)
    patch(Store, "due", due)
    Store.open = partial(Store.open, failpoint=killer.point, clock=clock)  # type: ignore[method-assign]


def main(plan: Plan, arguments: list[str]) -> int:
    """Serve until killed."""
    serve.TICK_S = serve.SILENCE_S = outbox._POLL_S = ROUND_S
    serve.system_clock = plan.clock
    serve.ROLLING_S = plan.upkeep_s or serve.ROLLING_S
    serve.RETENTION_S = plan.upkeep_s or serve.RETENTION_S
    serve.CHECKPOINT_S = plan.upkeep_s or serve.CHECKPOINT_S
    rolling.PIECE_BYTES = plan.piece_bytes
    if plan.upkeep_s:  # what retention deleted is counted by its lines in the log
        log_rates.Rates.__init__.__defaults__ = (time.monotonic, EVERY_LINE)
    watch(Killer(plan), plan.clock)
    for name in plan.broken:
        owner, attribute, variant = broken_monitor.VARIANTS[name]
        setattr(owner, attribute, variant)
    return cli.main(["serve", *arguments])


if __name__ == "__main__":
    sys.exit(main(Plan(**json.loads(sys.argv[1])), sys.argv[2:]))
