"""The parts of the demo: broker, gateway, receiver, router and the leash, each by itself."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from kafka import KafkaConsumer, TopicPartition
from standardwebhooks import Webhook

from undertow.batch import Message, Origin
from undertow.clock import ManualClock
from undertow.demo.broker import API_VERSION, Broker
from undertow.demo.child import Child, free_port
from undertow.demo.gateway import JSON_TOPIC, OTLP_TOPIC, Gateway
from undertow.demo.receiver import Receiver
from undertow.demo.router import Router
from undertow.errors import UndertowError
from undertow.span import Span
from undertow_collectors.decode.registry import decode
from undertow_collectors.scenarios import CLAUDE_SONNET, FLEET, GPT_4O, GPT_4O_AZURE, SCENARIOS

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
BODY = json.dumps({"type": "llm.drift.opened", "timestamp": "2026-11-20T00:00:00Z", "data": {"id": "inc_1"}}).encode()


def _until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


# the receiver


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    with Receiver(SECRET) as receiver:
        yield receiver


def _signed(secret: str = SECRET, webhook_id: str = "msg_1", body: bytes = BODY) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(secret).sign(webhook_id, now, body.decode())
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def test_a_signed_webhook_is_taken_once(receiver: Receiver) -> None:
    """A delivery whose signature is right is kept; its repetition under the same id is acknowledged and not kept."""
    answers = [httpx.post(receiver.url, content=BODY, headers=_signed()).status_code for _ in range(2)]
    assert answers == [204, 204]
    assert [(d.webhook_id, d.kind, d.data) for d in receiver.deliveries] == [
        ("msg_1", "llm.drift.opened", {"id": "inc_1"})
    ]


def test_what_is_not_signed_with_the_secret_is_refused(receiver: Receiver) -> None:
    """Another secret, another body, no signature, a signature that is none: each is 401 and nothing is kept."""
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    for headers, body in (
        (_signed(other), BODY),
        (_signed(), BODY + b" "),
        ({}, BODY),
        (_signed() | {"webhook-signature": "no-comma"}, BODY),
        (_signed(body=b"[1]"), b"[1]"),
    ):
        assert httpx.post(receiver.url, content=body, headers=headers).status_code == 401
    assert receiver.deliveries == []
    assert receiver.refused == 5


def test_a_body_beyond_the_limit_is_not_read(receiver: Receiver) -> None:
    """More than 20 kB is 413."""
    assert httpx.post(receiver.url, content=b"x" * 20_001).status_code == 413


# the router


def _feed(multiplier: float = 0.5, mode: str = "enforce", expires_at: float | None = None) -> dict[str, Any]:
    target = {"gateway": "litellm", "provider": "openai", "model": "gpt-4o", "deployment": "openai-primary"}
    entry = {"target": target, "multiplier": multiplier, "expires_at": expires_at}
    return {"version": 1, "generated_at": 1000.0, "expires_at": 1600.0, "mode": mode, "weights": [entry]}


def _share(router: Router, requests: int = 4000) -> float:
    rng = np.random.default_rng(5)
    chosen = Counter(router.choose(rng, "gpt-4o").provider for _ in range(requests))
    return chosen["openai"] / requests


def test_halving_a_weight_moves_a_third_of_the_share() -> None:
    """Two equal weights share half and half; with one of them halved its share is a third."""
    router = Router(FLEET, ManualClock(1000.0))
    assert _share(router) == pytest.approx(1 / 2, abs=0.03)
    router.take(_feed())
    assert _share(router) == pytest.approx(1 / 3, abs=0.03)
    assert router.multiplier(GPT_4O_AZURE) == 1.0


def test_an_advisory_feed_changes_nothing() -> None:
    """In advisory mode the same entries are read and not applied."""
    router = Router(FLEET, ManualClock(1000.0))
    router.take(_feed(mode="advisory"))
    assert router.multiplier(GPT_4O) == 1.0


def test_a_stale_feed_fails_open() -> None:
    """Ten minutes after the last answer, or past an entry's own end, the multiplier is 1 again."""
    clock = ManualClock(5000.0)
    router = Router(FLEET, clock)
    router.take(_feed(expires_at=5100.0))
    assert router.multiplier(GPT_4O) == 0.5
    clock.advance(101)
    assert router.multiplier(GPT_4O) == 1.0
    router.take(_feed())
    clock.advance(599)
    assert router.multiplier(GPT_4O) == 0.5
    clock.advance(2)
    assert router.multiplier(GPT_4O) == 1.0


