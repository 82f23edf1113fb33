"""The real dashboard in a real browser, against the fake API."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from undertow_dashboards.__main__ import command

from .fixtures import HOSTILE, FakeApi, incident, serving, target, target_state

pytestmark = pytest.mark.browser
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


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def wait_until_up(url: str, process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    """Return when the dashboard answers; fail when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/_stcore/health", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"the dashboard did not come up: exit code {process.poll()}")


@pytest.fixture(name="api", scope="module")
def _api() -> Iterator[FakeApi]:
    with serving() as api:
        yield api


@contextmanager
def running(api: FakeApi) -> Iterator[str]:
    """A dashboard of its own, which nobody has visited."""
    port = free_port()
    with subprocess.Popen(command(api.url, "127.0.0.1", port)) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_up(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(name="dashboard", scope="module")
def _dashboard(api: FakeApi) -> Iterator[str]:
    with running(api) as url:
        yield url


@pytest.fixture(name="page", scope="module")
def _page(chromium: str) -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield Page(browser.new_page(viewport={"width": 1360, "height": 900}))
        browser.close()


class Page:
    """A browser page that remembers which hosts it asked and which dialogs opened."""

    def __init__(self, page: "object") -> None:
        self.page = page
        self.hosts: set[str] = set()
        self.dialogs: list[str] = []
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))  # type: ignore[attr-defined]
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))  # type: ignore[attr-defined]


def test_sentence_link_and_decision(api: FakeApi, dashboard: str, page: Page) -> None:
    """A person reads the incident, follows its link and acknowledges it with a reason; no other host is asked."""
    browser = page.page
    browser.goto(dashboard)
    browser.get_by_role("heading", name="Answer length down 22 % (19 to 25 %)").wait_for(timeout=20_000)
    browser.get_by_role("link", name="See the evidence and decide").click()
    browser.wait_for_url("**/incident?id=inc_01")
    browser.get_by_role("button", name="Decide").wait_for(timeout=20_000)
    browser.get_by_label("Your name").locator("visible=true").fill("Ada")
    browser.get_by_label("Reason").locator("visible=true").fill("we asked them")
    browser.get_by_role("button", name="Decide").click()
    browser.get_by_text("Acknowledge: done.").wait_for(timeout=10_000)
    assert api.posted == [("/v1/incidents/inc_01/acknowledge", {"by": "Ada", "reason": "we asked them"})]
    assert page.hosts <= {"127.0.0.1", ""}


def test_a_link_opened_first_has_the_whole_dashboard_around_it(api: FakeApi, page: Page) -> None:
    """An alert's link is often the first visit after a restart: the page list is ours and the target is there."""
    with running(api) as url:
        page.page.goto(f"{url}/target?incident=inc_01")
        page.page.get_by_role("heading", name="Answer length").wait_for(timeout=20_000)
        assert page.page.get_by_test_id("stSidebarNav").count() == 0
        assert page.page.get_by_role("link", name="Ingestion").count() == 1


def test_charts_are_drawn_and_described(dashboard: str, page: Page) -> None:
    """What moved has three charts, each the same in words for screen readers; a quiet signal is drawn when opened."""
    browser = page.page
    browser.goto(f"{dashboard}/target?incident=inc_01")
    browser.get_by_role("heading", name="Answer length").wait_for(timeout=20_000)
    charts = browser.locator("[data-testid=stVegaLiteChart]")
    charts.nth(2).wait_for(timeout=20_000)
    browser.get_by_label("Over time. Before: median 240 tokens").first.wait_for(timeout=10_000)
    browser.get_by_label("The evidence passed the alarm's").first.wait_for(timeout=10_000)
    assert charts.count() == 3
    browser.get_by_text("Refusals").click()
    charts.nth(5).wait_for(timeout=20_000)
    browser.wait_for_url("**signal+refusal=true**")


def test_page_comes_back_with_the_monitor(api: FakeApi, dashboard: str, page: Page) -> None:
    """A page opened while the monitor is in trouble shows the fleet by itself once it is well."""
    browser = page.page
    api.status["/v1/targets"] = 503
    browser.goto(dashboard)
    browser.get_by_role("heading", name="The monitor cannot answer this").wait_for(timeout=20_000)
    api.status.clear()
    browser.get_by_role("heading", name="1 of 5 targets changed").wait_for(timeout=20_000)


def test_hostile_names_run_nothing(api: FakeApi, dashboard: str, page: Page) -> None:
    """Names full of markup are on the screen letter by letter; no link, image, dialog or request comes of them."""
    now = time.time()
    api.answers["/v1/targets"] = {"targets": [target_state(target(bad, bad), now=now, text=bad) for bad in HOSTILE]}
    api.answers["/v1/incidents"] = {"incidents": [incident(target(bad), now=now, id=bad) for bad in HOSTILE]}
    api.answers["/v1/notices"] = {"notices": [{"kind": bad, "at": now, "text": bad} for bad in HOSTILE]}
    browser = page.page
    browser.goto(dashboard)
    browser.get_by_role("heading", name="Notices").wait_for(timeout=20_000)
    assert browser.get_by_text("<img src=x onerror=alert(1)>").count() >= 2
    assert browser.locator("[data-testid=stMain] img").count() == 0
    links = browser.locator("[data-testid=stMain] a").evaluate_all("all => all.map(a => new URL(a.href).hostname)")
    assert set(links) <= {"127.0.0.1"}
    assert page.dialogs == []
    assert page.hosts <= {"127.0.0.1", ""}
