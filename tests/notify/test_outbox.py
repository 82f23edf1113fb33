import contextlib
import dataclasses
import itertools
import json
import logging
import math
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs
from standardwebhooks import Webhook
from tests.killing import Killed

from undertow.channels import SlackConfig
from undertow.clock import ManualClock, system_clock
from undertow.config import AlertsConfig, Secret, WebhookConfig
from undertow.errors import Refused, StoreError
from undertow.notify.egress import Egress, Guard, Response
from undertow.notify.message import Outgoing
from undertow.notify.outbox import JITTER, SCHEDULE_S, Deliverer, plan
from undertow.notify.routing import channel, decide
from undertow.store import Store

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_763_635_321.0


def put(store: Store, *entries: Outgoing) -> None:
    """Add rows as an incident's transaction does."""
    with store.judgement() as judgement:
        for entry in entries:
            judgement.put_outgoing(entry)


def waiting(store: Store) -> list[Outgoing]:
    """What is neither delivered nor dead: the first of each incident and channel."""
    return store.due(math.inf, 100)


@pytest.fixture(name="outbox")
def _outbox() -> Iterator[Store]:
    with Store.open(None) as store:
        yield store


@pytest.fixture(name="clock")
def _clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture(name="alerts")
def _alerts(receiver: Any) -> AlertsConfig:
    return AlertsConfig(webhook=[WebhookConfig(url=receiver.url, secret=Secret(KEY))], allow_hosts=["127.0.0.1"])


@pytest.fixture(name="deliverer")
def _deliverer(outbox: Store, alerts: AlertsConfig, clock: ManualClock) -> Deliverer:
    return Deliverer(outbox, alerts, clock, random.Random(1))


def ids(receiver: Any) -> list[str]:
    """The webhook-id of each request, in order of arrival."""
    return [headers["webhook-id"] for headers, _ in receiver.requests]


def advance(clock: ManualClock, deliverer: Deliverer, seconds: float, step_s: float = 60.0) -> None:
    """Let time pass, with a round every `step_s`."""
    end = clock() + seconds
    while clock() < end:
        clock.advance(step_s)
        deliverer.step(clock())


# Who is told


@pytest.mark.parametrize(
    ("severity", "cause", "least", "told"),
    [
        ("critical", "provider_update", "warning", "told"),
        ("warning", "provider_update", "warning", "told"),
        ("info", "declared_update", "warning", "below_min_severity"),
        ("warning", "provider_update", "critical", "below_min_severity"),
        ("critical", "own_release", "warning", "below_min_severity"),
        ("info", "own_release", "info", "told"),
    ],
)
def test_who_is_told(severity: str, cause: str, least: Any, told: str, incident: dict[str, Any]) -> None:
    """Severity decides; an own release counts as information whatever it is called."""
    receiver = WebhookConfig(url="https://a.example/", min_severity=least)
    assert decide(incident | {"severity": severity, "cause": cause}, receiver) == told


def test_a_plan_is_one_message_for_each_receiver_told(incident: dict[str, Any]) -> None:
    """Receivers of one transition get the same body under the same id, through channels of their own."""
    hooks = [WebhookConfig(url=f"https://{host}.example/", secret=Secret(KEY)) for host in "ab"]
    hooks.append(WebhookConfig(url="https://c.example/", secret=Secret(KEY), min_severity="critical"))
    first, second = plan("llm.drift.opened", incident | {"severity": "warning"}, AlertsConfig(webhook=hooks), NOW)
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)
    assert first.channel != second.channel
    assert json.loads(first.body)["data"]["severity"] == "warning"


def test_a_transition_judged_again_gives_the_same_ids(incident: dict[str, Any], alerts: AlertsConfig) -> None:
    """After a crash the same plan comes out; another transition of the incident has another id and a later place."""
    opened = plan("llm.drift.opened", incident, alerts, NOW)
    assert plan("llm.drift.opened", incident, alerts, NOW) == opened
    resolved = plan("llm.drift.resolved", incident, alerts, NOW)
    assert resolved[0].webhook_id != opened[0].webhook_id
    assert resolved[0].sequence > opened[0].sequence


