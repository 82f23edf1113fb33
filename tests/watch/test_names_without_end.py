"""Request ids in a name: what they cost, what is watched all the same, and who is told."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from undertow.batch import Batch, Decoded, Origin
from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.span import Span, Target
from undertow.watch import engine, pooling, roster, shares, slices, target
from undertow.watch.roster import OTHER, Roster

from .conftest import Monitor

Make = Callable[..., Any]
T0 = 1_767_571_200.0
HOUR_S = 3600.0
DAY_S = 86_400.0
BASELINE = BaselineConfig(min_spans=600, min_hours=6)
CONFIG = Config(detect=DetectConfig(baseline=BASELINE))
BUCKET = {"gateway": "g", "provider": "openai", "model": OTHER, "deployment": None}


def calls(
    names: Callable[[int], dict[str, Any]], n: int, hours: float = 24.0, start: float = T0, seed: int = 1, **more: Any
) -> list[Span]:
    """So many calls over so many hours, each of them named by its number; `more` are fields of all."""
    rng = random.Random(f"{seed}/{start}")
    made = []
    for i in range(n):
        fields = {
            "span_id": f"{rng.getrandbits(64):016x}",
            "started_at": start + hours * HOUR_S * i / n,
            "gateway": "g",
            "provider": "openai",
            "model": "gpt",
            "status": "error" if rng.random() < 0.02 else "ok",
            "input_tokens": rng.randrange(4000),
            "output_tokens": int(20 * 3 ** rng.gauss(2, 0.5)),
            "duration_s": 0.5 + rng.random(),
        }
        made.append(Span(**(fields | names(i) | more)))
    return made


def ids(i: int) -> dict[str, Any]:
    """A request id as the model."""
    return {"model": f"req-{i:06d}"}


def together(*logs: list[Span]) -> list[Span]:
    """Several logs as one."""
    return sorted((span for spans in logs for span in spans), key=lambda span: (span.ended_at, span.span_id))


def told(monitor: Any) -> tuple[Any, ...]:
    """Everything that people see."""
    return monitor.store.incidents(), monitor.store.notices(), monitor.watcher.targets()


@pytest.fixture(name="few", autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small limits, so that small logs reach them."""
    for name, value in {"YOUNG": 10, "COUNTED": 50, "NOTICED": 20}.items():
        monkeypatch.setattr(roster, name, value)


def test_ids_are_watched_together_and_kept_apart_in_the_store(monitor: Make) -> None:
    """A real model among request ids stays a target; the ids are one, and each span keeps its own name."""
    one = monitor(CONFIG).finish(together(calls(lambda _: {}, 1000), calls(ids, 1000, start=T0 + 600)))
    rows = {row["target"]["model"]: row for row in one.watcher.targets()}
    assert rows["gpt"]["baseline"] == "frozen"
    assert rows[OTHER]["target"] == BUCKET
    assert rows[OTHER]["names"] == rows[OTHER]["spans"] > 900
    assert len(rows) == roster.YOUNG + 2
    assert "stands for" in rows[OTHER]["text"]
    assert one.store.seen(Target("g", "openai", "req-000500", None))


@pytest.mark.parametrize("field", ["model", "deployment", "provider", "gateway"])
def test_a_notice_names_the_field_an_example_and_the_setting(monitor: Make, field: str) -> None:
    """Once, however long it goes on, and of the one of four fields that has no end."""
    one = monitor(CONFIG).finish(calls(lambda i: {field: f"id-{i:06d}"}, 600))
    [notice] = [one for one in one.store.notices() if one["kind"] == "too_many_targets"]
    assert notice["target"]["model"] == OTHER
    assert notice["text"].startswith(f"{field} has ")
    assert '"id-0000' in notice["text"]
    assert "detect.max_targets" in notice["text"]
    assert len(one.watcher.targets()) <= roster.YOUNG + roster.BUCKETS + 1


def test_a_large_fleet_that_starts_is_no_notice(monitor: Make) -> None:
    """More targets at once than may be young are targets soon, each by itself, and nobody is told."""
    one = monitor(CONFIG).finish(calls(lambda i: {"model": f"m-{i % 25}"}, 3000))
    rows = one.watcher.targets()
    assert one.store.notices() == []
    assert {row["target"]["model"] for row in rows} == {OTHER, *(f"m-{i}" for i in range(25))} - {OTHER}
    assert min(row["spans"] for row in rows) == 120


def test_a_failing_provider_is_seen_though_no_call_says_which_model(monitor: Make) -> None:
    """Where a third of the calls fail that are only ids, the target that stands for them has an incident."""
    before = calls(ids, 2000, 48)
    after = calls(lambda i: ids(i + 5000), 600, 12, T0 + 48 * HOUR_S)
    for i, span in enumerate(after):
        span.status = "error" if i % 3 == 0 else "ok"
    one = monitor(CONFIG).finish([*before, *after])
    [incident] = one.store.incidents()
    assert incident["target"] == BUCKET
    assert incident["cause"] == "availability"
    assert [s["lane"] for s in incident["signals"]] == ["errors"]


