"""Logs that nobody can fill: of each kind of line the first few in full, then how many more there were."""

import logging
import re
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import IO, NamedTuple

FIRST = 20
"""Lines of a kind that are written in one interval."""

INTERVAL_S = 60.0

KINDS = 200
"""Kinds that are told apart in one interval; further ones count as one kind of their logger."""

TEMPLATE_CHARACTERS = 120


class Kind(NamedTuple):
    """Lines that say the same of different things: the template is the message without its arguments and numbers."""

    logger: str
    level: int
    template: str


@dataclass(slots=True)
class _Count:
    since: float
    written: int = 0
    suppressed: int = 0


class Rates:
    """Counts lines by kind. Its caller makes sure that one thread at a time asks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, first: int = FIRST) -> None:
        self._clock, self._first = clock, first
        self._counts: dict[Kind, _Count] = {}
        self._next = clock() + INTERVAL_S

    def admit(self, record: logging.LogRecord) -> bool:
        """Whether to write this line; else it is counted."""
        kind = self._kind(record)
        count = self._counts.setdefault(kind, _Count(self._clock()))
        if count.written < self._first:
            count.written += 1
            return True
        count.suppressed += 1
        return False

    def over(self, *, everything: bool = False) -> list[tuple[Kind, int]]:
        """How many lines of which kind were not written in the intervals that are over, or in all; each once."""
        now = self._clock()
        if now < self._next and not everything:
            return []
        over = {kind: c for kind, c in self._counts.items() if everything or now - c.since >= INTERVAL_S}
        for kind in over:
            del self._counts[kind]
        self._next = min((count.since for count in self._counts.values()), default=now) + INTERVAL_S
        return [(kind, count.suppressed) for kind, count in over.items() if count.suppressed]

    def _kind(self, record: logging.LogRecord) -> Kind:
        kind = Kind(record.name, record.levelno, _template(record))
        known = kind in self._counts or len(self._counts) < KINDS
        return kind if known else kind._replace(template="")


class RatedHandler(logging.StreamHandler[IO[str]]):
    """Writes to a stream (standard error), each kind of line only so often."""

    def __init__(self, rates: Rates | None = None, stream: IO[str] | None = None) -> None:
        super().__init__(stream or sys.stderr)
        self._rates = rates or Rates()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line or count it, after what was counted in intervals that are over."""
        self.say_suppressed()
        if self._rates.admit(record):
            super().emit(record)

    def say_suppressed(self, *, everything: bool = False) -> None:
        """Write how many lines were left out in the intervals that are over, or in all."""
        with self.lock or nullcontext():
            for kind, suppressed in self._rates.over(everything=everything):
                super().emit(_summary(kind, suppressed))

    def close(self) -> None:
        """Write how many lines were left out, and end."""
        self.say_suppressed(everything=True)
        super().close()


def _template(record: logging.LogRecord) -> str:
    line = str(record.msg).partition("\n")[0][:TEMPLATE_CHARACTERS]
    return re.sub(r"\d+", "#", line)


def _summary(kind: Kind, suppressed: int) -> logging.LogRecord:
    text, args = "%d more lines like this were left out: %s", (suppressed, kind.template or "various")
    return logging.LogRecord(kind.logger, kind.level, "", 0, text, args, None)