def test_a_channel_names_the_host_and_hides_the_path() -> None:
    """Receivers on one host are told apart, and a secret in a URL stays out of logs and metrics."""
    one, two = (channel(WebhookConfig(url=f"https://hooks.example/{path}")) for path in ("canary", "other"))
    assert one != two
    assert one.startswith("webhook:hooks.example:")
    assert "canary" not in one


# How it is delivered


def test_a_message_is_delivered_once_and_verifies(
    incident: dict[str, Any], alerts: AlertsConfig, outbox: Store, receiver: Any
) -> None:
    """What stands in the outbox arrives, signed, and is not sent again."""
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    deliverer = Deliverer(outbox, alerts, system_clock, random.Random(1))
    assert [deliverer.step(NOW), deliverer.step(NOW + 60)] == [1, 0]
    ((headers, body),) = receiver.requests
    assert Webhook(KEY).verify(body, headers)["data"]["cause"] == "provider_update"


def test_retries_follow_the_schedule_with_one_id_and_fresh_timestamps(
    incident: dict[str, Any],
    alerts: AlertsConfig,
    outbox: Store,
    deliverer: Deliverer,
    receiver: Any,
    clock: ManualClock,
) -> None:
    """Waits are 5 s, 5 min, 30 min, 2 h, ... and up to a tenth more; after the last the message is dead and noticed."""
    receiver.answers = [receiver.says(500)] * 99
    (entry,) = plan("llm.drift.opened", incident, alerts, NOW)
    put(outbox, entry)
    waits = [0.0]
    deliverer.step(clock())
    while left := waiting(outbox):
        waits.append(left[0].next_attempt_at - clock())
        assert deliverer.step(left[0].next_attempt_at - 0.001) == 0
        clock.now = left[0].next_attempt_at
        deliverer.step(clock())
    assert len(waits) == len(receiver.requests) == len(SCHEDULE_S)
    assert all(least <= wait <= least * (1 + JITTER) for least, wait in zip(SCHEDULE_S, waits, strict=True))
    assert len({wait / least for least, wait in zip(SCHEDULE_S[1:], waits[1:], strict=True)}) > 1
    assert set(ids(receiver)) == {entry.webhook_id}
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.requests}) == len(SCHEDULE_S)
    assert len({body for _, body in receiver.requests}) == 1
    assert "http_500" in outbox.notices()[0]["text"]


def test_a_receiver_down_for_an_hour_gets_everything_once_in_order(
    incident: dict[str, Any],
    alerts: AlertsConfig,
    outbox: Store,
    deliverer: Deliverer,
    receiver: Any,
    clock: ManualClock,
) -> None:
    """No storm while it is away, every transition when it is back, those of one incident in order."""
    kinds = ["llm.drift.opened", "llm.drift.updated", "llm.drift.resolved"]
    incidents = [incident | {"id": f"inc_{n}"} for n in range(5)]
    for at, kind in enumerate(kinds):
        put(outbox, *(entry for one in incidents for entry in plan(kind, one, alerts, NOW - 3 + at)))
    receiver.answers = [receiver.says(500)] * 1000
    advance(clock, deliverer, 3600)
    down = ids(receiver)
    assert max(down.count(one) for one in down) <= sum(at <= 3600 for at in (0, 5, 305, 2105))
    receiver.answers, receiver.requests = [], []
    advance(clock, deliverer, 3 * 3600)
    told = [json.loads(body) for _, body in receiver.requests]
    assert len(ids(receiver)) == len(set(ids(receiver))) == 15
    for one in incidents:
        assert [t["type"] for t in told if t["data"]["id"] == one["id"]] == kinds


class Unordered(Store):
    """An outbox that hands out everything that is due, whatever waits before it."""

    def due(self, now: float, limit: int) -> list[Outgoing]:
        """The first of each incident, and then those behind it."""
        first = super().due(math.inf, limit)
        heads = [entry for entry in first if entry.next_attempt_at <= now]
        return heads or [dataclasses.replace(entry, webhook_id="msg_behind") for entry in first]


def test_an_outbox_without_order_is_caught(
    incident: dict[str, Any], alerts: AlertsConfig, receiver: Any, clock: ManualClock
) -> None:
    """Negative control: where waiting messages do not hold back the next, another id arrives first."""
    with Unordered.open(None) as outbox:
        (entry,) = plan("llm.drift.opened", incident, alerts, NOW)
        put(outbox, entry)
        receiver.answers = [receiver.says(500)]
        deliverer = Deliverer(outbox, alerts, clock, random.Random(1))
        deliverer.step(clock())
        deliverer.step(clock())
    assert ids(receiver) == [entry.webhook_id, "msg_behind"]