def test_a_slow_provider_is_seen_too(monitor: Make) -> None:
    """Where all calls take five times as long, it is infrastructure."""
    after = calls(lambda i: ids(i + 5000), 600, 12, T0 + 48 * HOUR_S)
    for span in after:
        span.duration_s = 5 * (span.duration_s or 0)
    [incident] = monitor(CONFIG).finish([*calls(ids, 2000, 48), *after]).store.incidents()
    assert (incident["target"], incident["cause"]) == (BUCKET, "infrastructure")


def mixed(seed: int) -> list[Span]:
    """Two unlike models under names without end, of which one has a tenth of the calls first and nine tenths later."""
    spans = calls(ids, 3000, 72, seed=seed)
    rng = random.Random(seed)
    for i, span in enumerate(spans):
        if rng.random() < (0.1 if i < 2000 else 0.9):
            span.output_tokens = 8 * (span.output_tokens or 0)
            span.duration_s = 4 * (span.duration_s or 0)
            span.status = "error" if rng.random() < 0.06 else "ok"
            span.route = "long"
    return spans


@pytest.mark.parametrize("seed", range(3))
def test_another_mix_of_unlike_models_is_nothing(monitor: Make, seed: int) -> None:
    """Longer, slower and less reliable on the average, because others are asked: no incident, and one notice of ids."""
    one = monitor(CONFIG).finish(mixed(seed))
    assert one.store.incidents() == []
    assert [notice["kind"] for notice in one.store.notices()] == ["too_many_targets"]


