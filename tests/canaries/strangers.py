"""The other sides, on loopback: they answer well, refuse, fail, or repeat whatever they were sent."""

import base64
import contextlib
import socketserver
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MOODS = ("200", "401", "500", "echo")
"""The first step of a path says how it is answered."""


class Server(ThreadingHTTPServer):
    """Receives for every channel, for OTLP and for a gateway's API; `seen` is (path, headers, body)."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def url(self, mood: str, *steps: str, scheme: str = "http") -> str:
        """An address that is answered in that mood."""
        return "/".join((f"{scheme}://127.0.0.1:{self.server_port}", mood, *steps))

    def handle_error(self, *_: Any) -> None:
        """Whoever speaks TLS to it is not understood."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append((self.path, str(self.headers), body))
        mood = self.path.split("/")[1]
        said = b"{}"
        if mood == "echo":
            said = f"{self.path}\n{self.headers}".encode() + body
            repeated = " ".join((self.path, *self.headers.values()))
            self.send_response(400, repeated.encode("ascii", "replace").decode().replace("\n", " "))
        else:
            self.send_response(int(mood) if mood in MOODS else 404)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_PATCH = do_PUT = do_POST  # noqa: N815  names of the standard library

    def log_message(self, *_: object) -> None:
        """Silence."""


class _Broker(socketserver.BaseRequestHandler):
    """Kafka as far as the login, which it refuses with what it was sent."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, struct.error):
            while head := self.request.recv(4, 0):
                (size,) = struct.unpack(">i", head)
                self._answer(self._exactly(size))

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            if not (more := self.request.recv(size - len(got))):
                raise ConnectionError
            got += more
        return got

    def _answer(self, request: bytes) -> None:
        key, version, number, client = struct.unpack(">hhih", request[:10])
        rest = request[10 + max(client, 0) :]
        if key == 18:  # ApiVersions, of which it knows the first
            known = struct.pack(">i", 3) + b"".join(
                struct.pack(">hhh", *one) for one in ((18, 0, 0), (17, 1, 1), (36, 0, 0))
            )
            body = struct.pack(">h", 35 if version else 0) + known
        elif key == 17:  # SaslHandshake
            body = struct.pack(">hi", 0, 1) + _text(b"PLAIN")
        else:  # SaslAuthenticate
            (size,) = struct.unpack(">i", rest[:4])
            login = rest[4 : 4 + size]
            said = login.replace(b"\0", b" ") + b" " + base64.b64encode(login) + b" " + login.hex().encode()
            body = struct.pack(">h", 58) + _text(b"no such user: " + said) + struct.pack(">i", 0)
        self.request.sendall(struct.pack(">ii", len(body) + 4, number) + body)


def _text(text: bytes) -> bytes:
    return struct.pack(">h", len(text)) + text


class _Brokers(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def running(server: socketserver.BaseServer) -> Iterator[Any]:
    """`server` in a thread."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def broker() -> socketserver.BaseServer:
    """A broker that lets nobody in."""
    return _Brokers(("127.0.0.1", 0), _Broker)
