"""The API on a real socket, under uvicorn as `serve` runs it."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from undertow.api import bodies, connections
from undertow.api.connections import Connections
from undertow.api.server import Server


@contextlib.contextmanager
def serving(app: Any, kept: Connections | None = None, deadline_s: float = 10.0) -> Iterator[str]:
    """The address of `app` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(app, kept or Connections(200, 200))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        until = time.monotonic() + deadline_s
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(deadline_s)
        assert not thread.is_alive()


def test_spans_go_in_and_the_feed_comes_out(api: Any) -> None:
    """Over a socket: a span is stored, an incident halves the weight, a poll without news is 304."""
    with serving(api.app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        body = {"span_id": "s", "started_at": 1.7676e9, "provider": "openai", "model": "gpt-4"}
        assert client.post("/v1/spans", json=body).json()["stored"] == 1
        api.put_incident()
        first = client.get("/v1/weights")
        assert first.json()["weights"][0]["multiplier"] == 0.5
        again = client.get("/v1/weights", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get("/readyz").json()["ready"]


def test_a_body_that_drips_is_dropped_and_others_are_served(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is on the body as a whole; while it runs, others get their answers."""
    monkeypatch.setattr(bodies, "DEADLINE_S", 0.5)
    closed = api.start(closed=dict.fromkeys(connections.REASONS, 0)).closed
    head = b"POST /v1/spans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n"
    with serving(api.app) as url, contextlib.ExitStack() as stack:
        port = int(url.rsplit(":", 1)[1])
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(50)]
        started = time.monotonic()
        for connection in slow:
            connection.sendall(head + b"{")
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"{url}/v1/targets").status_code == 200
        assert time.monotonic() - started < 0.5
        for connection in slow:
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                connection.sendall(b" ")
            assert connection.recv(4096).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started < 3
    assert closed["slow_body"] == 50


def test_a_sender_that_hangs_up_leaves_nothing_behind(api: Any) -> None:
    """Half a body is no body: nothing is stored and nothing rejected."""
    head = b"POST /v1/spans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n"
    with serving(api.app) as url:
        with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as connection:
            connection.sendall(head + json.dumps({"span_id": "s"}).encode())
        assert httpx.get(f"{url}/v1/rejects", trust_env=False).json() == {"rejects": []}


def ended(connection: socket.socket, deadline_s: float = 10.0, every_s: float = 0.1, send: bytes = b"x") -> bool:
    """Whether the server ends a connection while `send` goes out again and again."""
    until = time.monotonic() + deadline_s
    connection.settimeout(every_s)
    while time.monotonic() < until:
        try:
            connection.sendall(send)
            if not connection.recv(4096):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


REFUSED = b"POST /v1/nothing HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000\r\n\r\n"
ANSWERED = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "first", [b"GET /healthz HTTP/1.1\r\nX-A: ", ANSWERED, REFUSED], ids=["head", "next", "refused"]
)
def test_a_head_that_drips_is_dropped(first: bytes, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first head, one after an answer, and a body that is not wanted because the request was refused."""
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    kept = Connections(200, 200)
    with serving(api.app, kept) as url, socket.create_connection(("127.0.0.1", port(url))) as slow:
        slow.sendall(first)
        assert ended(slow)
    assert kept.closed["slow_head"] == 1


def test_a_head_that_drips_stays_where_nothing_sweeps(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the server below has no deadline for it."""
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    monkeypatch.setattr(Connections, "sweep", lambda _: None)
    with serving(api.app) as url, socket.create_connection(("127.0.0.1", port(url))) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX-A: ")
        assert not ended(slow, deadline_s=3.0)


def test_a_client_that_says_nothing_is_dropped(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open connection without a byte has the same deadline."""
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    with serving(api.app) as url, socket.create_connection(("127.0.0.1", port(url))) as silent:
        silent.settimeout(10)
        assert silent.recv(1) == b""


def test_an_answer_that_nobody_reads_is_dropped(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests whose answers stay unread fill the buffers; then the connection ends."""
    monkeypatch.setattr(connections, "READ_S", 0.5)
    kept = Connections(200, 200)
    with serving(api.app, kept) as url, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", port(url)))
        deaf.settimeout(20)
        with contextlib.suppress(OSError):
            while not kept.closed["slow_reader"]:
                deaf.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert kept.closed["slow_reader"] == 1


def test_a_full_server_says_so(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everybody is owed an answer the next one gets 503 with Retry-After, and is counted."""
    kept = Connections(1, 1)
    entered, answer = threading.Event(), threading.Event()

    def targets() -> list[Any]:
        entered.set()
        answer.wait(10)
        return []

    monkeypatch.setattr(api.watcher, "targets", targets)
    with serving(api.app, kept) as url, socket.create_connection(("127.0.0.1", port(url))) as first:
        first.sendall(b"GET /v1/targets HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert entered.wait(10)
        refused = httpx.get(f"{url}/healthz", trust_env=False)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        answer.set()
        assert first.recv(4096).startswith(b"HTTP/1.1 200")
    assert kept.closed["too_many"] == 1


def test_answers_do_not_name_the_server(api: Any) -> None:
    """Neither its kind nor its version."""
    with serving(api.app) as url:
        assert "server" not in httpx.get(f"{url}/healthz", trust_env=False).headers


@pytest.mark.parametrize("head", [b"X-A: " + b"a" * 20_000 + b"\r\n", b"X-A: a\r\n" * 200], ids=["bytes", "lines"])
def test_a_head_is_bounded(head: bytes, api: Any) -> None:
    """Whether it comes in one piece, or in several."""
    whole = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n"
    with serving(api.app) as url, socket.create_connection(("127.0.0.1", port(url))) as client:
        client.sendall(whole)
        client.settimeout(10)
        assert client.recv(4096)[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400")


def port(url: str) -> int:
    """The port of an address."""
    return int(url.rpartition(":")[2])
