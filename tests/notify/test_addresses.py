"""The address guard against IANA's registries of special addresses, which are kept beside this file."""

import csv
import ipaddress
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from undertow.notify import addresses
from undertow.notify.addresses import Address, Network
from undertow.notify.egress import Guard

REGISTRIES = sorted(Path(__file__).with_name("registries").glob("special-*.csv"))
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""Globally reachable as far as the IPv4 address in it is."""
BESIDE = ["ff00::/8", "224.0.0.0/4", "fec0::/10", "::/96", "4000::/3", "::ffff:0:0:0/96"]
"""In no registry, and closed: multicast, site-local, IPv4-compatible, unallocated, IPv4-translated (RFC 2765)."""


class Entry(NamedTuple):
    """A block of a registry; `reachable` is None where that does not apply to it."""

    network: Network
    reachable: bool | None


def entries() -> Iterator[Entry]:
    """Every block of both registries."""
    for file in REGISTRIES:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        for row in csv.DictReader(lines):
            reachable = {"True": True, "False": False, "N/A": None}[row["Globally Reachable"]]
            yield Entry(ipaddress.ip_network(row["Address Block"]), reachable)


def judge(address: Address) -> str | None:
    """What the guard says of an address, where nothing is opened."""
    return Guard().objection("receiver.example", str(address))


def expected(address: Address) -> bool:
    """Whether the registries call an address globally reachable: the narrowest block that holds it says."""
    holding = [entry for entry in entries() if address in entry.network]
    if not holding:
        return address.version == 4 or address in ipaddress.ip_network("2000::/3")
    return max(holding, key=lambda entry: entry.network.prefixlen).reachable is True


def probes() -> Iterator[Address]:
    """The first, the last and a middle address of every block, and those right before and after it."""
    for network in [entry.network for entry in entries()] + [ipaddress.ip_network(one) for one in BESIDE]:
        most = 2**network.max_prefixlen - 1
        first, last = int(network.network_address), int(network.broadcast_address)
        kind = type(network.network_address)
        yield from (kind(bits) for bits in (first - 1, first, (first + last) // 2, last, last + 1) if 0 <= bits <= most)


def faults(judging: Callable[[Address], str | None]) -> list[str]:
    """The probed addresses that are judged otherwise than the registries do.

    Not those which stand for an IPv4 address or are multicast: the tests below judge them.
    """
    closed = [ipaddress.ip_network(one) for one in BESIDE]
    plain = (one for one in probes() if addresses.destinations(one) == [one])
    own = [one for one in plain if not any(one in other for other in closed)]
    return [str(one) for one in own if (judging(one) is None) != expected(one)]


def test_the_guard_judges_as_the_registries_do() -> None:
    """Every block that is not globally reachable is refused from its first to its last address, and its like alone."""
    assert len(list(entries())) == 51
    assert faults(judge) == []


@pytest.mark.parametrize("block", BESIDE)
def test_what_no_registry_lists_and_nobody_can_receive_at_is_refused(block: str) -> None:
    """Multicast, site-local, compatible and unallocated addresses are closed; the registry is not all there is."""
    network = ipaddress.ip_network(block)
    for address in (network.network_address + 1, network.broadcast_address):
        assert judge(address) is not None, address


@pytest.mark.parametrize("closed", addresses.CLOSED, ids=str)
def test_a_block_that_is_forgotten_is_found(closed: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without any one of the closed blocks the comparison with the registries fails."""
    monkeypatch.setattr(addresses, "CLOSED", tuple(one for one in addresses.CLOSED if one != closed))
    network = closed.network_address
    assert faults(judge) or (network.version == 6 and judge(network + 2**64) is None)


@pytest.mark.parametrize("opened", addresses.OPEN, ids=str)
def test_an_exception_that_is_forgotten_is_found(opened: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without any one of the globally reachable exceptions it fails as well."""
    monkeypatch.setattr(addresses, "OPEN", tuple(one for one in addresses.OPEN if one != opened))
    assert faults(judge)


def test_no_judgement_of_pythons_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions of `ipaddress` differ in what is global, private and reserved; none of that decides here."""

    def differs(_self: Any) -> bool:
        raise AssertionError

    names = ("is_global", "is_private", "is_reserved", "is_multicast", "is_loopback", "is_link_local", "is_unspecified")
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        for name in (*names, "is_site_local", "ipv4_mapped", "sixtofour", "teredo"):
            if hasattr(kind, name):
                monkeypatch.setattr(kind, name, property(differs))
    assert faults(judge) == []


@pytest.mark.parametrize(
    "form",
    ["::ffff:{}", "::{}", "64:ff9b::{}", "2606:4700::5efe:{}", "2606:4700::200:5efe:{}", "2606:4700::300:5efe:{}"],
)
def test_an_address_within_an_address_is_judged(form: str) -> None:
    """Mapped, compatible, translated and ISATAP addresses are refused where the IPv4 address in them is."""
    assert judge(ipaddress.ip_address(form.format("8.8.8.8"))) is None
    for entry in entries():
        inner = entry.network.network_address
        if inner.version == 4:
            assert judge(ipaddress.ip_address(form.format(inner))) == judge(inner), inner
    assert judge(ipaddress.ip_address(form.format("224.0.0.1"))) == "multicast"


def test_both_ends_of_a_tunnel_are_judged() -> None:
    """6to4 holds one IPv4 address, Teredo that of a server and, inverted, that of a client."""

    def teredo(server: str, client: str) -> Address:
        outer = 0x20010000 << 96 | int(ipaddress.IPv4Address(server)) << 64
        return ipaddress.IPv6Address(outer | int(ipaddress.IPv4Address(client)) ^ 0xFFFF_FFFF)

    assert judge(teredo("8.8.8.8", "8.8.4.4")) is None
    assert judge(teredo("8.8.8.8", "10.0.0.1")) == judge(teredo("10.0.0.1", "8.8.8.8")) == "not_public"
    assert judge(ipaddress.ip_address("2002:808:808::1")) is None
    assert judge(ipaddress.ip_address("2002:c0a8:1::1")) == "not_public"


def test_opening_one_end_of_a_tunnel_leaves_the_other_closed() -> None:
    """`alerts.allow_hosts` opens what it names, not whatever else is in the same address."""
    address = str(ipaddress.IPv6Address(0x20010000 << 96 | 0x0A000001 << 64 | 0x7F000001 ^ 0xFFFF_FFFF))
    assert Guard(["10.0.0.0/8"]).objection("receiver.example", address) == "not_public"
    assert Guard(["10.0.0.0/8", "127.0.0.1"]).objection("receiver.example", address) is None
    assert Guard([address]).objection("receiver.example", address) is None


def test_the_local_translation_prefix_is_closed_and_can_be_opened() -> None:
    """Where the IPv4 address stands in 64:ff9b:1::/48 depends on the network, so the whole prefix is refused."""
    assert judge(ipaddress.ip_address("64:ff9b:1::808:808")) == "not_public"
    assert Guard(["64:ff9b:1::/48"]).objection("receiver.example", "64:ff9b:1::808:808") is None
    assert addresses.destinations(TRANSLATED.network_address) == [ipaddress.ip_address("0.0.0.0")]  # noqa: S104
