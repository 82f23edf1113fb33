"""Virtual environments beside `.venv`, for what cannot share its packages; made on first use, each from a lock file."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python(name: str, lock: Path) -> Path:
    """The interpreter of the environment `.venv-<name>`, which is made anew whenever its lock file has changed.

    Raises subprocess.CalledProcessError where it cannot be made: no package index, no wheel for this machine.
    """
    place = ROOT / f".venv-{name}"
    interpreter, stamp = place / "bin" / "python", place / "lock.copy"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        print(f"setting up {place.name} from {lock.name} (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", lock], check=True)  # as `make venv` does
        stamp.write_bytes(lock.read_bytes())
    return interpreter
