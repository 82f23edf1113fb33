"""Clients that hold a server: each opens a connection, sends a byte a second, and comes again when it is dropped."""

import http.client
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

HEAD = b"GET /v1/targets HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"x" * 10_000
BODY = b"POST /v1/spans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
TICK_S = 0.1


@dataclass
class _Client:
    connection: socket.socket
    opened: float
    rest: Iterator[bytes]
    due: float


class SlowClients:
    """`count` of them; `at_once` is sent at once, a head or body then a byte a second; again after `again_s`."""

    def __init__(self, port: int, count: int, at_once: bytes, again_s: float) -> None:
        self.lives_s: list[float] = []
        self.statuses: set[bytes] = set()
        self._dropped: list[float] = []
        self._port, self._at_once, self._again_s = port, at_once, again_s
        self._clients = [self._connected() for _ in range(count)]

    def step(self) -> None:
        """Send what is due, and connect again what was dropped some time ago."""
        now = time.monotonic()
        self._dropped, dropped = [], self._dropped
        for at in dropped:
            if at < now - self._again_s:
                self._clients.append(self._connected())
            else:
                self._dropped.append(at)
        self._clients = [client for client in self._clients if not self._was_dropped(client, now)]

    def close(self) -> None:
        """Hang up."""
        for client in self._clients:
            client.connection.close()

    @property
    def longest_life_s(self) -> float:
        """How long a connection lasted, or has lasted."""
        now = time.monotonic()
        return max(self.lives_s + [now - client.opened for client in self._clients])

    def _connected(self) -> _Client:
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", self._port))
        now = time.monotonic()
        return _Client(connection, now, itertools.chain([self._at_once], (bytes([b]) for b in HEAD)), now)

    def _was_dropped(self, client: _Client, now: float) -> bool:
        try:
            if now >= client.due:
                client.connection.send(next(client.rest))
                client.due = now + 1.0
            self.statuses.add(client.connection.recv(4096)[:12])
        except BlockingIOError:
            return False
        except OSError:
            pass
        self.lives_s.append(now - client.opened)
        self._dropped.append(now)
        client.connection.close()
        return True


@contextmanager
def slow_clients(port: int, count: int, at_once: bytes = b"", again_s: float = 2.0) -> Iterator[SlowClients]:
    """So many, as long as the block lasts."""
    clients, ended = SlowClients(port, count, at_once, again_s), threading.Event()

    def run() -> None:
        while not ended.wait(TICK_S):
            clients.step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield clients
    finally:
        ended.set()
        thread.join()
        clients.close()


def answers_s(port: int, path: str, for_s: float, token: str = "", address: str = "127.0.0.1") -> list[float]:
    """How long each request took, ten a second on connections of their own; infinite where it was not answered."""
    until, found, pause = time.monotonic() + for_s, [], threading.Event()
    while (began := time.monotonic()) < until:
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0, source_address=(address, 0))
        try:
            asking.request("GET", path, headers={"authorization": f"Bearer {token}"})
            answered = asking.getresponse().status == 200
        except OSError:
            answered = False
        found.append(time.monotonic() - began if answered else float("inf"))
        asking.close()
        pause.wait(0.1)
    return found
