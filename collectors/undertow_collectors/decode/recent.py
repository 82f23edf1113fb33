"""Answers that are kept for as long as they are asked for, however many others are asked for in between."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Recent(Generic[Key, Answer]):
    """The last `size` answers by key, those that were used longest ago forgotten first; safe from any thread.

    Each of the first `free` keys is answered at once. Beyond, `find` is called for a key that comes a second time among
    the last `size` new ones, and until then the answer is `unknown`: keys that never come again, such as request ids,
    cost nothing.
    """

    def __init__(self, find: Callable[[Key], Answer], unknown: Answer, size: int, free: int) -> None:
        self._find, self._unknown, self._size, self._free = find, unknown, size, free
        self._answers: dict[Key, Answer] = {}
        self._once: dict[Key, None] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Key) -> bool:
        return key in self._answers

    def __len__(self) -> int:
        return len(self._answers)

    def __call__(self, key: Key) -> Answer:
        """The answer for `key`."""
        with self._lock:
            if key in self._answers:
                self._answers[key] = self._answers.pop(key)
                return self._answers[key]
            if len(self._answers) >= self._free and key not in self._once:
                _add(self._once, key, None, self._size)
                return self._unknown
        found = self._find(key)  # outside of the lock: two threads may both look, and find the same
        with self._lock:
            self._once.pop(key, None)
            _add(self._answers, key, found, self._size)
        return found


def _add(kept: dict[Key, Answer], key: Key, value: Answer, size: int) -> None:
    kept[key] = value
    if len(kept) > size:
        del kept[next(iter(kept))]
