import contextlib
import ipaddress
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.notify import egress as module
from undertow.notify.egress import BODY_LIMIT_BYTES, Egress, Guard, Refused, Response, resolve

NOT_PUBLIC = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104  refused, not bound
    "255.255.255.255",
    "224.0.0.1",
    "ff02::1",
    "::1",
    "::",
    "fec0::1",
    "fd00::1",
    "fe80::1",
    "64:ff9b:1::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:5601:5601",
]
PUBLIC = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]


def to(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    """A resolver with one answer."""
    return lambda _host, _port: addresses


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Private, local, shared, multicast and translated addresses are refused before anything is connected."""
    monkeypatch.setattr(module.socket, "create_connection", lambda *_: pytest.fail("connected"))
    with pytest.raises(Refused, match="may not be reached"):
        Egress(Guard(), resolver=to(address)).post("http://receiver.example/", b"{}", {})


def test_a_name_that_rebinds_is_reached_where_it_was_judged_and_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the address that was judged; when the name points home, it is refused unconnected."""
    connected: list[str] = []

    def connect(address: tuple[str, int], _timeout: float) -> None:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(module.socket, "create_connection", connect)
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    egress = Egress(Guard(), resolver=lambda _host, _port: next(answers))
    with pytest.raises(ConnectionRefusedError):
        egress.post("http://rebinding.example/", b"{}", {})
    with pytest.raises(Refused, match="may not be reached"):
        egress.post("http://rebinding.example/", b"{}", {})
    assert connected == ["8.8.8.8"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_passes(address: str) -> None:
    """The guard is no wall: what is public, also inside a translated form, may be reached."""
    assert Guard().objection("receiver.example", address) is None


def test_a_guard_on_is_private_alone_would_let_these_through() -> None:
    """Negative control: the addresses above are not all private by the standard library's own judgement."""
    passed = [a for a in NOT_PUBLIC if not ipaddress.ip_address(a).is_private]
    assert {"100.64.0.1", "64:ff9b::a9fe:a9fe", "fec0::1", "224.0.0.1"} <= set(passed)


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1", "①②⑦.0.0.1"])
def test_odd_spellings_of_loopback_are_refused(host: str) -> None:
    """What is judged is what the system's resolver makes of a name, not how the name looks."""
    assert resolve(host, 80) == ["127.0.0.1"]
    with pytest.raises(Refused, match=r"127\.0\.0\.1 is not_public"):
        Egress(Guard()).post(f"http://{host}/", b"{}", {})


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**32 - 1))
def test_the_guard_answers_for_every_address(six: int, four: int) -> None:
    """No address makes the guard raise, and an IPv4 address is judged alike in each of its IPv6 forms."""
    guard = Guard(["10.0.0.0/8"])
    guard.objection("h", str(ipaddress.IPv6Address(six)))
    plain = guard.objection("h", str(ipaddress.IPv4Address(four)))
    for prefix in (0xFFFF << 32, 0x64FF9B << 96):
        assert guard.objection("h", str(ipaddress.IPv6Address(prefix | four))) == plain


@pytest.mark.parametrize("opened", ["127.0.0.1", "127.0.0.0/8", "localhost", "LOCALHOST"])
def test_allow_hosts_opens_hosts_and_networks(opened: str, receiver: Any) -> None:
    """A name opens itself, an address or network opens what resolves into it."""
    url = receiver.url.replace("127.0.0.1", "localhost")
    response = Egress(Guard([opened]), resolver=to("127.0.0.1")).post(url, b"{}", {})
    assert response.status == 200


def test_opening_one_host_leaves_the_others_closed() -> None:
    """An allowed name does not open the addresses behind it for other names."""
    guard = Guard(["inside.example", "10.0.0.0/8"])
    assert guard.objection("inside.example", "127.0.0.1") is None
    assert guard.objection("outside.example", "127.0.0.1") == "not_public"
    assert guard.objection("outside.example", "10.1.2.3") is None


