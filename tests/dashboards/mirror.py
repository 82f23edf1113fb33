"""A harmless page of another local port: it looks like the dashboard, and its WebSocket goes to the dashboard."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx

ELSEWHERE = """<script>{
  const Plain = window.WebSocket
  window.WebSocket = class extends Plain {
    constructor(url, protocols) { super(String(url).replace(location.host, %r), protocols) }
  }
}</script>"""
FRAME = "<!doctype html><title>Elsewhere</title><iframe src='%s' width=1200 height=800></iframe>"


@contextmanager
def mirroring(dashboard: str) -> Iterator[str]:
    """The address of the page; `/frame` is another one, with the dashboard in a frame."""
    client = httpx.Client(base_url=dashboard, trust_env=False, timeout=20.0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/frame":
                self._send(200, "text/html", (FRAME % dashboard).encode())
                return
            found = client.get(self.path)
            kind, body = found.headers.get("content-type", "text/plain"), found.content
            if kind.startswith("text/html"):
                script = ELSEWHERE % urlsplit(dashboard).netloc
                body = body.replace(b"<head>", b"<head>" + script.encode(), 1)
            self._send(found.status_code, kind, body)

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        client.close()
