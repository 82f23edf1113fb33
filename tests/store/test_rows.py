"""What goes in comes out: every span that a decoder may make, and what no table can hold."""

import math
import random
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow import columns
from undertow.batch import Batch, Committed, Decoded, Origin, Part, Reject
from undertow.config import StoreConfig
from undertow.span import FIELDS, Field, Span, Target, build
from undertow.store import Store
from undertow.store.rows import culprits

T0 = 1_767_600_000.0
FAR = 1e12
SPAN = {"span_id": "s", "started_at": T0, "provider": "openai", "model": "gpt-4o"}
Make = Callable[..., Span]
BatchOf = Callable[..., Batch]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.one_of(st.booleans(), st.floats(-1e300, 1e300), text)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "str": text.map(lambda value: "x" + value),
    "int": st.integers(0, 2**53),
    "float": st.floats(0, 1),
    "bool": st.booleans(),
    "map": st.dictionaries(text, text, max_size=4),
    "json": st.dictionaries(text, scalars, max_size=4),
}
SPECIAL = {
    "started_at": st.floats(0, 253402300799),
    "duration_s": st.floats(0, 1e9),
    "http_status": st.integers(0, 999),
    "response_sha256": st.just("0f" * 32),
    "span_id": st.uuids().map(str),
}


def values(field: Field) -> st.SearchStrategy[Any]:
    """Values of one field as decoders may give them."""
    known = st.sampled_from(field.values) if field.values else SPECIAL.get(field.name, KINDS[field.kind])
    return known if field.required else st.none() | known


spans = st.fixed_dictionaries({field.name: values(field) for field in FIELDS}).map(build)


def stored(store: Store) -> dict[str, Span]:
    """The spans of the store by id, as spans again."""
    found = store.released(None, FAR)
    assert found.column_names == [*(field.name for field in FIELDS), "ended_at"]
    rows = found.drop_columns(["ended_at"]).to_pylist()
    for row in rows:
        row["labels"] = None if row["labels"] is None else dict(row["labels"])
        row["signals"] = None if row["signals"] is None else msgspec.json.decode(row["signals"])
    return {row["span_id"]: Span(**row) for row in rows}


@settings(max_examples=25, deadline=None)
@given(st.lists(spans, max_size=6))
def test_every_span_that_can_be_built_comes_back(made: list[Span]) -> None:
    """Any span that passes `build` is stored, NUL and all, and comes back equal."""
    with Store.open(None, clock=None, lateness_s=FAR) as store:
        batch = Batch()
        batch.add(Origin("t", 0, 0), Decoded("native", made))
        assert store.ingest(batch).stored == len(made)
        assert stored(store) == {span.span_id: span for span in made}


def test_ten_thousand_spans_come_back(store: Store, make: Make, batch_of: BatchOf) -> None:
    """A batch of full size comes back equal, span for span."""
    rng = random.Random(7)
    made = [
        make(
            i,
            output_tokens=rng.randrange(4000),
            cost_usd=rng.random() if i % 3 else None,
            labels={"team": f"t{i % 7}"} if i % 2 else None,
            signals={"ok": i % 2 == 0, "score": rng.random(), "kind": "ü\0"} if i % 5 else None,
        )
        for i in range(10_000)
    ]
    assert store.ingest(batch_of(made)).stored == 10_000
    assert stored(store) == {span.span_id: span for span in made}


def run(first: int, count: int, **values: Any) -> Part:
    """Messages of one span each from offset `first` on, decoded together."""
    given = {
        "span_id": [f"r{n}" for n in range(first, first + count)],
        "started_at": [T0 + n for n in range(first, first + count)],
        "provider": ["openai"] * count,
        "model": ["gpt-4o"] * count,
        "operation": ["chat"] * count,
        "status": ["ok"] * count,
    }
    offsets = np.arange(first, first + count)
    table = columns.of_values(given | values, columns.Place("t", 0, "native"), offsets, offsets * 0)
    return Part(Origin("t", 0, first), Decoded("native", columns=table), first + count)


def test_a_run_is_stored_as_its_rows_would_be(store: Store) -> None:
    """Spans that came as columns are stored beside others, with what they do not know unknown, and once."""
    batch = Batch()
    batch.add(*run(0, 3, input_tokens=[1, None, 3]))
    batch.add(Origin("t", 0, 3), Decoded("native", [build({**SPAN, "span_id": "single", "route": "r"})]))
    batch.add(*run(2, 4, labels=[{"a": "b"}, None, {}, None], signals=[{"x": 1.5}] * 4, duration_s=[0.5] * 4))
    assert store.ingest(batch) == Committed(stored=7, duplicates=1)
    found = stored(store)
    assert found.keys() == {"r0", "r1", "r2", "single", "r3", "r4", "r5"}
    assert (found["r0"].input_tokens, found["r2"].input_tokens, found["single"].route) == (1, 3, "r")
    assert (found["r3"].labels, found["r4"].labels, found["r5"].signals) == (None, {}, {"x": 1.5})
    assert store.offsets("t") == {0: 6}


