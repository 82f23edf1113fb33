"""The API client: what it asks, and what it makes of every kind of bad answer."""

import socket
import threading
import time
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow_dashboards.client import ApiError, Client
from undertow_dashboards.shapes import Target

from .fixtures import FakeApi

GPT = Target("openai", "gpt-4o", "litellm-prod")


def answering(reply: Callable[[httpx.Request], httpx.Response]) -> Client:
    """A client whose server is a function."""
    return Client("http://monitor", "t", transport=httpx.MockTransport(reply))


def test_every_answer_is_typed(api: FakeApi) -> None:
    """All reads come back as values with names."""
    client = Client(api.url)
    assert client.targets()[0].target == GPT
    assert client.incidents()[0].signals[0].effect is not None
    assert client.incident("inc_01").recommendation is not None
    assert client.notices()[0].kind == "traffic_mix"
    assert client.ingestion().lag == 42
    assert client.rejects()[0]["reason"] == "invalid_json"
    assert client.readiness().ready
    assert client.distribution(GPT, "output_tokens").before.n == 10012
    assert client.series(GPT, "refusal", 0.0, 600.0, 60.0).kind == "rate"


def test_null_parts_of_a_target_are_left_out(api: FakeApi) -> None:
    """A target without deployment is asked for without one: an empty string would be another target."""
    Client(api.url).distribution(GPT, "refusal")
    assert "deployment" not in api.asked[-1][1]


def test_token_travels_in_the_header_alone() -> None:
    """The token is sent as a bearer and shows in no repr."""
    seen: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"targets": []})

    client = Client("http://monitor/", "s3cret", transport=httpx.MockTransport(reply))
    client.targets()
    assert seen[0].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(seen[0].url) + repr(client)


def test_a_token_that_no_header_can_hold_is_told(api: FakeApi) -> None:
    """A token of other than ASCII characters is sent as it is, and a broken line is an error of the API's kind."""
    assert Client(api.url, "tökén").targets()
    with pytest.raises(ApiError):
        Client(api.url, "two\nlines").targets()


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirects_are_not_followed(status: int) -> None:
    """A redirect, which could carry the token to another host, is a problem and not a detour."""
    asked: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, headers={"Location": "http://evil/"})

    with pytest.raises(ApiError) as caught:
        answering(reply).targets()
    assert caught.value.kind == "problem"
    assert asked == ["http://monitor/v1/targets"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (401, b"{}", "refused", "refuses the dashboard's token"),
        (403, b"", "refused", "refuses the dashboard's token"),
        (404, b'{"title": "Not Found", "detail": "no such incident"}', "problem", "Not Found no such incident"),
        (500, b"<html>", "problem", "no reason given"),
        (200, b"<html>", "unreadable", "does not answer like Undertow's API"),
        (200, b'{"targets": [{"target": 3}]}', "unreadable", "does not answer like Undertow's API"),
        (200, b'{"targets": [], "x": ' + b"[" * 100_000, "unreadable", "does not answer like Undertow's API"),
        (200, b'{"targets": "\xff"}', "unreadable", "does not answer like Undertow's API"),
    ],
)
def test_each_bad_answer_has_its_name(status: int, body: bytes, kind: str, says: str) -> None:
    """What is wrong is told in one sentence of one error type."""
    with pytest.raises(ApiError, match=says) as caught:
        answering(lambda _: httpx.Response(status, content=body)).targets()
    assert caught.value.kind == kind


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_api_error(body: bytes) -> None:
    """No body makes the client raise anything but ApiError."""
    client = answering(lambda _: httpx.Response(200, content=body))
    for ask in (client.targets, client.ingestion, client.readiness, client.rejects):
        try:
            ask()
        except ApiError as error:
            assert error.kind == "unreadable"  # noqa: PT017  answers that happen to fit are fine too


def test_new_keys_of_a_newer_monitor_are_ignored() -> None:
    """An older dashboard reads a newer API."""
    body = {"targets": [{"target": {"provider": "p", "model": "m", "planet": "x"}, "mood": 1}]}
    assert answering(lambda _: httpx.Response(200, json=body)).targets()[0].target == Target("p", "m")


def test_incident_id_cannot_leave_its_path() -> None:
    """An id from a link is one path segment, whatever is in it."""
    asked: list[bytes] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(200, json={"id": "x", "target": {"provider": "p", "model": "m"}})

    answering(reply).incident("../targets?x=1")
    assert asked == [b"/v1/incidents/..%2Ftargets%3Fx%3D1"]


def test_not_ready_is_an_answer(api: FakeApi) -> None:
    """503 of /readyz carries the parts."""
    api.status["/readyz"] = 503
    api.answers["/readyz"]["ready"] = False
    assert not Client(api.url).readiness().ready


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://[", "http://monitor.invalid"])
def test_nobody_there_is_away(url: str) -> None:
    """Refused, unresolvable and impossible addresses are all `away`."""
    with pytest.raises(ApiError) as caught:
        Client(url, timeout_s=2.0).targets()
    assert caught.value.kind == "away"


def test_dripping_server_cannot_hold_a_page() -> None:
    """A server that sends a byte at a time is given up at the deadline, not at its end."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not stop.wait(0.05):
                try:
                    peer.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)
    began = time.monotonic()
    with pytest.raises(ApiError) as caught:
        client.targets()
    assert caught.value.kind == "away"
    assert time.monotonic() - began < 3.0
    stop.set()
    thread.join()
    listener.close()


def test_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the limit is not read into memory."""
    monkeypatch.setattr("undertow_dashboards.connection.MAX_BYTES", 1000)
    with pytest.raises(ApiError, match="sends too much"):
        answering(lambda _: httpx.Response(200, content=b" " * 5000)).targets()
