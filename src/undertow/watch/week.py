"""Weekdays and weekends (UTC): at a weekend others ask, fewer and otherwise, so a reference may need one for each."""

import numpy as np

from undertow.watch.frame import FloatArray, IntArray

DAY_S, HOUR_S = 86_400.0, 3600.0
WEEKDAY, WEEKEND = 0, 1
ENOUGH_HOURS = 20
"""A kind of day is known when values of so many different hours of it are."""

WHOLE_S = 6.5 * DAY_S


def kind(at: FloatArray) -> IntArray:
    """(n,) WEEKDAY or WEEKEND of Unix times `at`; 1970 began on a Thursday."""
    return np.where((at // DAY_S + 3) % 7 >= 5, WEEKEND, WEEKDAY).astype(np.int64)


def known(at: FloatArray, least: int) -> tuple[int, ...]:
    """The kinds of day of which values at times `at` (n,) show the whole day, with at least so many of them."""
    kinds = kind(at)
    seen = ((k, at[kinds == k]) for k in (WEEKDAY, WEEKEND))
    return tuple(k for k, x in seen if len(x) >= least and len(np.unique(x % DAY_S // HOUR_S)) >= ENOUGH_HOURS)


def whole(at: FloatArray) -> bool:
    """Whether times `at` (n,) in order go through a week, so that their mixture of days is that of any week."""
    return len(at) > 0 and float(at[-1] - at[0]) >= WHOLE_S


def unlike(at: FloatArray, least: int) -> tuple[int, ...]:
    """The kinds of day that a reference at times `at` (n,) in order may be unlike, for it knows the other one.

    One that knows both from less than a week is a mixture, like neither; one that knows neither doubts neither.
    """
    found = known(at, least)
    if len(found) == 2:
        return () if whole(at) else found
    return tuple(k for k in (WEEKDAY, WEEKEND) if found and k not in found)