def test_gone_is_the_end_of_a_channel(
    incident: dict[str, Any],
    alerts: AlertsConfig,
    outbox: Store,
    deliverer: Deliverer,
    receiver: Any,
    clock: ManualClock,
) -> None:
    """After 410 nothing more is sent there; what was meant for it is dead, and a notice says so."""
    receiver.answers = [receiver.says(410)]
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    put(outbox, *plan("llm.drift.opened", incident | {"id": "inc_2"}, alerts, NOW))
    deliverer.step(clock())
    assert len(receiver.requests) == 1
    assert waiting(outbox) == []
    assert [notice["kind"] for notice in outbox.notices()] == ["webhook_dead", "webhook_dead"]


def test_gone_outlives_a_restart_until_somebody_enables_it(
    incident: dict[str, Any], alerts: AlertsConfig, outbox: Store, receiver: Any, clock: ManualClock
) -> None:
    """A receiver that answered 410 is not asked by the next process, but all three once it is enabled."""
    receiver.answers = [receiver.says(410)]
    for place in range(3):
        put(outbox, *plan("llm.drift.opened", incident | {"id": f"inc_{place}"}, alerts, clock()))
        Deliverer(outbox, alerts, clock, random.Random(1)).step(clock())
        assert len(receiver.requests) == (4 if place == 2 else 1)
        assert [one["channel"] for one in outbox.disabled()] == ([] if place == 2 else [channel(alerts.webhook[0])])
        if place == 1:
            with outbox.judgement() as judgement:
                judgement.enable(channel(alerts.webhook[0]), NOW)


def test_who_is_enabled_hears_the_last_word_on_what_it_does_not_know(
    incident: dict[str, Any], alerts: AlertsConfig, outbox: Store, receiver: Any, clock: ManualClock
) -> None:
    """What still stands, once, and the end of what it was told stands; not what came and went meanwhile."""
    name, deliverer = channel(alerts.webhook[0]), Deliverer(outbox, alerts, clock, random.Random(1))

    def told(key: str, *kinds: str) -> None:
        for kind in kinds:
            over = {"status": "resolved", "resolved_at": clock()} if kind == "resolved" else {}
            document = incident | {"id": key, "lane": kind} | over
            put(outbox, *plan(f"llm.drift.{kind}", document, alerts, clock(), heard=[name]))
            deliverer.step(clock())
            clock.advance(1)

    told("inc_heard", "opened")
    receiver.answers = [receiver.says(410)]
    told("inc_stands", "opened", "updated")
    told("inc_heard", "updated", "resolved")
    told("inc_gone", "opened", "resolved")
    receiver.requests.clear()
    with outbox.judgement() as judgement:
        judgement.enable(name, clock())
    deliverer.step(clock())
    assert {(e["data"]["id"], e["type"]) for e in map(json.loads, (body for _, body in receiver.requests))} == {
        ("inc_stands", "llm.drift.updated"),
        ("inc_heard", "llm.drift.resolved"),
    }
    assert deliverer.step(clock()) == 0


def test_a_receiver_that_left_the_configuration_gets_nothing(
    incident: dict[str, Any], alerts: AlertsConfig, outbox: Store, receiver: Any, clock: ManualClock
) -> None:
    """Its messages are dead and noticed, not kept for ever."""
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    Deliverer(outbox, AlertsConfig(), clock, random.Random(1)).step(clock())
    assert receiver.requests == []
    assert "not_configured" in outbox.notices()[0]["text"]


@pytest.mark.parametrize(("answer", "wait_s"), [((429, "Retry-After: 1000"), 1000.0), ((502,), 60.0)])
def test_a_receiver_that_asks_for_time_gets_it(
    answer: Any,
    wait_s: float,
    incident: dict[str, Any],
    alerts: AlertsConfig,
    outbox: Store,
    deliverer: Deliverer,
    receiver: Any,
    clock: ManualClock,
) -> None:
    """Retry-After holds for the whole channel, other incidents included."""
    receiver.answers = [receiver.says(*answer)]
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    deliverer.step(clock())
    put(outbox, *plan("llm.drift.opened", incident | {"id": "inc_2"}, alerts, NOW))
    assert deliverer.step(NOW + wait_s - 1) == 0
    assert len(receiver.requests) == 1
    assert deliverer.step(NOW + wait_s) == 2


