"""Threads that live and die together: when one ends unasked, all are told to stop."""

import logging
import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from undertow.errors import TryAgain, UndertowError

log = logging.getLogger(__name__)

Work = Callable[[threading.Event], None]

RETRY_S = 1.0
"""Wait after the first round that failed; each further one waits twice as long, never longer than rounds are apart."""


@dataclass(frozen=True, slots=True)
class Health:
    """How one part is: `state` is one word, `detail` a sentence, empty when all is well.

    `failures` is how many of its rounds failed in a row.
    """

    ok: bool
    state: str
    detail: str = ""
    failures: int = field(default=0, compare=False)


RUNNING = Health(True, "running")

UPKEEP = ("rolling", "retention", "checkpoint")
"""The parts that only keep the database small and quick: where they fail, everything else goes on."""


class Crew:
    """The threads of one process.

    A thread runs until `stop` is set. One that ends before, or raises, is a failure: it is logged, `stop` is set and
    `on_failure` called, so that the process ends and its supervisor starts it again, instead of limping on.
    """

    def __init__(self, on_failure: Callable[[], None] = lambda: None) -> None:
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._on_failure = on_failure
        self._threads: list[threading.Thread] = []
        self._health: dict[str, Health] = {}

    def start(self, name: str, work: Work) -> None:
        """Run `work` in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def repeat(self, name: str, interval_s: float, work: Callable[[], object]) -> None:
        """Do `work` every `interval_s`; a failure is said, makes the part unhealthy, and is tried again sooner.

        TryAgain asks for a new process, not for a new round: it ends the crew.
        """

        def loop(stop: threading.Event) -> None:
            wait_s = interval_s
            while not stop.wait(wait_s):
                try:
                    work()
                    self._health[name] = RUNNING
                except TryAgain:
                    raise
                except Exception as error:  # noqa: BLE001  the loop outlives its rounds, and says so
                    self._round_failed(name, error)
                wait_s = min(interval_s, retry_s(self.health(name).failures))

        self.start(name, loop)

    def health(self, name: str) -> Health:
        """How the thread `name` is."""
        return self._health.get(name, RUNNING)

    def join(self, timeout_s: float) -> list[str]:
        """Stop all and wait together for at most `timeout_s`; the names of those that did not end."""
        self.stop.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _run(self, name: str, work: Work) -> None:
        try:
            work(self.stop)
        except UndertowError as error:
            log.error("%s: %s", name, error)  # noqa: TRY400  a mistake told in one sentence
            self._failed(name, error)
        except BaseException as error:
            log.exception("%s died", name)
            self._failed(name, error)
        else:
            if not self.stop.is_set():
                log.error("%s ended by itself", name)
                self._failed(name, RuntimeError(f"{name} ended by itself"))

    def _failed(self, name: str, error: BaseException) -> None:
        self._health[name] = Health(False, "dead", _sentence(error))
        self.failure = self.failure or error
        self.stop.set()
        self._on_failure()

    def _round_failed(self, name: str, error: Exception) -> None:
        """Log the first failure of a kind, which its numbers do not change; the others only show in the health."""
        before, detail = self.health(name), _sentence(error)
        if _kind(before.detail) != _kind(detail):
            said = isinstance(error, UndertowError)
            log.error(
                "%s failed and will be tried again%s",
                name,
                f": {detail}" if said else "",
                exc_info=None if said else error,
            )
        self._health[name] = Health(False, "failing", detail, before.failures + 1)


def retry_s(failures: int) -> float:
    """How long to wait after so many rounds that failed in a row; endless after none."""
    return RETRY_S * 2.0 ** min(failures - 1, 30) if failures else math.inf


def _kind(detail: str) -> str:
    return re.sub(r"[\d.]+", "", detail)


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, UndertowError) else f"{type(error).__name__}: {error}"
