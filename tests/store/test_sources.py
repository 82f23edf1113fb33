"""Offsets by the topic that was read, and what becomes of those of an older database."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from undertow.batch import HTTP, Batch, Mark, Position
from undertow.store import Store, schema
from undertow.store.schema import MIGRATIONS

BEFORE = next(number for number, step in enumerate(MIGRATIONS) if "source_identities" in step)
"""The version of a database whose offsets had no identity."""

Rows = list[tuple[str, int, int]]


def old(path: Path, offsets: Rows, spans: list[tuple[str, int, int, str]], *, kafka: bool = True) -> None:
    """An older database with offsets (topic, partition, next) and spans (topic, partition, offset, span_id)."""
    with duckdb.connect(str(path)) as con:
        schema.migrate(con, path.name, MIGRATIONS[:BEFORE])
        for row in offsets:
            con.execute("INSERT INTO source_offsets VALUES (?, ?, ?)", row)
        for topic, partition, offset, span_id in spans:
            values = (topic, partition, offset, span_id, 0.0, 0.0)
            con.execute(
                'INSERT INTO spans (topic, "partition", "offset", span_id, started_at, ended_at)'
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
        if kafka:
            con.execute("INSERT INTO meta VALUES ('group_instance_id', 'undertow-1')")


def span_mark(offset: int, span_id: str) -> Mark:
    """A message that is known by a span it held."""
    return Mark(offset, None, f"span_id:{span_id}")


@pytest.mark.parametrize(
    ("case", "offsets", "spans", "kafka", "http", "topic"),
    [
        ("HTTP alone", [("http", 0, 7)], [("http", 0, 6, "a")], False, {0: 7}, {}),
        ("HTTP beside topics", [("http", 0, 7), ("t", 0, 5)], [("http", 0, 6, "a")], True, {0: 7}, {}),
        (
            "a topic of several partitions",
            [("http", 0, 7), ("http", 1, 9)],
            [("http", 0, 6, "a"), ("http", 1, 8, "b")],
            True,
            {0: 7},
            {"": {0: Position(7, span_mark(6, "a")), 1: Position(9, span_mark(8, "b"))}},
        ),
        (
            "the only topic that was read",
            [("http", 0, 7)],
            [("http", 0, 5, "a")],
            True,
            {0: 7},
            {"": {0: Position(7, span_mark(5, "a"))}},
        ),
        ("a topic of which nothing is known any more", [("http", 0, 7)], [], True, {0: 7}, {}),
        ("no HTTP, no topic `http`", [("t", 0, 5)], [], True, {}, {}),
    ],
)
def test_http_gets_offsets_of_its_own(
    case: str, offsets: Rows, spans: Any, kafka: bool, http: Any, topic: Any, tmp_path: Path
) -> None:
    """HTTP goes on where it was; a topic called `http` keeps an offset only with a span that tells whose it was."""
    path = tmp_path / "u.duckdb"
    old(path, offsets, spans, kafka=kafka)
    with Store.open(path) as store:
        assert store.offsets(HTTP) == http, case
        assert store.positions("http") == topic, case


def test_an_older_database_keeps_its_offsets(tmp_path: Path) -> None:
    """With the last span of each partition to recognise its topic by, unless its id was made from its place."""
    path = tmp_path / "u.duckdb"
    spans = [("t", 0, 3, "early"), ("t", 0, 6, "late"), ("t", 1, 2, "t:1:2:0"), ("u", 0, 1, "other")]
    old(path, [("t", 0, 7), ("t", 1, 5), ("file:x", 0, 2)], spans)
    with Store.open(path) as store:
        assert store.offsets("t") == {0: 7, 1: 5}
        assert store.positions("t") == {"": {0: Position(7, span_mark(6, "late")), 1: Position(5)}}
        assert store.offsets("file:x") == {0: 2}


def batch(offset: int, identity: str, mark: Mark | None = None, **options: Any) -> Batch:
    """The topic `t` read up to `offset` under an identity."""
    marks = {("t", 0): mark} if mark else {}
    return Batch(next_offsets={("t", 0): offset}, identities={"t": identity}, marks=marks, **options)


def test_each_identity_has_its_offsets(store: Store) -> None:
    """The last one that was committed is current; those before it are kept, and told apart."""
    store.ingest(batch(1_000, "c/x", Mark(999, 1.5, "abc")))
    store.ingest(batch(20, "c/y"))
    assert store.offsets("t") == {0: 20}
    assert list(store.positions("t").items()) == [
        ("c/x", {0: Position(1_000, Mark(999, 1.5, "abc"))}),
        ("c/y", {0: Position(20)}),
    ]
    told = store.ingestion()
    assert told["partitions"] == [{"topic": "t", "partition": 0, "next_offset": 20, "identity": "c/y"}]
    assert told["replaced"] == [{"topic": "t", "partition": 0, "next_offset": 1_000, "identity": "c/x"}]
    store.ingest(batch(1_001, "c/x"))
    assert store.offsets("t") == {0: 1_001}
    assert list(store.positions("t")) == ["c/y", "c/x"]


def test_an_identity_that_is_known_better(store: Store) -> None:
    """The offsets stay, under the new name alone."""
    store.ingest(Batch(next_offsets={("t", 0): 5, ("t", 1): 7, ("u", 0): 9}))
    store.ingest(Batch(identities={"t": "c/x"}, formerly={"t": ""}))
    assert store.positions("t") == {"c/x": {0: Position(5), 1: Position(7)}}
    assert store.offsets("t") == {0: 5, 1: 7}
    assert store.offsets("u") == {0: 9}


def test_sources_without_identity_stay_as_they_are(store: Store, make: Callable[..., Any], batch_of: Any) -> None:
    """Files and HTTP have none."""
    store.ingest(batch_of([make(0)], topic="file:a.jsonl"))
    assert store.offsets("file:a.jsonl") == {0: 1}
    assert store.ingestion()["partitions"][0]["identity"] is None
    assert store.ingestion()["replaced"] == []