def test_a_name_is_looked_up_once(receiver: Any) -> None:
    """A resolver that changes its answer after the judgement changes nothing (DNS rebinding)."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    egress = Egress(Guard(["127.0.0.1"]), resolver=lambda _host, _port: next(answers))
    port = receiver.url.rsplit(":", 1)[1]
    assert egress.post(f"http://rebinding.example:{port}", b"{}", {}).status == 200
    assert receiver.requests[0][0]["host"].startswith("rebinding.example:")


def test_only_the_judged_addresses_of_a_name_are_tried(receiver: Any) -> None:
    """Of several addresses the refused ones are left out, and the next is tried where one does not answer."""
    egress = Egress(Guard(["127.0.0.1", "127.0.0.9"]), resolver=to("10.0.0.1", "127.0.0.9", "127.0.0.1"))
    assert egress.post(receiver.url, b"{}", {}).status == 200


def test_a_redirect_is_an_answer_and_not_followed(receiver: Any) -> None:
    """A receiver cannot send us on to somewhere else."""
    receiver.answers = [b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"]
    assert Egress(Guard(["127.0.0.1"])).post(receiver.url, b"{}", {}).status == 302
    assert len(receiver.requests) == 1


def test_proxies_of_the_environment_are_not_used(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect to an address that nobody judged."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert Egress(Guard(["127.0.0.1"])).post(receiver.url, b"{}", {}).status == 200


def test_a_dripping_receiver_meets_the_deadline(receiver: Any) -> None:
    """One byte at a time does not renew the deadline: it holds for the attempt as a whole."""

    receiver.answers = [receiver.drips]
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        Egress(Guard(["127.0.0.1"]), deadline_s=0.3).post(receiver.url, b"{}", {})
    assert time.monotonic() - started < 1.0


def test_a_timeout_for_each_operation_would_not_end(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with the deadline renewed at every read, the same receiver holds the attempt."""

    receiver.answers = [receiver.drips]
    monkeypatch.setattr(module._Deadline, "left", lambda _self: 0.3)
    started = time.monotonic()
    with pytest.raises(module.http.client.HTTPException):
        Egress(Guard(["127.0.0.1"]), deadline_s=0.3).post(receiver.url, b"{}", {})
    assert time.monotonic() - started > 0.9


@pytest.mark.parametrize("stage", ["resolve", "answer"])
def test_whatever_hangs_meets_the_deadline(stage: str, receiver: Any) -> None:
    """A resolver that hangs and a receiver that never answers cost one deadline."""

    def hang(*_: Any) -> list[str]:
        time.sleep(1.0)
        return ["127.0.0.1"]

    receiver.answers = [hang]
    egress = Egress(Guard(["127.0.0.1"]), deadline_s=0.2, resolver=hang if stage == "resolve" else to("127.0.0.1"))
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        egress.post(receiver.url, b"{}", {})
    assert time.monotonic() - started < 0.8


def test_no_more_than_four_kibibytes_of_an_answer_are_read(receiver: Any) -> None:
    """A gigabyte in answer is received as a 200 and four kibibytes."""

    def flood(stream: Any) -> None:
        stream.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        for _ in range(1024):
            stream.wfile.write(b"x" * 65536)

    receiver.answers = [flood]
    response = Egress(Guard(["127.0.0.1"])).post(receiver.url, b"{}", {})
    assert (response.status, len(response.body)) == (200, BODY_LIMIT_BYTES)


@pytest.mark.parametrize("size", [b"-1", b"-5", b"zz"])
def test_a_chunk_of_a_strange_length_is_not_read_to_its_end(size: bytes, receiver: Any) -> None:
    """A chunk of -1 bytes is read until the connection ends by the standard library; here nothing is."""
    took: list[int] = []

    def flood(stream: Any) -> None:
        stream.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n")
        with contextlib.suppress(OSError):
            took.extend(stream.wfile.write(b"x" * 65536) for _ in range(512))

    receiver.answers = [flood]
    assert Egress(Guard(["127.0.0.1"])).post(receiver.url, b"{}", {}) == Response(200, None, b"")
    assert len(took) < 512


@pytest.mark.parametrize("interim", [100, 102, 103])
def test_an_interim_answer_is_not_the_answer(interim: int, receiver: Any) -> None:
    """What a server says on the way is skipped, so that a message that was taken is not sent for three days."""
    said = f"HTTP/1.1 {interim} Told\r\nLink: </style.css>\r\n\r\n".encode()
    receiver.answers = [said * 3 + receiver.says(204)]
    assert Egress(Guard(["127.0.0.1"])).post(receiver.url, b"{}", {}).status == 204


def test_interim_answers_without_end_are_none(receiver: Any) -> None:
    """They are given up well before the deadline."""
    receiver.answers = [b"HTTP/1.1 103 Told\r\n\r\n" * 10_000]
    with pytest.raises(ConnectionError):
        Egress(Guard(["127.0.0.1"])).post(receiver.url, b"{}", {})


def test_a_body_that_does_not_end_leaves_the_status_standing(receiver: Any) -> None:
    """The status is the answer: what comes after it may be late."""
    receiver.answers = [b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nshort"]
    assert Egress(Guard(["127.0.0.1"])).post(receiver.url, b"{}", {}).status == 202


@pytest.mark.parametrize(
    ("host", "trusted"), [("receiver.example", True), ("other.example", True), ("receiver.example", False)]
)
def test_tls_holds_the_receiver_to_the_name_in_the_url(
    host: str, trusted: bool, certificate: Path, listening: Any
) -> None:
    """The judged address is connected, and a trusted certificate must bear the name of the URL."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(certificate) if trusted else None)
    with listening(server) as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        egress = Egress(Guard(["127.0.0.1"]), resolver=to("127.0.0.1"), tls=client)
        if trusted and host == "receiver.example":
            assert egress.post(url, b"{}", {}).status == 200
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                egress.post(url, b"{}", {})
