"""Virtual environments beside `.venv`, for what cannot share its packages; made on first use, each from a lock file."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python(name: str, lock: Path) -> Path:
    """The interpreter of the environment `.venv-<name>`, which is made anew whenever its lock file has changed.

    Raises subprocess.CalledProcessError where it cannot be made: no package index, no wheel for this machine.
    """
    place = ROOT / f".venv-{name}"
    interpreter, stamp = place / "bin" / "python", place / "lock.copy"
    with alone(place):
        if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
            print(f"setting up {place.name} from {lock.name} (once)", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
            pip: list[str | Path] = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", lock], check=True)  # as `make venv` does
            stamp.write_bytes(lock.read_bytes())
    return interpreter


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """One process at a time makes `place`; others wait and find it made."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
