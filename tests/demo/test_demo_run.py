"""The demo against a scripted monitor: it succeeds if every step happened, and else names the one that did not."""

import dataclasses
import json
import math
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition
from standardwebhooks import Webhook

from undertow import cli
from undertow.demo import run as story
from undertow.demo.broker import API_VERSION
from undertow.demo.gateway import JSON_TOPIC, OTLP_TOPIC, Gateway
from undertow.demo.report import Report, Step
from undertow.demo.run import Demo, Options
from undertow_collectors.scenarios import CLAUDE_SONNET, FLEET, GPT_4O, Endpoint

pytest.importorskip("confluent_kafka", reason="needs confluent-kafka, the extra `demo`")

UNDERTOW = [sys.executable, "-m", "undertow.cli"]
STEPS = ["broker", "monitor", "history", "baseline", "live", "update", "incident", "webhook", "share", "stored"]


def _target(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "gateway": endpoint.gateway,
        "provider": endpoint.provider,
        "model": endpoint.model,
        "deployment": endpoint.deployment,
    }


class ScriptedMonitor:
    """Stores what the broker has and finds the update as soon as it is planted, but for its one `flaw`."""

    flaw = ""
    planted = False

    def __init__(self, config: Path, port: int) -> None:
        settings = config.read_text()
        self.url = f"http://127.0.0.1:{port}"
        self.running = self.flaw != "dies"
        self.process = self
        self.client = httpx.Client(transport=httpx.MockTransport(self._weights), base_url=self.url)
        self._secret = config.with_name("webhook.secret").read_text()
        self._webhook = settings.split('url = "')[1].split('"')[0]
        self._told = False
        broker = settings.split('bootstrap_servers = "')[1].split('"')[0]
        self._consumer = KafkaConsumer(bootstrap_servers=broker, api_version=API_VERSION)

    def last_words(self) -> str:
        return "no space left on device"

    def ready(self) -> bool:
        return self.flaw not in ("never ready", "dies")

    def totals(self) -> dict[str, int]:
        ends = self._consumer.end_offsets([TopicPartition(t, p) for t in (JSON_TOPIC, OTLP_TOPIC) for p in range(4)])
        return {"stored": sum(ends.values()) - (self.planted and self.flaw == "loses a span")}

    def targets(self) -> list[dict[str, Any]]:
        state = "collecting" if self.flaw == "no baseline" else "frozen"
        return [{"target": _target(endpoint), "baseline": state} for endpoint in FLEET]

    def incidents(self) -> list[dict[str, Any]]:
        if not self.planted and self.flaw != "false alarm":
            return []
        cause = "unresolved" if self.flaw == "wrong cause" else "provider_update"
        endpoint = CLAUDE_SONNET if self.flaw == "wrong target" else GPT_4O
        signals = [{"signal": "output_tokens", "direction": "down"}]
        incident = {"id": "inc_1", "cause": cause, "target": _target(endpoint), "signals": signals}
        if not self._told and self.flaw != "tells nobody":
            self._tell(incident)
        return [incident]

    def close(self) -> None:
        self.client.close()
        self._consumer.close()

    def __enter__(self) -> "ScriptedMonitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, incident: dict[str, Any]) -> None:
        self._told = True
        body = json.dumps({"type": "llm.drift.opened", "timestamp": "2026-11-20T00:00:00Z", "data": incident})
        now = datetime.now(UTC)
        secret = "whsec_" + "x" * 32 if self.flaw == "signs wrongly" else self._secret
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign("msg_1", now, body),
        }
        httpx.post(self._webhook, content=body, headers=headers)

    def _weights(self, _: httpx.Request) -> httpx.Response:
        entry = {"target": _target(GPT_4O), "multiplier": 0.5, "expires_at": None}
        mode = "advisory" if self.flaw == "advisory" else "enforce"
        weights = [entry] if self._told else []
        feed = {"version": 1, "generated_at": 0.0, "expires_at": 600.0, "mode": mode, "weights": weights}
        return httpx.Response(200, json=feed)


@pytest.fixture(name="monitor")
def _monitor(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedMonitor]:
    """A small, quick demo with the scripted monitor in place of `undertow serve`."""

    class Monitor(ScriptedMonitor):
        pass

    change = Gateway.change

    def planted(self: Gateway, *arguments: Any) -> None:
        Monitor.planted = True
        change(self, *arguments)

    monkeypatch.setattr(Gateway, "change", planted)
    monkeypatch.setattr(story, "Monitor", Monitor)
    quick = {"DAYS": 0.2, "PER_DAY": 500.0, "CALM_S": 0.6, "LIVE_PER_S": 600.0, "PAUSE_S": 0.02, "ROUTED": 200}
    few = {"MOVED": 0.03}  # of 200 requests a half is under 0.37 once in ten thousand times
    for name, value in (quick | few).items():
        monkeypatch.setattr(story, name, value)
    return Monitor