@pytest.mark.parametrize("answer", [(500,), (429, "Retry-After: 3000")])
def test_a_clock_that_is_set_back_keeps_no_message_waiting(
    answer: Any,
    incident: dict[str, Any],
    alerts: AlertsConfig,
    outbox: Store,
    deliverer: Deliverer,
    receiver: Any,
    clock: ManualClock,
) -> None:
    """What was put off, or was written an hour ahead, is tried when the clock is right again, once."""
    receiver.answers = [receiver.says(*answer), receiver.says(500)]
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    deliverer.step(clock())
    clock.now -= 3600
    deliverer.step(clock())
    assert len(receiver.requests) == 2
    deliverer.step(clock())
    assert len(receiver.requests) == 2
    clock.now += 400
    assert deliverer.step(clock()) == 1


def test_a_receiver_that_asks_for_time_holds_up_no_other(
    incident: dict[str, Any], alerts: AlertsConfig, outbox: Store, receiver: Any, clock: ManualClock
) -> None:
    """However many messages wait for one receiver, what comes later for another goes out in its round."""
    slow, quick = (structs.replace(alerts.webhook[0], name=name) for name in ("slow", "quick"))
    alerts = structs.replace(alerts, webhook=[slow, quick])
    waiting_for_slow = [plan("llm.drift.opened", incident | {"id": f"inc_{n}"}, alerts, NOW)[0] for n in range(250)]
    put(outbox, *waiting_for_slow)
    receiver.answers = [receiver.says(429, "Retry-After: 86400")]
    deliverer = Deliverer(outbox, alerts, clock, random.Random(1))
    deliverer.step(clock())
    put(outbox, plan("llm.drift.opened", incident | {"id": "inc_last"}, alerts, NOW + 1)[1])
    clock.now += 1
    assert deliverer.step(clock()) == 1


class Arrivals:
    """What stands in for the way out: when something arrived, and at which host."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.at = clock, list[tuple[float, str]]()

    def post(self, url: str, *_: Any, **__: Any) -> Response:
        """Take it."""
        self.at.append((self.clock() - NOW, url.split("/")[2]))
        return Response(200, None, b"")


@pytest.mark.parametrize("pace_s", [1.0, 0.0])
def test_slack_gets_a_message_a_second_and_nobody_waits_for_it(
    pace_s: float, incident: dict[str, Any], outbox: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten incidents at once for two channels of one host and a webhook; rounds come five times a second.

    Negative control: without the pace all arrive in the first round.
    """
    monkeypatch.setattr("undertow.notify.slack.PACE_S", pace_s)
    rooms = [SlackConfig(name=name, url=Secret(f"https://hooks.slack.com/services/{name}")) for name in ("a", "b")]
    hook = WebhookConfig(url="https://a.example/hook", secret=Secret(KEY))
    alerts, arrivals = AlertsConfig(slack=rooms, webhook=[hook]), Arrivals(clock)
    put(outbox, *(e for n in range(10) for e in plan("llm.drift.opened", incident | {"id": f"inc_{n}"}, alerts, NOW)))
    deliverer = Deliverer(outbox, alerts, clock, random.Random(1), arrivals)  # type: ignore[arg-type]
    for _ in range(150):
        deliverer.step(clock())
        clock.advance(0.2)
    at = {host: [at for at, name in arrivals.at if name == host] for host in ("hooks.slack.com", "a.example")}
    assert (len(at["hooks.slack.com"]), len(at["a.example"])) == (20, 10)
    assert max(at["a.example"]) == 0.0
    gaps = [after - before for before, after in itertools.pairwise(at["hooks.slack.com"])]
    assert (min(gaps) >= 1.0) == bool(pace_s)
    assert deliverer.failing == {}


