"""An OTLP/HTTP receiver on loopback that keeps the bodies of traces and logs as they come, in order of arrival."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """One connection of an exporter."""

    protocol_version = "HTTP/1.1"
    bodies: list[tuple[str, bytes]]

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""

    def do_POST(self) -> None:
        """Keep the body under `traces`, `logs` or `metrics`, and accept it."""
        body = whole_body(self)
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append((self.path.rpartition("/")[2], body))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()


def whole_body(request: BaseHTTPRequestHandler) -> bytes:
    """The body of a request, in one part or in chunks."""
    if "chunked" not in request.headers.get("transfer-encoding", ""):
        return request.rfile.read(int(request.headers["content-length"]))
    found = b""
    while size := int(request.rfile.readline(), 16):
        found += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return found


def serve() -> tuple[ThreadingHTTPServer, list[tuple[str, bytes]]]:
    """A running receiver on a free port, and the list that fills."""
    bodies: list[tuple[str, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("KeepingHandler", (Handler,), {"bodies": bodies}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, bodies
