"""The evidence over time: the same whatever the batches, through restarts and kills, and nothing of it twice."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from tests.killing import Killed, killing

from undertow.batch import Batch, Decoded, Origin
from undertow.clock import ManualClock
from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.span import Span, Target
from undertow.store import Store
from undertow.watch import Watcher
from undertow.watch.trace import STEP_S, Trace
from undertow_collectors.scenarios import GPT_4O

Make = Callable[..., Any]
Traffic = Callable[..., list[Span]]
CONFIG = Config(detect=DetectConfig(baseline=BaselineConfig(min_spans=2000)))
STEPS = ("before_judgement", "before_judgement_commit", "after_judgement")
LOG_THRESHOLD = 14.0


class WritesApart(Watcher):
    """A broken one: the points are committed by themselves, before the judgement that they come from."""

    def _write(self, *given: Any) -> None:
        with self._store.judgement() as transaction:
            transaction.put_evidence([*self._engine.traced()])
        super()._write(*given)


def judge(path: Path, spans: Sequence[Span], watcher: type[Watcher], failpoint: Callable[[str], None]) -> None:
    """Take what the store has not, in batches, judging after each."""
    with Store.open(path, clock=None, failpoint=failpoint) as store:
        loop = watcher(store, CONFIG, ManualClock(2e9))
        for begin in range(store.offsets("t").get(0, 0), len(spans), 1500):
            batch = Batch()
            for offset, span in enumerate(spans[begin : begin + 1500], begin):
                batch.add(Origin("t", 0, offset), Decoded("native", [span]))
            store.ingest(batch)
            loop.tick()
        loop.tick(final=True)


def rows(path: Path) -> list[tuple[Any, ...]]:
    """Every row that was written, equal ones too; rounding is all that batches may change."""
    with duckdb.connect(str(path), read_only=True) as con:
        sql = 'SELECT provider, model, signal, "at", round(log10_evidence, 6), round(log10_threshold, 6) FROM evidence'
        return sorted(con.execute(sql).fetchall())


def points(monitor: Any, spans: Sequence[Span]) -> dict[str, list[dict[str, Any]]]:
    """What the API tells of a target's signals."""
    one = spans[0]
    target = Target(one.gateway, one.provider, one.model, one.deployment)
    return {s: monitor.store.evidence(target, s, 0.0, 3e9) for s in ("output_tokens", "refusal", "ttft_s")}


@pytest.fixture(name="spans", scope="module")
def _spans(traffic: Traffic) -> list[Span]:
    return traffic("silent-update", fleet=(GPT_4O,))


@pytest.fixture(name="whole", scope="module")
def _whole(spans: list[Span], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """The rows of a run that nothing interrupted."""
    path = tmp_path_factory.mktemp("whole") / "u.duckdb"
    judge(path, spans, Watcher, lambda _: None)
    return rows(path)


@pytest.mark.parametrize("size", [977, 100_000])
def test_any_batch_size_gives_the_same_points(monitor: Make, spans: list[Span], size: int) -> None:
    """Ten minutes that batches cut are one point, with the evidence of all of it."""
    assert points(monitor().finish(spans, size), spans) == points(monitor().finish(spans, 3000), spans)


def test_a_restart_between_batches_gives_the_same_points(monitor: Make, spans: list[Span]) -> None:
    """Ten minutes that were not over when a process ended are not forgotten."""
    expected = points(monitor().finish(spans), spans)
    one = monitor()
    for begin in range(0, len(spans), 1700):
        one.take(spans[begin : begin + 1700])
        one.restart()
    assert points(one.finish(), spans) == expected


def test_the_alarm_is_on_the_line(monitor: Make, spans: list[Span]) -> None:
    """The point of the ten minutes in which an incident opened reaches the threshold, and those before do not."""
    one = monitor().finish(spans)
    [incident] = one.store.incidents()
    told = points(one, spans)["output_tokens"]
    crossed = [p["at"] for p in told if p["log10_evidence"] >= p["log10_threshold"]]
    assert crossed[0] == incident["opened_at"] // STEP_S * STEP_S
    assert len({p["at"] for p in told}) == len(told)
    assert all(p["at"] % STEP_S == 0 for p in told)


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_writes_no_point_twice_and_loses_none(
    tmp_path: Path, spans: list[Span], whole: list[tuple[Any, ...]], step: str
) -> None:
    """Wherever the judgement's transaction is cut, the next start goes on as if nothing had been."""
    path = tmp_path / "u.duckdb"
    with pytest.raises(Killed):
        judge(path, spans, Watcher, killing(step, 12))
    judge(path, spans, Watcher, lambda _: None)
    assert rows(path) == whole


def test_points_that_are_written_apart_would_be_noticed(
    tmp_path: Path, spans: list[Span], whole: list[tuple[Any, ...]]
) -> None:
    """Negative control: committed before their judgement, a kill between the two doubles them."""
    path = tmp_path / "u.duckdb"
    with pytest.raises(Killed):
        judge(path, spans, WritesApart, killing("before_judgement_commit", 24))
    judge(path, spans, WritesApart, lambda _: None)
    assert len(rows(path)) > len(set(rows(path)))
    assert set(rows(path)) == set(whole)


def test_accepting_rewrites_nothing(monitor: Make, spans: list[Span]) -> None:
    """What was told of spans that become a new baseline stays as it was told."""
    one = monitor().finish(spans)
    before = points(one, spans)
    [incident] = one.store.incidents()
    one.watcher.accept(incident["id"], "ada")
    assert points(one, spans) == before


@pytest.mark.parametrize("cut", [1, 7, 64, 999])
def test_ten_minutes_are_the_largest_of_their_values(cut: int) -> None:
    """The maximum over each ten minutes, however the rows are cut, and never less than 1."""
    rng = np.random.default_rng(5)
    at, values = np.sort(rng.uniform(0, 40 * STEP_S, 2000)), np.exp(rng.normal(1, 3, 2000))
    trace = Trace()
    for begin in range(0, len(at), cut):
        trace.feed(at[begin : begin + cut], values[begin : begin + cut], LOG_THRESHOLD)
    assert trace.now is not None
    found = [*trace.drain(), trace.now]
    expected = {s: max(1.0, values[at // STEP_S == s].max()) for s in np.unique(at // STEP_S)}
    assert [(p.at, p.log10_evidence) for p in found] == [
        (s * STEP_S, pytest.approx(np.log10(v))) for s, v in expected.items()
    ]
    assert trace.drain() == []


def test_a_fork_leaves_what_it_came_from() -> None:
    """What is judged on trial, and taken back, leaves no point behind."""
    trace = Trace()
    trace.feed(np.array([0.0]), np.array([10.0]), LOG_THRESHOLD)
    fork = trace.fork()
    fork.feed(np.array([STEP_S]), np.array([100.0]), LOG_THRESHOLD)
    assert [peak.at for peak in fork.drain()] == [0.0]
    assert (trace.drain(), trace.now and trace.now.at) == ([], 0.0)
