"""The addresses that people open the dashboard at: from them follow the Host and Origin headers that are let in."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from undertow.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """An address as browsers write it: `host` is lower-case ASCII, an IPv6 one in brackets."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """What a page of this address sends as its Origin."""
        return f"{self.scheme}://{self.authorities[0]}"

    @property
    def authorities(self) -> tuple[str, ...]:
        """What a browser sends as the Host, and what some proxies make of it where the port is the scheme's own."""
        whole = f"{self.host}:{self.port}"
        return (self.host, whole) if self.port == DEFAULT_PORTS[self.scheme] else (whole,)


def parse(address: str, option: str = "--address") -> Place:
    """The scheme, host and port of an address; what comes after them does not count. Raises UsageError."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except (ValueError, UnicodeError):
        host, port = "", 0
    if not (host and port) or "@" in parts.netloc:
        raise UsageError(f"{option} {address}: an address looks like https://undertow.example.com.")
    return Place(parts.scheme, f"[{host}]" if ":" in host else host, port)


def served(host: str, port: int, others: Sequence[Place]) -> tuple[Place, ...]:
    """Every address of a dashboard that listens on `host` and `port`: those of loopback, its own, and `others`.

    Raises UsageError where it listens on every address of the machine and nobody said by which name people open it.
    """
    if _is_wildcard(host) and not others:
        raise UsageError(
            f"--host {host}: name the address that people open the dashboard at with --address "
            "(or dashboard.addresses), such as http://undertow.example.com:8501; no other one is answered."
        )
    own = () if _is_wildcard(host) else (f"[{host}]" if ":" in host else host.lower(),)
    return tuple(dict.fromkeys([*(Place("http", name, port) for name in (*own, *LOOPBACK)), *others]))


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host
