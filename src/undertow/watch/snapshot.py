"""Detector state as bytes: a version, some JSON and some arrays."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

VERSION = 1


def dump(values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """`values` must be JSON; `arrays` may be of any shape and number type. Without any it is the JSON alone."""
    header = json.dumps({"version": VERSION, **values}, separators=(",", ":")).encode()
    if not arrays:
        return header
    out = io.BytesIO()
    columns: dict[str, Any] = {"header": np.frombuffer(header, np.uint8), **arrays}
    np.savez(out, **columns)
    return out.getvalue()


def load(blob: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """What `dump` was given.

    Raises ValueError for a version that this program does not know.
    """
    if blob.startswith(b"{"):
        arrays, values = {}, json.loads(blob)
    else:
        with np.load(io.BytesIO(blob), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name != "header"}
            values = json.loads(file["header"].tobytes())
    if values.pop("version") != VERSION:
        raise ValueError("detector state of another version; it is collected anew")
    return values, arrays
