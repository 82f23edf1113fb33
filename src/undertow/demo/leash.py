"""`python -m undertow.demo.leash COMMAND...`: runs a command while somebody holds this process's standard input.

When the holder ends, however it ends, the system closes the pipe, and the command is ended with it. This needs no
help from the command and works on every POSIX system.
"""

import os
import signal
import subprocess
import sys
import threading

PATIENCE_S = 8.0
"""What a command gets to end by itself before it is killed."""


def main(command: list[str]) -> int:
    """Run `command`; its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _heedless)  # only the holder decides; unlike SIG_IGN this is not inherited
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  the holder's command
    threading.Thread(target=_end_with_holder, args=(child,), daemon=True).start()
    return child.wait()


def _heedless(*_: object) -> None:
    pass


def _end_with_holder(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 4096):  # sys.stdin would be locked when the interpreter ends
        pass
    child.terminate()
    try:
        child.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
