"""Portkey's open-source gateway, with configs that `undertow weights sync portkey` would push."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from tests.portkey_process import Gateway, program
from tests.programs import MissingError
from tests.routers.test_adapters import entry, valid

from undertow.routers import portkey
from undertow.routers.scale import applied

pytestmark = pytest.mark.portkey

CALLS = 400
GIVE_OR_TAKE = 0.1
"""Of a share, with so many calls that the gateway spreads by chance: more than four standard deviations."""

ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Upstream(ThreadingHTTPServer):
    """A provider that counts calls by the key that they bring."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: Counter[str] = Counter()


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        """Take one call."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.keys[self.headers["authorization"].removeprefix("Bearer ")] += 1
        answer = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


@pytest.fixture(name="upstream")
def _upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        thread = threading.Thread(target=upstream.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield upstream
        finally:
            upstream.shutdown()
            thread.join()


@pytest.fixture(name="gateway", scope="module")
def _gateway(tmp_path_factory: pytest.TempPathFactory, without: Any) -> Iterator[Gateway]:
    try:
        gateway = Gateway(program(), tmp_path_factory.mktemp("portkey"))
    except MissingError as missing:
        without(str(missing))
    yield gateway
    gateway.stop()


@pytest.fixture(name="shares")
def _shares(gateway: Gateway, upstream: Upstream) -> Callable[[Any], dict[str, float]]:
    """Key to share of the calls, with this config."""

    def shares(config: Any) -> dict[str, float]:
        valid(portkey.ADAPTER, config)
        upstream.keys.clear()
        call = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
        headers = {"x-portkey-config": json.dumps(config)}
        with httpx.Client(headers=headers, timeout=30.0, trust_env=False) as client:
            for _ in range(CALLS):
                client.post(f"{gateway.url}/chat/completions", json=call).raise_for_status()
        return {key: count / CALLS for key, count in upstream.keys.items()}

    return shares


@pytest.fixture(name="config")
def _config(upstream: Upstream) -> dict[str, Any]:
    """A group of two that share three to one, with a spare one behind it."""
    host = f"http://127.0.0.1:{upstream.server_address[1]}/v1"
    names = ("eu", "us", "spare")
    eu, us, spare = ({"name": name, "provider": "openai", "api_key": name, "custom_host": host} for name in names)
    group = {"strategy": {"mode": "loadbalance"}, "targets": [eu | {"weight": 0.75}, us | {"weight": 0.25}]}
    return {"strategy": {"mode": "fallback"}, "targets": [group, spare]}


def near(share: float) -> Any:
    """That share, give or take chance."""
    return pytest.approx(share, abs=GIVE_OR_TAKE)


def test_requests_follow_the_weights(config: Any, shares: Any) -> None:
    """Three to one as the operator had it; a twentieth of the first; and nothing at all of it where 0 is asked for."""
    assert shares(config) == {"eu": near(0.75), "us": near(0.25)}
    lowered, _ = applied(portkey.ADAPTER, config, [entry(0.05, deployment="eu")], {})
    assert shares(lowered) == {"eu": near(0.13), "us": near(0.87)}
    emptied, _ = applied(portkey.ADAPTER, config, [entry(0.0, deployment="eu")], {})
    assert shares(emptied) == {"us": 1.0}
