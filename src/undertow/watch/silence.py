"""Looks for what went silent, and tells it: `llm.data.stale` when it opens and when data come again."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from undertow.clock import Clock
from undertow.config import Config
from undertow.span import in_one_word
from undertow.store import Store
from undertow.watch import staleness
from undertow.watch.dataalert import STALE, DataAlerts, Trouble
from undertow.watch.staleness import Pace

PACE = "pace "
"""How the keys of paces begin in the store."""
READING = ("running", "rebalancing", "paused")
"""States of a source in which nothing needs anybody."""
SETTLE_S = 300.0
"""After a start or a catch-up, what is read is not yet what is sent; nothing is judged silent for so long."""
SAVE_S = 60.0

Targets = Callable[[], Sequence[tuple[dict[str, Any], float, bool]]]
"""(target, last heard, whether it is silent) of each target that has a baseline."""


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
        self._alerts = DataAlerts(store, config, STALE)

    def tick(self) -> None:
        """Look once, and commit what changed."""
        now = self._clock()
        self._set_back(now)
        settled = self._settle(now)
        self._paces = self._stepped(now, settled)
        silent = {one.key: one for one in self._silent(now)}
        wanted = staleness.widest(silent) if settled or self._away(now) else {}
        change = self._alerts.change(silent, wanted)
        if any(change) or now - self._saved_at >= SAVE_S:
            with self._alerts.committing(change, now) as transaction:
                for topic, pace in self._paces.items():
                    transaction.put_alert(PACE + topic, pace.as_dict())
            self._saved_at = now

    def _set_back(self, now: float) -> None:
        """No wait lasts longer because the clock was set back."""
        self._settling_since, self._saved_at = min(self._settling_since, now), min(self._saved_at, now)
        self._away_since = None if self._away_since is None else min(self._away_since, now)

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

    def _silent(self, now: float) -> Iterator[Trouble]:
        """Everything that is silent, whether or not something wider explains it."""
        if self._away(now) and self._source and self._away_since is not None:
            status = self._source.status()
            text = (
                f"the source has been {status.state} for {(now - self._away_since) / 60:.0f} minutes: {status.detail}"
            )
            yield Trouble("source_unreachable", "kafka", self._away_since, text)
        for topic, pace in self._paces.items():
            if pace.silent(now):
                text = f"topic {topic} brought nothing for {(now - pace.last) / 60:.0f} minutes"
                yield Trouble("topic_silent", topic, pace.last, text)
        targets = self._targets()
        quiet = [one for one in targets if one[2]]
        if len(quiet) == len(targets) > 1:
            last = max(one[1] for one in quiet)
            text = f"none of {len(quiet)} targets was heard for {(now - last) / 60:.0f} minutes"
            yield Trouble("all_targets_silent", "targets", last, text)
        for target, last, _ in quiet:
            name = in_one_word(target)
            text = f"{name} was not heard for {(now - last) / 60:.0f} minutes; in its baseline it came far more often"
            yield Trouble("target_silent", name, last, text, target)
