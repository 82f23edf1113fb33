"""Which ten minutes and hours are rolled into sketches, in the database and in the writer's memory.

`buckets` has a row for each ten minutes that ever had a span; `hours` one for each hour whose sketches count. The raw
rows of the time before `gone` may have been deleted.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from undertow.store.plan import BUCKET_S, HOUR_S, Cover, Rolled
from undertow.store.plan import cover as chosen

NEVER = float("-inf")


def cover(con: duckdb.DuckDBPyConnection, start: float, end: float, step_s: float) -> Cover:
    """How [start, end) is read in steps of `step_s`, as the caller's transaction sees it."""
    window = {"start": start - BUCKET_S, "end": end}
    buckets = con.execute("SELECT bucket, rolled FROM buckets WHERE bucket > $start AND bucket < $end", window)
    known = dict(buckets.fetchall())
    hours = con.execute("SELECT bucket FROM hours WHERE bucket > $start AND bucket < $end", window).fetchall()
    return chosen(Rolled(known, {row[0] for row in hours}, _gone(con)), start, end, step_s)


def _gone(con: duckdb.DuckDBPyConnection) -> float:
    rows = con.execute("SELECT value FROM progress WHERE name = 'gone'").fetchall()
    return rows[0][0] if rows else NEVER


def hour_of(bucket: int) -> int:
    """The hour in which a ten minutes lies."""
    return bucket // HOUR_S * HOUR_S


def whole_hours(time_s: float) -> float:
    """The hour at or before a time, which may be infinite."""
    return time_s // HOUR_S * HOUR_S if math.isfinite(time_s) else time_s


class Touched(NamedTuple):
    """What spans that arrive mean for their ten minutes.

    `new` had no span before, `reopened` were rolled and are read off raw rows again, `added` are rolled and have no raw
    rows to go back to, so that the spans are added to their sketches. The sketches of `hours` do not count any more.
    """

    all: set[int]
    new: set[int]
    reopened: set[int]
    added: set[int]
    hours: set[int]


@dataclass(slots=True)
class Rolls:
    """The same as the tables say; changes only after a commit, under the writer's lock.

    `open` are the ten minutes, and `loose` the hours, that have spans and no sketch that counts.
    """

    buckets: dict[int, bool]
    hours: set[int]
    gone: float = NEVER
    open: set[int] = field(default_factory=set)
    loose: set[int] = field(default_factory=set)
    under_way: set[int] = field(default_factory=set)
    """Hours that are being summed up; one in which spans are stored meanwhile drops out."""

    @classmethod
    def read(cls, con: duckdb.DuckDBPyConnection) -> "Rolls":
        """As the database has it."""
        buckets = dict(con.execute("SELECT bucket, rolled FROM buckets").fetchall())
        hours = {row[0] for row in con.execute("SELECT bucket FROM hours").fetchall()}
        still_open = {bucket for bucket, rolled in buckets.items() if not rolled}
        return cls(buckets, hours, _gone(con), still_open, set(map(hour_of, buckets)) - hours)

    def touched(self, ended_at: NDArray[np.float64]) -> Touched:
        """What spans with these event times mean."""
        places = {int(place) * BUCKET_S for place in np.unique(np.floor(ended_at / BUCKET_S))}  # as SQL has it
        rolled = {bucket for bucket in places if self.buckets.get(bucket)}
        added = {bucket for bucket in rolled if bucket < self.gone}
        hours = {hour_of(bucket) for bucket in places - added} & self.hours
        return Touched(places, places - self.buckets.keys(), rolled - added, added, hours)

    def remember(self, touched: Touched) -> None:
        """Spans were stored."""
        self.buckets |= dict.fromkeys(touched.new | touched.reopened, False)
        self.open |= touched.new | touched.reopened
        self.loose |= touched.hours | {hour_of(bucket) for bucket in touched.new}
        self.hours -= touched.hours
        self.under_way -= {hour_of(bucket) for bucket in touched.all}

    def close(self, buckets: Iterable[int], hours: Iterable[int]) -> None:
        """These are rolled."""
        self.buckets |= dict.fromkeys(buckets, True)
        self.open.difference_update(buckets)
        self.loose.difference_update(hours)
        self.hours.update(hours)

    def forget(self, gone: float, before: float) -> None:
        """Raw rows are gone of what is older than one, and sketches of what is older than the other."""
        self.gone = gone
        self.buckets = {bucket: rolled for bucket, rolled in self.buckets.items() if bucket >= before}
        self.open, self.loose, self.hours = (
            {place for place in places if place >= before} for places in (self.open, self.loose, self.hours)
        )
