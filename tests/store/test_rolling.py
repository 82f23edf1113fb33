"""Sketches say what the raw rows say, at any moment, whatever came late and wherever the process was cut."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, product
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.killing import Killed

from undertow.batch import Batch, Decoded, Origin
from undertow.config import StoreConfig
from undertow.span import Span, Target
from undertow.store import Store, rolling
from undertow.store.rolled import Rolls
from undertow.store.rolling import NAMES, ROUTES

HOUR_S = 3600.0
T0 = 1_767_571_200.0
TARGETS = [Target("g", "openai", "m0", None), Target(None, "openai", "m1", "eu")]
STEPS = (
    "before_roll",
    "before_roll_commit",
    "after_roll",
    "before_begin",
    "after_rows",
    "before_commit",
    "after_commit",
)
DAY_S = 24 * HOUR_S


class Source:
    """Spans of a few hours, in order but for some that are late, each delivered with its offset."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = T0 + self.rng.random() * 600
        self.sent = 0

    def batch(self) -> Batch:
        """The next spans: a few minutes' worth, or a gap of hours."""
        batch = Batch()
        if self.rng.random() < 0.2:
            self.now += self.rng.random() * 3 * HOUR_S
        for _ in range(self.rng.randrange(1, 60)):
            self.now += self.rng.random() * 30
            late = self.rng.random() < 0.05
            batch.add(Origin("t", 0, self.sent), Decoded("native", [self._span(late=late)]))
            self.sent += 1
        return batch

    def _span(self, *, late: bool) -> Span:
        rng = self.rng
        target = rng.choice(TARGETS)
        started_at = self.now - rng.random() * (20 * HOUR_S if late else 30)
        return Span(
            span_id=f"s{self.sent}",
            started_at=started_at,
            duration_s=rng.choice([None, rng.random() * 9]),
            ttft_s=rng.choice([None, rng.random() * 9]),
            output_tokens=rng.choice([None, 0, 7, rng.randrange(5000)]),
            input_tokens=rng.randrange(100),
            cost_usd=rng.choice([None, rng.random() / 100]),
            status=rng.choice(["ok", "ok", "ok", "error"]),
            finish_reason=rng.choice([None, "stop", "other"]),
            system_fingerprint=rng.choice([None, "fp_1", "fp_2"]),
            parse_ok=rng.choice([None, True, False]),
            route=rng.choice([None, "a", "b"]),
            **target.as_dict(),  # type: ignore[arg-type]
        )


def answers(store: Store, start: float, end: float) -> Iterator[tuple[str, Any]]:
    """What pages ask, of whole ten minutes from `start` to `end`."""
    middle = start + (end - start) // 1200 * 600
    asked = [("output_tokens", 600.0, None), ("time_per_output_token_s", HOUR_S, "a"), ("parse_fail", 5400.0, "a")]
    for target in TARGETS:
        for name, step_s, route in [*asked, ("requests", HOUR_S, None)]:
            question = f"series {target.model} {name} {step_s} {route}"
            yield question, store.series(target, name, start, end, step_s, route)
        for field in ("system_fingerprint", "route"):
            yield f"shares {target.model} {field}", store.shares(target, field, start, end, HOUR_S)
        for name in ("duration_s", "finish_reason"):
            found = store.distribution(target, name, (start, middle), (middle, end), "b")
            yield f"distribution {target.model} {name}", found
    yield "fleet", store.fleet(end, end - start)
    yield "cost", store.cost(start, end, HOUR_S)


def same(one: Store, other: Store, start: float, end: float) -> None:
    """Both give the same answers."""
    for (question, found), (_, wanted) in zip(answers(one, start, end), answers(other, start, end), strict=True):
        assert found == close(wanted), question


def close(document: Any) -> Any:
    """The same but for the order in which numbers were added."""
    if isinstance(document, dict):
        return {key: close(value) for key, value in document.items()}
    if isinstance(document, list):
        return [close(value) for value in document]
    return pytest.approx(document, rel=1e-9) if isinstance(document, float) else document


