"""The dashboard in a real browser over a filled monitor, beside Streamlit pages with a heading and nothing else.

`paint.PAGE` is from an address to the page's heading in a new window, as from a link in an alert; `turn.PAGE` is from a
click in the list of pages, which asks for nothing in particular, until the page is complete.
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
from tests.dashboards.browsing import DRAWN, PATIENCE_MS, SIZE, addresses, chromium
from tests.dashboards.real import DAYS, PER_DAY, answers, dashboard, served, until

from undertow.demo.child import free_port
from undertow_collectors.scenarios import FLEET
from undertow_dashboards.__main__ import streamlit_arguments

REPEATS = 3
EMPTY = """import streamlit as st
one = st.Page(lambda: st.title("One"), title="One", url_path="one", default=True)
two = st.Page(lambda: st.title("Two"), title="Two", url_path="two")
st.set_page_config(layout="wide")
st.navigation([one, two], position="top").run()
"""
HEADING = "document.querySelector('[data-testid=stMain] h1')"


def run(spans: int) -> Iterator[dict[str, Any]]:
    """CONTRACTS 7 objects for each page; the monitor holds `spans` spans, or the fewest that have the incident."""
    per_day = max(PER_DAY, spans / DAYS / len(FLEET))
    found = shutil.which("chromium")
    if found is None:
        print("bench: paint needs Chromium: apt-get install chromium", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with (
            served(place, per_day) as it,
            dashboard(it.monitor.url, place) as url,
            empty(place) as bare,
            chromium(found) as browser,
        ):
            stored = it.monitor.totals()["stored"]
            for page, address in addresses(it.incident).items():
                ours, other = _beside(browser, url + address, bare + "/two")
                yield _figure(f"paint.{page}", ours[0], other[0], stored)
                yield _figure(f"turn.{page}", ours[1], other[1], stored)


@contextmanager
def empty(place: Path) -> Iterator[str]:
    """Streamlit with the dashboard's settings and pages that ask nobody anything; its address."""
    port, app = free_port(0), place / "empty.py"
    app.write_text(EMPTY)
    verb, _, *settings = streamlit_arguments("127.0.0.1", port)
    line = [sys.executable, "-m", "streamlit", verb, str(app), *settings]
    with app.with_suffix(".log").open("wb") as log, subprocess.Popen(line, stdout=log, stderr=log) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: answers(url), lambda: f"Streamlit does not answer: {process.poll()}")
            yield url
        finally:
            process.terminate()


def _beside(browser: Browser, url: str, bare: str) -> list[list[float]]:
    """For each side the median of both measures. They take turns, so that other load meets both; the first warms up."""
    visits = [(_visit(browser, url), _visit(browser, bare)) for _ in range(REPEATS + 1)][1:]
    return [[median(column) for column in zip(*side, strict=True)] for side in zip(*visits, strict=True)]


def _visit(browser: Browser, url: str) -> tuple[float, float]:
    """Seconds to the heading in a new window, and seconds to come back to the page from another one by the list."""
    page = browser.new_page(viewport=SIZE)
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(HEADING, timeout=PATIENCE_MS)
    painted = time.perf_counter() - began
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)
    turned = _turn(page, urlsplit(url).path)
    page.close()
    return painted, turned


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


def _figure(name: str, value: float, other: float, spans: int) -> dict[str, Any]:
    return {
        "bench": name,
        "value": value,
        "unit": "s",
        "limit": "an empty Streamlit page",
        "limit_value": other,
        "ratio": value / other,
        "spans": spans,
        "note": f"median of {REPEATS}",
    }
