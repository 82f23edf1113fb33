"""How many messages a fast way tries at once, where one odd message means that all have to be tried again."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar

from undertow.batch import Part

T = TypeVar("T")

LEAST = 16
"""Spans below which a table costs more than it saves."""

MOST = 1_000


class OddError(Exception):
    """Something that is left to the slow way, in this row where that is known."""

    def __init__(self, row: int | None = None) -> None:
        super().__init__(row)
        self.row = row


class Reach:
    """Twice as many messages as the last time, so that odd ones among others cost little."""

    def __init__(self) -> None:
        self.size = LEAST

    def attempt(
        self, found: Sequence[T], read: Callable[[Sequence[T]], list[Part]], spans: Callable[[T], int] = lambda _: 1
    ) -> list[Part]:
        """What `read` makes of the first of `found`, of as many as it can; empty where that is not worth it.

        `read` raises OddError where one of them is odd; `spans` says how many a message has.
        """
        parts: list[Part] = []
        while not parts and sum(map(spans, found)) >= LEAST:
            try:
                parts = read(found)
            except OddError as odd:
                found = found[: _before(odd.row, list(map(spans, found)))]
        self.size = min(max(2 * len(found), LEAST), MOST)
        return parts


def _before(row: int | None, sizes: Sequence[int]) -> int:
    """How many messages of these sizes come before that of `row`; a quarter of them where it is not known."""
    return len(sizes) // 4 if row is None else bisect_right(list(accumulate(sizes)), row)
