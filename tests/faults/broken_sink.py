"""The negative control of kill tests: a sink that commits offsets apart from rows, and the count that must tell."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from undertow.batch import Batch, Committed, Position
from undertow.store import Store

Place = tuple[str, int, int]


class BrokenSink:
    """A Sink that loses spans when it is killed between its two commits: first the offsets, then the rows."""

    def __init__(self, store: Store, between: Callable[[str], None] = lambda _: None) -> None:
        self._store = store
        self._between = between

    def ingest(self, batch: Batch) -> Committed:
        """Commit the offsets, and after that what they stand for."""
        self._store.ingest(replace(batch, messages=[], order=None))
        self._between("between_commits")
        return self._store.ingest(Batch(messages=batch.messages, order=batch.order))

    def offsets(self, topic: str) -> dict[int, int]:
        """The store's offsets."""
        return self._store.offsets(topic)

    def positions(self, topic: str) -> dict[str, dict[int, Position]]:
        """The store's positions."""
        return self._store.positions(topic)


@dataclass(frozen=True)
class Faults:
    """What went wrong: messages without a row, places with two rows of one index, span ids with two rows."""

    lost: int = 0
    doubled_places: int = 0
    doubled_ids: int = 0


def faults(path: Path, sent: Iterable[Place]) -> Faults:
    """Compare a closed database with the (topic, partition, offset) of every message that was sent."""
    with duckdb.connect(str(path), read_only=True) as con:
        rows = con.execute('SELECT topic, "partition", "offset", "index", span_id FROM spans').fetchall()
        rows += con.execute('SELECT topic, "partition", "offset", -1 - "index", NULL FROM rejects').fetchall()
    places = Counter(tuple(row[:4]) for row in rows)
    ids = Counter(row[4] for row in rows if row[4] is not None)
    found = {place[:3] for place in places}
    return Faults(
        lost=len(set(sent) - found),
        doubled_places=sum(count - 1 for count in places.values()),
        doubled_ids=sum(count - 1 for count in ids.values()),
    )
