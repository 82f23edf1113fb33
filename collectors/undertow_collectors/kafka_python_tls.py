"""TLS to a broker: kafka-python 3.0.12 leaves the sockets of handshakes that fail to the garbage collector."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from undertow.config import KafkaConfig


class _Socket(ssl.SSLSocket):
    """A socket that a failed handshake closes."""

    def do_handshake(self, block: bool = False) -> None:
        with _closed_on_failure(self):
            super().do_handshake(block)


class Tls:
    """What kafka-python takes for an `ssl.SSLContext`; files are read for each connection, so that new ones count."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
        """Begin TLS on a connection. Raises OSError where a file cannot be read, and closes the connection then."""
        with _closed_on_failure(sock):
            return self._context().wrap_socket(sock, **options)

    def _context(self) -> ssl.SSLContext:
        config = self._config
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.sslsocket_class = _Socket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = config.ssl_check_hostname
        if config.ssl_cafile:
            context.load_verify_locations(config.ssl_cafile)
        else:
            context.load_default_certs()
        if config.ssl_certfile:
            password = config.ssl_password.reveal() if config.ssl_password else None
            context.load_cert_chain(config.ssl_certfile, config.ssl_keyfile, password)
        return context


@contextmanager
def _closed_on_failure(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise
    except BaseException:
        sock.close()
        raise
