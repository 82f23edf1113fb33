"""A receiver on loopback that answers as it is told, and an incident to speak of."""

import contextlib
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Receiver:
    """Takes requests; `answers` is used up first to last, then everything gets 200."""

    url: str = ""
    answers: list[bytes | Callable[[Any], Any]] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def handle(self, stream: Any) -> None:
        """Read one request and answer it."""
        lines = iter(lambda: stream.rfile.readline().strip().decode(), "")
        next(lines, None)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.requests.append((headers, stream.rfile.read(int(headers.get("content-length", 0)))))
        told = self.answers.pop(0) if self.answers else self.says(200)
        if callable(told):
            told(stream)
        else:
            stream.wfile.write(told)

    @staticmethod
    def says(status: int, *headers: str) -> bytes:
        """A whole response without a body."""
        return "\r\n".join([f"HTTP/1.1 {status} Told", *headers, "Content-Length: 0", "", ""]).encode()

    @staticmethod
    def drips(stream: Any) -> None:
        """A second of header, one byte at a time."""
        for _ in range(50):
            stream.wfile.write(b"H")
            time.sleep(0.02)
        stream.wfile.write(b"\r\n\r\n")


@contextlib.contextmanager
def listen(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = Receiver()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            receiver.handle(self)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """The sender hung up, as it should."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(name="listening")
def _listening() -> Callable[..., AbstractContextManager[Receiver]]:
    return listen


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    with listen() as receiver:
        yield receiver


@pytest.fixture(name="incident")
def _incident() -> dict[str, Any]:
    return {
        "id": "inc_01",
        "target": {"gateway": "g", "provider": "openai", "model": "gpt-4", "deployment": None},
        "cause": "provider_update",
        "lane": "content",
        "severity": "critical",
        "status": "open",
        "opened_at": 1000.0,
        "opened_after_spans": 13246,
        "resolved_at": None,
        "change_point": 990.0,
        "change_point_interval": None,
        "signals": [
            {
                "signal": "output_tokens",
                "direction": "down",
                "effect": {"name": "ratio", "value": 0.88, "ci95": [0.86, 0.9]},
                "log10_evidence": 7.3,
            }
        ],
        "why": ["traffic_quiet"],
        "recommendation": {"action": "down_weight", "multiplier": 0.5},
    }


@pytest.fixture(name="certificate")
def _certificate(tmp_path: Path) -> Path:
    path = tmp_path / "both.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=receiver.example "
        f"-addext subjectAltName=DNS:receiver.example -keyout {path} -out {tmp_path / 'cert.pem'}"
    )
    try:
        subprocess.run(command.split(), capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"openssl makes no certificate to serve: {error}")
    path.write_text(path.read_text() + (tmp_path / "cert.pem").read_text())
    return path
