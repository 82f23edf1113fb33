"""The only way out: POST to an address that was judged first, within one deadline.

A guard on names or on `is_private` does not hold (64:ff9b::a9fe:a9fe, 0x7f.1, a resolver that changes its mind), so
the *resolved* addresses are judged and the connection goes to a judged one: no second lookup, no redirects, no proxies.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from undertow.errors import UndertowError
from undertow.notify import addresses
from undertow.notify.aside import aside

DEADLINE_S = 15.0
BODY_LIMIT_BYTES = 4096
TALK_LIMIT_BYTES = 65_536
"""As much as the other side may say in one conversation, of whatever protocol."""

Resolver = Callable[[str, int], Sequence[str]]
"""From host and port to addresses; raises OSError where there are none."""


class Refused(UndertowError):  # noqa: N818  a decision, not a fault
    """No address of the host may be reached; nothing was connected."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; `body` is its first 4 KiB."""

    status: int
    retry_after: str | None
    body: bytes


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host` as the system sees them."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Guard:
    """Which addresses alerts may reach: public ones, and those that `alerts.allow_hosts` opens."""

    def __init__(self, allow_hosts: Sequence[str] = ()) -> None:
        self._hosts = {host.lower() for host in allow_hosts}
        self._networks = list(_networks(allow_hosts))

    def objection(self, host: str, address: str) -> str | None:
        """Why `address`, to which `host` resolved, may not be reached; None if it may."""
        found = ipaddress.ip_address(address)
        if host.lower() in self._hosts or self._opens(found):
            return None
        objections = (addresses.objection(one) for one in addresses.destinations(found) if not self._opens(one))
        return next(filter(None, objections), None)

    def _opens(self, address: addresses.Address) -> bool:
        return any(address in network for network in self._networks)


class Egress:
    """Posts JSON to receivers that the guard lets through.

    `deadline_s` bounds an attempt as a whole: a timeout for each operation never ends with a receiver that drips.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        deadline_s: float = DEADLINE_S,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._deadline_s = deadline_s
        self._resolver = resolver
        self._tls = tls or ssl.create_default_context()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """One attempt. Raises Refused, OSError (also TimeoutError), HTTPException, or ValueError for a bad URL."""
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        deadline = _Deadline(self._deadline_s)
        sock = deadline.connect(self._judged(host, port, deadline), port)
        with sock if not secure else deadline.handshake(self._tls, sock, host) as sock:
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            connection = kind(host, port)  # for the form of the request only; it never connects
            connection.sock = _Bounded(sock, deadline)
            connection.response_class = _Final
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, {**headers, "Connection": "close"})
            return _read(connection.getresponse())

    @contextmanager
    def dial(self, host: str, port: int) -> Iterator["Line"]:
        """A connection for another protocol than HTTP, judged and bounded alike; closed at the end.

        Raises Refused or OSError (also TimeoutError).
        """
        deadline = _Deadline(self._deadline_s)
        line = Line(deadline.connect(self._judged(host, port, deadline), port), host, self._tls, deadline)
        try:
            yield line
        finally:
            line.sock.close()

    def _judged(self, host: str, port: int, deadline: "_Deadline") -> list[str]:
        addresses = deadline.within(lambda: self._resolver(host, port))
        objections = {address: self._guard.objection(host, address) for address in addresses}
        allowed = [address for address, objection in objections.items() if objection is None]
        if not allowed:
            told = ", ".join(f"{address} is {objection}" for address, objection in objections.items())
            raise Refused(f"{host} may not be reached ({told or 'no address'}); alerts.allow_hosts opens single hosts")
        return allowed


class Line:
    """A connection to a judged address; `left` is how many seconds the whole conversation may still take."""

    def __init__(self, sock: socket.socket, host: str, tls: ssl.SSLContext, deadline: "_Deadline") -> None:
        self.sock = sock
        self.host = host
        self.tls = tls
        self._deadline = deadline

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError after it."""
        return self._deadline.left()

    def secure(self) -> None:
        """Speak TLS from now on."""
        self.sock = self._deadline.handshake(self.tls, self.sock, self.host)

    def reader(self, sock: socket.socket) -> io.RawIOBase:
        """What the other side says on `sock`, as much as a conversation needs."""
        return _Reader(sock, self._deadline, TALK_LIMIT_BYTES)


class _Deadline:
    """A moment by which everything must be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline of the attempt has passed")
        return seconds

    def within(self, work: Callable[[], Sequence[str]]) -> Sequence[str]:
        """The result of `work`, which is left behind where it takes too long."""
        return aside(work, "resolve").result(self.left())

    def connect(self, addresses: Sequence[str], port: int) -> socket.socket:
        """A connection to the first address that takes one; the last one's error where none does."""
        for address in addresses[:-1]:
            try:
                return socket.create_connection((address, port), self.left() / 2)
            except OSError:
                continue
        return socket.create_connection((addresses[-1], port), self.left())

    def handshake(self, tls: ssl.SSLContext, sock: socket.socket, host: str) -> ssl.SSLSocket:
        sock.settimeout(self.left())
        try:
            return tls.wrap_socket(sock, server_hostname=host)
        except (OSError, ValueError):
            sock.close()
            raise


class _Bounded:
    """As much of a socket as http.client uses, each operation given only the time that is left."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._deadline, TALK_LIMIT_BYTES))

    def close(self) -> None:
        """Left to the owner of the socket; http.client closes before the body is read."""


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: _Deadline, most: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise ConnectionError("the other side says more than a conversation needs")
        return count


class _Final(http.client.HTTPResponse):
    """The answer after interim ones, such as 103 with early hints (RFC 9110 15.2), which http.client takes for it."""

    def begin(self) -> None:
        super().begin()
        while 100 < self.status < 200 and self.status != http.client.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # not begun yet
            super().begin()


def _read(response: http.client.HTTPResponse) -> Response:
    try:
        body = response.read(BODY_LIMIT_BYTES)
    except (OSError, http.client.HTTPException, ValueError):  # ValueError: a chunk of less than nothing
        body = b""  # the status has decided; a receiver that cannot end its sentence has still received
    return Response(response.status, response.getheader("Retry-After"), body)


def _networks(hosts: Sequence[str]) -> Iterator[addresses.Network]:
    for host in hosts:
        try:
            yield ipaddress.ip_network(host.strip("[]"), strict=False)
        except ValueError:
            continue  # a name
