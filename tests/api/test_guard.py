from typing import Any

import pytest

from undertow.config import ApiConfig, Config, Secret, TokenConfig

TOKEN = "canary-token-0123456789"
PATHS = [
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/v1/targets"),
    ("GET", "/v1/incidents"),
    ("GET", "/v1/weights"),
    ("GET", "/v1/golden"),
    ("GET", "/v1/nothing"),
    ("POST", "/v1/incidents/inc_1/accept"),
    ("POST", "/v1/spans"),
    ("POST", "/v1/traces"),
    ("POST", "/v1/logs"),
    ("PUT", "/v1/nothing"),
]


@pytest.fixture(name="closed")
def _closed(api: Any) -> Any:
    return api.start(config=Config(api=ApiConfig(token=Secret(TOKEN))))


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
def test_without_the_token_everything_is_closed(header: str | None, closed: Any, problem: Any) -> None:
    """Every path, there or not, answers 401 with a challenge."""
    for method, path in PATHS:
        response = closed.ask(method, path, headers={} if header is None else {"authorization": header})
        problem(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"


def test_no_route_but_the_probes_answers_a_stranger(closed: Any) -> None:
    """Whatever the application describes is closed, so a new route is too until it is opened."""
    described = closed.app.openapi()["paths"]
    assert {"/v1/spans", "/v1/weights"} <= set(described)
    asked = ((path, closed.ask(method.upper(), path)) for path, methods in described.items() for method in methods)
    assert {path for path, response in asked if response.status_code != 401} == {"/healthz", "/readyz"}


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {TOKEN}"])
def test_with_the_token_everything_is_open(header: str, closed: Any) -> None:
    """One token has all scopes; the kind of the header is read in any case."""
    for method, path in PATHS:
        assert closed.ask(method, path, headers={"authorization": header}).status_code not in (401, 403)


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("read", {("GET", "/v1/targets")}),
        ("operate", {("POST", "/v1/incidents/inc_1/accept")}),
        ("ingest", {("POST", "/v1/spans")}),
    ],
)
def test_a_scope_opens_its_own_routes_alone(scope: Any, allowed: set[tuple[str, str]], api: Any) -> None:
    """A gateway that ships spans can read nothing, a dashboard that reads can decide nothing."""
    token = TokenConfig(name="n", scopes=[scope], token=Secret(TOKEN))
    api.start(config=Config(api=ApiConfig(tokens=[token])))
    asked = [("GET", "/v1/targets"), ("POST", "/v1/incidents/inc_1/accept"), ("POST", "/v1/spans")]
    answers = {(method, path): api.ask(method, path, headers=bearer(TOKEN)) for method, path in asked}
    assert {one for one, answer in answers.items() if answer.status_code != 403} == allowed
    refused = next(answer for answer in answers.values() if answer.status_code == 403)
    assert "insufficient_scope" in refused.headers["www-authenticate"]


def test_an_answer_says_what_the_token_may(api: Any) -> None:
    """A dashboard whose token only reads shows no forms; without a token, or with a wrong one, nothing is said."""
    tokens = [TokenConfig(name="n", scopes=["read", "ingest"], token=Secret(TOKEN))]
    api.start(config=Config(api=ApiConfig(tokens=tokens)))
    assert api.ask("GET", "/v1/targets", headers=bearer(TOKEN)).headers["undertow-scopes"] == "ingest read"
    assert "undertow-scopes" not in api.ask("GET", "/v1/targets", headers=bearer("wrong")).headers
    api.start(config=Config())
    assert "undertow-scopes" not in api.ask("GET", "/v1/targets").headers


@pytest.mark.parametrize("host", ["localhost:8321", "127.0.0.1", "[::1]:8321", "127.8.8.8:1"])
def test_without_a_token_loopback_names_are_answered(host: str, api: Any, ok: Any) -> None:
    """The default: no token, loopback only."""
    ok(api.get("/v1/targets", headers={"host": host}))


@pytest.mark.parametrize(
    "host", ["evil.example:8321", "localhost.evil.example", "10.0.0.1", "", "[", "127.0.0.1.nip.io"]
)
def test_without_a_token_other_names_are_not(host: str, api: Any, problem: Any) -> None:
    """A web page that rebinds its own name to loopback sends that name."""
    assert "api.token" in problem(api.get("/v1/targets", headers={"host": host}), 403)


def test_without_a_token_pages_of_other_origins_decide_nothing(api: Any, problem: Any, ok: Any) -> None:
    """A browser sends the page's origin with a POST, whatever the page does."""
    api.watcher.open["inc_1"] = {"id": "inc_1"}
    path = "/v1/incidents/inc_1/accept"
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9999", "http://[", ""):
        problem(api.post(path, headers={"origin": origin}), 403)
    assert api.watcher.decisions == []
    ok(api.post(path, headers={"origin": "http://127.0.0.1:8321"}))


def test_a_configured_host_is_ours(api: Any, ok: Any) -> None:
    """The name that the operator listens on is answered too."""
    api.start(config=Config(api=ApiConfig(host="undertow.internal")))
    ok(api.get("/v1/targets", headers={"host": "undertow.internal:8321"}))


@pytest.mark.parametrize("path", ["/v1/targets", "/v1/nothing", "/healthz", "/docs"])
def test_every_answer_has_the_security_headers(path: str, api: Any) -> None:
    """Nothing is sniffed, framed, cached or referred."""
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_no_token_comes_back_in_an_answer(closed: Any) -> None:
    """Neither a right token nor a wrong one is repeated."""
    for header in (f"Bearer {TOKEN}", f"Bearer {TOKEN}-wrong"):
        for path in ("/v1/targets", "/metrics", "/v1/nothing"):
            response = closed.get(path, headers={"authorization": header})
            assert TOKEN not in response.text + repr(response.headers)
