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
import uvicorn

from undertow.api import bodies


@contextlib.contextmanager
def serving(app: Any, deadline_s: float = 10.0) -> Iterator[str]:
    """The address of `app` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
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


def test_a_sender_that_hangs_up_leaves_nothing_behind(api: Any) -> None:
    """Half a body is no body: nothing is stored and nothing rejected."""
    head = b"POST /v1/spans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n"
    with serving(api.app) as url:
        with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as connection:
            connection.sendall(head + json.dumps({"span_id": "s"}).encode())
        assert httpx.get(f"{url}/v1/rejects", trust_env=False).json() == {"rejects": []}
