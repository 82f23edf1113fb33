"""The demo from beginning to end: a history, live traffic, a silent update, and what becomes of it.

Every step waits for a condition until one deadline common to all; the first that does not come true ends the demo.
"""

import base64
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from undertow import progress
from undertow.clock import Clock
from undertow.demo.broker import API_VERSION, Broker
from undertow.demo.child import Child, free_port
from undertow.demo.gateway import CHUNK, JSON_TOPIC, OTLP_TOPIC, Gateway
from undertow.demo.monitor import Monitor, configure
from undertow.demo.receiver import Delivery, Receiver
from undertow.demo.report import Report, Step
from undertow.demo.router import Router, same
from undertow.errors import UndertowError
from undertow_collectors.scenarios import FLEET, GPT_4O, SCENARIOS

CULPRIT = GPT_4O
UPDATE = SCENARIOS["silent-update"].behaviour
DAYS = 3.0
PER_DAY = 2800.0
LIVE_PER_S = 160.0
CALM_S = 6.0
"""Live traffic before the update, which gives the router's share before."""
AHEAD = 3 * CHUNK
"""Spans that the gateway may be ahead of the monitor: about 2.5 MB, half of what a partition of the broker keeps."""
ROUTED = 500
"""Requests that give the router's share before and after."""
MOVED = 0.08
"""Halving one of two equal weights takes its share from 0.50 to 0.33; at least this much must be seen."""
PAUSE_S = 0.2

T = TypeVar("T")


class _Missed(Exception):  # noqa: N818  an outcome, already reported
    """A step did not come true."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides; `patience_s` is the deadline, from the start."""

    headless: bool = False
    seed: int = 1
    patience_s: float = 110.0
    progress: bool | None = None
    api_port: int = 8321
    dashboard_port: int = 8501


