"""The dashboard in a real browser over a filled monitor, beside Streamlit pages with a heading and nothing else.

`paint.PAGE` is from an address to the page's heading in a new window, as from a link in an alert, `whole.PAGE` to the
whole page; `turn.PAGE` is from a click in the list of pages, which asks for nothing in particular, until the page is
complete, and `choose.WORDS` from a choice on the page of a target until that is drawn anew.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page
from tests.dashboards.browsing import DRAWN, PATIENCE_MS, SIZE, addresses, chromium, open_page
from tests.dashboards.real import answers, dashboard, until

from bench.figures import figure, trial
from bench.monitors import holding
from undertow.demo.child import free_port
from undertow_dashboards.__main__ import settings

REPEATS = 3
"""Visits of a page that count; the one before them warms up."""
MEASURES = ("paint", "whole", "turn")
CHOICES = ("1 week", "speed")
PROMISED = ("half a second", 0.5)
EMPTY = """import streamlit as st
one = st.Page(lambda: st.title("One"), title="One", url_path="one", default=True)
two = st.Page(lambda: st.title("Two"), title="Two", url_path="two")
st.set_page_config(layout="wide")
st.navigation([one, two], position="top").run()
"""
LISTEN = """() => {
    const app = document.querySelector('[data-testid=stApp]')
    const note = () => { window.ran ||= app.dataset.testScriptState !== 'notRunning' }
    new MutationObserver(note).observe(app, {attributes: true})
}"""
HEADING = "document.querySelector('[data-testid=stMain] h1')"


def run(spans: int) -> Iterator[dict[str, Any]]:
    """Objects for each page; the monitor holds `spans` spans, or the fewest with the incident. A trial has one page."""
    found = shutil.which("chromium")
    if found is None:
        print("bench: paint needs Chromium: apt-get install chromium", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with (
            holding(place, spans) as it,
            dashboard(it.url, place) as url,
            empty(place) as bare,
            chromium(found) as browser,
        ):
            pages = addresses(it.incident)
            some, choices, repeats = (["target"], CHOICES[:1], 0) if trial(spans) else (list(pages), CHOICES, REPEATS)
            for page in some:
                sides = _beside(browser, url + pages[page], bare + "/two", repeats)
                for measure, ours, other in zip(MEASURES, *sides, strict=True):
                    yield _figure(f"{measure}.{page}", ours, "an empty Streamlit page", other, it.stored, repeats)
            for choice in choices:
                chosen = _chosen(browser, url + pages["target"], choice, repeats)
                yield _figure(f"choose.{choice}", chosen, *PROMISED, it.stored, repeats)


@contextmanager
def empty(place: Path) -> Iterator[str]:
    """Streamlit with the dashboard's settings and pages that ask nobody anything; its address."""
    port, app = free_port(0), place / "empty.py"
    app.write_text(EMPTY)
    options = [f"--{name}={value}" for name, value in settings("127.0.0.1", port).items() if value != []]
    line = [sys.executable, "-m", "streamlit", "run", str(app), *options]
    with app.with_suffix(".log").open("wb") as log, subprocess.Popen(line, stdout=log, stderr=log) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: answers(url), lambda: f"Streamlit does not answer: {process.poll()}")
            yield url
        finally:
            process.terminate()


def _beside(browser: Browser, url: str, bare: str, repeats: int) -> list[list[float]]:
    """For each side the median of each measure. They take turns, so that other load meets both."""
    visits = [(_visit(browser, url), _visit(browser, bare)) for _ in range(repeats + 1)][-max(repeats, 1) :]
    return [[median(column) for column in zip(*side, strict=True)] for side in zip(*visits, strict=True)]


def _visit(browser: Browser, url: str) -> tuple[float, float, float]:
    """Seconds to the heading in a new window, to the whole page, and to come back from another one by the list."""
    page = browser.new_page(viewport=SIZE)
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(HEADING, timeout=PATIENCE_MS)
    painted = time.perf_counter() - began
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)
    whole = time.perf_counter() - began
    turned = _turn(page, urlsplit(url).path)
    page.close()
    return painted, whole, turned


def _turn(page: Page, path: str) -> float:
    links = page.locator("[data-testid=stTopNavLink]")
    here = links.and_(page.locator("[aria-current=page]")).first
    name = here.inner_text().split("\n")[-1]  # before it stands the name of its icon
    links.and_(page.locator(":not([aria-current=page])")).first.click()
    page.wait_for_function(f"() => location.pathname !== {path!r} && ({DRAWN})()", timeout=PATIENCE_MS)
    left = page.evaluate(f"{HEADING}.innerText")
    began = time.perf_counter()
    links.filter(has_text=name).first.click()
    page.wait_for_function(f"left => {HEADING}?.innerText !== left && ({DRAWN})()", arg=left, timeout=PATIENCE_MS)
    return time.perf_counter() - began


def _chosen(browser: Browser, url: str, words: str, repeats: int) -> float:
    """Seconds from a click on a choice, which nobody has made before, to the whole page: the median."""
    return median([_choose(browser, url, words) for _ in range(repeats + 1)][-max(repeats, 1) :])


def _choose(browser: Browser, url: str, words: str) -> float:
    page = browser.new_page(viewport=SIZE)
    open_page(page, url)
    page.evaluate(LISTEN)
    began = time.perf_counter()
    page.get_by_role("radio", name=words, exact=True).or_(page.get_by_role("button", name=words, exact=True)).click()
    page.wait_for_function(f"() => window.ran && ({DRAWN})()", timeout=PATIENCE_MS)
    passed = time.perf_counter() - began
    page.close()
    return passed


def _figure(name: str, value: float, limit: str, limit_value: float, spans: int, repeats: int) -> dict[str, Any]:
    return figure(name, value, "s", limit, limit_value, spans, f"median of {max(repeats, 1)}")
