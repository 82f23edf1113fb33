"""The users' own signals: one JSON object a span, taken apart into columns."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Kind = Literal["binary", "numeric", "categorical"]
KINDS: Mapping[Kind, tuple[type, ...]] = {"binary": (bool,), "numeric": (int, float), "categorical": (str,)}
PREFIX = "signals"
MAX_SIGNALS = 256
"""So many names a batch are read, the most frequent ones; a baseline keeps 64."""

_rows = msgspec.json.Decoder(list[dict[str, Any]])


def columns(texts: pa.ChunkedArray) -> dict[str, npt.NDArray[np.float64] | pa.ChunkedArray]:
    """One column for each name and kind of value, called by `key`; a value of another kind is unknown in it."""
    rows = _rows.decode("[" + ",".join(text or "{}" for text in texts.to_pylist()) + "]")
    names = Counter(name for row in rows for name in row)
    made: dict[str, npt.NDArray[np.float64] | pa.ChunkedArray] = {}
    for name, _ in names.most_common(MAX_SIGNALS):
        values = [row.get(name) for row in rows]
        found = set(map(type, values))
        for kind, types in KINDS.items():
            if found.isdisjoint(types):
                continue
            mine = values if found <= {*types, type(None)} else [v if type(v) in types else None for v in values]
            made[key(kind, name)] = _column(kind, mine)
    return made


def key(kind: Kind, name: str) -> str:
    """What the column of a user's signal is called."""
    return f"{PREFIX}/{kind}/{name}"


def parse(column: str) -> tuple[Kind, str] | None:
    """Kind and name of the user's signal behind a column; None for another column."""
    prefix, _, rest = column.partition("/")
    kind, _, name = rest.partition("/")
    return next(((k, name) for k in KINDS if k == kind), None) if prefix == PREFIX else None


def _column(kind: Kind, values: list[Any]) -> npt.NDArray[np.float64] | pa.ChunkedArray:
    if kind == "categorical":
        return pa.chunked_array([pa.array(values, pa.string())])
    return np.array(values, np.float64)
