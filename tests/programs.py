"""Programs of others that tests run as processes of their own."""

import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "undertow"
"""Where what takes long to build or to fetch is kept, for later runs too."""

START_S, STOP_S = 120.0, 10.0
"""A loaded machine starts a JVM slowly; what ends by itself is noticed at once."""


class MissingError(Exception):
    """A program cannot be had, or run, here; the message says why."""


class Program:
    """`title` as a process, started and stopped as often as one likes; what it writes goes to `log`."""

    def __init__(
        self, title: str, command: Sequence[str], log: Path, ready: Callable[[], bool], **environ: str
    ) -> None:
        self._title, self._command, self._ready = title, command, ready
        self._environ: Mapping[str, str] = os.environ | environ
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it is ready; MissingError with the end of its log when it does not come to that."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, env=self._environ, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop(signal.SIGKILL)
                raise MissingError(f"{self._title} did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, by: signal.Signals = signal.SIGTERM, grace_s: float = STOP_S) -> int | None:
        """End it, by force after `grace_s`; its exit code, None where it did not run."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(by)
        try:
            return process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def free_ports(count: int) -> list[int]:
    """That many ports of the loopback address that nothing listens on, and that no other test is given meanwhile.

    They are below those that Linux gives to whoever asks for any port, and each process of a test run has its own.
    """
    return list(itertools.islice(filter(_free, _PORTS), count))


def _free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _of_this_process() -> Iterator[int]:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 20_000 + (os.getppid() + number) % 24 * 500
    return itertools.cycle(range(first, first + 500))


_PORTS = _of_this_process()
