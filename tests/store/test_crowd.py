"""Many names in the store: each question about all targets has a bounded answer in which nothing is lost."""

from typing import Any

import pyarrow as pa
import pytest

from undertow.batch import Batch, Decoded, Origin
from undertow.span import Span, Target
from undertow.store import Store
from undertow.store.crowd import NOBODY, OTHER, Others

T0 = 1_767_571_200.0
N = 600
OWN = Target("g", "openai", "m-7", None)


@pytest.fixture(name="crowded", scope="module")
def _crowded() -> Any:
    """Two calls of each of so many models at three providers."""
    with Store.open(None, clock=None) as store:
        batch = Batch()
        for i in range(2 * N):
            provider = ("openai", "anthropic", "cohere")[i % 3]
            span = Span(
                span_id=str(i), started_at=T0 + i, provider=provider, model=f"m-{i // 2}", gateway="g", duration_s=1.0,
                cost_usd=0.5, input_tokens=10, output_tokens=5, ttft_s=0.1,
            )  # fmt: skip
            batch.add(Origin("t", 0, i), Decoded("native", [span]))
        store.ingest(batch)
        yield store


def others(*buckets: tuple[str, str | None]) -> Others:
    """One target by itself, and these pairs of gateway and provider watched together."""
    own = pa.Table.from_pylist([OWN.as_dict() | {"since": T0}], NOBODY.own.schema)
    return Others(own, pa.Table.from_pylist([{"gateway": g, "provider": p} for g, p in buckets], NOBODY.buckets.schema))


KNOWN = [(NOBODY, 50, 51), (others(("g", "openai")), 50, 52), (others(("g", "openai"), (None, None)), 50, 3)]


@pytest.mark.parametrize(("known", "most", "rows"), KNOWN)
def test_every_answer_is_bounded_and_adds_up(crowded: Store, known: Others, most: int, rows: int) -> None:
    """The targets, the fleet and the costs are as many rows as there may be and one a bucket, over all the spans."""
    listed = crowded.targets(known, most)
    fleet = crowded.fleet(T0 + 3600, 7200, known, most)["targets"]
    cost = crowded.cost(T0, T0 + 3600, 3600, known, most)["targets"]
    assert len(listed) <= rows
    assert len(fleet) <= rows
    assert len(cost) <= rows
    assert sum(row["spans"] for row in listed) == sum(row["requests"] for row in fleet) == 2 * N
    assert sum(row["names"] for row in listed) > N
    assert sum(point["cost_usd"] for one in cost for point in one["points"]) == pytest.approx(N)
    assert {str(row["target"]) for row in fleet} == {str(one["target"]) for one in cost}
    assert all(row["p50_s"] == pytest.approx(1.0, rel=0.02) for row in fleet)


def test_a_target_of_its_own_is_told_apart(crowded: Store) -> None:
    """Beside the names that are watched together, with its own numbers."""
    known = others(("g", "openai"), (None, None))
    for rows in (crowded.targets(known, 50), crowded.fleet(T0 + 3600, 7200, known, 50)["targets"]):
        assert OWN.as_dict() in [row["target"] for row in rows]
        assert {row["target"]["provider"] for row in rows} == {"openai", OTHER}


def test_an_answer_without_a_bound_would_be_noticed(crowded: Store) -> None:
    """Negative control: with room for all, each name is a row."""
    assert len(crowded.targets(NOBODY, 10**6)) == len(crowded.fleet(T0 + 3600, 7200, NOBODY, 10**6)["targets"]) > N


def test_the_spans_of_names_that_are_watched_together_are_found(crowded: Store) -> None:
    """Of a bucket those of its gateway and provider that are no target's own, and of the last bucket all others."""
    known = others(("g", "openai"), (None, None))
    whole = {str(i) for i in range(2 * N)}
    parts = [
        set(crowded.released(None, T0 + 9e9, target=one, others=known)["span_id"].to_pylist())
        for one in (Target("g", "openai", OTHER, None), Target(None, OTHER, OTHER, None))
    ]
    own = set(crowded.released(None, T0 + 9e9, target=OWN)["span_id"].to_pylist())
    assert own == set(crowded.released(None, T0 + 9e9, others=known)["span_id"].to_pylist())
    assert own | parts[0] | parts[1] == whole
    assert sum(map(len, (own, *parts))) == len(whole)