def test_judging_them_like_one_model_would_be_noticed(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: judged as other targets are, the same mix raises something."""
    monkeypatch.setattr(target, "is_bucket", lambda _: False)
    one = monitor(CONFIG).finish(mixed(1))
    assert one.store.incidents() or len(one.store.notices()) > 1


def eventful() -> list[Span]:
    """A model that is updated, one that came later, ids all the time, and a day on which what has no name fails."""
    failing = calls(lambda i: ids(i + 5000), 400, 12, T0 + 48 * HOUR_S)
    for i, span in enumerate(failing):
        span.status = "error" if i % 2 else "ok"
    updated = calls(lambda _: {}, 3000, 60, seed=3)
    for span in updated[2000:]:
        span.output_tokens = int(0.6 * (span.output_tokens or 0))
    late = calls(lambda _: {"model": "late"}, 900, 40, T0 + 20 * HOUR_S, seed=4)
    return together(updated, late, calls(ids, 2000, 48), failing)


@pytest.fixture(name="expected", scope="module")
def _expected() -> Iterator[tuple[Any, ...]]:
    """What is told of it, judged in one go."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"YOUNG": 10, "COUNTED": 50, "NOTICED": 20}.items():
            patch.setattr(roster, name, value)
        yield told(Monitor(CONFIG).finish(eventful(), 100_000))


def test_what_happens_among_ids_is_found(expected: tuple[Any, ...]) -> None:
    """The update of the model, and the failure of what has no name; the model that came later is a target."""
    incidents, _, rows = expected
    assert {one["target"]["model"] for one in incidents} == {"gpt", OTHER}
    assert next(row for row in rows if row["target"]["model"] == "late")["baseline"] == "frozen"


@pytest.mark.parametrize("size", [313, 1700])
def test_batches_and_restarts_do_not_matter(monitor: Make, expected: tuple[Any, ...], size: int) -> None:
    """Any batch size, with a new process after every batch, tells the same."""
    one, spans = monitor(CONFIG), eventful()
    for begin in range(0, len(spans), size):
        one.take(spans[begin : begin + size])
        one.restart()
    assert told(one.finish()) == expected


def test_forgetting_who_is_watched_together_would_be_noticed(
    monitor: Make, expected: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: a roster that is not kept over a restart counts anew, and tells something else."""
    monkeypatch.setattr(Roster, "unsaved", lambda _: None)
    one, spans = monitor(CONFIG), eventful()
    for begin in range(0, len(spans), 1700):
        one.take(spans[begin : begin + 1700])
        one.restart()
    assert told(one.finish()) != expected


def test_the_limit_holds_and_what_is_gone_makes_room(monitor: Make) -> None:
    """Of five targets with room for three, two are watched together; one of them takes the place of one long gone."""
    config = Config(detect=DetectConfig(baseline=BASELINE, max_targets=3))
    one = monitor(config).finish(calls(lambda i: {"model": f"m-{i % 5}"}, 500))
    assert {row["target"]["model"] for row in one.watcher.targets()} == {"m-0", "m-1", "m-2", OTHER}
    [notice] = one.store.notices()
    assert "detect.max_targets" in notice["text"]
    later = [calls(lambda i: {"model": f"m-{i % 2 + 3}"}, 100, start=T0 + day * DAY_S) for day in (20, 40)]
    one.finish([*later[0], *later[1]])
    assert {row["target"]["model"] for row in one.watcher.targets()} == {"m-3", "m-4", "m-2", OTHER}
    one.restart()
    assert {row["target"]["model"] for row in one.watcher.targets()} == {"m-3", "m-4", "m-2", OTHER}


def test_ids_take_no_share_of_the_budget(monitor: Make) -> None:
    """A known target is judged by the threshold that it has without them, but for the one that they are together."""
    fleets = []
    for more in ([], calls(ids, 1000, start=T0 + 600)):
        one = monitor(CONFIG).finish(together(calls(lambda _: {}, 1000), more))
        fleets.append(one.watcher._engine.fleet.total)
    assert fleets == [1, 2]


@pytest.fixture(name="work")
def _work(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, int]]:
    """How often targets are fed, and how often all frames are cut, for spans under so many names.

    Counted, not timed: the bench `detect.targets` has the seconds.
    """
    monkeypatch.setattr(roster, "YOUNG", 200)
    counted: Counter[str] = Counter()
    feed, cut = target.TargetWatch.feed, engine.cut

    def fed(self: Any, *given: Any) -> Any:
        counted["fed"] += 1
        return feed(self, *given)

    def was_cut(frames: Any, at: float) -> Any:
        counted["cut"] += 1
        return cut(frames, at)

    monkeypatch.setattr(target.TargetWatch, "feed", fed)
    monkeypatch.setattr(engine, "cut", was_cut)

    def run(names: int, config: Config = Config()) -> tuple[int, int]:  # noqa: B008  frozen
        counted.clear()
        rng, one = random.Random(1), Monitor(config)
        one.finish(calls(lambda _: {"model": f"m-{rng.randrange(names)}"}, 6000, 72))
        one.store.close()
        return counted["fed"], counted["cut"]

    return run


EVERY_NAME = Config(detect=DetectConfig(max_targets=100_000))


def test_many_names_are_little_more_work_than_few(work: Callable[..., tuple[int, int]]) -> None:
    """Ten thousand names feed targets at most three times as often as ten do with the same spans."""
    assert work(10_000)[0] <= 3 * work(10)[0]


def test_a_target_for_each_name_would_be_noticed(
    work: Callable[..., tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: where every name is a target by itself, it is far more than that."""
    monkeypatch.setattr(roster, "YOUNG", 10**6)
    assert work(10_000, EVERY_NAME)[0] > 9 * work(10)[0]


def test_a_fleet_of_hundreds_is_cut_a_few_dozen_times(work: Callable[..., tuple[int, int]]) -> None:
    """Two hundred targets cut the batches at most three times as often as ten, each cut goes through them all."""
    assert work(200)[1] <= 3 * work(10)[1]


def test_a_cut_for_each_target_would_be_noticed(
    work: Callable[..., tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: where the budget is shared anew with each target, all frames are cut for each of them."""
    few = work(10)[1]
    monkeypatch.setattr(shares, "level", lambda total: total)
    assert work(200)[1] > 6 * few


def test_siblings_without_end_form_no_pool_of_their_own(monitor: Make) -> None:
    """An id in the deployment makes quiet siblings; what stands for them is in no pool."""
    one = monitor(CONFIG).finish(calls(lambda i: {"deployment": f"d-{i}"}, 1500, 72))
    assert not any(OTHER in {m.model for m in pool.members} for pool in one.watcher._engine.pools)
    assert pooling.due(one.watcher._engine._unpooled(), {}) is None


def test_a_round_can_be_stopped_within_an_hour_of_many_spans(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round is asked after each few spans whether it goes on, and the next one goes on from there."""
    monkeypatch.setattr(slices, "MOST_SPANS", 100)
    one, judged = monitor(CONFIG), list[int]()
    one.store.ingest(batch(calls(lambda _: {}, 1000, 1)))

    def stop(spans: int) -> None:
        judged.append(spans)
        if len(judged) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        one.watcher.tick(final=True, progress=stop)
    assert judged[-1] <= 500
    assert judged[-1] + one.watcher.tick(final=True) == 1000


def test_a_round_in_one_piece_would_be_noticed(monitor: Make) -> None:
    """Negative control: where as many spans as there are may be judged at once, nobody is asked before the end."""
    one, judged = monitor(CONFIG), list[int]()
    one.store.ingest(batch(calls(lambda _: {}, 1000, 1)))
    one.watcher.tick(final=True, progress=judged.append)
    assert judged == [1000]


def batch(spans: list[Span]) -> Batch:
    """Spans as one batch."""
    made = Batch()
    for i, span in enumerate(spans):
        made.add(Origin("t", 0, i), Decoded("native", [span]))
    return made


def test_the_shares_of_a_large_fleet_change_rarely() -> None:
    """Up to sixteen targets W is exact; beyond it is at most a quarter more, and takes few values on the way."""
    totals = [shares.level(float(n)) for n in range(1, 2001)]
    assert totals[:16] == list(range(1, 17))
    assert all(n <= total <= 1.25 * n for n, total in enumerate(totals, 1))
    assert len(set(totals)) < 50
    assert len({float(n) for n in range(1, 2001)}) == 2000  # negative control: without levels, one for each target
