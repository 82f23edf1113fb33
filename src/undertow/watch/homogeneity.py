"""Is the baseline one thing? Its first half against its second, each stream in its strata."""

import math

from undertow.watch.stream import Stream
from undertow_detectors import effect

LEVEL_SIGMAS = 4.0
"""Two-sided 6e-5 a stream: a hundred streams frozen give a false report about once in 160 times."""


def report(stream: Stream) -> str:
    """What is wrong with the reference of `stream`; empty when its halves agree or are too few to tell."""
    if not stream.sufficient or stream.signal.lane != "content" or stream.signal.kind == "categorical":
        return ""  # the load sways from day to day, and errors come in bursts
    half = len(stream.before) // 2
    sides = (stream.before[:half], stream.before_strata[:half], stream.before[half:], stream.before_strata[half:])
    if stream.signal.kind == "numeric":
        change = effect.ratio(*sides)
        distance = math.log(change.value) / _sigma(*map(math.log, change.ci95)) if change else 0.0
    else:
        change = effect.rate_difference(sides[0] == 1, sides[1], sides[2] == 1, sides[3])
        distance = change.value / _sigma(*change.ci95) if change else 0.0
    if change is None or abs(distance) < LEVEL_SIGMAS:
        return ""
    told = f"{change.value:.2f} times" if stream.signal.kind == "numeric" else f"{100 * change.value:+.1f} points from"
    return (
        f"the baseline of {stream.signal.name} is not homogeneous: its second half is {told} its first "
        f"({abs(distance):.1f} standard errors); accept a later time as the new normal if that was a change"
    )


def _sigma(low: float, high: float) -> float:
    return max((high - low) / (2 * effect.Z95), 1e-12)
