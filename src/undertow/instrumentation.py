"""Who wrote a span: an instrumentation scope of OpenTelemetry by name and version, or the format of another log."""

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

LENGTH = 128
"""Characters of a name or a version; what is longer is cut, for senders choose both."""

COLUMN = "instrumentation"
"""A column of runs that is no field of a span: in each row an Instrumentation, encoded."""


class Instrumentation(NamedTuple):
    """A library that writes spans, or a gateway that writes records; `version` is None where none is told."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name


def named(name: str, version: str | None = None) -> Instrumentation:
    """Return the instrumentation of that name and version, cut, and without characters that no screen should get."""
    return _named(name[:LENGTH], version[:LENGTH] if version else None)


@lru_cache(1024)
def _named(name: str, version: str | None) -> Instrumentation:
    return Instrumentation(_shown(name), _shown(version) if version else None)


def _shown(text: str) -> str:
    return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)


@lru_cache(1024)
def encoded(found: Instrumentation) -> str:
    """Return what stands for an instrumentation in COLUMN."""
    return msgspec.json.encode(found).decode()


def counted(rows: "pa.ChunkedArray") -> Counter[Instrumentation]:
    """Return how many of the rows of COLUMN each has."""
    counts = Counter[Instrumentation]()
    for one in rows.value_counts().to_pylist():
        counts[msgspec.json.decode(one["values"], type=Instrumentation)] += one["counts"]
    return counts