def test_poison_beside_a_run(store: Store) -> None:
    """A batch that the database refuses is taken apart, also where a part of it came as columns."""
    batch = Batch(order=np.array([3, 0, 1, 2]))
    batch.add(*run(0, 3, response_id=["x", None, "z"]))
    batch.add(Origin("t", 0, 3), Decoded("native", [Span(**SPAN | {"score": math.nan})]))
    assert store.ingest(batch) == Committed(stored=3, rejected=1)
    assert [(row["reason"], row["offset"]) for row in store.rejects()] == [("store_refused", 3)]
    assert {span.response_id for span in stored(store).values()} == {"x", None, "z"}


@pytest.mark.parametrize(
    "name",
    [
        "'); DROP TABLE spans; --",
        '"; DELETE FROM spans; --',
        "$1",
        "?",
        "<img onerror=alert(1)>",
        "=cmd()",
        "nul\0nul",
        "%s",
    ],
)
def test_names_are_data(store: Store, make: Make, batch_of: BatchOf, name: str) -> None:
    """A hostile name is stored verbatim and found by its target."""
    store.ingest(batch_of([make(0, model=name, gateway=name, route=name)], topic=name))
    target = Target(name, "openai", name, None)
    assert store.targets()[0]["target"] == target.as_dict()
    assert store.released(None, FAR, target=target)["route"].to_pylist() == [name]
    assert store.offsets(name) == {0: 1}
    assert store.series(target, "output_tokens", T0, T0 + 60, 60)["points"][0]["n"] == 1


POISON: dict[str, dict[str, Any]] = {
    "lone surrogate": {"model": "a\ud800b"},
    "lone surrogate in a label": {"labels": {"k": "\udfff"}},
    "lone surrogate in a signal": {"signals": {"\ud800": 1.0}},
    "integer past 64 bits": {"input_tokens": 2**64},
    "NaN": {"score": math.nan},
    "infinite duration": {"duration_s": math.inf},
    "text for a number": {"output_tokens": "many"},
    "a time that is text": {"started_at": "yesterday"},
}


@pytest.mark.parametrize("poison", POISON)
def test_poison_is_bisected_out(store: Store, make: Make, batch_of: BatchOf, poison: str) -> None:
    """What only the store can see becomes a reject `store_refused`; the rest of the batch is stored."""
    made = [make(i, **(POISON[poison] if i in (3, 77) else {})) for i in range(100)]
    done = store.ingest(batch_of(made))
    assert (done.stored, done.rejected) == (98, 2)
    assert set(stored(store)) == {f"s{i}" for i in range(100)} - {"s3", "s77"}
    rejects = store.rejects("store_refused")
    assert [(row["topic"], row["offset"]) for row in rejects] == [("t", 77), ("t", 3)]
    assert all(len(row["sha256"]) == 64 and row["length"] > 0 for row in rejects)
    assert store.offsets("t") == {0: 100}


def test_a_batch_of_nothing_but_poison(store: Store, make: Make, batch_of: BatchOf) -> None:
    """A batch without one good span still moves the offsets."""
    done = store.ingest(batch_of([make(i, model="\ud800") for i in range(300)]))
    assert (done.stored, done.rejected) == (0, 300)
    assert store.offsets("t") == {0: 300}
    assert store.newest() is None


@given(st.sets(st.integers(0, 99)))
def test_culprits_are_those_and_no_others(bad: set[int]) -> None:
    """Bisection names exactly the members that are not accepted."""
    assert culprits(range(100), lambda part: not bad.intersection(part)) == sorted(bad)


def test_rejects_keep_where_they_came_from(store: Store) -> None:
    """A reject row says reason, place and hash; the bytes are not kept unless the operator wants them."""
    batch = Batch()
    reject = Reject("invalid_json", "at byte 3", 1, "ab" * 32, 17, b"secret")
    batch.add(Origin("t", 2, 40), Decoded("native", rejects=[reject]))
    store.ingest(batch)
    (row,) = store.rejects()
    assert row.pop("received_at") > 0
    assert row == {
        "reason": "invalid_json",
        "detail": "at byte 3",
        "topic": "t",
        "partition": 2,
        "offset": 40,
        "index": 1,
        "format": "native",
        "sha256": "ab" * 32,
        "length": 17,
    }
    assert payloads(store) == [None]
    with Store.open(None, config=StoreConfig(keep_text=True)) as keeping:
        keeping.ingest(batch)
        assert payloads(keeping) == [b"secret"]


def payloads(store: Store) -> list[bytes | None]:
    """The bytes of rejected messages, which no reading method gives out."""
    return [row[0] for row in store._writer.execute("SELECT payload FROM rejects").fetchall()]


def test_text_that_is_no_unicode_stops_nothing(store: Store) -> None:
    """Names of files and keys may hold lone surrogates; they are escaped."""
    decoded = Decoded("native", rejects=[Reject("r\ud800", "d\ud800")])
    decoded.unknown["k\ud800"] += 1
    batch = Batch()
    batch.add(Origin("file:\udcff", 0, 0), decoded)
    store.ingest(batch)
    assert store.offsets("file:\udcff") == {0: 1}
    assert store.ingestion()["unknown_keys"] == [{"name": "k\\ud800", "count": 1}]
