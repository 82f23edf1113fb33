"""Spans and batches for the tests of the store."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from undertow.batch import Batch, Decoded, Origin
from undertow.span import Span
from undertow.store import Store

T0 = 1_767_600_000.0


@pytest.fixture(name="make")
def _make() -> Callable[..., Span]:
    """A span number `i`, one second after the one before; keyword arguments override fields."""

    def make(i: int = 0, **fields: Any) -> Span:
        values = {"span_id": f"s{i}", "started_at": T0 + i, "provider": "openai", "model": "gpt-4o", "duration_s": 1.0}
        return Span(**(values | {"output_tokens": 100} | fields))

    return make


@pytest.fixture(name="batch_of")
def _batch_of() -> Callable[..., Batch]:
    """A batch of one message for each span, at offsets from `first`."""

    def batch_of(spans: Sequence[Span], first: int = 0, topic: str = "t", partition: int = 0) -> Batch:
        batch = Batch()
        for offset, span in enumerate(spans, first):
            batch.add(Origin(topic, partition, offset), Decoded("native", [span]))
        return batch

    return batch_of


@pytest.fixture(name="store")
def _store() -> Iterator[Store]:
    """A store in memory that believes any time."""
    with Store.open(None, clock=None) as store:
        yield store
