"""From a verdict to its receiver: a kill at every point between decide, store, send and record; a receiver away."""

import itertools
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.killing import Killed
from tests.watch.broken import SendsApart

from undertow.clock import ManualClock
from undertow.config import AlertsConfig, DetectConfig, Secret, WebhookConfig, WeightsConfig
from undertow.notify.egress import Response
from undertow.notify.outbox import SCHEDULE_S, Deliverer
from undertow.span import Target
from undertow.store import Store
from undertow.watch.attribution import Facts
from undertow.watch.events import Event, Kind
from undertow.watch.incident import Incidents
from undertow.watch.teller import Teller

NOW = 1_763_635_321.0
MINUTE_S, HOUR_S = 60.0, 3600.0
HERE, THERE = Target("g", "openai", "gpt-4o", None), Target("g", "anthropic", "claude", None)
SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
ALERTS = AlertsConfig(webhook=[WebhookConfig(url="https://a.example/hook", secret=Secret(SECRET))])
STORY: tuple[tuple[Target, Kind, str], ...] = (
    (HERE, "drift", "output_tokens"),
    (THERE, "drift", "output_tokens"),
    (HERE, "recovered", "output_tokens"),
)


Failpoint = Callable[[str], None]


class Receiver:
    """What stands in for the way out: takes messages, and answers with `status`."""

    def __init__(self, failpoint: Failpoint = lambda _: None) -> None:
        self.status, self.failpoint = 200, failpoint
        self.attempts: list[str] = []
        self.got: list[tuple[str, dict[str, Any]]] = []

    def post(self, _url: str, body: bytes, headers: Mapping[str, str], *_: Any, **__: Any) -> Response:
        """One attempt."""
        self.failpoint("before_send")
        self.attempts.append(headers["webhook-id"])
        if self.status == 200:
            self.got.append((headers["webhook-id"], json.loads(body)))
        self.failpoint("after_send")
        return Response(self.status, None, b"")

    def told(self) -> dict[str, list[str]]:
        """The transitions of each target in order of first arrival."""
        found: dict[str, list[str]] = {}
        seen: set[str] = set()
        for webhook_id, body in self.got:
            if webhook_id not in seen:
                seen.add(webhook_id)
                found.setdefault(body["data"]["target"]["model"], []).append(body["type"].removeprefix("llm.drift."))
        return found


class RecordsFirst(Deliverer):
    """Another: it takes the delivery for granted and then sends."""

    def _attempt(self, entry: Any) -> Any:
        self._store.record_delivery(entry.webhook_id, entry.channel, "delivered", at=NOW)
        return super()._attempt(entry)


def judge(store: Store, teller: Teller, done: int) -> None:
    """One fact of STORY: cursor, incident and messages in one transaction, as the watcher commits them."""
    facts = {target: Facts(HOUR_S) for target in (HERE, THERE)}
    known = Incidents(store.incidents(), lambda *_: None, WeightsConfig(), DetectConfig())
    target, kind, subject = STORY[done]
    at = NOW + MINUTE_S * (done + 1)
    event = Event(kind, at, at, 1, subject, "down", 6.0)
    facts[target].add(event)
    told = known.apply(target, event, facts)
    with store.judgement() as transaction:
        transaction.advance(at)
        for one in told:
            transaction.put_incident(one.incident)
        teller.tell(told, known.standing, transaction, at)
    if isinstance(teller, SendsApart):
        teller.afterwards()


def live(store: Store, receiver: Receiver, teller: type[Teller], deliverer: type[Deliverer]) -> None:
    """A process: it goes on where the store says, until all is judged and sent."""
    clock = ManualClock(NOW + HOUR_S)
    sender = deliverer(store, ALERTS, clock, random.Random(1), receiver)  # type: ignore[arg-type]
    while True:
        sender.step(clock())
        cursor = store.cursor()
        done = 0 if cursor is None else round((cursor - NOW) / MINUTE_S)
        if done == len(STORY):
            break
        judge(store, teller(store, ALERTS), done)
    while sender.step(clock()):
        pass


