"""Processes that cannot outlive this one, and the ports they listen on."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from undertow.demo.leash import PATIENCE_S


class Child:
    """`python -m MODULE ARGUMENTS...` from construction until `close`; a context manager.

    It runs in a session of its own, so that a Ctrl-C in the terminal reaches this process alone, and on a leash, so
    that it ends when this process does. It does not see UNDERTOW_ variables, which would override what it is told. What
    it prints goes to `log`.
    """

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603  our own modules
                [sys.executable, "-m", "undertow.demo.leash", sys.executable, "-m", *arguments],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if not name.startswith("UNDERTOW_")},
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def last_words(self, lines: int = 3) -> str:
        """The end of what it printed."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return " / ".join(text.strip().splitlines()[-lines:]) or "it printed nothing"

    def close(self) -> None:
        """End it, and return when it has ended."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_S + 4)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def free_port(wanted: int) -> int:
    """`wanted` if nothing listens there on 127.0.0.1, else a port that is free."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found: int = probe.getsockname()[1]
                return found
    raise OSError("no port is free on 127.0.0.1")
