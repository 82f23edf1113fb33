"""Who wrote the spans of each source: counted with them, once, and bounded."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.killing import Killed, killing

from undertow.batch import Batch, Decoded, Origin
from undertow.instrumentation import Instrumentation, named
from undertow.span import Span
from undertow.store import Store, ingest, instrumentations, schema
from undertow.store.schema import MIGRATIONS

BEFORE = next(number for number, step in enumerate(MIGRATIONS) if "instrumentations" in step)
T0 = 1_767_600_000.0
LIB = named("lib", "1.0")


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def batch(writers: Iterable[Instrumentation], first: int = 0, topic: str = "t") -> Batch:
    """A batch with a message of one span for each of `writers`."""
    made = Batch()
    for offset, writer in enumerate(writers, first):
        span = Span(span_id=f"{topic}-{offset}", started_at=T0 + offset, provider="p", model="m")
        decoded = Decoded("otlp", [span])
        decoded.instrumentations[writer] += 1
        made.add(Origin(topic, 0, offset), decoded)
    return made


def told(store: Store) -> list[tuple[Any, ...]]:
    """The rows that /v1/ingest shows, without their names."""
    return [tuple(row.values()) for row in store.ingestion()["instrumentations"]]


def test_each_is_counted_by_source_with_the_time_it_was_seen() -> None:
    """Spans add up by source, name and version; the first and the last time are the monitor's clock."""
    clock = Clock(100.0)
    with Store.open(None, clock=clock) as store:
        store.ingest(batch([LIB, LIB, named("lib", "1.1")]))
        clock.now = 160.0
        store.ingest(batch([LIB], 3))
        store.ingest(batch([named("other")], topic="u"))
        clock.now = 130.0  # was set back
        store.ingest(batch([LIB], 4))
        assert told(store) == [
            ("t", "lib", "1.0", 4, 100.0, 160.0),
            ("t", "lib", "1.1", 1, 100.0, 100.0),
            ("u", "other", None, 1, 160.0, 160.0),
        ]


def test_what_says_nothing_of_it_is_named_by_its_format() -> None:
    """A record of a log that names no version counts for its format, a reject for nobody."""
    with Store.open(None, clock=Clock()) as store:
        made = Batch()
        made.add(Origin("t", 0, 0), Decoded("litellm", [Span(span_id="a", started_at=T0, provider="p", model="m")]))
        made.add(Origin("t", 0, 1), Decoded("otlp"))
        store.ingest(made)
        assert told(store) == [("t", "litellm", None, 1, 100.0, 100.0)]


def test_one_without_a_call_is_kept_with_none() -> None:
    """What was seen and wrote no call has a row, with no spans."""
    with Store.open(None, clock=Clock()) as store:
        made = Batch()
        decoded = Decoded("otlp")
        decoded.instrumentations[named("haystack")] += 0
        made.add(Origin("t", 0, 0), decoded)
        store.ingest(made)
        assert told(store) == [("t", "haystack", None, 0, 100.0, 100.0)]


def counted_after_a_kill(path: Path, step: str) -> int:
    """How many spans are told after a commit of ten was cut at `step` and the rest delivered again."""
    with Store.open(path, failpoint=killing(step, 1)) as store, pytest.raises(Killed):
        store.ingest(batch([LIB] * 10))
    with Store.open(path) as store:
        at = store.offsets("t").get(0, 0)
        if at < 10:
            store.ingest(batch([LIB] * (10 - at), at))
        return sum(row["spans"] for row in store.ingestion()["instrumentations"])


@pytest.mark.parametrize("step", ["before_begin", "after_rows", "before_commit", "after_commit"])
def test_a_kill_counts_nothing_twice(tmp_path: Path, step: str) -> None:
    """Wherever a commit is cut, each span is counted once after the next start."""
    assert counted_after_a_kill(tmp_path / "u.duckdb", step) == 10


def test_counts_apart_from_the_rows_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: counts in a transaction of their own are counted again after a kill."""
    real = instrumentations.add

    def apart(con: duckdb.DuckDBPyConnection, made: Batch, at: float) -> None:
        real(con.cursor(), made, at)

    monkeypatch.setattr(ingest.instrumentations, "add", apart)
    assert counted_after_a_kill(tmp_path / "u.duckdb", "before_commit") == 20


def test_names_without_end_are_counted_together() -> None:
    """Beyond NAMES of a source new ones count as `(other)`; known ones and other sources keep theirs."""
    with Store.open(None, clock=Clock()) as store:
        store.ingest(batch(named(f"lib{n}") for n in range(instrumentations.NAMES + 30)))
        store.ingest(batch([named("lib0"), named("new"), named("newer")], 1000))
        store.ingest(batch([named("new")], topic="u"))
        found = {(topic, name): spans for topic, name, _, spans, *_ in told(store)}
    assert len(found) == instrumentations.NAMES + 2
    assert found["t", "lib0"] == 2
    assert found["t", "(other)"] == 32
    assert found["u", "new"] == 1


def test_an_older_database_gets_the_table(tmp_path: Path) -> None:
    """A file from before is brought up to date and counts from then on."""
    path = tmp_path / "u.duckdb"
    with duckdb.connect(str(path)) as con:
        schema.migrate(con, path.name, MIGRATIONS[:BEFORE])
    with Store.open(path) as store:
        assert told(store) == []
        store.ingest(batch([LIB]))
        assert [row[3] for row in told(store)] == [1]


def test_what_is_not_seen_any_more_goes_with_the_rollups() -> None:
    """A version that was last seen before the rollups' retention is forgotten, so that new ones have room."""
    clock = Clock(1000.0)
    with Store.open(None, clock=clock) as store:
        store.ingest(batch([LIB]))
        clock.now = 400 * 86400.0
        store.ingest(batch([named("lib", "2.0")], 1))
        store.retain(clock.now + 2000.0)
        assert [row[2] for row in told(store)] == ["2.0"]
