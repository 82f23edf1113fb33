"""Other drift detectors, in a virtual environment of their own that is made on first use from a lock file."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.environments import python

LOCK = Path(__file__).with_name("peers.lock")
SCRIPT = Path(__file__).with_name("peer_detectors.py")


def run(peer: str, columns: Mapping[str, npt.NDArray[np.float64]], reference: int = 0) -> dict[str, Any]:
    """Run `river-adwin` or `nannyml` on each column (n,), NaN where there is no value; the first rows are reference.

    A column is called `group/name`; those of a group are of equal length. Returns `cpu_s` for the detector alone,
    `values`, and `alarms`: for each column the rows that raised one.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "columns.npz"
        np.savez(file, allow_pickle=False, **columns)
        done = subprocess.run(
            [python("peers", LOCK), SCRIPT, peer, file, str(reference)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"NML_DISABLE_USAGE_LOGGING": "1"},
        )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