class Patience:
    """A clock that runs out half a second after the step before `at` was told, so that the wait for `at` is short."""

    def __init__(self, at: str) -> None:
        self.told: list[Step] = []
        self._before = STEPS[STEPS.index(at) - 1] if at else ""
        self._reached = math.inf

    def __call__(self) -> float:
        now = time.monotonic()
        return now + (1000.0 if now > self._reached + 0.5 else 0.0)

    def tell(self, step: Step) -> None:
        self.told.append(step)
        if step.step == self._before:
            self._reached = time.monotonic()


def _run(at: str = "") -> tuple[Report, list[Step]]:
    patience = Patience(at)
    options = Options(headless=True, patience_s=60.0, progress=False, api_port=0)
    return Demo(options, patience.tell, patience).run(), patience.told


def test_everything_happens(monitor: type[ScriptedMonitor]) -> None:
    """With a monitor that works the demo is ok, each step is told in order, and the numbers are there."""
    assert monitor.flaw == ""
    report, told = _run()
    assert [(s.step, s.ok) for s in told] == [(name, True) for name in STEPS], report
    assert told == report.steps
    assert (report.ok, report.missed, report.cause) == (True, None, "provider_update")
    assert report.webhook == {"verified": True, "id": "msg_1", "type": "llm.drift.opened"}
    assert report.share["before"] == pytest.approx(0.5, abs=0.14)
    assert report.share["after"] <= report.share["before"] - story.MOVED
    assert report.spans["sent"] == report.spans["stored"]
    assert report.spans["sent"] > 800


@pytest.mark.parametrize(
    ("flaw", "missed", "why"),
    [
        ("dies", "monitor", "no space left on device"),
        ("never ready", "monitor", "did not become ready"),
        ("no baseline", "baseline", "collecting"),
        ("false alarm", "baseline", "nothing has changed yet"),
        ("wrong cause", "incident", "unresolved on openai/gpt-4o"),
        ("wrong target", "incident", "provider_update on anthropic/claude-sonnet"),
        ("tells nobody", "webhook", "0 were refused"),
        ("signs wrongly", "webhook", "1 were refused"),
        ("advisory", "share", "lowers nothing"),
        ("loses a span", "stored", "spans were sent"),
    ],
)
def test_a_missed_step_is_named(monitor: type[ScriptedMonitor], flaw: str, missed: str, why: str) -> None:
    """Whatever the monitor gets wrong, the demo is not ok and says at which step and why."""
    monitor.flaw = flaw
    report, told = _run(missed)
    assert not report.ok
    assert report.missed == missed == told[-1].step, report
    assert why in told[-1].text
    assert [s.ok for s in told] == [True] * (len(told) - 1) + [False]


def test_the_json_says_it_all_and_nothing_else(
    monitor: type[ScriptedMonitor], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`demo --headless --json` prints one JSON object on standard output, the story on standard error; 1 on a miss."""
    monkeypatch.setattr("undertow.commands.demo.signal.signal", lambda *_: None)
    monitor.flaw = "dies"
    assert cli.main(["demo", "--headless", "--json"]) == 1
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert list(report) == [field.name for field in dataclasses.fields(Report)]
    assert (report["ok"], report["missed"]) == (False, "monitor")
    assert "no space left on device" in err


def test_a_report_is_json() -> None:
    """A report of nothing encodes, with null for what is not known."""
    assert json.loads(msgspec.json.encode(Report()))["share"] == {"before": None, "after": None}


def test_ctrl_c_ends_the_story(monitor: type[ScriptedMonitor]) -> None:
    """An interrupt during a step passes through, with everything closed behind it."""
    began = time.monotonic()

    def interrupt(step: Step) -> None:
        if step.step == "live":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Demo(Options(headless=True, patience_s=30.0, progress=False, api_port=0), interrupt).run()
    assert not monitor.planted
    assert time.monotonic() - began < 25


@pytest.mark.soak
def test_the_real_demo_succeeds_within_two_minutes() -> None:
    """`undertow demo --headless --json`, with the real monitor, ends with 0 and a report that names everything."""
    began = time.monotonic()
    run = subprocess.run([*UNDERTOW, "demo", "--headless", "--json"], capture_output=True, text=True, timeout=150)
    assert run.returncode == 0, run.stderr
    assert time.monotonic() - began < 120
    report = json.loads(run.stdout)
    assert [step["step"] for step in report["steps"]] == STEPS
    assert report["incident"]["target"] == _target(GPT_4O)
    assert (report["ok"], report["cause"], report["webhook"]["verified"]) == (True, "provider_update", True)
    assert report["share"]["after"] < report["share"]["before"]
    assert report["spans"]["sent"] == report["spans"]["stored"] > 30_000


@pytest.mark.soak
def test_ctrl_c_ends_the_dashboard_and_the_monitor() -> None:
    """Interrupted after its last step the demo ends with 0, and nothing answers any more."""
    with subprocess.Popen([*UNDERTOW, "demo"], stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        assert demo.stdout
        urls: list[str] = []
        for line in demo.stdout:
            urls += re.findall(r"(?:monitor|dashboard) .*(http://\S+)", line)
            if " running " in line:
                break
        assert len(urls) == 2
        assert [httpx.get(url + "/").status_code < 500 for url in urls] == [True, True]
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
    for url in urls:
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
