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
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, place], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--python", interpreter, "--require-hashes", lock], check=True)
        stamp.write_bytes(lock.read_bytes())
    return interpreter
