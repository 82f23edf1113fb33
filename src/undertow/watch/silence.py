"""Looks for what went silent, and tells it: `llm.data.stale` when it opens and when data come again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from undertow.clock import Clock
from undertow.config import Config
from undertow.notify.message import data_quality
from undertow.notify.outbox import plan
from undertow.quiet import Quiet
from undertow.store import Store
from undertow.store.state import Judgement
from undertow.watch import staleness
from undertow.watch.lifecycle import ITSELF
from undertow.watch.staleness import Pace, Silent

Document = dict[str, Any]
STALE, PACE = "stale ", "pace "
"""How the keys of this module begin in the store."""
READING = ("running", "rebalancing", "paused")
"""States of a source in which nothing needs anybody."""
SETTLE_S = 300.0
"""After a start or a catch-up, what is read is not yet what is sent; nothing is judged silent for so long."""
SAVE_S = 60.0
KIND = "llm.data.stale"

Targets = Callable[[], Sequence[tuple[dict[str, Any], float, bool]]]
"""(target, last heard, whether it is silent) of each target that has a baseline."""


def standing(alerts: Mapping[str, Document]) -> list[Document]:
    """`{"why", "subject", "since", "target", "text"}` of each silence of the store's `alerts` that is not over."""
    kept = {key.removeprefix(STALE): one["document"] for key, one in alerts.items() if key.startswith(STALE)}
    found = [(*key.split(" ", 1), told) for key, told in kept.items()]
    return [
        {"why": why, "subject": subject, "since": told["change_point"], "target": told["target"], "text": told["text"]}
        for why, subject, told in found
    ]


class Source(Protocol):
    """What is asked of a source."""

    def status(self) -> Any:
        """Its state, detail and partitions."""
        ...


class Silence:
    """Keeps watch over one monitor; `tick` is called every now and then, from one thread."""

    def __init__(self, store: Store, targets: Targets, source: Source | None, config: Config, clock: Clock) -> None:
        self._store, self._targets, self._source = store, targets, source
        self._config, self._clock = config, clock
        self._settling_since = clock()
        self._away_since: float | None = None
        self._saved_at = clock()
        kept = store.alerts()
        self._paces = {k.removeprefix(PACE): Pace(**v) for k, v in kept.items() if k.startswith(PACE)}
        self._standing = {k.removeprefix(STALE): v for k, v in kept.items() if k.startswith(STALE)}

    def tick(self) -> None:
        """Look once, and commit what changed."""
        now = self._clock()
        self._set_back(now)
        settled = self._settle(now)
        self._paces = self._stepped(now, settled)
        silent = {one.key: one for one in self._silent(now)}
        wanted = staleness.widest(silent) if settled or self._away(now) else {}
        begun = {key: one for key, one in wanted.items() if key not in self._standing}
        over = [key for key in self._standing if key not in silent]
        owed = [key for key, one in self._standing.items() if not one["told"] and key in silent]
        if begun or over or owed or now - self._saved_at >= SAVE_S:
            self._commit(begun, over, owed, now)

    def _set_back(self, now: float) -> None:
        """No wait lasts longer because the clock was set back."""
        self._settling_since, self._saved_at = min(self._settling_since, now), min(self._saved_at, now)
        self._away_since = None if self._away_since is None else min(self._away_since, now)

    def _commit(self, begun: dict[str, Silent], over: list[str], owed: list[str], now: float) -> None:
        standing = dict(self._standing)
        quiet = Quiet(self._store.silences(now), self._config.alerts.maintenance, now)
        with self._store.judgement() as transaction:
            for key, one in begun.items():
                standing[key] = {"document": staleness.opened(one, now), "told": False}
                document = standing[key]["document"]
                transaction.put_audit(
                    document["id"], "opened", "silent", ITSELF, at=one.since, recorded_at=now, text=one.text
                )
            for key in (*begun, *owed):
                if not quiet.over([standing[key]["document"]]):
                    standing[key] = standing[key] | {"told": True}
                    self._send(standing[key]["document"], transaction, now, over=False)
                transaction.put_alert(STALE + key, standing[key])
            for key in over:
                ended = standing.pop(key)
                document = staleness.ended(ended["document"], now)
                transaction.put_audit(document["id"], "resolved", "heard_again", ITSELF, at=now, recorded_at=now)
                transaction.delete_alert(STALE + key)
                if ended["told"]:
                    self._send(document, transaction, now, over=True)
            for topic, pace in self._paces.items():
                transaction.put_alert(PACE + topic, pace.as_dict())
        self._standing, self._saved_at = standing, now

    def _send(self, document: Document, transaction: Judgement, now: float, *, over: bool) -> None:
        """An end goes to who heard of the beginning alone."""
        quality = data_quality(self._store.ingestion())
        heard = self._store.heard(document["id"])
        for entry in plan(KIND, document, self._config.alerts, now, quality=quality, heard=heard):
            if entry.channel in heard or not over:
                transaction.put_outgoing(entry)

    def _settle(self, now: float) -> bool:
        """Whether everything that was sent has been read, for a while now."""
        status = self._source.status() if self._source else None
        if status and status.state in READING:
            self._away_since = None
        elif status:
            self._away_since = now if self._away_since is None else self._away_since
        behind = status and (status.state not in READING or any(p.lag for p in status.partitions))
        if behind:
            self._settling_since = now
        return not behind and now - self._settling_since >= SETTLE_S

    def _away(self, now: float) -> bool:
        return self._away_since is not None and now - self._away_since >= staleness.UNREACHABLE_S

    def _stepped(self, now: float, settled: bool) -> dict[str, Pace]:
        """The pace of each topic; unknown ones begin now."""
        paces = {}
        for topic in self._config.kafka.topics if self._config.kafka else ():
            offset = sum(self._store.offsets(topic).values())
            pace = self._paces.get(topic) or Pace(offset, now, now)
            paces[topic] = pace.step(offset, now, settled)
        return paces

    def _silent(self, now: float) -> Iterator[Silent]:
        """Everything that is silent, whether or not something wider explains it."""
        if self._away(now) and self._source and self._away_since is not None:
            status = self._source.status()
            text = (
                f"the source has been {status.state} for {(now - self._away_since) / 60:.0f} minutes: {status.detail}"
            )
            yield Silent("source_unreachable", "kafka", self._away_since, text)
        for topic, pace in self._paces.items():
            if pace.silent(now):
                text = f"topic {topic} brought nothing for {(now - pace.last) / 60:.0f} minutes"
                yield Silent("topic_silent", topic, pace.last, text)
        targets = self._targets()
        quiet = [one for one in targets if one[2]]
        if len(quiet) == len(targets) > 1:
            last = max(one[1] for one in quiet)
            text = f"none of {len(quiet)} targets was heard for {(now - last) / 60:.0f} minutes"
            yield Silent("all_targets_silent", "targets", last, text)
        for target, last, _ in quiet:
            name = "/".join(str(part) for part in target.values() if part)
            text = f"{name} was not heard for {(now - last) / 60:.0f} minutes; in its baseline it came far more often"
            yield Silent("target_silent", name, last, text, target)
