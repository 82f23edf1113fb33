"""A webhook receiver as an operator would write one: verifies the signature before it believes anything."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

LIMIT_BYTES = 20_000
"""Standard Webhooks asks senders to stay under 20 kB."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook whose signature was right."""

    webhook_id: str
    kind: str
    data: dict[str, Any]


class Receiver:
    """Listens on 127.0.0.1 from construction until `close`; a context manager.

    `deliveries` holds what was verified, one for each webhook-id; `refused` counts what was not.
    """

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._lock = threading.Lock()
        self._seen: dict[str, Delivery] = {}
        self.refused = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="receiver", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks/undertow"

    @property
    def deliveries(self) -> list[Delivery]:
        """What was verified so far, in order of arrival."""
        with self._lock:
            return list(self._seen.values())

    def accept(self, body: bytes, headers: dict[str, str]) -> int:
        """The HTTP status that answers a post: 204 for a signed body, 401 otherwise. A repetition counts once."""
        try:
            message = self._webhook.verify(body, headers)
            delivery = Delivery(headers["webhook-id"], message["type"], message["data"])
        except (WebhookVerificationError, ValueError, KeyError, TypeError):
            with self._lock:
                self.refused += 1
            return 401
        with self._lock:
            self._seen.setdefault(delivery.webhook_id, delivery)
        return 204

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        accept = self.accept

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                length = self.headers.get("content-length", "")
                if not length.isdecimal() or int(length) > LIMIT_BYTES:
                    self._answer(413)
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._answer(accept(self.rfile.read(int(length)), headers))

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the demo tells its own story."""

        return Handler
