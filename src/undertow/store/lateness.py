"""Which spans came too late to be judged, and which clocks are wrong.

The rule is in `undertow.eventtime`; here is whose clock a span shows, and what is remembered of the latest arrivals.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.eventtime import LEAST, REMEMBERED, EventTime, Sources, Times
from undertow.store.cells import TARGET
from undertow.store.overview import numbered

Document = dict[str, Any]
Flags = NDArray[np.bool_]
Key = tuple[str | None, ...]
"""The host, or nothing and then the parts of the target."""

HOST_LABELS = ("host.name", "service.instance.id", "host", "instance")
"""Labels that name the machine or process whose clock a span shows, if the log has them and they are kept."""
RECENT = 1000
"""Arrivals of which the share of late ones is told."""
FOLLOWING = 32
"""Arrivals that may contradict one before them."""
MOST = 20
"""Sources that are told by name."""
_STATE = ("newest", "bound", "rest")
"""Names under which event time is kept in `progress`."""
_COLUMNS = ("labels", *TARGET, "ended_at", "late")


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Event time, and the latest arrivals in their order: which were late, event time before each, and whose clocks."""

    event_time: EventTime
    late: Flags = field(default_factory=lambda: np.empty(0, np.bool_))
    before: Times = field(default_factory=lambda: np.empty(0))
    names: Mapping[int, Key] = field(default_factory=dict)

    def judge(self, spans: pa.Table, floor: float) -> tuple["Arrivals", Flags]:
        """The state after `spans`, which were not stored before, and which of them are late.

        A span is compared with event time as it was before it came, so that it does not matter how arrivals were cut
        into batches. `floor` is the time up to which spans were handed to the detectors.
        """
        if spans.num_rows == 0:
            return self, np.empty(0, np.bool_)
        ended_at = spans["ended_at"].to_numpy()
        sources, names = source_of(spans)
        event_time, running = self.event_time.after(sources, ended_at)
        before = np.concatenate(([self.event_time.now], running))[:-1]
        late = ended_at <= np.maximum(before - event_time.lateness_s, floor)
        flags, befores = np.concatenate((self.late, late)), np.concatenate((self.before, before))
        owners = self._named(names, event_time)
        return Arrivals(event_time, flags[-REMEMBERED:], befores[-REMEMBERED:], owners), late

    def _named(self, names: Mapping[int, Key], event_time: EventTime) -> Mapping[int, Key]:
        """All names, without those of sources that are forgotten where there are many."""
        if names.keys() <= self.names.keys():
            return self.names
        known = {**self.names, **names}
        if len(known) <= REMEMBERED // 8:
            return known
        return {source: known[source] for source in np.unique(event_time.sources).tolist()}

    @classmethod
    def read(cls, con: duckdb.DuckDBPyConnection, lateness_s: float) -> "Arrivals":
        """What the database implies after a start; rows lie in it in the order of their arrival."""
        columns = ", ".join(_COLUMNS)
        rows = con.execute(f"SELECT {columns} FROM spans ORDER BY rowid DESC LIMIT {REMEMBERED}").to_arrow_table()  # noqa: S608
        rows = rows.take(pa.array(range(rows.num_rows - 1, -1, -1), pa.int64()))
        sources, names = source_of(rows)
        ended_at, late = rows["ended_at"].to_numpy(), rows["late"].to_numpy().astype(np.bool_)
        found = con.execute("SELECT name, value FROM progress WHERE list_contains(?, name)", [list(_STATE)]).fetchall()
        kept = dict(found)
        event_time, running = EventTime(lateness_s).after(sources, ended_at)
        if "bound" in kept:  # an older version's newest was any span's
            event_time = EventTime(lateness_s, kept["newest"], kept["bound"], int(kept["rest"]), sources, ended_at)
        return cls(event_time, late, np.concatenate(([-math.inf], running))[:-1], names)

    def keep(self, con: duckdb.DuckDBPyConnection) -> None:
        """Write what the rows do not say; part of the transaction that stores them."""
        values = (self.event_time.now, self.event_time.bound, float(self.event_time.rest))
        con.execute(
            "INSERT OR REPLACE INTO progress SELECT unnest($names), unnest($values)",
            {"names": list(_STATE), "values": list(values)},
        )

    def as_dict(self) -> dict[str, Any]:
        """What is late and what is ahead, as GET /v1/ingest tells it."""
        recent = self.late[-RECENT:]
        late = {"spans": int(np.count_nonzero(recent)), "of": len(recent), "sources": list(self._late())}
        return {"late": late, "ahead": list(self._ahead()), "event_time": known(self.event_time.now)}

    def _late(self) -> Iterator[Document]:
        """Who sent what was late of the RECENT arrivals."""
        recent = slice(-RECENT, None)
        behind_s = self._before() - self.event_time.times
        return self._by_source(self.late[recent], self.event_time.sources[recent], behind_s[recent], "behind_s")

    def _ahead(self) -> Iterator[Document]:
        """Whose spans came further ahead of event time than is allowed, so that they had to wait.

        That alone may be the first span after a pause; it is told of where LEAST of the next FOLLOWING contradict it.
        """
        times, lateness_s = self.event_time.times, self.event_time.lateness_s
        ahead_s = times - self._before()
        for place in np.flatnonzero(ahead := ahead_s > lateness_s).tolist():
            following = times[place + 1 : place + 1 + FOLLOWING]
            ahead[place] = np.count_nonzero(following <= times[place] - lateness_s) >= LEAST
        return self._by_source(ahead, self.event_time.sources, ahead_s, "ahead_s")

    def _before(self) -> Times:
        """Event time before each arrival, or now where it was not known."""
        return np.where(np.isfinite(self.before), self.before, self.event_time.now)

    def _by_source(self, which: Flags, sources: Sources, seconds: Times, name: str) -> Iterator[Document]:
        """The sources of most of the chosen arrivals, how far off they are (median), and how many they are.

        Those of the RECENT come first, so that what is over hides nothing.
        """
        found, places, counts = np.unique(sources[which], return_inverse=True, return_counts=True)
        recent = np.arange(len(sources)) >= len(sources) - RECENT
        lately = np.bincount(places[recent[which]], minlength=len(found))
        for place in np.lexsort((-counts, -lately))[:MOST]:
            own = which & (sources == found[place])
            host, *target = self.names[int(found[place])]
            yield {
                "host": host,
                "target": None if host else dict(zip(TARGET, target, strict=True)),
                name: round(float(np.median(seconds[own])), 3),
                "spans": int(counts[place]),
                "recent": int(np.count_nonzero(own & recent)),
            }

    def reached(self, until: float, beyond_s: float) -> float | None:
        """The newest arrival up to `until` that is at most `beyond_s` past what is agreed on.

        Of too few to agree it is the newest where `until` is for ever, and else None.
        """
        agreed = self.event_time.agreed()
        if agreed == -math.inf and until == math.inf:
            beyond_s, agreed = 0.0, math.inf
        found = self.event_time.newest(min(until, agreed + beyond_s))
        return known(found)


def known(time_s: float) -> float | None:
    """A time, or None where none is known yet."""
    return None if time_s == -math.inf else time_s


def source_of(spans: pa.Table) -> tuple[Sources, dict[int, Key]]:
    """Whose clock each span shows, shape (n,), as numbers that mean the same while the process lives; and their names.

    The host where a label names it, else the target.
    """
    host = _hosts(spans["labels"])
    columns = {"host": host} | {name: pc.if_else(pc.is_valid(host), None, spans[name]) for name in TARGET}
    owners, keys = numbered(pa.table(columns), ("host", *TARGET))
    numbers = np.array([hash(key) for key in keys], np.int64)
    return numbers[owners], dict(zip(numbers.tolist(), keys, strict=True))


def _hosts(labels: pa.ChunkedArray) -> pa.ChunkedArray:
    if labels.null_count == len(labels):
        return pa.chunked_array([pa.nulls(len(labels), pa.string())])
    return pc.coalesce(*(pc.map_lookup(labels, pa.scalar(name), "first") for name in HOST_LABELS))