@pytest.fixture(name="in_pieces")
def _in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sketches are written row by row."""
    monkeypatch.setattr(rolling, "PIECE_BYTES", 1)


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize("seed", range(4))
def test_answers_are_those_of_the_raw_rows_at_every_moment(seed: int) -> None:
    """After each batch and each slice that is rolled, on and off the ten minutes."""
    source = Source(seed)
    with Store.open(None, clock=None) as plain, Store.open(None, clock=None) as store:
        for step in range(18):
            batch = source.batch()
            plain.ingest(batch)
            store.ingest(batch)
            for _ in range(source.rng.randrange(6)):
                store.roll()
            if step % 6 == 5:
                while store.roll():
                    pass
                same(store, plain, T0 - 12 * HOUR_S, source.now // 600 * 600 + 600)
                same(store, plain, T0 + 601.5, source.now)
        assert sketches(store) > 0


def sketches(store: Store) -> int:
    """How many hours are read off sketches."""
    return len(store._memory.rolls.hours)


class Again:
    """One batch."""

    def __init__(self, batch: Batch) -> None:
        self.batch = lambda: batch


def fill(stores: tuple[Store, ...], source: "Source | Again", batches: int) -> None:
    """Give each store the same batches, and roll what is over after each."""
    for _ in range(batches):
        batch = source.batch()
        for store in stores:
            store.ingest(batch)
            while store.roll():
                pass


def test_a_sketch_that_lacks_late_spans_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same comparison finds a store that does not open again what it has rolled."""
    touched = Rolls.touched
    monkeypatch.setattr(Rolls, "touched", lambda rolls, times: touched(rolls, times)._replace(reopened=set()))
    source = Source(1)
    with Store.open(None, clock=None) as plain, Store.open(None, clock=None) as store:
        monkeypatch.setattr(plain, "roll", lambda: False)
        fill((plain, store), source, 15)
        with pytest.raises(AssertionError):
            same(store, plain, T0 - 12 * HOUR_S, source.now // 600 * 600 + 600)


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize(("step", "nth"), [*((step, 1) for step in STEPS), ("before_roll", 2), ("after_roll", 2)])
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path, step: str, nth: int) -> None:
    """Wherever a batch or a roll is cut, the next start gives the answers of the raw rows."""
    source = Source(7)
    path = tmp_path / "u.duckdb"
    failing = [0]

    def failpoint(name: str) -> None:
        if failing[0] and name == step:
            failing[0] -= 1
            if not failing[0]:
                raise Killed(step)

    with Store.open(None, clock=None) as plain:
        for kills in (nth, 0) * 3:
            batch = source.batch()
            plain.ingest(batch)
            for failing[0] in (kills, 0):  # what may not have been acknowledged is delivered again
                with Store.open(path, clock=None, failpoint=failpoint) as store, suppress(Killed):
                    fill((store,), Again(batch), 1)
        with Store.open(path, clock=None) as store:
            same(store, plain, T0 - 20 * HOUR_S, source.now // 600 * 600 + 600)


def test_what_was_deleted_is_still_told() -> None:
    """Raw rows go once they are rolled; late spans of their time are added to the sketches, and go in their turn."""
    source = Source(3)
    config = StoreConfig(raw_retention_days=1)
    with Store.open(None, clock=None) as plain, Store.open(None, clock=None, config=config) as store:
        deleted = 0
        for _ in range(12):
            batch = source.batch()
            plain.ingest(batch)
            store.ingest(batch)
            store.roll()
            with store.judgement() as judgement:
                judgement.advance(source.now)
            deleted += store.retain(source.now + DAY_S - 2 * HOUR_S)["spans"]
            same(store, plain, T0 - 20 * HOUR_S, source.now // 600 * 600 + 600)
        assert deleted > 100
        assert store.retain(source.now + 500 * DAY_S)["sketches"] > 0
        assert store.series(TARGETS[0], "requests", T0, source.now, 600)["points"] == []


def test_a_span_that_comes_while_its_hour_is_summed_up(
    monkeypatch: pytest.MonkeyPatch, make: Any, batch_of: Any
) -> None:
    """The sums that lack it are thrown away, and made again in the next round."""
    with Store.open(None, clock=None) as store:
        store.ingest(batch_of([make(i) for i in range(0, 9000, 60)]))
        summed = rolling.sums

        def interrupted(*args: Any) -> Any:
            found = summed(*args)
            store.ingest(batch_of([make(5, span_id="late")], 1000))
            return found

        monkeypatch.setattr(rolling, "sums", interrupted)
        assert store.roll()
        assert sketches(store) == 0
        monkeypatch.setattr(rolling, "sums", summed)
        while store.roll():
            pass
        while store.roll():
            pass
        assert sketches(store) == 2
        assert store.series(make(0).target, "requests", T0, T0 + DAY_S, DAY_S)["points"][0]["n"] == 151


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize("gap", [1, 2, 3])
def test_a_span_that_comes_between_two_pieces(
    monkeypatch: pytest.MonkeyPatch, make: Any, batch_of: Any, gap: int
) -> None:
    """What was written is no answer to anybody, and is gone when the whole is written anew."""
    gaps = count(1)
    with Store.open(None, clock=None) as store:

        def interrupted(_: float) -> None:
            if next(gaps) == gap:
                store.ingest(batch_of([make(5, span_id="late")], 1000))
                assert requests(store, make) == 151

        monkeypatch.setattr("undertow.store.store.time.sleep", interrupted)
        store.ingest(batch_of([make(i) for i in range(0, 9000, 60)]))
        for _ in range(2):
            while store.roll():
                pass
        assert (sketches(store), requests(store, make)) == (2, 151)


def requests(store: Store, make: Any) -> int:
    """How many the series of a target tells of."""
    (point,) = store.series(make(0).target, "requests", T0, T0 + DAY_S, DAY_S)["points"]
    found: int = point["n"]
    return found


def test_an_hour_that_never_rests_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, make: Any, batch_of: Any
) -> None:
    """A sender that is always two hours behind touches the oldest hour each time; others are rolled all the same."""
    with Store.open(None, clock=None) as store:
        store.ingest(batch_of([make(i) for i in range(0, 9000, 60)]))
        summed, sent = rolling.sums, iter(range(1000, 2000))

        def interrupted(*args: Any) -> Any:
            found, i = summed(*args), next(sent)
            store.ingest(batch_of([make(5, span_id=f"late{i}")], i))
            return found

        monkeypatch.setattr(rolling, "sums", interrupted)
        rounds = 0
        while store.roll():
            rounds += 1
            assert rounds < 10
        assert sketches(store) == 1


LATER = 40
"""Spans that agree that time has gone on."""


def rolled(make: Callable[..., Span], batch_of: Callable[..., Batch], fields: list[dict[str, Any]]) -> Store:
    """A store with one span for each of `fields` in one hour, which is rolled, and some a day later."""
    store = Store.open(None, clock=None)
    spans = [make(i % 500, span_id=f"s{i}", **values) for i, values in enumerate(fields)]
    store.ingest(batch_of([*spans, *(make(DAY_S + 7200 + i, span_id=f"end{i}") for i in range(LATER))]))
    while store.roll():
        pass
    return store


def test_routes_beyond_a_number_are_one(make: Any, batch_of: Any) -> None:
    """A sender of ever new routes fills no disk; all is counted, and what is used most is told apart."""
    fields = [{"route": f"r{i}"} for i in range(ROUTES + 30)] + [{"route": "often"}] * 5
    with rolled(make, batch_of, fields) as store, store._read() as con:
        assert con.execute("SELECT count(*) FROM sketches_hour").fetchall() == [(ROUTES + 1,)]
        found = store.distribution(make(0).target, "output_tokens", (T0, T0 + DAY_S), (T0, T0))
        assert found["before"]["n"] == ROUTES + 35
        assert found["routes"][0] == {"route": "often", "n_before": 5, "n_after": 0}
        shares = store.shares(make(0).target, "route", T0, T0 + DAY_S, DAY_S)["points"][0]
        assert (shares["n"], sum(shares["shares"].values()) + shares["other"]) == (ROUTES + 35, ROUTES + 35)


def test_names_beyond_a_number_are_counted_and_not_told_apart(make: Any, batch_of: Any) -> None:
    """They are apart from a name `other` that was really there."""
    fields = [{"variant": f"v{i}"} for i in range(NAMES + 30)] + [{"variant": "other"}] * 5
    with rolled(make, batch_of, fields) as store, store._read() as con:
        assert con.execute("SELECT cardinality(variant_values) FROM sketches_hour").fetchall() == [(NAMES,)]
        (point,) = store.shares(make(0).target, "variant", T0, T0 + DAY_S, DAY_S)["points"]
        assert point["shares"]["other"] == 5
        assert point["n"] == NAMES + 35
        assert point["other"] == point["n"] - sum(point["shares"].values()) > NAMES


def test_a_new_signal_is_summed_up_of_what_is_there(tmp_path: Path, make: Any, batch_of: Any) -> None:
    """A file from before a signal existed is rolled anew, as far as its spans are kept."""
    path = tmp_path / "u.duckdb"
    question = (make(0).target, "refusal", T0, T0 + DAY_S, DAY_S, "a")
    with Store.open(path, clock=None) as store:
        store.ingest(batch_of([make(i, refusal=i % 240 == 0, route="a") for i in range(0, 9000, 60)]))
        while store.roll():
            pass
        wanted = store.series(*question)
    with duckdb.connect(str(path)) as con:
        for table, part in product(("sketches", "sketches_hour"), ("n", "sum")):
            con.execute(f"ALTER TABLE {table} DROP COLUMN refusal_{part}")
    with Store.open(path, clock=None) as store:
        assert store.series(*question) == wanted
        while store.roll():
            pass
        assert sketches(store) == 2
        assert store.series(*question) == wanted
