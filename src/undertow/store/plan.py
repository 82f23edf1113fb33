"""Which parts of a stretch of time are read off sketches and which off raw rows. Arithmetic only."""

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

BUCKET_S = 600
HOUR_S = 3600
MAX_STEPS = 10_000

_UNITS = (86_400.0, 3600.0, 600.0)
_JUST = 1e-6


class Cover(NamedTuple):
    """How [start, end) is read, in steps of `step_s` from `start`; every instant that has spans is in one part.

    `hours` and `buckets` are the starts of sketches of that length, `raw` are stretches of raw rows.
    """

    start: float
    end: float
    step_s: float
    hours: list[int]
    buckets: list[int]
    raw: list[tuple[float, float]]


class Rolled(NamedTuple):
    """What there is: each ten minutes that ever had a span and whether they are rolled, and the rolled hours.

    Of the time before `gone`, in Unix seconds, raw rows may have been deleted.
    """

    buckets: Mapping[int, bool]
    hours: Set[int]
    gone: float


def aligned(start: float, step_s: float) -> float:
    """The start of a grid of steps: `start`, or where steps of whole ten minutes would not lie on them, the day, the
    hour or the ten minutes before it."""
    if step_s % BUCKET_S or start % BUCKET_S == 0:
        return start
    unit = next(unit for unit in _UNITS if step_s % unit == 0)
    return start // unit * unit


def cover(found: Rolled, start: float, end: float, step_s: float) -> Cover:
    """Read [start, end) in steps of `step_s`.

    Only sketches that lie within one step are used. Where raw rows are gone, ten minutes count as whole where they
    begin.
    """

    def within(place: int, length: int) -> bool:
        last = place + length - _JUST
        return place >= start and place + length <= end and (place - start) // step_s == (last - start) // step_s

    hours = {hour for hour in found.hours if within(hour, HOUR_S)}
    buckets: list[int] = []
    raw: list[tuple[float, float]] = []
    broken = True
    for bucket in _inside(found.buckets, start, end):
        done = bucket // HOUR_S * HOUR_S in hours
        rolled = found.buckets[bucket]
        if done or (rolled and (bucket < found.gone or within(bucket, BUCKET_S))):
            if not done and bucket >= start:
                buckets.append(bucket)
            broken = True
            continue
        stretch = max(start, float(bucket)), min(end, float(bucket + BUCKET_S))
        if broken or any(raw[-1][1] <= hour < bucket for hour in hours):
            raw.append(stretch)
        else:
            raw[-1] = raw[-1][0], stretch[1]
        broken = False
    return Cover(start, end, step_s, sorted(hours), buckets, raw)


def _inside(buckets: Iterable[int], start: float, end: float) -> list[int]:
    return sorted(bucket for bucket in buckets if bucket + BUCKET_S > start and bucket < end)
