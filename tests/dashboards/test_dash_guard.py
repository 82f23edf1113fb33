"""The guard before the dashboard, request by request, without a browser."""

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from undertow.errors import UsageError
from undertow_dashboards import places, tokens
from undertow_dashboards.__main__ import main, settings
from undertow_dashboards.guard import HEADERS, MOST_LINES, Guard
from undertow_dashboards.places import Place
from undertow_dashboards.tokens import COOKIE, PATH, PREFIX, Tokens

PUBLIC = places.parse("https://undertow.example.com")
WHERE = places.served("127.0.0.1", 8501, [PUBLIC])
OWN = "http://127.0.0.1:8501"
BROWSER = "b" * 32
TOKEN, _ = Tokens(b"secret").issue({COOKIE: BROWSER}, secure=False)
PAGE = "<!doctype html><html><head><title>Page</title></head></html>"


async def _echo(socket: WebSocket) -> None:
    await socket.accept(subprotocol="streamlit")
    await socket.send_json(
        [socket.headers["host"], socket.headers["sec-websocket-protocol"], socket.scope["subprotocols"]]
    )
    await socket.close()


async def _page(request: HTTPConnection) -> HTMLResponse:
    assert "accept-encoding" not in request.headers
    return HTMLResponse(PAGE, headers={"etag": "one"})


def client(url: str = OWN) -> TestClient:
    """A browser that asks a guarded application."""
    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/_stcore/health", lambda _request: PlainTextResponse("ok")),
            Route("/static/a.js", lambda _request: PlainTextResponse("let a = 1")),
            Route("/upload", lambda _request: PlainTextResponse("kept"), methods=["PUT", "POST", "DELETE"]),
            WebSocketRoute("/_stcore/stream", _echo),
        ]
    )
    return TestClient(Guard(app, WHERE, Tokens(b"secret", lambda: BROWSER)), base_url=url)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "LOCALHOST:8501"}, 200),
        ({"host": "[::1]:8501"}, 200),
        ({"host": "undertow.example.com"}, 200),
        ({"host": "undertow.example.com:443"}, 200),
        ({"origin": "https://undertow.example.com"}, 200),
        ({"host": "elsewhere.test:8501"}, 403),
        ({"host": "127.0.0.1"}, 403),
        ({"host": "127.0.0.1:8502"}, 403),
        ({"host": "127.0.0.1:8501.elsewhere.test"}, 403),
        ({"host": "127.0.0.2:8501"}, 403),
        ({"host": ""}, 403),
        ({"host": "elsewhere.test:8501", "x-forwarded-host": "127.0.0.1:8501"}, 403),
        ({"host": "elsewhere.test:8501", "forwarded": "host=127.0.0.1:8501"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8502"}, 403),
        ({"origin": "https://127.0.0.1:8501"}, 403),
        ({"origin": "http://undertow.example.com"}, 403),
        ({"origin": "https://undertow.example.com.elsewhere.test"}, 403),
        ({"origin": "http://127.0.0.1:8502", "x-forwarded-host": "127.0.0.1:8502"}, 403),
    ],
)
def test_a_request_is_for_one_of_our_names_and_from_our_own_pages(headers: dict[str, str], status: int) -> None:
    """Host and Origin are compared whole, with scheme and port; what a proxy says of them is not believed."""
    assert client().get("/", headers=headers).status_code == status


def test_only_reading_needs_no_origin() -> None:
    """Whoever follows a link sends none; whatever may change something has to come from our own page."""
    ours = client()
    assert ours.get("/static/a.js").status_code == 200
    for method in ("PUT", "POST", "DELETE"):
        assert ours.request(method, "/upload").status_code == 403
        assert ours.request(method, "/upload", headers={"origin": OWN}).status_code == 200
    assert ours.options("/upload", headers={"origin": "http://127.0.0.1:8502"}).status_code == 403


