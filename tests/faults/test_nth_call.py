"""The Nth call of the store or of a receiver fails, and the next process goes on: no promise is broken, for no N.

A call fails before it does anything, or after it has done all: then only its answer is lost, as when a commit is on the
disk and nobody hears of it. `make soak` goes through every N, the ordinary suite through some.
"""

import itertools
import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest
from tests.faults.broken_sink import BrokenSink, Faults, faults
from tests.store.test_exactly_once import SENT, consume
from tests.watch.broken import SendsApart
from tests.watch.test_delivered import ALERTS, HOUR_S, MINUTE_S, NOW, STORY, judge

from undertow.batch import Sink
from undertow.clock import ManualClock
from undertow.errors import StoreError, TryAgain
from undertow.notify.egress import Response
from undertow.notify.outbox import Deliverer
from undertow.span import Target
from undertow.store import Store, db
from undertow.watch.teller import Teller

When = Literal["before", "after"]
SERIES = (Target(None, "p", "m", None), "duration_s", 1_767_600_000.0, 1_767_600_600.0, 600)
LIVES = 4
LASTING = ("COMMIT", "CHECKPOINT", "POST")
"""Calls whose work stays though their answer is lost; what others did is rolled back."""


@dataclass
class Calls:
    """Counts calls, of which the `nth` fails."""

    nth: int
    when: When
    come: int = 0
    failed: str = ""

    def call(self, name: str, work: Callable[[], Any], error: Exception) -> Any:
        """What `work` gives, unless its time to fail has come."""
        self.come += self.when == "before" or name in LASTING
        if self.come != self.nth or self.failed:
            return work()
        self.failed = name
        if self.when == "after":
            work()
        raise error


class Connection:
    """A connection of DuckDB, and its cursors, whose statements are such calls."""

    def __init__(self, con: Any, calls: Calls) -> None:
        self._con, self._calls = con, calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()

    def cursor(self) -> "Connection":
        """One more of the kind."""
        return Connection(self._con.cursor(), self._calls)

    def execute(self, sql: str, *args: Any) -> Any:
        """One statement; what it gives is its cursor."""
        error = duckdb.IOException("No space left on device")
        return self._calls.call(sql.split()[0].upper(), lambda: self._con.execute(sql, *args), error)


@dataclass
class Receiver:
    """Stands in for the way out: what was posted, by its id."""

    calls: Calls
    got: list[tuple[str, str, str]] = field(default_factory=list)

    def post(self, _url: str, body: bytes, headers: Mapping[str, str], *_: Any, **__: Any) -> Response:
        """One attempt."""
        return self.calls.call("POST", lambda: self._take(json.loads(body), headers), ConnectionResetError())

    def _take(self, body: Any, headers: Mapping[str, str]) -> Response:
        self.got.append((headers["webhook-id"], body["data"]["target"]["model"], body["type"]))
        return Response(200, None, b"")


@dataclass(frozen=True)
class Outcome:
    """What has to be the same whichever call fails."""

    faults: Faults
    messages: frozenset[tuple[str, str, str]]
    incidents: tuple[tuple[str, str], ...]
    totals: Mapping[str, int]
    series: Any


def life(store: Store, sink: Sink, receiver: Receiver, teller: type[Teller], clock: ManualClock) -> None:
    """A monitor's work: read what is left, judge what is left, tell, sum up, delete."""
    consume(sink, 60)
    tellers = teller(store, ALERTS)
    while (done := round(((store.cursor() or NOW) - NOW) / MINUTE_S)) < len(STORY):
        judge(store, tellers, done)
    sender = Deliverer(store, ALERTS, clock, random.Random(1), receiver)  # type: ignore[arg-type]
    for _ in range(6):
        sender.step(clock())
        clock.advance(HOUR_S)
    while store.roll():
        pass
    store.retain(clock())


def outcome(path: Path, calls: Calls, sink: Callable[[Store], Sink], teller: type[Teller]) -> Outcome:
    """What is there after lives enough to come through, where one call fails."""
    receiver, clock = Receiver(calls), ManualClock(NOW + HOUR_S)
    connect = db.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "connect", lambda path, *more: Connection(connect(path, *more), calls))
        for _ in range(LIVES):
            with suppress(TryAgain, StoreError), Store.open(path, clock=None) as store:
                life(store, sink(store), receiver, teller, clock)
                break
    with Store.open(path, clock=None) as store:
        incidents = sorted((one["target"]["model"], one["status"]) for one in store.incidents())
        totals, series = store.ingestion()["totals"], store.series(*SERIES)["points"]
    return Outcome(faults(path, SENT), frozenset(receiver.got), tuple(incidents), totals, series)


def outcomes(
    folder: Path,
    when: When,
    step: int,
    sink: Callable[[Store], Sink] = lambda store: store,
    teller: type[Teller] = Teller,
) -> Iterator[tuple[str, Outcome]]:
    """Which call failed, and what came of it, for N = 1, 1 + step, ... until none fails any more."""
    empty = folder / "empty.duckdb"
    Store.open(empty, clock=None).close()  # to make the tables takes most of the statements, and has tests of its own
    for nth in itertools.count(1, step):
        path, calls = folder / "u.duckdb", Calls(nth, when)
        shutil.copy(empty, path)
        found = outcome(path, calls, sink, teller)
        yield calls.failed, found
        if not calls.failed:
            return


@pytest.fixture(name="expected", scope="module")
def _expected(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What comes of it where nothing fails."""
    found = outcome(tmp_path_factory.mktemp("whole") / "u.duckdb", Calls(0, "before"), lambda store: store, Teller)
    assert found.faults == Faults()
    assert len(found.messages) >= len(STORY)
    return found


@pytest.mark.parametrize(
    ("when", "step"),
    [
        ("before", 23),
        ("after", 5),
        pytest.param("before", 1, marks=pytest.mark.soak),
        pytest.param("after", 1, marks=pytest.mark.soak),
    ],
)
def test_whichever_call_fails_the_next_process_makes_up_for_it(
    when: When, step: int, tmp_path: Path, expected: Outcome
) -> None:
    """Each message is stored once, each incident is as it was, each alert arrives under its id, each sum is right."""
    failed = []
    for name, found in outcomes(tmp_path, when, step):
        assert found == expected, (name, len(failed))
        failed.append(name)
    assert failed[-1] == ""
    assert {"COMMIT", "POST"} <= {*failed} or (when == "before" and step > 1)


@pytest.mark.parametrize("broken", ["offsets apart from rows", "messages apart from incidents"])
def test_what_is_not_one_transaction_is_caught(broken: str, tmp_path: Path, expected: Outcome) -> None:
    """Negative control: what is committed in two parts is lost by some failure between them."""
    parts: dict[str, Any] = {"sink": BrokenSink} if broken.startswith("offsets") else {"teller": SendsApart}
    assert any(found != expected for _, found in outcomes(tmp_path, "after", 1, **parts))