def test_the_feed_is_asked_for_with_its_etag() -> None:
    """The first answer is taken, a 304 renews it, a failure leaves it until it is stale."""
    clock = ManualClock(0.0)
    router = Router(FLEET, clock)
    seen: list[str | None] = []
    away = False

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("if-none-match"))
        if away:
            raise httpx.ConnectError("away")
        return httpx.Response(304) if seen[-1] else httpx.Response(200, json=_feed(), headers={"etag": '"abc"'})

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://monitor") as client:
        assert router.poll(client)
        clock.advance(500)
        assert not router.poll(client)
        clock.advance(500)
        away = True
        assert not router.poll(client)
        assert router.multiplier(GPT_4O) == 0.5
        clock.advance(101)
        assert router.multiplier(GPT_4O) == 1.0
    assert seen == [None, '"abc"', '"abc"']


def test_the_last_endpoint_of_a_group_still_gets_its_requests() -> None:
    """Where every weight of a group is zero, requests are shared as if there were no weights."""
    router = Router([GPT_4O], ManualClock(1000.0))
    router.take(_feed(multiplier=0.0))
    assert router.choose(np.random.default_rng(1), "gpt-4o") is GPT_4O


def test_the_share_counts_only_the_model_and_the_time() -> None:
    """A share is of the same model's requests within the time asked for; of none it is 0 of 0."""
    clock = ManualClock(0.0)
    router = Router(FLEET, clock)
    rng = np.random.default_rng(2)
    for at, model in ((1.0, "gpt-4o"), (2.0, "gpt-4o"), (2.0, "claude-sonnet"), (9.0, "gpt-4o")):
        clock.now = at
        router.choose(rng, model)
    assert router.share(GPT_4O, 0.0, 5.0).requests == 2
    assert router.share(CLAUDE_SONNET, 0.0, 5.0) == (1.0, 1)
    assert router.share(GPT_4O, 20.0, 30.0) == (0.0, 0)


# broker and gateway


@pytest.fixture(name="broker")
def _broker() -> Iterator[Broker]:
    pytest.importorskip("confluent_kafka", reason="needs confluent-kafka, the extra `demo`")
    with Broker((JSON_TOPIC, OTLP_TOPIC)) as broker:
        yield broker


