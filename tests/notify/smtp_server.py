"""A mail server on loopback: as much of SMTP as a client needs, with what it said back for the asking."""

import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class MailServer:
    """Takes mail; `answers` replaces the usual answer to a verb, `seen` is every line with its security."""

    port: int = 0
    extensions: tuple[str, ...] = ("STARTTLS", "AUTH PLAIN")
    answers: dict[str, bytes] = field(default_factory=dict)
    mails: list[bytes] = field(default_factory=list)
    seen: list[tuple[bool, str]] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def converse(self, sock: Any) -> None:
        """One session."""
        sock.sendall(self.answers.get("CONNECT", b"220 ready\r\n"))
        with contextlib.ExitStack() as closing:
            self._listen(sock, closing)

    def _listen(self, sock: Any, closing: contextlib.ExitStack) -> None:
        stream = closing.enter_context(sock.makefile("rb"))
        while line := stream.readline():
            text = line.decode(errors="replace").strip()
            verb = text.split(" ")[0].split(":")[0].upper()
            self.seen.append((isinstance(sock, ssl.SSLSocket), text))
            sock.sendall(self.answers.get(verb) or self._usual(verb))
            if verb == "STARTTLS" and verb not in self.answers and self.tls:
                sock = closing.enter_context(self.tls.wrap_socket(sock, server_side=True))
                stream = closing.enter_context(sock.makefile("rb"))
            if verb == "DATA" and verb not in self.answers:
                self.mails.append(b"".join(iter(stream.readline, b".\r\n")))
                sock.sendall(b"250 taken\r\n")
            if verb == "QUIT":
                return

    def _usual(self, verb: str) -> bytes:
        if verb == "EHLO":
            lines = ["undertow.test", *self.extensions]
            return "".join(f"250{' ' if one is lines[-1] else '-'}{one}\r\n" for one in lines).encode()
        usual = {"STARTTLS": b"220 go\r\n", "AUTH": b"235 welcome\r\n", "DATA": b"354 go\r\n", "QUIT": b"221 bye\r\n"}
        return usual.get(verb, b"250 ok\r\n")


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None, implicit: bool = False) -> Iterator[MailServer]:
    """A mail server on a free port of 127.0.0.1."""
    server = MailServer(tls=tls)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            sock = self.request
            if implicit and tls:
                sock = tls.wrap_socket(sock, server_side=True)
            with contextlib.closing(sock):
                server.converse(sock)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """The client hung up, as it may."""

    with Server(("127.0.0.1", 0), Handler) as listener:
        server.port = listener.server_address[1]
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()
