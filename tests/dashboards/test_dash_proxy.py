"""Slow clients at the nginx that the guide puts before the dashboard and the API."""

import base64
import os
import re
import socket
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.nginx_process import CONFIGURATION, Nginx
from tests.programs import MissingError, free_ports
from tests.slow_clients import BODY, answers_s, slow_clients

from . import real
from .fixtures import serving

CLIENTS = 500
HEAD_S, MARGIN_S = 10.0, 4.0
PROMPT_S, SLOWEST_S = HEAD_S / 20, 3.0
OTHER = "127.0.0.2"
Start = Callable[[str], Nginx]


@pytest.fixture(name="ports", scope="module")
def _ports() -> list[int]:
    """Where nginx answers for the dashboard and for the API."""
    return free_ports(2)


@pytest.fixture(name="behind", scope="module")
def _behind(ports: list[int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A dashboard that answers to nginx's address, and what stands for the API, as HOST:PORT."""
    options = ("--address", f"http://127.0.0.1:{ports[0]}")
    with serving() as api, real.dashboard(api.url, tmp_path_factory.mktemp("behind"), *options) as dashboard:
        yield {"dashboard": urlsplit(dashboard).netloc, "api": urlsplit(api.url).netloc}


@pytest.fixture(name="nginx")
def _nginx(behind: dict[str, str], ports: list[int], tmp_path: Path, without: Callable[[str], None]) -> Iterator[Start]:
    """Starts nginx with this configuration."""
    with ExitStack() as ending:

        def start(text: str) -> Nginx:
            try:
                nginx = Nginx(tmp_path, behind, text, ports)
                ending.callback(nginx.stop)
                nginx.start()
            except MissingError as missing:
                without(str(missing))
            return nginx

        yield start


@pytest.fixture(name="proxy")
def _proxy(nginx: Start) -> Nginx:
    return nginx(CONFIGURATION.read_text())


def test_the_dashboard_works_behind_it(proxy: Nginx) -> None:
    """The page comes, and its WebSocket gets as far as the dashboard, which refuses one without the page's token."""
    place = f"127.0.0.1:{proxy.ports['dashboard']}"
    assert "<title>" in httpx.get(f"http://{place}/", trust_env=False).text
    key = base64.b64encode(os.urandom(16)).decode()
    asked = (
        f"GET /_stcore/stream HTTP/1.1\r\nHost: {place}\r\nOrigin: http://{place}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", proxy.ports["dashboard"]), timeout=10) as one:
        one.sendall(asked.encode())
        assert one.recv(4096).startswith(b"HTTP/1.1 403")


def test_the_api_answers_behind_it(proxy: Nginx) -> None:
    """Which says nothing of nginx's version."""
    answer = httpx.get(f"http://127.0.0.1:{proxy.ports['api']}/readyz", trust_env=False)
    assert (answer.status_code, answer.headers["server"]) == (200, "nginx")


@pytest.mark.parametrize(
    ("part", "path", "at_once"),
    [("dashboard", "/_stcore/health", b""), ("dashboard", "/_stcore/health", BODY), ("api", "/readyz", BODY)],
    ids=["heads", "bodies", "bodies for the API"],
)
def test_slow_clients_keep_nobody_out(part: str, path: str, at_once: bytes, proxy: Nginx) -> None:
    """While 500 clients of one address drip, others get their answers at once, and the log stays small."""
    port = proxy.ports[part]
    with slow_clients(port, CLIENTS, at_once) as clients:
        took_s = answers_s(port, path, HEAD_S + 2 * MARGIN_S if not at_once else MARGIN_S, address=OTHER)
        assert max(took_s) < SLOWEST_S
        assert statistics.median(took_s) < PROMPT_S
        if not at_once:
            assert clients.lives_s
            assert clients.longest_life_s < HEAD_S + MARGIN_S
    assert proxy.error_log.stat().st_size < 10_000


def test_slow_bodies_of_one_address_are_bounded(proxy: Nginx) -> None:
    """An address that holds its share already gets 429."""
    with slow_clients(proxy.ports["api"], CLIENTS, BODY) as clients:
        answers_s(proxy.ports["api"], "/readyz", MARGIN_S, address=OTHER)
        assert b"HTTP/1.1 429" in clients.statuses


def test_without_its_deadline_heads_drip_for_ever(nginx: Start) -> None:
    """The negative control: the same configuration with the deadline of a head taken out."""
    text = re.sub(r"client_header_timeout 10s", "client_header_timeout 600s", CONFIGURATION.read_text())
    port = nginx(text).ports["dashboard"]
    with slow_clients(port, 10) as clients:
        answers_s(port, "/_stcore/health", HEAD_S + MARGIN_S, address=OTHER)
        assert clients.longest_life_s > HEAD_S + MARGIN_S