def _read(broker: Broker, expected: int) -> list[tuple[TopicPartition, Span]]:
    consumer = KafkaConsumer(bootstrap_servers=broker.address, api_version=API_VERSION, consumer_timeout_ms=20_000)
    partitions = [TopicPartition(t, p) for t in (JSON_TOPIC, OTLP_TOPIC) for p in range(4)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    found: list[tuple[TopicPartition, Span]] = []
    for record in consumer:
        decoded = decode(Message(Origin(record.topic, record.partition, record.offset), record.value))
        assert not decoded.rejects
        found += [(TopicPartition(record.topic, record.partition), span) for span in decoded.spans]
        if len(found) >= expected:
            break
    consumer.close()
    return found


def test_history_comes_in_order_and_whole(broker: Broker) -> None:
    """The history of all models lies in one partition, in the order in which the calls ended, none missing."""
    clock = ManualClock(1_800_000_000.0)
    with Gateway(broker.address, API_VERSION, Router(FLEET, clock), seed=1, clock=clock) as gateway:
        waits: list[int] = []
        gateway.history(days=1.0, per_day=600.0, after_chunk=waits.append)
        found = _read(broker, gateway.sent)
    assert waits == [1000, 2000, gateway.sent]
    assert {partition for partition, _ in found} == {TopicPartition(JSON_TOPIC, 0)}
    ended = [span.ended_at for _, span in found]
    assert ended == pytest.approx(sorted(ended), abs=1e-3)
    assert len({span.span_id for _, span in found}) == len(found) == gateway.sent
    assert {span.target.as_dict()["deployment"] for _, span in found} == {e.deployment for e in FLEET}


def test_live_traffic_is_shipped_in_both_forms_and_counted(broker: Broker) -> None:
    """Held for a moment, the gateway has sent exactly what the broker has: Claude's calls as OTLP, the rest as JSON."""
    with Gateway(broker.address, API_VERSION, Router(FLEET), seed=1) as gateway:
        gateway.change(GPT_4O, SCENARIOS["silent-update"].behaviour)
        gateway.start(400.0)
        _until(lambda: gateway.sent > 300)
        with gateway.held() as sent:
            found = _read(broker, sent)
            assert gateway.sent == sent == len(found)
        gateway.check()
    assert {partition.topic for partition, span in found if span.model == CLAUDE_SONNET.model} == {OTLP_TOPIC}
    assert {partition.topic for partition, span in found if span.model != CLAUDE_SONNET.model} == {JSON_TOPIC}
    assert len({partition for partition, _ in found}) > 2


def test_without_the_extra_the_broker_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where confluent-kafka is missing the mistake names the extra."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(UndertowError, match=r"pip install confluent-kafka"):
        Broker()


# the leash


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or ") Z " not in state.read_text()


@pytest.fixture(name="sleeper")
def _sleeper(tmp_path: Path) -> Path:
    """A module that writes its pid and then does nothing for long."""
    (tmp_path / "sleeper.py").write_text(
        "import os, pathlib, sys, time\n"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()) + ' ')\n"
        "print('last', 'words', flush=True)\n"
        "time.sleep(float(sys.argv[2]))\n"
    )
    return tmp_path


def _pid(file: Path) -> int:
    _until(lambda: file.exists() and file.read_text().endswith(" "))
    return int(file.read_text())


def test_a_child_ends_with_close(sleeper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing ends the command itself, not only its leash."""
    monkeypatch.setenv("PYTHONPATH", str(sleeper))
    pid_file = sleeper / "pid"
    with Child(["sleeper", str(pid_file), "60"], sleeper / "log") as child:
        pid = _pid(pid_file)
        assert child.running
        assert _alive(pid)
    assert not child.running
    assert not _alive(pid)
    assert child.last_words() == "last words"


def test_a_child_sees_no_settings_of_ours(sleeper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UNDERTOW_ variables of the caller stay outside, others go in."""
    (sleeper / "shows.py").write_text("import os; print(sorted(n for n in os.environ if 'TOW' in n or 'PYTHONP' in n))")
    monkeypatch.setenv("PYTHONPATH", str(sleeper))
    monkeypatch.setenv("UNDERTOW_API__TOKEN", "theirs")
    with Child(["shows"], sleeper / "log") as child:
        _until(lambda: not child.running)
        assert child.last_words() == "['PYTHONPATH']"


def test_a_child_that_ends_by_itself_is_noticed(sleeper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its leash ends with it, quietly."""
    monkeypatch.setenv("PYTHONPATH", str(sleeper))
    with Child(["sleeper", str(sleeper / "pid"), "0"], sleeper / "log") as child:
        _until(lambda: not child.running)
        assert child.last_words() == "last words"


def test_a_child_ends_when_its_holder_is_killed(sleeper: Path) -> None:
    """SIGKILL of the process that started it ends the command too."""
    program = (
        "import pathlib, time\n"
        "from undertow.demo.child import Child\n"
        f"Child(['sleeper', {str(sleeper / 'pid')!r}, '60'], pathlib.Path({str(sleeper / 'log')!r}))\n"
        "time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(sleeper)}
    holder = subprocess.Popen([sys.executable, "-c", program], env=environment)
    pid = _pid(sleeper / "pid")
    assert _alive(pid)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    _until(lambda: not _alive(pid))


def test_a_busy_port_moves_to_a_free_one() -> None:
    """A port that something listens on is not given out again; one that is free is."""
    with Receiver(SECRET) as receiver:
        busy = int(receiver.url.split(":")[2].split("/")[0])
        assert free_port(busy) != busy
    assert free_port(busy) == busy
