"""The real dashboard in a real browser, against the fake API."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .browsing import DRAWN, SIZE, Watch
from .fixtures import HOSTILE, FakeApi, incident, serving, target, target_state, world
from .real import dashboard

pytestmark = pytest.mark.browser


@pytest.fixture(name="api", scope="module")
def _api() -> Iterator[FakeApi]:
    with serving() as api:
        yield api


@pytest.fixture(name="url", scope="module")
def _url(api: FakeApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dashboard(api.url, tmp_path_factory.mktemp("dashboard")) as url:
        yield url


@pytest.fixture(name="watch", scope="module")
def _watch(browser: Browser) -> Watch:
    return Watch(browser.new_page(viewport=SIZE))


def test_sentence_link_and_decision(api: FakeApi, url: str, watch: Watch) -> None:
    """A person reads the incident, follows its link and acknowledges it with a reason; no other host is asked."""
    browser = watch.page
    browser.goto(url)
    browser.get_by_role("heading", name="Answer length down 22 % (19 to 25 %)").wait_for(timeout=20_000)
    browser.get_by_role("link", name="See the evidence and decide").click()
    browser.wait_for_url("**/incident?id=inc_01")
    browser.get_by_role("button", name="Decide").wait_for(timeout=20_000)
    browser.get_by_label("Your name").locator("visible=true").fill("Ada")
    browser.get_by_label("Reason").locator("visible=true").fill("we asked them")
    browser.get_by_role("button", name="Decide").click()
    browser.get_by_text("Acknowledge: done.").wait_for(timeout=10_000)
    assert api.posted == [("/v1/incidents/inc_01/acknowledge", {"by": "Ada", "reason": "we asked them"})]
    assert watch.hosts <= {"127.0.0.1", ""}


def test_a_link_opened_first_has_the_whole_dashboard_around_it(api: FakeApi, watch: Watch, tmp_path: Path) -> None:
    """An alert's link is often the first visit after a restart: the page list is ours and the target is there."""
    with dashboard(api.url, tmp_path) as url:
        watch.page.goto(f"{url}/target?incident=inc_01")
        watch.page.get_by_role("heading", name="Answer length").wait_for(timeout=20_000)
        assert watch.page.get_by_test_id("stSidebarNav").count() == 0
        assert watch.page.get_by_role("link", name="Ingestion").count() == 1


def test_charts_are_drawn_and_described(url: str, watch: Watch) -> None:
    """What moved has three charts, each the same in words for screen readers; a quiet signal is drawn when opened."""
    browser = watch.page
    browser.goto(f"{url}/target?incident=inc_01")
    browser.get_by_role("heading", name="Answer length").wait_for(timeout=20_000)
    charts = browser.locator("[data-testid=stVegaLiteChart]")
    charts.nth(2).wait_for(timeout=20_000)
    browser.get_by_label("Over time. Before: median 240 tokens").first.wait_for(timeout=10_000)
    browser.get_by_label("The evidence passed the alarm's").first.wait_for(timeout=10_000)
    assert charts.count() == 3
    browser.get_by_text("Refusals").click()
    charts.nth(5).wait_for(timeout=20_000)
    browser.wait_for_url("**signal+refusal=true**")


def test_a_target_that_changes_says_so_and_jumps_not(api: FakeApi, url: str, watch: Watch) -> None:
    """The heading follows the monitor by itself; the charts are drawn anew when the person wants it."""
    browser = watch.page
    before = api.answers["/v1/targets"]
    browser.goto(f"{url}/target?incident=inc_01")
    browser.get_by_role("heading", name="gpt-4o changed").wait_for(timeout=20_000)
    assert browser.get_by_role("button", name="Draw it anew").count() == 0
    over = {"state": "ok", "open_incidents": []}
    api.answers["/v1/targets"] = {"targets": [row | over for row in before["targets"]]}
    browser.get_by_role("heading", name="gpt-4o is as usual").wait_for(timeout=20_000)
    assert browser.get_by_label("The evidence passed the alarm's").count()
    browser.get_by_role("button", name="Draw it anew").click()
    browser.get_by_role("button", name="Draw it anew").wait_for(state="detached", timeout=20_000)
    api.answers["/v1/targets"] = before


def test_page_comes_back_with_the_monitor(api: FakeApi, url: str, watch: Watch) -> None:
    """A page opened while the monitor is in trouble shows the fleet by itself once it is well."""
    browser = watch.page
    api.status["/v1/targets"] = 503
    browser.goto(url)
    browser.get_by_role("heading", name="The monitor cannot answer this").wait_for(timeout=20_000)
    api.status.clear()
    browser.get_by_role("heading", name="1 of 5 targets changed").wait_for(timeout=20_000)


def test_hostile_names_run_nothing(api: FakeApi, url: str, watch: Watch) -> None:
    """Names full of markup are on the screen letter by letter; no link, image, dialog or request comes of them."""
    now = time.time()
    api.answers["/v1/targets"] = {"targets": [target_state(target(bad, bad), now=now, text=bad) for bad in HOSTILE]}
    api.answers["/v1/incidents"] = {"incidents": [incident(target(bad), now=now, id=bad) for bad in HOSTILE]}
    api.answers["/v1/notices"] = {"notices": [{"kind": bad, "at": now, "text": bad} for bad in HOSTILE]}
    browser = watch.page
    browser.goto(url)
    browser.get_by_role("heading", name="Notices").wait_for(timeout=20_000)
    assert browser.get_by_text("<img src=x onerror=alert(1)>").count() >= 2
    assert browser.locator("[data-testid=stMain] img").count() == 0
    links = browser.locator("[data-testid=stMain] a").evaluate_all("all => all.map(a => new URL(a.href).hostname)")
    assert set(links) <= {"127.0.0.1"}
    assert watch.dialogs == []
    assert watch.hosts <= {"127.0.0.1", ""}


def test_a_narrow_window_cuts_no_word(api: FakeApi, url: str, watch: Watch) -> None:
    """At 1000 px labels, links and titles are whole."""
    api.answers |= world()
    browser = watch.page
    browser.set_viewport_size({"width": 1000, "height": 900})
    try:
        for address, drawn in (("", "See the evidence and decide"), ("/target?incident=inc_01", "See and decide")):
            browser.goto(url + address)
            link = browser.get_by_role("link", name=drawn).locator("p")
            link.wait_for(timeout=20_000)
            assert link.evaluate("text => text.scrollWidth <= text.clientWidth"), drawn
        browser.goto(f"{url}/incident?id=inc_01")
        advice = browser.get_by_text("Advice", exact=True)
        advice.wait_for(timeout=20_000)
        assert advice.evaluate("label => label.getBoundingClientRect().height") < 30
    finally:
        browser.set_viewport_size(SIZE)


def test_two_clicks_are_one_decision(api: FakeApi, url: str, watch: Watch) -> None:
    """A tired hand clicks twice: the monitor hears it once."""
    api.answers |= world()
    api.posted.clear()
    browser = watch.page
    browser.goto(f"{url}/incident?id=inc_01")
    browser.get_by_role("button", name="Decide").wait_for(timeout=20_000)
    browser.get_by_label("Your name").locator("visible=true").fill("Ada")
    browser.get_by_label("Reason").locator("visible=true").fill("we asked them")
    browser.get_by_role("button", name="Decide").dblclick()
    browser.get_by_text("Acknowledge: done.").first.wait_for(timeout=10_000)
    browser.wait_for_function(DRAWN)
    assert len(api.posted) == 1
