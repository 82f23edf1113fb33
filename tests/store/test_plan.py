"""Every instant that has spans is read once, off a sketch where one fits."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.store.plan import BUCKET_S, HOUR_S, Rolled, aligned, cover

PLACES = st.integers(0, 47).map(lambda place: place * BUCKET_S)


@given(
    st.dictionaries(PLACES, st.booleans()),
    st.sets(st.integers(0, 7)),
    st.floats(0, 20_000),
    st.floats(1, 20_000),
    st.sampled_from([450.0, 600.0, 1200.0, 3600.0, 5400.0, 1e6]),
)
def test_every_instant_is_read_once(
    buckets: dict[int, bool], whole: set[int], start: float, length: float, step_s: float
) -> None:
    """Sketches and stretches of raw rows neither overlap nor leave out ten minutes that have spans."""
    hours = {
        h * HOUR_S for h in whole if all(buckets.get(b, True) for b in range(h * HOUR_S, (h + 1) * HOUR_S, BUCKET_S))
    }
    end = start + length
    found = cover(Rolled(buckets, hours, float("-inf")), start, end, step_s)
    parts = sorted(
        [(float(hour), float(hour + HOUR_S)) for hour in found.hours]
        + [(float(bucket), float(bucket + BUCKET_S)) for bucket in found.buckets]
        + found.raw
    )
    assert all(one[1] <= other[0] for one, other in pairwise(parts))
    assert all(start <= a < b <= end for a, b in parts)
    for bucket in buckets:
        for instant in (bucket, bucket + 1, bucket + 599.99):
            assert sum(a <= instant < b for a, b in parts) == (start <= instant < end) or bucket in found.buckets
    for place, size in [(h, HOUR_S) for h in found.hours] + [(b, BUCKET_S) for b in found.buckets]:
        assert (place - start) // step_s == (place + size - 0.001 - start) // step_s


def test_raw_rows_that_lie_together_are_one_stretch() -> None:
    """What has no spans between them does not part them; what is rolled does."""
    buckets = {0: False, 1800: False, 2400: True, 3000: False}
    found = cover(Rolled(buckets, set(), float("-inf")), 100.0, 3500.0, 3400.0)
    assert (found.raw, found.buckets) == ([(100.0, 2400.0), (3000.0, 3500.0)], [2400])


def test_ten_minutes_whose_rows_are_gone_are_taken_whole_where_they_begin() -> None:
    """There is nothing to cut."""
    found = cover(Rolled({0: True, 600: True, 1200: True}, set(), 1200.0), 300.0, 1500.0, 450.0)
    assert (found.buckets, found.raw) == ([600], [(1200.0, 1500.0)])


@pytest.mark.parametrize(
    ("start", "step_s", "begin"),
    [
        (90_123.4, 86_400, 86_400),
        (90_123.4, 7200, 90_000),
        (90_123.4, 1800, 90_000),
        (1800, 3600, 1800),
        (7.5, 450, 7.5),
    ],
)
def test_steps_of_whole_ten_minutes_lie_on_them(start: float, step_s: float, begin: float) -> None:
    """They begin at the day, the hour or the ten minutes before; a start on ten minutes, and other steps, stay."""
    assert aligned(start, step_s) == begin
