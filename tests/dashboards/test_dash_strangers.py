"""Pages of another origin, all harmless, before the real dashboard in a real browser; the API is the fake one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.programs import free_ports

from . import browsing
from .browsing import PATIENCE_MS, SIZE, open_page
from .fixtures import FakeApi, serving
from .mirror import mirroring
from .real import dashboard, until

pytestmark = pytest.mark.browser
INCIDENT = "/incident?id=inc_01"
DECISION = ("/v1/incidents/inc_01/acknowledge", {"by": "Ada", "reason": "we asked them"})
CONNECTED = "() => document.querySelector('[data-testid=stApp]').dataset.testConnectionState === 'CONNECTED'"
NOTHING = ("host", "origin", "token")


@pytest.fixture(name="api")
def _api() -> Iterator[FakeApi]:
    with serving() as api:
        yield api


@pytest.fixture(name="browser", scope="module")
def _browser(chromium: str) -> Iterator[Browser]:
    """A browser for which elsewhere.test is this machine, as a page that rebinds its name can arrange."""
    with browsing.chromium(chromium, "--host-resolver-rules=MAP elsewhere.test 127.0.0.1") as browser:
        yield browser


class Visit:
    """What became of a page that tries to decide: `refused` counts what was not answered, WebSockets and others."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.refused = 0
        page.on("websocket", lambda socket: socket.on("socketerror", lambda _error: self._count()))
        page.on("response", lambda answer: self._count(answer.status == 403))

    def _count(self, refused: bool = True) -> None:
        self.refused += refused

    def decides(self, url: str) -> bool:
        """Whether the page at `url` gets to decide about the incident; False once it was turned away."""
        self.page.goto(url)
        button = self.page.get_by_role("button", name="Decide")
        until(lambda: self.refused or self.sees(button.count), lambda: "neither refused nor drawn")
        if not button.count():
            return False
        self.decide()
        return True

    def decide(self) -> None:
        """Decide with a name and a reason, and return when the page says that it is done."""
        button = self.page.get_by_role("button", name="Decide")
        self.page.get_by_label("Your name").locator("visible=true").fill("Ada")
        self.page.get_by_label("Reason").locator("visible=true").fill("we asked them")
        button.click()
        self.page.get_by_text("Acknowledge: done.").wait_for(timeout=PATIENCE_MS)

    def sees(self, count: Callable[[], int]) -> int:
        """The count after what the browser has to tell has reached us."""
        self.page.wait_for_timeout(20)
        return count()


@contextmanager
def visiting(browser: Browser, url: str) -> Iterator[Visit]:
    """A new page of a browser in which somebody has the dashboard open already, cookies and all."""
    context = browser.new_context(viewport=SIZE)
    open_page(context.new_page(), url)
    yield Visit(context.new_page())
    context.close()


@pytest.mark.parametrize("without", [(), ("origin",), ("token",), ("host",)], ids=str)
def test_a_page_of_another_local_port_cannot_decide(
    api: FakeApi, browser: Browser, tmp_path: Path, without: tuple[str, ...]
) -> None:
    """Its WebSocket is refused, by the Origin and by the token each alone, and the monitor hears nothing."""
    with (
        dashboard(api.url, tmp_path, without=without) as url,
        mirroring(url) as mirror,
        visiting(browser, url) as visit,
    ):
        assert not visit.decides(mirror + INCIDENT)
    assert api.posted == []


@pytest.mark.parametrize("without", [(), ("host",), ("origin", "token")], ids=str)
def test_a_page_that_rebinds_its_name_cannot_decide(
    api: FakeApi, browser: Browser, tmp_path: Path, without: tuple[str, ...]
) -> None:
    """Another name for loopback is refused by its Host, and without that by its Origin."""
    with dashboard(api.url, tmp_path, without=without) as url, visiting(browser, url) as visit:
        assert not visit.decides(url.replace("127.0.0.1", "elsewhere.test") + INCIDENT)
    assert api.posted == []


def test_without_the_guard_both_would_have_decided(api: FakeApi, browser: Browser, tmp_path: Path) -> None:
    """Negative control: the same pages do decide where nothing but Streamlit's own settings stands before them."""
    with dashboard(api.url, tmp_path, without=NOTHING) as url, mirroring(url) as mirror:
        with visiting(browser, url) as visit:
            assert visit.decides(mirror + INCIDENT)
        assert api.posted == [DECISION]


def test_without_the_guard_the_name_of_a_page_counts_for_nothing(
    api: FakeApi, browser: Browser, tmp_path: Path
) -> None:
    """Negative control: another name for loopback is refused by the dashboard's own pages and nothing before them."""
    with dashboard(api.url, tmp_path, without=NOTHING) as url:
        answer = browser.new_page().goto(url.replace("127.0.0.1", "elsewhere.test"))
        assert answer
        assert answer.status == 200


def test_the_dashboards_own_pages_decide_by_each_of_its_names(api: FakeApi, browser: Browser, tmp_path: Path) -> None:
    """127.0.0.1 and localhost are the same dashboard; a name that was given to it is as well."""
    port = free_ports(1)[0]
    address = f"http://elsewhere.test:{port}"
    with dashboard(api.url, tmp_path, "--address", address, port=port) as url:
        for own in (url, url.replace("127.0.0.1", "localhost"), address):
            with visiting(browser, own) as visit:
                assert visit.decides(own + INCIDENT), own
    assert api.posted == [DECISION] * 3


@pytest.mark.parametrize("without", [(), NOTHING], ids=["guarded", "control"])
def test_the_dashboard_is_shown_in_no_frame(
    api: FakeApi, browser: Browser, tmp_path: Path, without: tuple[str, ...]
) -> None:
    """A page that lays something over the dashboard gets an empty frame; the control shows what it would get."""
    with dashboard(api.url, tmp_path, without=without) as url, mirroring(url) as mirror:
        page = browser.new_page()
        page.goto(f"{mirror}/frame")
        if without:
            frame = page.frame_locator("iframe")
            frame.get_by_role("heading", name="1 of 5 targets changed").wait_for(timeout=PATIENCE_MS)
        else:
            until(lambda: page.frames[1].url.startswith("chrome-error:"), lambda: page.frames[1].url)
        page.close()


def test_an_open_page_comes_back_after_the_dashboard_was_started_anew(
    api: FakeApi, browser: Browser, tmp_path: Path
) -> None:
    """The token of the run before is refused; the page fetches the new one and connects without a reload."""
    port = free_ports(1)[0]
    page = browser.new_page(viewport=SIZE)
    with dashboard(api.url, tmp_path, port=port) as url:
        open_page(page, url + INCIDENT)
    visit = Visit(page)
    page.evaluate("window.loadedOnce = true")
    with dashboard(api.url, tmp_path, port=port):
        until(lambda: visit.sees(lambda: visit.refused), lambda: "nothing was refused")
        page.wait_for_function(CONNECTED, timeout=PATIENCE_MS)
        page.get_by_role("link", name="Fleet").click()
        page.get_by_role("heading", name="1 of 5 targets changed").wait_for(timeout=PATIENCE_MS)
    assert page.evaluate("window.loadedOnce")
