"""Exactly once, argued as a table of cases: where the kill falls, and what is delivered again."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest
from tests.killing import Killed, killing

from undertow.batch import Batch, Decoded, Origin, Reject, Sink
from undertow.errors import TryAgain
from undertow.span import Span
from undertow.store import Store

T0 = 1_767_600_000.0
STEPS = ("before_begin", "after_rows", "before_commit", "after_commit")
LOG = {partition: 37 + partition for partition in range(3)}
"""Messages of each partition of the topic `t`; every ninth is a reject, every fifth holds two spans."""


def load(path: Path) -> ModuleType:
    """The module at `path`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


control = load(Path(__file__).parents[1] / "faults" / "broken_sink.py")
SENT = [("t", partition, offset) for partition, end in LOG.items() for offset in range(end)]


def decoded(partition: int, offset: int) -> Decoded:
    """The message at that place of the log."""
    if offset % 9 == 8:
        return Decoded("native", rejects=[Reject("invalid_json", sha256="0" * 64, length=3)])
    spans = [
        Span(span_id=f"{partition}-{offset}-{i}", started_at=T0 + offset, provider="p", model="m", duration_s=0.5)
        for i in range(2 if offset % 5 == 4 else 1)
    ]
    return Decoded("native", spans)


def consume(sink: Sink, size: int = 10) -> None:
    """Seek to the sink's offsets and deliver the rest of the log, partitions in turn, in batches of `size`."""
    position = {partition: sink.offsets("t").get(partition, 0) for partition in LOG}
    while any(position[p] < end for p, end in LOG.items()):
        batch = Batch()
        for partition, end in LOG.items():
            for offset in range(position[partition], min(position[partition] + size // len(LOG), end)):
                batch.add(Origin("t", partition, offset), decoded(partition, offset))
        sink.ingest(batch)
        position |= {partition: offset for (_, partition), offset in batch.next_offsets.items()}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", [1, 2, 7])
def test_kill_at_every_step_loses_and_doubles_nothing(tmp_path: Path, step: str, nth: int) -> None:
    """Wherever the commit is cut, the next start goes on with every message stored once."""
    path = tmp_path / "u.duckdb"
    with Store.open(path, failpoint=killing(step, nth)) as store, pytest.raises(Killed):
        consume(store)
    with Store.open(path) as store:
        consume(store)
    assert control.faults(path, SENT) == control.Faults()


def test_broken_sink_is_caught(tmp_path: Path) -> None:
    """The same count finds the spans that a sink loses when it commits offsets apart from rows."""
    path = tmp_path / "u.duckdb"
    with Store.open(path) as store, pytest.raises(Killed):
        consume(control.BrokenSink(store, killing("between_commits", 2)))
    with Store.open(path) as store:
        consume(control.BrokenSink(store))
    assert control.faults(path, SENT).lost == 9


@pytest.mark.parametrize(
    ("case", "again"),
    [
        ("the same batch", range(10, 20)),
        ("a part of it", range(12, 15)),
        ("overlapping its end", range(15, 25)),
        ("overlapping its start", range(5, 15)),
        ("containing it", range(5, 25)),
        ("older than it", range(3)),
        ("the next", range(20, 25)),
        ("from the start, as after a reset", range(25)),
    ],
)
def test_delivered_again(
    store: Store, make: Callable[..., Span], batch_of: Callable[..., Batch], case: str, again: range
) -> None:
    """Offsets 0 to 19 are committed, then some are delivered again: no span gets a second row."""
    log = [make(i) for i in range(25)]
    store.ingest(batch_of(log[:10]))
    store.ingest(batch_of(log[10:20], 10))
    done = store.ingest(batch_of([log[i] for i in again], again.start))
    new = [i for i in again if i >= 20]
    assert (done.stored, done.duplicates) == (len(new), len(again) - len(new)), case
    table = store.released(None, T0 + 1000)
    assert sorted(table["span_id"].to_pylist()) == sorted(f"s{i}" for i in range(20 + len(new)))


CHILD = """
import importlib.util, json, os, sys
spec = importlib.util.spec_from_file_location("test_exactly_once", sys.argv[1])
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)
from undertow.store import Store
def failpoint(name):
    if name == sys.argv[3]:
        os._exit(9)
store = Store.open(sys.argv[2], failpoint=failpoint)
class Told:
    offsets = store.offsets
    def ingest(self, batch):
        store.ingest(batch)
        print(json.dumps(sorted(store.offsets("t").items())), flush=True)
tests.consume(Told(), 3)
"""


def child(path: Path, step: str = "") -> "subprocess.Popen[str]":
    """A process that consumes the log in small batches, printing its offsets after each commit."""
    command = [sys.executable, "-c", CHILD, __file__, str(path), step]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("step", STEPS)
def test_process_that_exits_at_a_step(tmp_path: Path, step: str) -> None:
    """A process that ends without a goodbye at any step leaves a file from which nothing is lost or doubled."""
    path = tmp_path / "u.duckdb"
    with child(path, step) as process:
        assert process.wait(60) == 9
    with Store.open(path) as store:
        consume(store)
    assert control.faults(path, SENT) == control.Faults()


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_sigkill_keeps_what_was_committed(tmp_path: Path, kills: int) -> None:
    """After SIGKILL the file opens with at least what was acknowledged, and the rest follows once."""
    for kill in range(kills):
        path = tmp_path / f"{kill}.duckdb"
        with child(path) as process:
            assert process.stdout is not None
            told: dict[int, int] = {}
            for _ in range(1 + kill % 20):
                told = dict(json.loads(process.stdout.readline()))
            os.kill(process.pid, signal.SIGKILL)
        with Store.open(path) as store:
            found = store.offsets("t")
            assert all(found[partition] >= offset for partition, offset in told.items())
            consume(store)
        assert control.faults(path, SENT) == control.Faults()


def test_offsets_follow_the_commit(tmp_path: Path, make: Callable[..., Any], batch_of: Callable[..., Batch]) -> None:
    """Offsets are those of the last commit, by topic and partition, also after a restart."""
    path = tmp_path / "u.duckdb"
    with Store.open(path) as store:
        assert store.offsets("t") == {}
        store.ingest(batch_of([make(0)], first=41, partition=2))
        store.ingest(batch_of([make(1)], first=7, topic="other"))
    with Store.open(path) as store:
        assert store.offsets("t") == {2: 42}
        assert store.offsets("other") == {0: 8}


class Failing:
    """A connection whose `nth` statement fails as on a full disk."""

    def __init__(self, con: Any, nth: int) -> None:
        self._con = con
        self.left = nth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def execute(self, *args: Any) -> Any:
        """Run the statement, unless its time to fail has come."""
        self.left -= 1
        if self.left == 0:
            raise duckdb.IOException("No space left on device")
        return self._con.execute(*args)


@pytest.mark.parametrize("nth", [*range(1, 15), *(pytest.param(n, marks=pytest.mark.soak) for n in range(15, 100))])
def test_any_statement_may_fail(tmp_path: Path, nth: int) -> None:
    """Whichever statement of a commit fails, nothing of the batch stays, and the same store can take it again."""
    path = tmp_path / "u.duckdb"
    with Store.open(path) as store:
        failing = Failing(store._writer, nth)
        store._writer = failing  # type: ignore[assignment]
        try:
            consume(store)
        except TryAgain:
            consume(store)
        assert isinstance(store.broken, TryAgain)
        assert failing.left <= 0, "never came to fail"
    assert control.faults(path, SENT) == control.Faults()
