"""Declared values (a served model, a fingerprint): which one is new, and when one has taken over.

A value has taken over when most calls carry it. Against "at most half do", each call that carries it multiplies the
evidence by 0.9/0.5 and each that carries another by 0.1/0.5; the CUSUM of the logarithms (Page, Biometrika 41, 1954)
has to reach log(10⁶), which takes 24 calls in a row and happens for any lasting share above 73 %. As long as the true
share is at most half, the expected number of calls until a value is wrongly said to have taken over is at least 10⁶
(Lorden, Annals of Mathematical Statistics 42, 1971).
"""

import struct
from dataclasses import dataclass, replace

import numpy as np

from undertow_detectors.arrays import BoolArray, FloatArray, IntArray

UNKNOWN = -1
LOG_THRESHOLD = float(np.log(1e6))
APPEARED, TOOK_OVER = "appeared", "took_over"

_VERSION = 1
_HEADER = struct.Struct("<BiI")
_CARRIES, _LACKS = float(np.log(0.9 / 0.5)), float(np.log(0.1 / 0.5))


@dataclass(frozen=True, slots=True)
class Change:
    """Value `new` appeared for the first time at row `index` of the batch, or took over from `old` there.

    `at` is the event time of that row, `since` that of the first call counted for it (Unix s).
    """

    kind: str
    index: int
    at: float
    since: float
    old: int
    new: int


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """`current` is the code most calls carry (-1: none); the arrays (n_codes,) say which were seen, and their evidence.

    `since` is the event time at which the evidence last left zero, NaN while it is at zero.
    """

    current: int
    seen: BoolArray
    cusum: FloatArray
    since: FloatArray

    @classmethod
    def start(cls, shares: FloatArray) -> "State":
        """Begin with the share of each code in the baseline, (n_codes,)."""
        current = int(np.argmax(shares)) if shares.any() else UNKNOWN
        return cls(current, shares > 0, np.zeros(len(shares)), np.full(len(shares), np.nan))

    def to_bytes(self) -> bytes:
        """A versioned record of 9 + 17 bytes a code."""
        arrays = np.concatenate([self.cusum, self.since]).astype("<f8").tobytes()
        return _HEADER.pack(_VERSION, self.current, len(self.seen)) + self.seen.astype("u1").tobytes() + arrays

    @classmethod
    def from_bytes(cls, blob: bytes) -> "State":
        """Read what `to_bytes` wrote; ValueError when it is something else."""
        if len(blob) < _HEADER.size or blob[0] != _VERSION:
            raise ValueError(f"an identity state starts with version {_VERSION}; these {len(blob)} bytes do not")
        _, current, n = _HEADER.unpack_from(blob)
        if len(blob) != _HEADER.size + 17 * n:
            raise ValueError(f"an identity state of {n} codes has {_HEADER.size + 17 * n} bytes, not {len(blob)}")
        seen = np.frombuffer(blob, "u1", count=n, offset=_HEADER.size).astype(np.bool_)
        arrays = np.frombuffer(blob, "<f8", offset=_HEADER.size + n).astype(np.float64).reshape(2, n)
        return cls(current, seen, arrays[0], arrays[1])


def advance(state: State, codes: IntArray, times: FloatArray) -> tuple[State, list[Change]]:
    """Take declared values as codes from 0 (-1: unknown, skipped) at `times`, both (n,), in order; say what changed.

    >>> _, changes = advance(State.start(np.array([1.0])), np.repeat([0, 1], 30), np.arange(60.0))
    >>> [(change.kind, change.index, change.since) for change in changes]
    [('appeared', 30, 30.0), ('took_over', 53, 30.0)]
    """
    rows = np.flatnonzero(codes != UNKNOWN)
    codes, times = codes[rows], times[rows]
    state = _grow(state, 1 + int(codes.max(initial=UNKNOWN)))
    changes: list[Change] = []
    begin = 0
    while begin < len(codes):
        after, takeover = _to_next_takeover(state, codes[begin:], times[begin:])
        end = len(codes) if takeover is None else begin + takeover.index + 1
        found = _appearances(state, codes[begin:end], times[begin:end]) + ([takeover] if takeover else [])
        changes += [replace(change, index=int(rows[begin + change.index])) for change in found]
        state.seen[codes[begin:end]] = True
        state, begin = after, end
    return state, changes


def _grow(state: State, n: int) -> State:
    """A copy with room for `n` codes, to which `advance` may write."""
    more = max(0, n - len(state.seen))
    return State(
        state.current,
        np.append(state.seen, np.zeros(more, np.bool_)),
        np.append(state.cusum, np.zeros(more)),
        np.append(state.since, np.full(more, np.nan)),
    )


def _appearances(state: State, codes: IntArray, times: FloatArray) -> list[Change]:
    values, firsts = np.unique(codes, return_index=True)
    new = ~state.seen[values]
    return [
        Change(APPEARED, first, float(times[first]), float(times[first]), state.current, value)
        for first, value in sorted(zip(firsts[new].tolist(), values[new].tolist(), strict=True))
    ]


def _to_next_takeover(state: State, codes: IntArray, times: FloatArray) -> tuple[State, Change | None]:
    """Go to the end, or to the first row where a value takes over, after which all evidence is zero again."""
    cusum, since = np.zeros_like(state.cusum), np.full_like(state.since, np.nan)
    first: Change | None = None
    for code in np.flatnonzero(_present(codes, len(cusum)) | (state.cusum > 0)).tolist():
        if code == state.current:
            continue
        path = _page(float(state.cusum[code]), np.where(codes == code, _CARRIES, _LACKS))
        reached = np.flatnonzero(path >= LOG_THRESHOLD)
        end = int(reached[0]) if len(reached) else len(path) - 1
        started = _left_zero(path[: end + 1], times, float(state.since[code]))
        if len(reached) and (first is None or end < first.index):
            first = Change(TOOK_OVER, end, float(times[end]), started, state.current, code)
        cusum[code], since[code] = path[-1], started
    if first is None:
        return replace(state, cusum=cusum, since=since), None
    nothing = np.zeros_like(cusum)
    return replace(state, current=first.new, cusum=nothing, since=np.full_like(nothing, np.nan)), first


def _present(codes: IntArray, n: int) -> BoolArray:
    return np.bincount(codes, minlength=n) > 0


def _page(cusum: float, steps: FloatArray) -> FloatArray:
    """The CUSUM max(0, C + step) after every step."""
    walk = cusum + np.cumsum(steps)
    path: FloatArray = walk - np.minimum(np.minimum.accumulate(walk), 0.0)
    return path


def _left_zero(path: FloatArray, times: FloatArray, since: float) -> float:
    zeros = np.flatnonzero(path == 0)
    if len(zeros):
        return float(times[zeros[-1] + 1]) if zeros[-1] + 1 < len(path) else float("nan")
    return float(times[0]) if np.isnan(since) else since
