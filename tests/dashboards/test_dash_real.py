"""The real dashboard in a real browser over a real monitor, which has noticed the update that the simulator planted."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from .browsing import FRONT, PATIENCE_MS, SCHEMES, SIZE, Watch, addresses, open_page, put_on
from .real import CULPRIT, Served, dashboard

pytestmark = pytest.mark.browser
PAGES = sorted(addresses(""))
GRAVE = {"serious", "critical"}
AGAIN_MS = 500
REASON = "the new answers are fine, <b>Ada</b> has read fifty"


@pytest.fixture(name="url", scope="module")
def _url(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dashboard(served.monitor.url, tmp_path_factory.mktemp("dashboard")) as url:
        yield url


@pytest.fixture(name="page", scope="module")
def _page(browser: Browser) -> Page:
    return browser.new_page(viewport=SIZE)


def test_first_visitor_may_come_by_a_link(served: Served, url: str, browser: Browser) -> None:
    """In a dashboard that nobody has opened yet, an alert's link shows the incident below the list of pages."""
    page = browser.new_page(viewport=SIZE)
    open_page(page, f"{url}/incident?id={served.incident}")
    expect(page.get_by_role("navigation")).to_contain_text("Detectability")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Answer length")
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_keeps_people_out(served: Served, url: str, page: Page, name: str) -> None:
    """In light and in dark, axe-core finds nothing serious on any page."""
    open_page(page, url + addresses(served.incident)[name])
    for scheme in SCHEMES:
        put_on(page, scheme)
        assert at_rest(page) == [], scheme


def at_rest(page: Page) -> list[tuple[str, str, list[str]]]:
    """What axe-core finds once the page has come to rest: what fades in has too little contrast until then."""
    for _ in range(PATIENCE_MS // AGAIN_MS):
        found = grave(Axe().run(page).response["violations"])
        if not found:
            break
        page.wait_for_timeout(AGAIN_MS)
    return found


def grave(found: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    """The rules of axe-core that are broken so that people are kept out: name, text, and where."""
    broken = [one for one in found if one["impact"] in GRAVE]
    return [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"]]) for one in broken]


def test_from_the_fleet_to_the_audit_trail(served: Served, url: str, browser: Browser) -> None:
    """A person finds the planted change, accepts it, and sees that, when and why it was; no other host is asked."""
    page = browser.new_page(viewport=SIZE)
    watch = Watch(page)
    open_page(page, url + addresses(served.incident)[FRONT])
    page.get_by_role("link", name=re.compile("evidence", re.I)).first.click()
    page.wait_for_url(re.compile(served.incident), timeout=PATIENCE_MS)
    expect(page.get_by_role("main")).to_contain_text(CULPRIT.model, timeout=PATIENCE_MS)
    open_page(page, f"{url}/incident?id={served.incident}")
    page.get_by_text("Accept as the new normal").click()
    page.get_by_role("textbox", name="Your name").fill("Ada")
    page.get_by_role("textbox", name="Reason").fill(REASON)
    page.get_by_role("button", name="Decide").click()
    main = page.locator("[data-testid=stMain]")
    expect(main).to_contain_text("accepted as the new normal", timeout=PATIENCE_MS)
    expect(main).to_contain_text(REASON)
    told = served.monitor.client.get(f"/v1/incidents/{served.incident}").json()
    assert told["status"] == "accepted"
    assert ("accepted", "Ada", REASON) in [(one["reason"], one["by"], one["text"]) for one in told["trail"]]
    open_page(page, f"{url}/incident?show=open")
    others = len(served.monitor.incidents()) - 1
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile(f"^{others} open incidents?, 1 over"))
    assert watch.hosts <= {"127.0.0.1", ""}
    assert watch.dialogs == []
    page.close()
