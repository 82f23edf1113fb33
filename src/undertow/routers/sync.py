"""Carries the weights feed into a document of a gateway, round after round, and fails open.

What the operator had is kept in a file between rounds, with how long the feed may be believed: when it is stale the
operator's own weights are put back, also by a process that was started meanwhile.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from undertow.clock import Clock, system_clock
from undertow.errors import StoreError, TryAgain, UsageError
from undertow.routers.feed import LIMIT_BYTES, LONGEST_S, Followed, read
from undertow.routers.places import TIMEOUT_S, Place, read_json, text, write_atomically
from undertow.routers.scale import Adapter, Memory, applied

log = logging.getLogger(__name__)

Transform = Callable[[Any, list[Any], Any], tuple[Any, Any]]
"""(document, entries, memory) to both anew."""


def scaling(adapter: Adapter) -> Transform:
    """What `scale.applied` makes of a gateway's document."""
    return lambda document, weights, memory: applied(adapter, document, weights, memory or {})


def entries(_: Any, weights: list[Any], memory: Any) -> tuple[Any, Any]:
    """The entries to obey as they are, for a reader of our own making: `{"weights": [...]}`."""
    return {"weights": weights}, memory or {}


@dataclass
class Sync:
    """One document that follows one feed. `client` asks Undertow; `state` is the file between rounds."""

    client: httpx.Client
    place: Place
    transform: Transform
    state: Path
    dry_run: bool = False
    clock: Clock = system_clock
    _followed: Followed = field(default_factory=Followed)

    def run(self, every_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Round after round until interrupted; a round that fails is logged and the next one tries again."""
        while True:
            try:
                self.step()
            except (StoreError, TryAgain, UsageError) as error:  # a file may be read while somebody edits it
                log.warning("%s", error)
            sleep(every_s)

    def step(self) -> bool:
        """One round; whether anything was written. Raises TryAgain where the feed or the gateway does not answer.

        An unanswered feed changes nothing before it is stale, and then puts the operator's own weights back.
        """
        kept, now = read_json(self.state) or {}, self.clock()
        try:
            self._ask(now)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            if now < max(kept.get("good_until", 0.0), self._followed.good_until) <= now + LONGEST_S:
                raise TryAgain(f"{self._fault(error)}; the weights stay as they are") from None
            log.warning("%s; the operator's own weights hold", self._fault(error))
        weights = self._followed.weights(now)
        try:
            current = self.place.read()
            made, memory = self.transform(current, weights, kept.get("memory"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TryAgain(f"what was read is no document of this kind: {type(error).__name__}") from None
        changed = bool(made != current)
        keeping = {"good_until": self._followed.good_until, "memory": _either(kept.get("memory") or {}, memory)}
        if self.dry_run:
            return changed
        write_atomically(self.state, text(keeping))  # before and after, so that a kill in between loses no own weight
        if changed:
            self.place.write(made)
            log.info("wrote %d weights that are not the operator's own", len(weights))
        write_atomically(self.state, text(keeping | {"memory": memory}))
        return changed

    def _fault(self, error: Exception) -> str:
        """Which feed, and what was wrong with it, without a login that its address may hold."""
        where = f"the weights feed at {self.client.base_url.netloc.decode()}"
        if isinstance(error, httpx.HTTPStatusError):
            return f"{where} answered {error.response.status_code}"
        return f"{where} {'cannot be reached' if isinstance(error, httpx.ConnectError) else type(error).__name__}"

    def _ask(self, now: float) -> None:
        known, ends = self._followed.etag, time.monotonic() + TIMEOUT_S
        with self.client.stream("GET", "/v1/weights", headers={"if-none-match": known} if known else {}) as answer:
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                self._followed.renew(now)
                return
            answer.raise_for_status()
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > LIMIT_BYTES or time.monotonic() > ends:
                    raise ValueError("too long, or too slow")
        self._followed.take(read(body), answer.headers.get("etag"), now)


def _either(before: Memory, after: Memory) -> Memory:
    """What to remember while it is not known which of the two documents stands."""
    return before | {key: [*values, *before.get(key, [])[1:]] for key, values in after.items()}
