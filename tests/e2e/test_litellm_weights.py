"""A silent update behind a real LiteLLM proxy: found, told, and its traffic led away and back again."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import httpx
import pytest
from bench.environments import ROOT
from tests.litellm.proxy import KEY, CrashedError, deployment, proxy
from tests.litellm.upstream import Upstream, serving
from tests.programs import free_ports

from undertow.demo.monitor import Monitor
from undertow.demo.receiver import Receiver

pytestmark = [pytest.mark.litellm, pytest.mark.kafka]

GROUP = "gpt-4o"
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
TRIES = 4
BASELINE = 700
LOWERED = 0.2
WITHIN_S = 30.0
LAST = 80
"""So many requests tell a share of a half, give or take 0.06, from one of a sixth."""
CALLBACKS = ROOT / "docs" / "examples" / "litellm-weights.yaml"
CONFIG = f"""\
[kafka]
bootstrap_servers = "{{broker}}"
topics = ["{{topic}}"]
[store]
path = "{{directory}}/undertow.duckdb"
[detect]
lateness_s = 1
[detect.baseline]
min_spans = {BASELINE}
min_hours = 0
[detect.signals]  # how long things take says nothing where the machine is shared
duration_s = {{{{ enabled = false }}}}
ttft_s = {{{{ enabled = false }}}}
time_per_output_token_s = {{{{ enabled = false }}}}
[weights]
mode = "enforce"
ladder = [{LOWERED}]
dwell_s = 2
recovery_s = 2
[api]
port = {{port}}
[alerts]
allow_hosts = ["127.0.0.1"]
[[alerts.webhook]]
url = "{{webhook}}"
secret = "{SECRET}"
"""


class Clients:
    """Clients that ask all the time, and the statuses of their last answers."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask()))
        self.answered = 0
        self.failed: list[str] = []

    def __enter__(self) -> "Clients":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _ask(self) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=self._url, headers=headers, timeout=30, trust_env=False) as client:
            await asyncio.gather(*(self._one_after_another(client, first) for first in range(4)))

    async def _one_after_another(self, client: httpx.AsyncClient, number: int) -> None:
        while not self._stop.is_set():
            message = {"role": "user", "content": f"#{number} how fast is the river"}
            answer = await client.post("/v1/chat/completions", json={"model": GROUP, "messages": [message]})
            self.answered += 1
            number += 4
            if answer.status_code != 200:
                self.failed.append(answer.text[:200])


class Provider:
    """Two upstreams of one group, and which one served the last requests."""

    def __init__(self) -> None:
        self.upstreams = Upstream(), Upstream()

    def share(self) -> float:
        """The first one's share of the last requests."""
        served = [(row["at"], one) for one, upstream in enumerate(self.upstreams) for row in upstream.log[-LAST:]]
        return sum(one == 0 for _, one in sorted(served)[-LAST:]) / LAST


class Scene:
    """Everything that runs, and what is asked of it."""

    def __init__(self, provider: Provider, monitor: Monitor, receiver: Receiver, clients: Clients) -> None:
        self.provider, self.monitor, self.receiver, self.clients = provider, monitor, receiver, clients

    def weights(self) -> dict[str, float]:
        """Multiplier by deployment, as the feed has it."""
        entries = self.monitor.client.get("/v1/weights").json()["weights"]
        return {entry["target"]["deployment"]: entry["multiplier"] for entry in entries}

    def share_is(self, low: float, high: float) -> Callable[[], bool]:
        """Whether the first deployment's share of the last requests lies between."""
        return lambda: low <= self.provider.share() <= high


@contextmanager
def running(broker: Any, directory: Path) -> Iterator[Scene]:
    """The proxy over two deployments, its callbacks, Undertow behind Kafka, a receiver, and clients."""
    provider, (port,) = Provider(), free_ports(1)
    topic = broker.topic(2)
    environ = {
        "UNDERTOW_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
        "UNDERTOW_LITELLM__TOPIC": topic,
        "UNDERTOW_ROUTER__URL": f"http://127.0.0.1:{port}",
    }
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(one.app)) for one in provider.upstreams]
        models = [deployment(GROUP, n, f"openai/{GROUP}", url) for n, url in enumerate(urls)]
        configured = {"model_list": models, "general_settings": {"master_key": KEY}}
        receiver = stack.enter_context(Receiver(SECRET))
        config = directory / "undertow.toml"
        values = {"broker": broker.bootstrap, "topic": topic, "directory": directory}
        config.write_text(CONFIG.format(**values, webhook=receiver.url, port=port))
        monitor = stack.enter_context(Monitor(config, port))
        url = stack.enter_context(proxy(directory, configured, CALLBACKS.read_text(), environ))
        yield Scene(provider, monitor, receiver, stack.enter_context(Clients(url)))


def test_traffic_is_led_away_from_a_silent_update_and_back(
    apache_kafka: Any, tmp_path_factory: Any, eventually: Any, without: Any
) -> None:
    """One incident, a webhook that verifies, a share that falls to the multiplier's within 30 s and returns.

    Without Undertow the proxy serves on.
    """
    for left in reversed(range(TRIES)):
        try:
            with running(apache_kafka, tmp_path_factory.mktemp("litellm")) as scene:
                play(scene, eventually)
        except CrashedError:
            if not left:
                raise
        except CalledProcessError as error:
            without(f"the environment of LiteLLM cannot be made: {error}")
        else:
            return


def play(scene: Scene, eventually: Any) -> None:
    """The story, step by step."""
    first = scene.provider.upstreams[0]
    eventually(lambda: baselines(scene) == ["frozen", "frozen"], "both deployments have a baseline", 300)
    assert scene.monitor.incidents() == []
    eventually(scene.share_is(0.3, 0.7), "both serve alike")

    first.terse = True
    eventually(lambda: scene.weights().get(f"{GROUP}-0") == LOWERED, "its weight is lowered", 120)
    lowered_at = time.time()
    eventually(scene.share_is(0.05, 0.28), "its share falls", WITHIN_S)
    assert time.time() - lowered_at < WITHIN_S
    eventually(lambda: opened(scene), "the webhook arrives and verifies")
    [incident] = scene.monitor.incidents()
    assert (incident["cause"], incident["target"]["deployment"]) == ("provider_update", f"{GROUP}-0")
    assert [one.data["id"] for one in opened(scene)] == [incident["id"]]

    first.terse = False
    eventually(lambda: scene.weights() == {}, "its weight is its own again", 300)
    eventually(scene.share_is(0.35, 0.65), "its share returns", WITHIN_S)
    assert [one["status"] for one in scene.monitor.incidents()] == ["resolved"]
    notices = scene.monitor.client.get("/v1/notices").json()["notices"]
    assert [one for one in notices if one["kind"] == "traffic_mix"] == []
    assert scene.receiver.refused == 0

    scene.monitor.close()
    answered = scene.clients.answered
    eventually(lambda: scene.clients.answered > answered + 100, "the proxy serves without Undertow")
    assert scene.clients.failed == []


def baselines(scene: Scene) -> list[str]:
    """The state of each target's baseline."""
    return [one["baseline"] for one in scene.monitor.targets()]


def opened(scene: Scene) -> list[Any]:
    """Webhooks that told of an incident for the first time."""
    return [one for one in scene.receiver.deliveries if one.kind == "llm.drift.opened"]
