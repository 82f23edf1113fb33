"""How many messages a fast way tries at once, where one odd message means that all have to be tried again."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from undertow.batch import Part

T = TypeVar("T")

MOST = 1_000


class OddError(Exception):
    """Something that is left to the slow way."""


class Reach:
    """Twice as many after a success, a quarter after a failure, so that odd messages among others cost little."""

    def __init__(self) -> None:
        self.size = 1

    def attempt(self, found: Sequence[T], read: Callable[[Sequence[T]], list[Part]]) -> list[Part]:
        """What `read` makes of the first of `found`, as many as it can; empty where it raises OddError for one."""
        while found:
            try:
                parts = read(found)
            except OddError:
                self.size = max(1, len(found) // 4)
                found = found[: self.size] if len(found) > 1 else ()
            else:
                self.size = min(2 * max(self.size, len(found)), MOST)
                return parts
        return []
