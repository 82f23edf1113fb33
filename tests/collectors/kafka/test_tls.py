"""Sockets of brokers that TLS cannot be agreed with, which would add up as long as a monitor tries again."""

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from undertow.config import KafkaConfig
from undertow_collectors.kafka_python_tls import Tls

PLAIN_ANSWER = b"\x00\x00\x00\x04kept"  # as of a broker that speaks no TLS there


@pytest.fixture(name="ends")
def _ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def failed(context: Any, ours: socket.socket, theirs: socket.socket) -> ssl.SSLSocket:
    """The socket after a handshake that the other end does not take part in."""
    wrapped: ssl.SSLSocket = context.wrap_socket(ours, server_hostname="broker", do_handshake_on_connect=False)
    theirs.sendall(PLAIN_ANSWER)
    with pytest.raises(ssl.SSLError):
        wrapped.do_handshake()
    return wrapped


def test_a_handshake_that_fails_closes_its_socket(ends: tuple[socket.socket, socket.socket]) -> None:
    """Nobody else does: kafka-python forgets it."""
    assert failed(Tls(KafkaConfig()), *ends).fileno() == -1


def test_the_context_of_the_standard_library_leaves_it_open(ends: tuple[socket.socket, socket.socket]) -> None:
    """Negative control: without that it stays until it is collected."""
    with failed(ssl.create_default_context(), *ends) as wrapped:
        assert wrapped.fileno() >= 0


def test_waiting_for_the_other_end_is_no_failure(ends: tuple[socket.socket, socket.socket]) -> None:
    """A handshake on a socket that does not block is taken up again."""
    ours, _ = ends
    ours.setblocking(False)
    wrapped = Tls(KafkaConfig()).wrap_socket(ours, server_hostname="broker", do_handshake_on_connect=False)
    with wrapped:
        with pytest.raises(ssl.SSLWantReadError):
            wrapped.do_handshake()
        assert wrapped.fileno() >= 0


def test_a_file_that_cannot_be_read_closes_the_connection(ends: tuple[socket.socket, socket.socket]) -> None:
    """It is an error of the connection, which is tried again once the file is there."""
    with pytest.raises(FileNotFoundError):
        Tls(KafkaConfig(ssl_cafile="/nowhere/ca.pem")).wrap_socket(ends[0])
    assert ends[0].fileno() == -1