def test_two_hosts_are_none() -> None:
    """A request with two Host or Origin headers would be judged by one and answered by the other."""
    raw = [(b"host", b"127.0.0.1:8501"), (b"host", b"elsewhere.test")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": raw}
    assert Guard(Starlette(), WHERE).refusal(HTTPConnection(scope)) == "host"
    raw = [raw[0], (b"origin", OWN.encode()), (b"origin", b"null")]
    assert Guard(Starlette(), WHERE).refusal(HTTPConnection(scope | {"headers": raw})) == "origin"


def test_whoever_asks_by_whatever_name_hears_that_it_is_alive() -> None:
    """Probes of container platforms go to an address that nobody named."""
    assert client().get("/_stcore/health", headers={"host": "10.1.2.3:8501"}).text == "ok"


def connects(origin: str | None, *offered: str, cookie: str = BROWSER) -> list[object]:
    """What the application sees of a WebSocket; raises WebSocketDisconnect where it is refused."""
    ours = client()
    ours.cookies.set(COOKIE, cookie)
    headers = {"host": "127.0.0.1:8501"} | ({"origin": origin} if origin else {})
    with ours.websocket_connect("/_stcore/stream", subprotocols=list(offered), headers=headers) as socket:
        seen: list[object] = socket.receive_json()
        return seen


def test_the_own_page_connects_and_streamlit_sees_no_token() -> None:
    """Streamlit's own three places among the subprotocols stay as they were; its Host is that of the Origin."""
    assert connects(OWN, "streamlit", "xsrf", PREFIX + TOKEN) == [
        "127.0.0.1:8501",
        "streamlit, xsrf",
        ["streamlit", "xsrf"],
    ]
    assert connects(PUBLIC.origin, "streamlit", PREFIX + TOKEN)[0] == "undertow.example.com"


@pytest.mark.parametrize(
    ("origin", "offered", "cookie"),
    [
        (None, ("streamlit", PREFIX + TOKEN), BROWSER),
        ("null", ("streamlit", PREFIX + TOKEN), BROWSER),
        ("http://127.0.0.1:8502", ("streamlit", PREFIX + TOKEN), BROWSER),
        (OWN, ("streamlit",), BROWSER),
        (OWN, ("streamlit", PREFIX + "0" * 64), BROWSER),
        (OWN, ("streamlit", PREFIX + TOKEN, PREFIX + TOKEN), BROWSER),
        (OWN, ("streamlit", PREFIX + TOKEN), "c" * 32),
        (OWN, ("streamlit", PREFIX + TOKEN), ""),
        (OWN, ("streamlit", PREFIX + Tokens(b"other").issue({COOKIE: BROWSER}, secure=False)[0]), BROWSER),
    ],
)
def test_a_connection_needs_its_origin_and_the_token_of_its_browser(
    origin: str | None, offered: tuple[str, ...], cookie: str
) -> None:
    """Without an Origin, with another, without the token, with another browser's or another run's there is none."""
    with pytest.raises(WebSocketDisconnect):
        connects(origin, *offered, cookie=cookie)


def test_a_page_has_the_token_and_cannot_be_kept_or_framed() -> None:
    """The token is the browser's, whose cookie no script reads; the page is not cached and shown in no frame."""
    ours = client()
    first = ours.get("/", headers={"if-none-match": "one"})
    assert TOKEN in first.text
    assert first.text.startswith("<!doctype html><html><head><script>")
    assert first.headers["set-cookie"] == f"{COOKIE}={BROWSER}; Path=/; HttpOnly; SameSite=Strict"
    assert (first.headers["cache-control"], "etag" in first.headers) == ("no-store", False)
    assert HEADERS.items() <= dict(first.headers).items()
    assert "set-cookie" not in ours.get("/").headers
    assert client("https://undertow.example.com").get("/").headers["set-cookie"].endswith("; Secure")
    assert HEADERS.items() <= dict(ours.get("/", headers={"host": "elsewhere.test"}).headers).items()


def test_a_token_is_fetched_by_our_own_pages_alone() -> None:
    """Browsers say whether a request comes from the same origin, which is more than the same site."""
    ours = client()
    assert ours.get(PATH).text == TOKEN
    assert ours.get(PATH, headers={"sec-fetch-site": "same-origin"}).headers["cache-control"] == "no-store"
    for site in ("same-site", "cross-site", "none"):
        assert ours.get(PATH, headers={"sec-fetch-site": site}).status_code == 403
    assert "access-control-allow-origin" not in ours.get(PATH).headers


def test_refusals_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Each is logged once, and no more than a few of them whatever somebody sends; no header is logged whole."""
    ours = client()
    for count in range(MOST_LINES * 3):
        for _ in range(2):
            ours.get("/", headers={"host": f"{count}.{'x' * 5000}"})
    assert len(caplog.records) == MOST_LINES
    assert max(len(record.getMessage()) for record in caplog.records) < 600


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://undertow.example.com", Place("https", "undertow.example.com", 443)),
        ("HTTPS://Undertow.Example.com:443/target?incident=x", Place("https", "undertow.example.com", 443)),
        ("http://[FD00::1]:8501", Place("http", "[fd00::1]", 8501)),
        ("http://täst.example", Place("http", "xn--tst-qla.example", 80)),
    ],
)
def test_an_address_is_read_as_browsers_write_it(address: str, expected: Place) -> None:
    """Lower case, ASCII, the port left out where it is the scheme's own, no path."""
    assert places.parse(address) == expected


@pytest.mark.parametrize(
    "address", ["undertow.example.com", "ftp://a.example", "https://", "http://u:p@a.example", "http://a:x"]
)
def test_what_is_no_address_is_named(address: str) -> None:
    """With the option that it stood in."""
    with pytest.raises(UsageError, match="--address"):
        places.parse(address)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104  what needs an address
def test_whoever_listens_everywhere_says_by_which_name(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A dashboard that nobody can open is a mistake that is told at the start."""
    assert main(["--host", host, "--without-login"]) == 2
    assert "--address" in capsys.readouterr().err
    assert PUBLIC in places.served(host, 8501, [PUBLIC])


def test_an_address_of_its_own_is_answered() -> None:
    """--host 10.0.0.5 is opened as http://10.0.0.5:8501, and as loopback for who sits at the machine."""
    names = {place.origin for place in places.served("10.0.0.5", 80, [])}
    assert names == {"http://10.0.0.5", "http://127.0.0.1", "http://localhost", "http://[::1]"}


def test_streamlits_own_lists_say_the_same() -> None:
    """They stand behind the guard."""
    set_up = settings("127.0.0.1", 8501, WHERE)
    assert set_up["server.allowedHosts"] == ["127.0.0.1", "::1", "localhost", "undertow.example.com"]
    assert PUBLIC.origin in set_up["server.corsAllowedOrigins"]
    assert set_up["server.enableCORS"]
    assert set_up["server.enableXsrfProtection"]


def test_a_page_without_a_head_stays_as_it_is() -> None:
    """The script goes after the first <head>, and nowhere else."""
    assert tokens.into(b"<p>", TOKEN) == b"<p>"
