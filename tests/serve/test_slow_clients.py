"""A real monitor that may open 256 files, and 500 clients that send a byte a second."""

import json
import signal
import socket
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.served import Served
from tests.slow_clients import BODY, answers_s, slow_clients

from undertow.api.connections import HEAD_S

SCRIPT = str(Path(__file__).parents[1] / "faults" / "unbounded_monitor.py")
FILES, CLIENTS = 256, 500
TOKEN = "token-of-the-test-0123456789"
PROMPT_S, SLOWEST_S = HEAD_S / 20, 3.0
MARGIN_S = 3.0


@pytest.fixture(name="monitor")
def _monitor(tmp_path: Path) -> Iterator[Callable[..., tuple[Served, str]]]:
    """A monitor and its address."""
    started: list[Served] = []

    def start(*unbounded: str, token: str = TOKEN, files: int = FILES) -> tuple[Served, str]:
        plan = json.dumps({"unbounded": unbounded, "files": files})
        environ = {"UNDERTOW_API__PORT": "0"} | ({"UNDERTOW_API__TOKEN": token} if token else {})
        started.append(Served(tmp_path, program=(SCRIPT, plan), **environ))
        return started[-1], started[-1].ready()

    yield start
    for served in started:
        served.kill()


def port(url: str) -> int:
    """The port of an address."""
    return int(url.rpartition(":")[2])


def closed(url: str) -> dict[str, float]:
    """What the monitor's metrics say about clients, by reason."""
    text = httpx.get(f"{url}/metrics", headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False).text
    lines = [line for line in text.splitlines() if line.startswith("undertow_api_connections_closed_total{")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}


@pytest.mark.parametrize("at_once", [b"", BODY], ids=["heads", "bodies"])
def test_slow_clients_keep_nobody_out(at_once: bytes, monitor: Callable[..., tuple[Served, str]]) -> None:
    """While 500 clients drip heads or bodies, others get their answers at once; nobody drips longer than allowed."""
    served, url = monitor()
    with slow_clients(port(url), CLIENTS, at_once) as clients:
        took_s = answers_s(port(url), "/v1/targets", HEAD_S + 2 * MARGIN_S, TOKEN)
        assert max(took_s) < SLOWEST_S
        assert statistics.median(took_s) < PROMPT_S
        assert clients.longest_life_s < HEAD_S + MARGIN_S
        counted = closed(url)
        assert counted["displaced"] > 0
    assert len(served.log.read_bytes()) < 50_000, served.log.read_text()[:5000]
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0


def test_slow_bodies_of_those_who_may_send_keep_nobody_out(monitor: Callable[..., tuple[Served, str]]) -> None:
    """Without a token everybody may send a body; those that were waited for longest make room, and all are answered."""
    served, url = monitor(token="")
    with slow_clients(port(url), CLIENTS, BODY, again_s=HEAD_S) as clients:
        served.until(lambda: len(clients.lives_s) > CLIENTS - FILES)
        took_s = answers_s(port(url), "/v1/targets", MARGIN_S)
        assert max(took_s) < float("inf")
        assert statistics.median(took_s) < 2 * PROMPT_S  # each slow client costs a request here


def test_the_same_clients_hold_a_monitor_without_bounds(monitor: Callable[..., tuple[Served, str]]) -> None:
    """The negative control: they take its 256 files, and keep them; its log tells a few times, and counts the rest."""
    served, url = monitor("connections")
    with slow_clients(port(url), CLIENTS) as clients:
        assert max(answers_s(port(url), "/v1/targets", MARGIN_S, TOKEN)) > SLOWEST_S
        served.until(lambda: clients.longest_life_s > HEAD_S + MARGIN_S)
    log = served.log.read_text()
    assert "out of system resource" in log
    assert len(log) < 500_000


def test_and_fill_the_log_of_one_that_is_not_rated(monitor: Callable[..., tuple[Served, str]]) -> None:
    """The negative control of the bound on the log: megabytes within seconds."""
    served, url = monitor("connections", "logs")
    with slow_clients(port(url), CLIENTS):
        served.until(lambda: served.log.stat().st_size > 1_000_000)


def test_bad_requests_do_not_fill_the_log(monitor: Callable[..., tuple[Served, str]]) -> None:
    """A thousand of them are a few lines, and are counted."""
    served, url = monitor()
    for _ in range(1000):
        with socket.create_connection(("127.0.0.1", port(url))) as one:
            one.sendall(b"no request\r\n\r\n")
            assert one.recv(4096).startswith(b"HTTP/1.1 400")
    assert closed(url)["malformed"] == 1000
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0
    log = served.log.read_text()
    assert len(log) < 10_000
    assert "980 more lines like this were left out: Invalid HTTP request received." in log


def test_what_may_be_kept_open_is_said(monitor: Callable[..., tuple[Served, str]]) -> None:
    """Where the process may open fewer files than the configuration wants, the log names the key and the number."""
    served, _ = monitor()
    assert "api.max_connections is 512" in served.log.read_text()
    assert "128 are kept" in served.log.read_text()


def test_an_upgrade_is_refused(monitor: Callable[..., tuple[Served, str]]) -> None:
    """The API has no WebSockets: one that is asked for is an ordinary request, and needs a token."""
    _, url = monitor()
    headers: dict[str, Any] = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert httpx.get(f"{url}/v1/targets", headers=headers, trust_env=False).status_code == 401
