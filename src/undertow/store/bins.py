"""Numbers counted in bins of equal ratio: any values of one bin differ by at most one percent.

Counts of bins add up, so the distribution over any time and any routes is a sum (DDSketch: Masson, Rim, Lee, VLDB
2019). Bin 0 is zero, bins of negative values are negative, and bins are in the order of their values.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

WIDTH = 0.01
LEAST = 1e-9
"""What is smaller counts as zero: a nanosecond, a thousandth of a millionth of a dollar."""

POINTS = 100
_DENSE = 8_000_000
_LAST = 32_767
_STEP = math.log1p(WIDTH)
_ROUNDED = 1 + 1e-12
"""A whole number may stand on the edge of its bin."""


class Bins(NamedTuple):
    """Bins that hold anything, ascending, and how many values each holds; both of shape (k,)."""

    bins: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())


NONE = Bins(np.empty(0, np.int64), np.empty(0, np.int64))


def expression(value: str) -> str:
    """SQL for the bin of the DOUBLE expression `value`; NULL where that is NULL."""
    number = f"ceil(ln(abs({value}) / {LEAST!r}) / {_STEP!r})"
    return (
        f"CASE WHEN abs({value}) <= {LEAST!r} THEN 0::SMALLINT "
        f"ELSE TRY_CAST(sign({value}) * least({number}, {_LAST}) AS SMALLINT) END"
    )


def edges(bins: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lower and the upper end of each bin."""
    size = np.abs(bins).astype(np.float64)
    outer = np.where(bins == 0, 0.0, LEAST * np.exp(size * _STEP))
    inner = np.where(bins == 0, 0.0, LEAST * np.exp((size - 1) * _STEP))
    return np.where(bins < 0, -outer, inner), np.where(bins < 0, -inner, outer)


def quantiles(found: Bins, levels: Sequence[float], *, whole: bool = False) -> list[float] | None:
    """Quantiles between order statistics, as numpy's, each statistic within one percent; None where there is none.

    Within a bin values are taken as evenly spread; `whole` says that they are whole numbers.
    """
    n = found.n
    if n == 0:
        return None
    at = np.asarray(levels) * (n - 1)
    below, above = np.floor(at).astype(np.int64), np.ceil(at).astype(np.int64)
    low, high = (_statistics(found, ranks, whole=whole) for ranks in (below, above))
    between: list[float] = (low + (high - low) * (at - below)).tolist()
    return between


def _statistics(found: Bins, ranks: NDArray[np.int64], *, whole: bool) -> NDArray[np.float64]:
    """The values of these ranks, counted from 0."""
    ends = np.cumsum(found.counts)
    place = np.searchsorted(ends, ranks, side="right")
    count = found.counts[place]
    share = (ranks - (ends[place] - count) + 0.5) / count
    low, high = edges(found.bins[place])
    if not whole:
        return low + (high - low) * share
    first, last = np.floor(low * _ROUNDED) + 1, np.floor(high * _ROUNDED)
    values: NDArray[np.float64] = np.minimum(first + np.floor(share * np.maximum(last - first + 1, 1)), last)
    return values


def ecdf(found: Bins, *, whole: bool = False) -> list[list[float]]:
    """At most POINTS pairs of a value and the share of values up to it, ascending in both; the last share is 1."""
    if not found.n:
        return []
    shares = np.cumsum(found.counts) / found.n
    places = np.arange(len(shares))
    if len(places) > POINTS:
        places = np.unique(np.searchsorted(shares, np.linspace(shares[0], 1.0, POINTS)).clip(max=len(shares) - 1))
    values = edges(found.bins[places])[1]
    shown = np.floor(values * _ROUNDED) if whole else values
    return [[value, share] for value, share in zip(shown.tolist(), shares[places].tolist(), strict=True)]


def merged(groups: NDArray[np.int64], maps: pa.MapArray) -> Iterator[tuple[int, Bins]]:
    """The sum of `maps` (bin to count; NULL is nothing) over each of the `groups` of their rows, ascending."""
    offsets = maps.offsets.to_numpy()
    held = slice(offsets[0], offsets[-1])
    bins, counts = maps.keys.to_numpy()[held], maps.items.to_numpy()[held]
    if not len(bins):
        return
    least, first = int(bins.min()), int(groups.min())
    width = int(bins.max()) - least + 1
    keys = np.repeat((groups - first) * width - least, np.diff(offsets))
    keys += bins  # in place: a fleet has millions
    for group, places, found in _cells(keys, counts, width):
        yield group + first, Bins(places + least, found)


def _cells(
    keys: NDArray[np.int64], counts: NDArray[np.uint64], width: int
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Sums by key, cut into groups of `width` keys."""
    if keys.max() < _DENSE:
        sums = np.bincount(keys, counts)
        held = np.flatnonzero(sums)
        sums = sums[held].astype(np.int64)
    else:
        held, places = np.unique(keys, return_inverse=True)
        sums = np.bincount(places, counts).astype(np.int64)
    owners = held // width
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(held)], strict=True):
        yield int(owners[start]), held[start:end] % width, sums[start:end]