def killed_at(path: Path, nth: int, teller: type[Teller], deliverer: type[Deliverer]) -> tuple[Receiver, str]:
    """Live, be killed at the `nth` step of all there are, and live again; what was received, and the step."""
    count, steps = itertools.count(1), list[str]()

    def failpoint(name: str) -> None:
        if name.startswith(("before", "after")) and next(count) == nth:
            steps.append(name)
            raise Killed

    receiver = Receiver(failpoint)
    for _ in range(2):
        with Store.open(path, clock=None, failpoint=failpoint) as store:
            try:
                live(store, receiver, teller, deliverer)
            except Killed:
                continue
            break
    return receiver, steps[0] if steps else ""


@pytest.fixture(name="expected", scope="module")
def _expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a process that nobody kills delivers."""
    receiver, _ = killed_at(tmp_path_factory.mktemp("whole") / "u.duckdb", 0, Teller, Deliverer)
    told = receiver.told()
    assert (told["gpt-4o"][0], told["gpt-4o"][-1], told["claude"][0]) == ("opened", "resolved", "opened")
    return told


def test_a_kill_at_every_point_loses_nothing(tmp_path: Path, expected: dict[str, list[str]]) -> None:
    """For every N: killed at the Nth step, the next process delivers every transition, in order, under stable ids."""
    killed: set[str] = set()
    for nth in itertools.count(1):
        receiver, step = killed_at(tmp_path / f"{nth}.duckdb", nth, Teller, Deliverer)
        assert receiver.told() == expected, (nth, step)
        again = len(receiver.got) - len({webhook_id for webhook_id, _ in receiver.got})
        assert again == (step in ("after_send", "before_record")), (nth, step)
        if not step:
            break
        killed.add(step)
    assert killed == {
        *("before_judgement", "before_judgement_commit", "after_judgement"),
        *("before_send", "after_send", "before_record", "after_record"),
    }


@pytest.mark.parametrize(("teller", "deliverer"), [(SendsApart, Deliverer), (Teller, RecordsFirst)])
def test_what_is_not_one_transaction_is_caught(
    teller: type[Teller], deliverer: type[Deliverer], tmp_path: Path, expected: dict[str, list[str]]
) -> None:
    """Negative control: messages written apart, or recorded before they are sent, are lost by some kill."""
    kills = (killed_at(tmp_path / f"{nth}.duckdb", nth, teller, deliverer) for nth in range(1, 40))
    assert any(receiver.told() != expected for receiver, _ in kills)


def test_a_receiver_down_for_an_hour_gets_every_transition_in_order(expected: dict[str, list[str]]) -> None:
    """No storm while it is away, everything once when it is back; nothing is decided anew because of it."""
    with Store.open(None, clock=None) as store:
        clock, receiver = ManualClock(NOW), Receiver()
        sender = Deliverer(store, ALERTS, clock, random.Random(1), receiver)  # type: ignore[arg-type]
        teller = Teller(store, ALERTS)
        receiver.status = 503
        rounds = [0]
        for minute in range(60):
            if minute < len(STORY):
                judge(store, teller, minute)
            clock.advance(MINUTE_S)
            sender.step(clock())
            rounds.append(len(receiver.attempts))
        assert max(after - before for before, after in itertools.pairwise(rounds)) == 1
        attempts = len(receiver.attempts)
        assert receiver.got == []
        first_ids = set(receiver.attempts)
        assert len(first_ids) == 2  # the first of each incident holds back those behind it
        steps = sum(1 for total in itertools.accumulate(SCHEDULE_S) if total <= HOUR_S)
        assert attempts <= steps * len(first_ids)
        receiver.status = 200
        for _ in range(3 * 60):
            clock.advance(MINUTE_S)
            sender.step(clock())
        assert receiver.told() == expected
        assert len(receiver.got) == sum(map(len, expected.values()))
