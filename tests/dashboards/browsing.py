"""Chromium as the tests drive it: which pages there are, when one is drawn, and what it asked of whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

import undertow_dashboards

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZE: ViewportSize = {"width": 1360, "height": 900}
SCHEMES = ("light", "dark")
PATIENCE_MS = 20_000
VIEWS = Path(undertow_dashboards.__file__).with_name("views")
FRONT = "fleet"

DRAWN = """() => {
    const app = document.querySelector('[data-testid=stApp]')
    const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]
    return app?.dataset.testScriptState === 'notRunning'
        && document.querySelector('[data-testid=stMain] h1')
        && !document.querySelector('[data-testid=stSkeleton], [data-testid=stAppSkeleton]')
        && charts.every(chart => chart.querySelector('canvas, svg'))
}"""
SCHEME = "scheme => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === scheme"


@contextmanager
def chromium(path: str, *more: str) -> Iterator[Browser]:
    """The Chromium at `path`, headless, with `more` flags."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *more])
        yield browser
        browser.close()


def addresses(incident: str) -> dict[str, str]:
    """Every page there is, by name, as a path and what it asks; `incident` is the one to look at."""
    asked = {"target": f"target?incident={incident}", "incident": f"incident?id={incident}", FRONT: ""}
    names = sorted(file.stem for file in VIEWS.glob("[a-z]*.py"))
    return {name: "/" + asked.get(name, name) for name in names} | {"incidents": "/incident"}


def open_page(page: Page, url: str) -> None:
    """Go there, and return when all of the page is drawn."""
    page.goto(url)
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)


def put_on(page: Page, scheme: str) -> None:
    """Change the browser's `scheme` to light or dark, and return when the page has followed."""
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(SCHEME, arg=scheme, timeout=PATIENCE_MS)
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)


class Watch:
    """What a browser page did from now on: `hosts` asked, `dialogs` opened, and all bytes that it `got`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.hosts: set[str] = set()
        self.dialogs: list[str] = []
        self._responses: list[Any] = []
        self._frames: list[bytes] = []
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("response", lambda response: self._responses.append(response))  # a built-in method cannot be marked
        page.on("websocket", self._listen)

    def _listen(self, socket: Any) -> None:
        self.hosts.add(urlsplit(socket.url).hostname or "")
        socket.on("framereceived", lambda data: self._frames.append(data if isinstance(data, bytes) else data.encode()))

    def got(self) -> bytes:
        """Every body and every frame of a WebSocket."""
        bodies = [response.body() for response in self._responses if not 300 <= response.status < 400]
        return b"\n".join([*bodies, *self._frames])