def test_a_clock_that_was_set_back_holds_nothing_up(
    incident: dict[str, Any], outbox: Store, clock: ManualClock
) -> None:
    """The pace is a matter of a second, whatever the clock said before."""
    alerts = AlertsConfig(slack=[SlackConfig(name="a", url=Secret("https://hooks.slack.com/services/x"))])
    arrivals = Arrivals(clock)
    deliverer = Deliverer(outbox, alerts, clock, random.Random(1), arrivals)  # type: ignore[arg-type]
    for name in ("inc_1", "inc_2"):
        put(outbox, *plan("llm.drift.opened", incident | {"id": name}, alerts, NOW - 3600))
        deliverer.step(clock())
        clock.advance(-3600)
    assert len(arrivals.at) == 2


def test_a_receiver_that_hangs_delays_the_others_once(
    incident: dict[str, Any], alerts: AlertsConfig, outbox: Store, listening: Any
) -> None:
    """In one round a failing channel costs one attempt, and the others are served in the same round."""
    answering = threading.Event()
    with listening() as hanging:
        hanging.answers = [lambda _stream: answering.wait(30)] * 9
        hooks = [WebhookConfig(url=hanging.url, secret=Secret(KEY)), *alerts.webhook]
        both = AlertsConfig(webhook=hooks, allow_hosts=alerts.allow_hosts)
        put(outbox, *(e for n in range(5) for e in plan("llm.drift.opened", incident | {"id": f"inc_{n}"}, both, NOW)))
        egress = Egress(Guard(alerts.allow_hosts), deadline_s=1)
        deliverer = Deliverer(outbox, both, system_clock, random.Random(1), egress)
        assert deliverer.step(NOW) == 5
        answering.set()
        assert len(hanging.requests) == 1
        assert deliverer.failing == {channel(hooks[0]): "timeout"}


class CrashingStore(Store):
    """Dies once at a record, before or after it is committed, as a process that is killed does."""

    committed = False
    crashed = False

    def record_delivery(self, *row: Any, **more: Any) -> None:
        """Record, and die the first time."""
        if self.committed or self.crashed:
            super().record_delivery(*row, **more)
        if not self.crashed:
            self.crashed = True
            raise Killed


class RecordsFirst(Deliverer):
    """The broken one: it takes the delivery for granted and then sends."""

    def _attempt(self, entry: Outgoing) -> Any:
        self._store.record_delivery(entry.webhook_id, entry.channel, "delivered", at=NOW)
        return super()._attempt(entry)


@pytest.mark.parametrize(
    ("kind", "committed", "arrived"), [(Deliverer, False, 2), (Deliverer, True, 1), (RecordsFirst, True, 0)]
)
def test_a_crash_between_send_and_record_delivers_twice_and_never_not(
    kind: type[Deliverer],
    committed: bool,
    arrived: int,
    incident: dict[str, Any],
    alerts: AlertsConfig,
    receiver: Any,
    clock: ManualClock,
) -> None:
    """The second delivery bears the same id. Negative control: one that records before it sends loses the message."""
    with CrashingStore.open(None) as outbox:
        outbox.committed = committed  # type: ignore[attr-defined]
        put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
        for _ in range(2):
            with contextlib.suppress(Killed):
                kind(outbox, alerts, clock, random.Random(1)).step(clock())
    assert len(receiver.requests) == arrived
    assert len(set(ids(receiver))) <= 1


class RefusingStore(Store):
    """Refuses the first records, as a database without memory does."""

    refusals = 3

    def record_delivery(self, *row: Any, **more: Any) -> None:
        """Record, or refuse."""
        if self.refusals:
            self.refusals -= 1
            raise Refused("there was no memory")
        super().record_delivery(*row, **more)


class SendsAgain(Deliverer):
    """The broken one: it forgets what it could not write down."""

    def _write_down(self) -> None:
        unrecorded, self._unrecorded = self._unrecorded, []
        for record in unrecorded:
            record()


@pytest.mark.parametrize(("kind", "arrived"), [(Deliverer, 1), (SendsAgain, 4)])
def test_what_could_not_be_written_down_is_not_sent_each_round(
    kind: type[Deliverer],
    arrived: int,
    incident: dict[str, Any],
    alerts: AlertsConfig,
    receiver: Any,
    clock: ManualClock,
) -> None:
    """While the store refuses, the record is tried again, not the message. Negative control: one that sends again."""
    with RefusingStore.open(None) as outbox:
        put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
        deliverer = kind(outbox, alerts, clock, random.Random(1))
        for _ in range(5):
            with contextlib.suppress(Refused):
                deliverer.step(clock())
        assert outbox.due(clock() + 1e6, 10) == []
    assert len(receiver.requests) == arrived


