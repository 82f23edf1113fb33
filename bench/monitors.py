"""Monitors that hold as many spans as are asked for, and an incident that was found in some of them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from tests.dashboards.real import CULPRIT, DAYS, PER_DAY, served, until

from bench import week
from undertow.demo.child import Child
from undertow.span import Target
from undertow.store import Store
from undertow.store.cells import TARGET
from undertow_collectors.scenarios import FLEET

SIMULATED = 2_000_000
"""So many spans are posted to a monitor and judged, where no more are asked for."""


class Measured(NamedTuple):
    """A monitor: its address, the incident that it has found, and how many spans it holds."""

    url: str
    incident: str
    stored: int


@contextmanager
def holding(place: Path, spans: int) -> Iterator[Measured]:
    """A monitor over a store in `place` with `spans` spans, or the fewest that have the incident."""
    with filled(place, spans) if spans > SIMULATED else simulated(place, spans) as found:
        yield found


@contextmanager
def simulated(place: Path, spans: int) -> Iterator[Measured]:
    """A whole monitor with simulated spans alone."""
    with served(place, max(PER_DAY, spans / DAYS / len(FLEET))) as it:
        yield Measured(it.monitor.url, it.incident, it.monitor.totals()["stored"])


@contextmanager
def filled(place: Path, spans: int) -> Iterator[Measured]:
    """The API over what a small monitor has found, with a week of further spans, summed up as far as it is over.

    Some are of the target that the incident is about, in whose page they take part.
    """
    with served(place) as it:
        url, incident, simulated = it.monitor.url, it.incident, it.monitor.totals()["stored"]
    with Store.open(place / "undertow.duckdb", clock=None) as store:
        targets = [Target(*(getattr(CULPRIT, name) for name in TARGET)), *week.targets()[1:]]
        made = week.fill(store, spans, (store.newest() or time.time()) - week.WEEK_S, targets)
        while store.roll():
            pass
    with Child(["bench.still", str(place / "undertow.toml")], place / "still.log") as child:
        until(lambda: _ready(url), lambda: f"the API does not answer: {child.last_words()}")
        yield Measured(url, incident, simulated + made)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
