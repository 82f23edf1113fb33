"""`undertow weights sync` between an Undertow and a gateway that are played by transports."""

import argparse
import json
import threading
from collections.abc import Callable
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from tests.routers.test_adapters import CONFIG, FLAGS, KONG, ROUTE, SCHEMAS
from tests.routers.test_router_feed import feed

from undertow.clock import ManualClock
from undertow.commands import weights as command
from undertow.errors import TryAgain, UsageError
from undertow.routers import kong, places
from undertow.routers.places import Place
from undertow.routers.sync import Sync, entries, scaling

LOWERED = feed(0.5, gateway="kong", provider="openai", deployment=None)


class Undertow:
    """Serves one feed, or is away."""

    def __init__(self, document: Any) -> None:
        self.document, self.asked = document, 0
        self.client = httpx.Client(base_url="http://u", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.document is None:
            raise httpx.ConnectError("away")
        if request.headers.get("if-none-match") == '"1"':
            return httpx.Response(304)
        return httpx.Response(200, json=self.document, headers={"etag": '"1"'})


class Gateway:
    """Holds one document."""

    def __init__(self, document: Any) -> None:
        self.document, self.writes = deepcopy(document), 0
        self.place = Place(lambda: deepcopy(self.document), self._write)

    def _write(self, document: Any) -> None:
        self.document, self.writes = document, self.writes + 1


@pytest.fixture(name="synced")
def _synced(tmp_path: Path) -> Callable[..., Sync]:
    def synced(undertow: Undertow, gateway: Gateway, clock: ManualClock, **more: Any) -> Sync:
        """A process that begins now, with what an earlier one left."""
        state = tmp_path / "state.json"
        return Sync(undertow.client, gateway.place, scaling(kong.ADAPTER), state, clock=clock, **more)

    return synced


def first(gateway: Gateway) -> int:
    """The weight of the first target."""
    weight: int = gateway.document["config"]["targets"][0]["weight"]
    return weight


def test_the_gateway_follows_and_is_written_to_only_with_news(synced: Callable[..., Sync]) -> None:
    """A poll without news, or another process, changes nothing; what is over is put back."""
    undertow, gateway, clock = Undertow(LOWERED), Gateway(KONG), ManualClock(1e9)
    sync = synced(undertow, gateway, clock)
    assert sync.step()
    assert not sync.step()
    assert not synced(undertow, gateway, clock).step()
    assert (first(gateway), gateway.writes) == (35, 1)
    undertow.document = feed() | {"weights": []}
    assert synced(undertow, gateway, clock).step()
    assert gateway.document["config"]["targets"][:2] == KONG["config"]["targets"][:2]


def test_a_feed_that_is_away_changes_nothing_before_it_is_stale(synced: Callable[..., Sync]) -> None:
    """Then the operator's own weights are put back, also by a process that was started meanwhile."""
    undertow, gateway, clock = Undertow(LOWERED), Gateway(KONG), ManualClock(1e9)
    synced(undertow, gateway, clock).step()
    undertow.document = None
    clock.advance(599)
    with pytest.raises(TryAgain, match="stay as they are"):
        synced(undertow, gateway, clock).step()
    assert first(gateway) == 35
    clock.advance(2)
    assert synced(undertow, gateway, clock).step()
    assert first(gateway) == 70


@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_is_set_back_makes_no_feed_good_for_longer(synced: Callable[..., Sync], restart: bool) -> None:
    """What was fetched in a year to come is not believed until then."""
    undertow, gateway, clock = Undertow(LOWERED), Gateway(KONG), ManualClock(1e9)
    sync = synced(undertow, gateway, clock)
    sync.step()
    undertow.document = None
    clock.now -= 3e7
    assert (synced(undertow, gateway, clock) if restart else sync).step()
    assert first(gateway) == 70


@pytest.mark.parametrize("body", [b"[" * 100_000, b" " * 9_000_000, b"<html>"])
def test_what_is_no_feed_is_as_none(body: bytes, synced: Callable[..., Sync]) -> None:
    """However deep or long; nothing is changed before the last one is stale."""
    undertow, gateway, clock = Undertow(LOWERED), Gateway(KONG), ManualClock(1e9)
    synced(undertow, gateway, clock).step()
    sync = synced(undertow, gateway, clock)
    sync.client = httpx.Client(
        base_url="http://u", transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    )
    with pytest.raises(TryAgain, match="stay as they are"):
        sync.step()
    assert first(gateway) == 35


@pytest.mark.parametrize("written", [False, True])
def test_a_kill_while_writing_loses_no_own_weight(synced: Callable[..., Sync], written: bool) -> None:
    """Whether the gateway had taken the document or not, the next process knows what the operator had."""
    undertow, gateway, clock = Undertow(LOWERED), Gateway(KONG), ManualClock(1e9)
    synced(undertow, gateway, clock).step()
    undertow.document = feed(0.1, gateway="kong", provider="openai", deployment=None)
    sync = synced(undertow, gateway, clock)

    def killed(document: Any) -> None:
        if written:
            gateway.document = document
        raise KeyboardInterrupt

    sync.place = gateway.place._replace(write=killed)
    with pytest.raises(KeyboardInterrupt):
        sync.step()
    undertow.document = feed() | {"weights": []}
    synced(undertow, gateway, clock).step()
    assert first(gateway) == 70


def test_a_dry_run_writes_nothing(synced: Callable[..., Sync]) -> None:
    """Neither to the gateway nor to its own file; it says whether it would."""
    gateway = Gateway(KONG)
    sync = synced(Undertow(LOWERED), gateway, ManualClock(1e9), dry_run=True)
    assert sync.step()
    assert (gateway.writes, sync.state.exists()) == (0, False)


def test_rounds_go_on_where_one_fails(synced: Callable[..., Sync]) -> None:
    """A gateway that does not answer is asked again."""
    rounds: list[float] = []

    def away() -> Any:
        raise TryAgain("away")

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 3:
            raise KeyboardInterrupt

    sync = synced(Undertow(LOWERED), Gateway(KONG), ManualClock(1e9))
    sync.place = sync.place._replace(read=away)
    with pytest.raises(KeyboardInterrupt):
        sync.run(7.0, sleep)
    assert rounds == [7.0, 7.0, 7.0]


@pytest.mark.parametrize("answer", ["<html>", "[]", "{}", '{"config": {"targets": [1]}}'])
def test_what_is_no_document_is_read_again(synced: Callable[..., Sync], answer: str) -> None:
    """A page of a proxy in place of the gateway's answer fails the round, and writes nothing."""
    gateway = Gateway(KONG)
    sync = synced(Undertow(LOWERED), gateway, ManualClock(1e9))
    sync.place = sync.place._replace(read=lambda: json.loads(answer))
    with pytest.raises(TryAgain, match="no document of this kind"):
        sync.step()
    assert gateway.writes == 0


def test_a_file_that_is_being_edited_is_read_again(synced: Callable[..., Sync], tmp_path: Path) -> None:
    """Half of a file is a round that fails, not the end of following."""
    path = tmp_path / "plugin.json"
    path.write_text('{"config":')
    sync = synced(Undertow(LOWERED), Gateway(KONG), ManualClock(1e9))
    sync.place = places.file(path)

    def sleep(_: float) -> None:
        if path.read_text() != '{"config":':
            raise KeyboardInterrupt
        path.write_text(json.dumps(KONG))

    with pytest.raises(KeyboardInterrupt):
        sync.run(7.0, sleep)
    assert json.loads(path.read_text())["config"]["targets"][0]["weight"] == 35


class Server:
    """Answers a GET with a document, or 404, and keeps what else it is sent."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "GET":
            return httpx.Response(404) if self.document is None else httpx.Response(200, json=self.document)
        return httpx.Response(200, json={})


def test_kong_is_patched_with_the_admin_token() -> None:
    """`PATCH /plugins/{id}` with all targets."""
    server = Server(KONG)
    place = places.kong_plugin("http://k:8001", "b8f5", "t", server.transport)
    place.write(place.read())
    sent = server.requests[-1]
    assert (sent.method, sent.url.path, sent.headers["kong-admin-token"]) == ("PATCH", "/plugins/b8f5", "t")
    assert json.loads(sent.content) == kong.patch(KONG)
    jsonschema.validate(json.loads(sent.content), SCHEMAS["kong"])


def test_portkey_gets_the_config_under_its_slug() -> None:
    """`PUT /v1/configs/{slug}`, which makes a version."""
    server = Server({"success": True, "data": {"slug": "pc-1", "config": json.dumps(CONFIG)}})
    place = places.portkey_config("http://p", "pc-1", "t", server.transport)
    place.write(place.read())
    sent = server.requests[-1]
    assert (sent.method, sent.url.path, sent.headers["x-portkey-api-key"]) == ("PUT", "/v1/configs/pc-1", "t")
    assert json.loads(sent.content) == {"config": CONFIG}
    jsonschema.validate(json.loads(sent.content), SCHEMAS["portkey"])


def test_an_envoy_route_is_applied_by_the_server() -> None:
    """Under Undertow's own name as the manager of the fields."""
    server = Server(ROUTE)
    place = places.envoy_route("http://k8s", "default", "llm", "t", server.transport)
    place.write(place.read())
    sent = server.requests[-1]
    path = "/apis/aigateway.envoyproxy.io/v1beta1/namespaces/default/aigatewayroutes/llm"
    assert (sent.method, sent.url.path, sent.headers["authorization"]) == ("PATCH", path, "Bearer t")
    assert dict(sent.url.params) == {"fieldManager": "undertow", "force": "true"}
    assert sent.headers["content-type"] == "application/apply-patch+yaml"
    assert json.loads(sent.content)["spec"]["rules"] == ROUTE["spec"]["rules"]
    jsonschema.validate(json.loads(sent.content), SCHEMAS["envoy"])


@pytest.mark.parametrize("found", [None, {"data": None}, {"data": {"weights.json": '{"weights": []}'}}])
def test_a_config_map_holds_the_entries(found: Any) -> None:
    """As one key of JSON; a ConfigMap that is missing is made."""
    server = Server(found)
    place = places.config_map("http://k8s", "default", "weights", "t", server.transport)
    assert place.read() == (None if not (found and found["data"]) else {"weights": []})
    place.write({"weights": [1]})
    sent = json.loads(server.requests[-1].content)
    assert (sent["kind"], json.loads(sent["data"]["weights.json"])) == ("ConfigMap", {"weights": [1]})
    jsonschema.validate(sent, SCHEMAS["configmap"])
    assert server.requests[-1].headers["content-type"] == "application/apply-patch+yaml"


def test_what_the_gateway_answers_is_not_repeated() -> None:
    """The error names host, port, path and status; the rest of an address and a body may hold keys."""
    transport = httpx.MockTransport(lambda _: httpx.Response(401, text="sk-secret"))
    with pytest.raises(TryAgain, match=r"^GET k:8001/plugins/b8f5: HTTP 401$"):
        places.kong_plugin("http://admin:sk-secret@k:8001", "b8f5", "sk-secret", transport).read()


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """By a rename; its mode stays, and nothing is left beside it."""
    path = tmp_path / "weights.json"
    places.write_atomically(path, "old")
    path.chmod(0o600)
    place = places.file(path)
    place.write({"weights": []})
    assert (place.read(), path.stat().st_mode & 0o777) == ({"weights": []}, 0o600)
    assert [one.name for one in tmp_path.iterdir()] == ["weights.json"]


def test_a_file_of_entries_holds_what_is_to_be_obeyed() -> None:
    """Nothing of an advisory or stale feed."""
    assert entries(None, [{"multiplier": 0.5}], None) == ({"weights": [{"multiplier": 0.5}]}, {})


def parsed(*arguments: str) -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    return parser.parse_args(["sync", *arguments])


def test_the_command_lowers_a_share_of_flagd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way but for the socket: feed to file of flags."""
    path, undertow = tmp_path / "flags.json", Undertow(feed(0.1, deployment="d0", gateway=None, provider=None))
    path.write_text(json.dumps(FLAGS))
    monkeypatch.setattr(httpx, "Client", lambda **_: undertow.client)
    assert command.run(parsed("flagd", str(path), "--once", "--state", str(tmp_path / "state.json"))) == 0
    shares = json.loads(path.read_text())["flags"]["shorthand"]["targeting"]["fractional"]
    assert shares == [["d0", 10], ["x", 100]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("envoy", "llm"), "NAMESPACE/NAME"),
        (("configmap", "a/b/c"), "NAMESPACE/NAME"),
        (("flagd", "nowhere.json"), "not there"),
        (("kong", "x", "--every", "0"), "--every"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(arguments: tuple[str, ...], said: str) -> None:
    """In one sentence."""
    with pytest.raises(UsageError, match=said):
        command.run(parsed(*arguments))


@pytest.mark.parametrize("kind", ["kong", "envoy"])
def test_no_proxy_of_the_environment_sees_a_token(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Admin APIs are inside, and plain http would show the token to whatever HTTP_PROXY names."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.timeout = 10.0
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        made = {
            "kong": lambda: places.kong_plugin(url, "p", "t"),
            "envoy": lambda: places.envoy_route(url, "n", "r", "t"),
        }
        assert made[kind]().read() == {}
    assert len(asked) == 1
