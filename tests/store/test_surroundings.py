"""Where the spans around a moment are."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from undertow.span import Span, Target
from undertow.store import Store

T0 = 1_767_600_000.0
TARGET = Target(None, "openai", "gpt-4o", None)


@pytest.mark.parametrize("most", [1, 30, 200, 10_000])
@pytest.mark.parametrize("seed", range(4))
def test_it_reaches_as_far_as_there_are_too_few_spans(
    store: Store, make: Callable[..., Span], batch_of: Any, seed: int, most: int
) -> None:
    """The same as all times in order say, for spans that come by the minute, the day and the month."""
    rng = random.Random(seed)
    away = sorted(rng.choice([-1, 1]) * 10 ** rng.uniform(0, 6.4) for _ in range(400))  # in order, so that none is late
    others = [make(1000 + i, model="another", started_at=T0 + 3e6) for i in range(9)]
    store.ingest(batch_of([make(i, started_at=T0 + s, duration_s=0.0) for i, s in enumerate(away)] + others))
    before, after = T0 - 100.0, T0 + 100.0
    lows, highs = sorted(t for s in away if (t := T0 + s) <= before), sorted(t for s in away if (t := T0 + s) > after)
    low, high = store.around(TARGET, before, after, most)
    assert low == pytest.approx(lows[-most:][0], abs=1e-5)
    assert high == highs[:most][-1]


def test_where_there_are_none_it_goes_nowhere(store: Store) -> None:
    """Both ends stay where they are."""
    assert store.around(TARGET, T0, T0 + 1.0, 10) == (T0, T0 + 1.0)
