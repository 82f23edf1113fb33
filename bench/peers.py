"""Other drift detectors, in a virtual environment of their own that is made on first use from a lock file."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[1]
LOCK = Path(__file__).with_name("peers.lock")
SCRIPT = Path(__file__).with_name("peer_detectors.py")
VENV = ROOT / ".venv-peers"


def run(peer: str, columns: Mapping[str, npt.NDArray[np.float64]], reference: int = 0) -> dict[str, Any]:
    """Run `river-adwin` or `nannyml` on each column (n,), NaN where there is no value; the first rows are reference.

    A column is called `group/name`; those of a group are of equal length. Returns `cpu_s` for the detector alone,
    `values`, and `alarms`: for each column the rows that raised one.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "columns.npz"
        np.savez(file, **columns)
        done = subprocess.run(
            [_python(), SCRIPT, peer, file, str(reference)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"NML_DISABLE_USAGE_LOGGING": "1"},
        )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _python() -> Path:
    """The interpreter of the environment, which is made anew whenever the lock file has changed."""
    python, stamp = VENV / "bin" / "python", VENV / "lock.copy"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        print(f"bench: setting up {VENV.name} from {LOCK.name} (once)", file=sys.stderr)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", LOCK], check=True)
        stamp.write_bytes(LOCK.read_bytes())
    return python
