"""A real `undertow serve`, filled by the simulator with a silent update that it has noticed, and dashboards over it."""

import base64
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
from tests.programs import free_ports

from undertow.demo.child import Child
from undertow.demo.monitor import Monitor
from undertow.demo.receiver import Receiver
from undertow_collectors import payloads
from undertow_collectors.scenarios import DAY_S, GPT_4O, SCENARIOS
from undertow_collectors.simulate import traffic

SEED = 1
DAYS, ONSET_DAYS, PER_DAY = 2.75, 2.35, 2000.0
"""A baseline takes two days; the update is nine hours old when somebody looks."""
CHUNK = 2000
PATIENCE_S = 60.0
CULPRIT = GPT_4O

CONFIG = """\
[store]
path = "{folder}/undertow.duckdb"

[detect]
lateness_s = 2

[[alerts.webhook]]
url = "{webhook}"
secret_file = "{folder}/webhook.secret"

[alerts]
allow_hosts = ["127.0.0.1"]

[weights]
mode = "enforce"

[api]
port = {port}
"""

T = TypeVar("T")


class Served(NamedTuple):
    """A monitor and the incident that the planted update has become."""

    monitor: Monitor
    incident: str


def until(condition: Callable[[], T | None], otherwise: Callable[[], str], patience_s: float = PATIENCE_S) -> T:
    """What `condition` gives as soon as it is true; AssertionError with what `otherwise` says where that takes long."""
    deadline = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)
    return found


@contextmanager
def served(folder: Path, per_day: float = PER_DAY) -> Iterator[Served]:
    """A monitor over a store in `folder` that has found what the simulator planted, in spans up to this moment.

    There are `per_day` of them a day of each endpoint.
    """
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    (folder / "webhook.secret").write_text(secret)
    (folder / "webhook.secret").chmod(0o600)
    config, port = folder / "undertow.toml", free_ports(1)[0]
    receiver = Receiver(secret)
    config.write_text(CONFIG.format(folder=folder, webhook=receiver.url, port=port))
    with receiver, Monitor(config, port) as monitor:
        until(monitor.ready, lambda: f"undertow serve is not ready: {monitor.process.last_words()}")
        fill(monitor, per_day)
        patience_s = PATIENCE_S * per_day / PER_DAY
        found = until(lambda: _planted(monitor), lambda: f"no update was found: {monitor.incidents()}", patience_s)
        until(lambda: receiver.deliveries or None, lambda: "no webhook came")
        yield Served(monitor, found)


def fill(monitor: Monitor, per_day: float) -> None:
    """Post the scenario's spans, and one that cannot be read."""
    start = time.time() - DAYS * DAY_S
    spans = traffic(SCENARIOS["silent-update"], SEED, start=start, days=DAYS, onset_days=ONSET_DAYS, per_day=per_day)
    while chunk := list(islice(spans, CHUNK)):
        post(monitor, b"\n".join(payloads.native(span) for span in chunk))
    post(monitor, b'{"model": "gpt-4o"}')


def post(monitor: Monitor, body: bytes) -> None:
    """Send native spans, and return when they are stored."""
    monitor.client.post("/v1/spans", content=body, timeout=60.0).raise_for_status()


def _planted(monitor: Monitor) -> str | None:
    return next((one["id"] for one in monitor.incidents() if _is_planted(one)), None)


def _is_planted(incident: dict[str, Any]) -> bool:
    target = incident["target"]
    where = (target["provider"], target["model"])
    return incident["cause"] == "provider_update" and where == (CULPRIT.provider, CULPRIT.model)


@contextmanager
def dashboard(api: str, folder: Path, *options: str, port: int = 0, without: Sequence[str] = ()) -> Iterator[str]:
    """A dashboard process that nobody has opened yet; its address. Its guard works `without` some of its checks."""
    port = port or free_ports(1)[0]
    program = ["tests.dashboards.unguarded", ",".join(without)] if without else ["undertow_dashboards"]
    arguments = [*program, "--api", api, "--port", str(port), *options]
    with Child(arguments, folder / f"dashboard-{port}.log") as child:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url), lambda: f"the dashboard does not answer: {child.last_words()}")
        yield url


def answers(url: str) -> bool:
    """Whether Streamlit is up at `url`."""
    try:
        return httpx.get(f"{url}/_stcore/health", timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
