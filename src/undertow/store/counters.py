"""Counts that outlive the rows: what was read, repaired, skipped and not understood."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from operator import attrgetter

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from undertow.batch import Batch, Committed, Decoded
from undertow.columns import plain
from undertow.outcome import EVIDENCE, NOT_GENERATING
from undertow.store.rows import Refusal

NAMES = 1000
NAME_LENGTH = 128
OTHER = "(other)"

_KINDS: dict[str, Callable[[Decoded], Counter[str]]] = {
    "skipped": attrgetter("skipped"),
    "coerced": attrgetter("coerced"),
    "derived": attrgetter("derived"),
    "repaired": attrgetter("repaired"),
    "unknown_keys": attrgetter("unknown"),
}

Key = tuple[str, str]
"""Kind (`total`, `rejects`, `skipped`, `coerced`, `derived`, `repaired`, `unknown_keys`, `formats`, `unknown_outcomes`)
and name."""


class Counters:
    """The known names of each kind, bounded in number and length, since senders choose the names of unknown keys."""

    def __init__(self, names: int = NAMES) -> None:
        self._limit = names
        self._names: dict[str, set[str]] = {}

    @classmethod
    def read(cls, con: duckdb.DuckDBPyConnection, names: int = NAMES) -> "Counters":
        """The names that the database knows."""
        counters = cls(names)
        counters.remember(Counter(dict.fromkeys(con.execute("SELECT kind, name FROM counters").fetchall(), 1)))
        return counters

    def bounded(self, counts: Counter[Key]) -> Counter[Key]:
        """`counts` with names cut to size, and new ones beyond the limit under `(other)`."""
        bounded: Counter[Key] = Counter()
        new: dict[str, set[str]] = {}
        for (kind, name), count in counts.items():
            short = plain(name[:NAME_LENGTH])
            known, fresh = self._names.get(kind, set()), new.setdefault(kind, set())
            if short not in known and short not in fresh:
                if len(known) + len(fresh) >= self._limit:
                    short = OTHER
                fresh.add(short)
            bounded[kind, short] += count
        return bounded

    def remember(self, counts: Counter[Key]) -> None:
        """Count these names as known from now on; call after the commit."""
        for kind, name in counts:
            self._names.setdefault(kind, set()).add(name)


def tally(batch: Batch, committed: Committed, stored: pa.Table, refused: Sequence[Refusal]) -> Counter[Key]:
    """What one commit adds to the counters."""
    counts: Counter[Key] = Counter()
    for field in ("stored", "duplicates", "rejected", "skipped", "late"):
        counts["total", field] = getattr(committed, field)
    for kind, formats in (("formats", stored["format"]), ("unknown_outcomes", stored["format"].filter(_bare(stored)))):
        for spans in pc.value_counts(formats.drop_null()).to_pylist():
            counts[kind, spans["values"]] += spans["counts"]
    for refusal in refused:
        counts["rejects", refusal.reject.reason] += 1
    for kind, of in _KINDS.items():
        for found in filter(None, (of(decoded) for _, decoded in batch.messages)):
            for name, count in found.items():
                counts[kind, name] += count
    return counts


def _bare(stored: pa.Table) -> pa.ChunkedArray:
    """Which calls are said to have succeeded, though nothing shows an answer (`undertow.outcome.is_bare`)."""
    generates = pc.invert(pc.is_in(stored["operation"], pa.array(NOT_GENERATING)))
    silent = reduce(pc.and_, (pc.is_null(stored[name]) for name in EVIDENCE if name in stored.column_names))
    return pc.and_(pc.and_(pc.equal(stored["status"], "ok"), generates), silent)


def add(con: duckdb.DuckDBPyConnection, counts: Counter[Key]) -> None:
    """Add to the counters table; part of the caller's transaction."""
    changed = [(kind, name, count) for (kind, name), count in counts.items() if count]
    if not changed:
        return
    kinds, names, numbers = (list(column) for column in zip(*changed, strict=True))
    con.execute(
        """INSERT INTO counters SELECT unnest($1), unnest($2), unnest($3)
           ON CONFLICT DO UPDATE SET count = counters.count + excluded.count""",
        [kinds, names, numbers],
    )
