"""The judged spans of a target, a pool or a target that stands for many, as the store has them."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from undertow.span import Target
from undertow.store import Store
from undertow.store.crowd import NOBODY, Others
from undertow.watch import pooling
from undertow.watch.frame import COLUMNS, Frame, by_target, split
from undertow.watch.pool import Pool
from undertow.watch.roster import Roster, is_bucket

AT_ONCE = 200
"""Targets whose spans are asked for in one question."""


class Lookups:
    """Asks the store; `roster`, which is set once it is known, says whose a span is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.roster = Roster(1)

    def __call__(self, target: Target, since: float, until: float) -> Frame | None:
        """The spans with since < ended_at <= until."""
        return pooling.gathered(target, lambda one: self._of(one, since, until))

    def _of(self, target: Target, since: float, until: float) -> Frame | None:
        others = self.roster.others() if is_bucket(target) else None
        if others is None:
            since = max(since, math.nextafter(self.roster.since(target), -math.inf))
        table: pa.Table = self._store.released(since, until, target=target, columns=COLUMNS, others=others)
        return next((frame for _, frame in split(table, [target], np.zeros(len(table), np.int64))), None)

    def every(self, since: Mapping[Target, float], until: float) -> Iterator[tuple[Target, Frame]]:
        """The spans of each target after its own time, of many targets in one question."""
        alone = [target for target in since if isinstance(target, Pool) or is_bucket(target)]
        for target in alone:
            if (frame := self(target, since[target], until)) is not None:
                yield target, frame
        many = [target for target in since if target not in set(alone)]
        for begin in range(0, len(many), AT_ONCE):
            starts = {one: self._from(one, since[one]) for one in many[begin : begin + AT_ONCE]}
            rows = [one.as_dict() | {"since": at} for one, at in starts.items()]
            own = pa.Table.from_pylist(rows, NOBODY.own.schema)
            after = math.nextafter(min(starts.values()), -math.inf)
            yield from by_target(
                self._store.released(after, until, columns=COLUMNS, others=Others(own, NOBODY.buckets))
            )

    def _from(self, target: Target, since: float) -> float:
        """The first time that is the target's own and after `since`."""
        return max(math.nextafter(since, math.inf), self.roster.since(target))