def test_the_loop_outlives_a_failing_store_and_stops_when_told(
    alerts: AlertsConfig, outbox: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round that fails is logged; the next one tries again; `stop` ends the loop."""
    monkeypatch.setattr("undertow.notify.outbox._POLL_S", 0.01)
    stop, rounds = threading.Event(), iter(range(2))

    def due(_now: float, _limit: int) -> list[Outgoing]:
        if next(rounds, None) is None:
            stop.set()
            return []
        raise StoreError("the disk is full")

    outbox.due = due  # type: ignore[method-assign]
    thread = threading.Thread(target=Deliverer(outbox, alerts, system_clock, random.Random(1)).run, args=(stop,))
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert caplog.text.count("a round of the outbox failed") == 2


def test_a_receiver_that_hangs_does_not_hold_the_end_of_the_process(
    incident: dict[str, Any], alerts: AlertsConfig, outbox: Store, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At `stop` the attempt is left behind, unrecorded, so that the next start makes it again."""
    monkeypatch.setattr("undertow.notify.outbox._POLL_S", 0.1)
    stop, answering = threading.Event(), threading.Event()
    receiver.answers = [lambda _stream: (stop.set(), answering.wait(30))]
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    deliverer = Deliverer(outbox, alerts, system_clock, random.Random(1))
    thread = threading.Thread(target=deliverer.run, args=(stop,))
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    answering.set()
    assert waiting(outbox)[0].attempts == 0
    assert receiver.requests


def test_no_secret_reaches_a_log_or_a_notice(
    incident: dict[str, Any],
    alerts: AlertsConfig,
    outbox: Store,
    deliverer: Deliverer,
    receiver: Any,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the signing secret nor the path of a URL is told when deliveries fail."""
    caplog.set_level(logging.DEBUG)
    receiver.answers = [receiver.says(500), receiver.says(410)]
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    deliverer.step(clock())
    deliverer.step(clock() + 10)
    told = caplog.text + repr(outbox.notices()) + repr(deliverer.failing) + repr(alerts)
    assert "http_500" in told
    assert "http_410" in told
    assert KEY.removeprefix("whsec_") not in told
    assert "/hook" not in caplog.text + repr(outbox.notices())


def test_neither_of_two_secrets_reaches_a_log_a_row_or_a_metric(
    incident: dict[str, Any], outbox: Store, receiver: Any, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """While a secret is changed both are canaries: nothing that is kept, logged or measured holds either."""
    caplog.set_level(logging.DEBUG)
    keys = [KEY, "whsec_" + "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"]
    hook = WebhookConfig(url=receiver.url, secret=Secret(keys[0]), previous_secret=Secret(keys[1]))
    alerts = AlertsConfig(webhook=[hook], allow_hosts=["127.0.0.1"])
    receiver.answers = [receiver.says(500), receiver.says(410)]
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    deliverer = Deliverer(outbox, alerts, clock, random.Random(1))
    deliverer.step(clock())
    deliverer.step(clock() + 10)
    assert all(len(headers["webhook-signature"].split()) == 2 for headers, _ in receiver.requests)
    kept = [outbox.notices(), outbox.disabled(), outbox.alerts(), outbox.audit(channel(hook)), deliverer.deliveries]
    told = caplog.text + repr(kept) + repr(deliverer.failing) + repr(alerts) + str(alerts)
    assert "http_410" in told
    assert not [key for key in keys if key.removeprefix("whsec_") in told]


def test_a_fault_in_an_attempt_is_a_failed_round(
    incident: dict[str, Any], alerts: AlertsConfig, outbox: Store, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody thought of is raised where the loop logs it, and the message stays."""

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("undertow.notify.outbox.send", fail)
    put(outbox, *plan("llm.drift.opened", incident, alerts, NOW))
    with pytest.raises(ZeroDivisionError):
        deliverer.step(NOW)
    assert len(waiting(outbox)) == 1
