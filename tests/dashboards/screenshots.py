"""`make screenshots`: every page of the dashboard over a real monitor, in light and dark, as FOLDER/PAGE-SCHEME.png."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser
from tests.dashboards.browsing import DRAWN, PATIENCE_MS, SCHEMES, SIZE, addresses, chromium, open_page
from tests.dashboards.real import dashboard, served

HEIGHT = "document.querySelector('[data-testid=stMain]').scrollHeight"
TALLEST = 6000


def main() -> int:
    """Take them; the exit code."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/screenshots"))
    folder: Path = parser.parse_args().folder
    found = shutil.which("chromium")
    if found is None:
        print("screenshots: no Chromium: apt-get install chromium", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with served(place) as it, dashboard(it.monitor.url, place) as url, chromium(found) as browser:
            for scheme in SCHEMES:
                take(browser, scheme, {page: url + address for page, address in addresses(it.incident).items()}, folder)
    return 0


def take(browser: Browser, scheme: str, urls: dict[str, str], folder: Path) -> None:
    """Each page as high as what is on it; Streamlit scrolls inside the window, which therefore has to grow."""
    for name, url in urls.items():
        page = browser.new_page(viewport=SIZE, color_scheme=scheme)
        open_page(page, url)
        page.set_viewport_size({**SIZE, "height": min(TALLEST, max(SIZE["height"], page.evaluate(HEIGHT)))})
        page.wait_for_function(DRAWN, timeout=PATIENCE_MS)
        file = folder / f"{name}-{scheme}.png"
        page.screenshot(path=file, animations="disabled")
        print(file, file=sys.stderr)
        page.close()


if __name__ == "__main__":
    sys.exit(main())