class Demo:
    """One run; `tell` is called with each step when it is settled, `clock` measures patience."""

    def __init__(self, options: Options, tell: Callable[[Step], None], clock: Clock = time.monotonic) -> None:
        self._options = options
        self._tell = tell
        self._clock = clock
        self._began = clock()
        self.report = Report()
        self._router = Router(FLEET)
        self._broker: Broker
        self._receiver: Receiver
        self._monitor: Monitor
        self._gateway: Gateway
        self._live_at = 0.0
        self._dashboard_port = free_port(options.dashboard_port)
        self._dashboard_url = f"http://127.0.0.1:{self._dashboard_port}"

    def run(self) -> Report:
        """Run every step, then, unless headless, keep all of it going until Ctrl-C; everything has ended on return."""
        with suppress(_Missed), ExitStack() as stack:
            self._story(stack)
            self.report.ok = True
        return self.report

    def _story(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="undertow-demo-")))
        self._step("broker", lambda: self._start_broker(stack))
        self._step("monitor", lambda: self._start_monitor(stack, folder))
        if not self._options.headless:
            self._step("dashboard", lambda: self._start_dashboard(stack, folder))
        self._step("history", self._ship_history)
        self._step("baseline", self._await_baseline)
        self._step("live", self._go_live)
        self._step("update", self._plant_update)
        self._step("incident", self._await_incident)
        self._step("webhook", self._await_webhook)
        self._step("share", self._await_share)
        self._step("stored", self._compare_counts)
        if not self._options.headless:
            self._step("running", lambda: f"{self._dashboard_url} shows it; Ctrl-C ends everything")
            self._step("ended", self._linger)

    def _start_broker(self, stack: ExitStack) -> str:
        self._broker = stack.enter_context(Broker((JSON_TOPIC, OTLP_TOPIC)))
        self._gateway = stack.enter_context(
            Gateway(self._broker.address, API_VERSION, self._router, self._options.seed)
        )
        return f"Kafka protocol at {self._broker.address}"

    def _start_monitor(self, stack: ExitStack, folder: Path) -> str:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self._receiver = stack.enter_context(Receiver(secret))
        port = free_port(self._options.api_port)
        config = configure(
            folder,
            broker=self._broker.address,
            webhook=self._receiver.url,
            secret=secret,
            port=port,
            dashboard=self._dashboard_url,
        )
        self._monitor = stack.enter_context(Monitor(config, port))
        self._until(self._monitor.ready, lambda: "undertow serve did not become ready")
        return f"undertow serve answers at {self._monitor.url}"

    def _start_dashboard(self, stack: ExitStack, folder: Path) -> str:
        arguments = ["undertow_dashboards", "--api", self._monitor.url, "--port", str(self._dashboard_port)]
        child = stack.enter_context(Child(arguments, folder / "dashboard.log"))
        self._until(
            lambda: _answers(f"{self._dashboard_url}/_stcore/health"),
            lambda: f"the dashboard did not answer: {child.last_words()}",
        )
        return f"open {self._dashboard_url}"

    def _ship_history(self) -> str:
        gateway = self._gateway
        with progress.bar(self._options.progress, "spans", DAYS * PER_DAY * len(FLEET)) as bar:

            def follow(sent: int, ahead: int = AHEAD) -> None:
                self._until(lambda: self._stored() >= sent - ahead, lambda: self._counts(sent))
                bar.update(self._stored() - bar.n)

            gateway.history(DAYS, PER_DAY, follow)
            follow(gateway.sent, 0)
        return f"{gateway.sent:,} spans of {DAYS:g} days, as LiteLLM payloads and OTLP, {len(FLEET)} targets"

    def _await_baseline(self) -> str:
        def frozen() -> bool:
            targets = self._monitor.targets()
            return len(targets) == len(FLEET) and all(t["baseline"] == "frozen" for t in targets)

        self._until(frozen, lambda: f"baselines: {[t['baseline'] for t in self._monitor.targets()]}")
        self._expect_calm()
        return "what is normal is known for every target"

    def _go_live(self) -> str:
        self._live_at = time.time()
        self._gateway.start(LIVE_PER_S)
        self._until(self._been_calm, lambda: "there was no time left")
        self._expect_calm()
        return f"{LIVE_PER_S:g} requests a second, half of them for {CULPRIT.model}, shared by two providers"

    def _been_calm(self) -> bool:
        """For a while, and for requests enough to know the router's share, which a busy machine makes slowly."""
        now = time.time()
        return now > self._live_at + CALM_S and self._router.share(CULPRIT, self._live_at, now).requests >= ROUTED

    def _plant_update(self) -> str:
        self._gateway.change(CULPRIT, UPDATE)
        return f"{CULPRIT.provider} changes what answers as {CULPRIT.model}, and says nothing"

    def _await_incident(self) -> str:
        planted_at = time.time()

        def caught() -> dict[str, Any] | None:
            matching = (i for i in self._monitor.incidents() if i["cause"] == "provider_update")
            return next((i for i in matching if same(i["target"], CULPRIT)), None)

        incident = self._until(caught, lambda: f"no provider_update on {CULPRIT.provider}; {self._others()}")
        self.report.incident, self.report.cause = incident, incident["cause"]
        return f"provider_update found {time.time() - planted_at:.0f} s later, in {_signals(incident)}"

    def _await_webhook(self) -> str:
        def told() -> Delivery | None:
            incident = self.report.incident or {}
            mine = (d for d in self._receiver.deliveries if d.data.get("id") == incident["id"])
            return next((d for d in mine if d.data.get("cause") == "provider_update"), None)

        delivery = self._until(told, lambda: f"no webhook came; {self._receiver.refused} were refused")
        self.report.webhook = {"verified": True, "id": delivery.webhook_id, "type": delivery.kind}
        return f"{delivery.kind} received, its signature verified"

    def _await_share(self) -> str:
        self._until(lambda: self._router.multiplier(CULPRIT) < 1, lambda: "the weights feed lowers nothing")
        moved_at = time.time()
        before = self._router.share(CULPRIT, self._live_at, moved_at)

        def moved() -> bool:
            after = self._router.share(CULPRIT, moved_at, time.time())
            self.report.share = {"target": CULPRIT.deployment, "before": before.value, "after": after.value}
            return after.requests >= ROUTED and after.value <= before.value - MOVED

        self._until(moved, lambda: f"the router's share did not fall: {self.report.share}")
        share = self.report.share
        return f"the router sends {CULPRIT.provider} {share['after']:.0%} of {CULPRIT.model}, not {share['before']:.0%}"

    def _compare_counts(self) -> str:
        with self._gateway.held() as sent:
            self._until(lambda: self._stored() == sent, lambda: self._counts(sent))
            self._counts(sent)
        return f"{sent:,} spans sent, {sent:,} stored"

    def _stored(self) -> int:
        return self._monitor.totals().get("stored", 0)

    def _counts(self, sent: int) -> str:
        totals = self._monitor.totals()
        self.report.spans = {"sent": sent, "stored": totals.get("stored"), "late": totals.get("late")}
        return f"{sent} spans were sent; the monitor says {totals}"

    def _others(self) -> str:
        found = [f"{i['cause']} on {i['target']['provider']}/{i['target']['model']}" for i in self._monitor.incidents()]
        return f"there is {', '.join(found)}" if found else "there is no incident"

    def _expect_calm(self) -> None:
        if self._monitor.incidents():
            raise UndertowError(f"nothing has changed yet, but {self._others()}")

    def _step(self, name: str, action: Callable[[], str]) -> None:
        try:
            text, ok = action(), True
        except UndertowError as error:
            text, ok = str(error), False
            self.report.missed = name
        step = Step(name, ok, self._seconds, text)
        self.report.steps.append(step)
        self.report.seconds = step.at_s
        self._tell(step)
        if not ok:
            raise _Missed

    def _until(self, condition: Callable[[], T | None], otherwise: Callable[[], str]) -> T:
        """What `condition` gives as soon as it is true; UndertowError with what `otherwise` says at the deadline."""
        while not (found := condition()):
            if self._seconds > self._options.patience_s:
                raise UndertowError(otherwise())
            self._turn()
        return found

    def _turn(self) -> None:
        """Let the router ask for its weights, and notice what has broken."""
        self._router.poll(self._monitor.client)
        self._gateway.check()
        if not self._monitor.process.running:
            raise UndertowError(f"undertow serve has ended: {self._monitor.process.last_words()}")
        time.sleep(PAUSE_S)

    def _linger(self) -> str:
        try:
            while True:
                self._turn()
        except KeyboardInterrupt:
            return "by Ctrl-C"

    @property
    def _seconds(self) -> float:
        return round(self._clock() - self._began, 1)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _signals(incident: dict[str, Any]) -> str:
    return ", ".join(f"{signal['signal']} {signal['direction']}" for signal in incident["signals"])
