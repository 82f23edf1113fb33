"""A small fleet's traffic, and the monitor without Kafka."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from undertow.batch import Batch, Decoded, Origin
from undertow.clock import ManualClock
from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.span import Span
from undertow.store import Store
from undertow.watch import Watcher
from undertow_collectors import simulate
from undertow_collectors.scenarios import CLAUDE_SONNET, GPT_4O, SCENARIOS, Endpoint

FLEET = (GPT_4O, CLAUDE_SONNET)


@pytest.fixture(name="traffic", scope="session")
def _traffic() -> Callable[..., list[Span]]:
    """Three days as before and one after the scenario's change, made once for each scenario and seed."""
    made: dict[tuple[str, int, Sequence[Endpoint]], list[Span]] = {}

    def spans(scenario: str, seed: int = 1, fleet: Sequence[Endpoint] = FLEET) -> list[Span]:
        key = (scenario, seed, tuple(fleet))
        if key not in made:
            made[key] = list(simulate.traffic(SCENARIOS[scenario], seed, per_day=2500, fleet=fleet))
        return made[key]

    return spans


@dataclass
class Monitor:
    """A store in memory and its watcher, on a clock that stands still."""

    config: Config
    clock: ManualClock = field(default_factory=lambda: ManualClock(2e9))
    store: Store = field(init=False)
    watcher: Watcher = field(init=False)
    offset: int = 0

    def __post_init__(self) -> None:
        self.store = Store.open(None, lateness_s=self.config.detect.lateness_s, clock=None)
        self.watcher = Watcher(self.store, self.config, self.clock)

    def take(self, spans: Iterable[Span], size: int = 20_000) -> None:
        """Store spans in batches of `size`, judging after each."""
        waiting = list(spans)
        for begin in range(0, len(waiting), size):
            batch = Batch()
            for span in waiting[begin : begin + size]:
                batch.add(Origin("t", 0, self.offset), Decoded("native", [span]))
                self.offset += 1
            self.store.ingest(batch)
            self.watcher.tick()

    def finish(self, spans: Iterable[Span] = (), size: int = 20_000) -> "Monitor":
        """Store `spans`, then judge everything that is still held back."""
        self.take(spans, size)
        self.watcher.tick(final=True)
        return self

    def restart(self) -> None:
        """A new process on the same store."""
        self.watcher = Watcher(self.store, self.config, self.clock)


@pytest.fixture(name="monitor")
def _monitor() -> Iterator[Callable[..., Monitor]]:
    made: list[Monitor] = []

    def new(config: Config | None = None) -> Monitor:
        made.append(Monitor(config or Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=2000)))))
        return made[-1]

    yield new
    for one in made:
        one.store.close()
