"""Which addresses are public: a table of our own, after IANA's special-purpose registries of 2025-10-09.

`ipaddress.is_global` differs between versions of Python (192.0.0.192 is public in 3.11.7, 3fff::1 in 3.12.3), so no
judgement of that module is asked for: it parses, and compares numbers. A block that the registries do not call globally
reachable is closed, its globally reachable parts are open, and of IPv6 nothing but global unicast is.
"""

import ipaddress
from collections.abc import Iterator
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Objection = Literal["multicast", "not_public"]

MULTICAST: tuple[Network, ...] = (ipaddress.ip_network("224.0.0.0/4"), ipaddress.ip_network("ff00::/8"))
CLOSED: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        [
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4"),
            *("2001::/23", "2001:db8::/32", "3fff::/20"),
            *("::/3", "4000::/2", "8000::/1"),  # all but global unicast: 64:ff9b:1::/48, 5f00::/16, fec0::/10 and so on
        ],
    )
)
OPEN: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        [
            *("192.0.0.9/32", "192.0.0.10/32"),
            *("2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:3::/32", "2001:4:112::/48"),
            *("2001:20::/28", "2001:30::/28"),
        ],
    )
)
"""What of the CLOSED is globally reachable."""

_LOW_32 = tuple(map(ipaddress.IPv6Network, ["::/96", "::ffff:0:0/96", "64:ff9b::/96"]))
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_ISATAP = 0x5EFE


def objection(address: Address) -> Objection | None:
    """Why `address` itself is not public; None where it is."""
    if _in(address, MULTICAST):
        return "multicast"
    return "not_public" if _in(address, CLOSED) and not _in(address, OPEN) else None


def destinations(address: Address) -> list[Address]:
    """Where packets to `address` end: itself, or the IPv4 addresses in it where it is one of a tunnel or translator.

    Mapped, compatible, NAT64 (RFC 6052), 6to4 and Teredo (RFC 4380: server and client) addresses stand for what is in
    them. ISATAP's (RFC 5214) are addresses as well. Where one of the local NAT64 prefix (RFC 8215) has its IPv4 address
    depends on the network, so it is judged as it is, which is closed.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    return [*_embedded(address)] or [address, *_isatap(address)]


def _in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _embedded(address: ipaddress.IPv6Address) -> Iterator[Address]:
    bits = int(address)
    if _in(address, _LOW_32):
        yield _four(bits)
    elif address in _SIX_TO_FOUR:
        yield _four(bits >> 80)
    elif address in _TEREDO:
        yield _four(bits >> 64)
        yield _four(~bits)


def _isatap(address: ipaddress.IPv6Address) -> Iterator[Address]:
    if int(address) >> 32 & 0xFCFF_FFFF == _ISATAP:  # with the bits "universal" and "group" of the interface left out
        yield _four(int(address))


def _four(bits: int) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(bits & 0xFFFF_FFFF)
