"""The fake API, and the pages run against it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from streamlit.testing.v1 import AppTest

import undertow_dashboards

from . import browsing, real
from .fixtures import FakeApi, serving
from .real import Served

APP = Path(undertow_dashboards.__file__).with_name("app.py")
Open = Callable[..., AppTest]


@pytest.fixture(name="api")
def _api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    with serving() as api:
        monkeypatch.setenv("UNDERTOW_API_URL", api.url)
        monkeypatch.delenv("UNDERTOW_API_TOKEN", raising=False)
        yield api


@pytest.fixture(name="open_page")
def _open_page(api: FakeApi) -> Open:
    """Opens a page as a browser would, with its query, on the monitor at `api`."""
    assert os.environ["UNDERTOW_API_URL"] == api.url

    def open_page(page: str = "fleet", **query: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=20)
        for key, value in query.items():
            app.query_params[key] = value
        if page != "fleet":
            app.switch_page(f"views/{page}.py")
        return app.run()

    return open_page


@pytest.fixture(name="chromium", scope="session")
def _chromium() -> str:
    """The path of a Chromium; without one the test is skipped, or fails where CI=true."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Chromium: apt-get install chromium")
    return found


@pytest.fixture(name="browser", scope="module")
def _browser(chromium: str) -> Iterator[Browser]:
    with browsing.chromium(chromium) as browser:
        yield browser


@pytest.fixture(name="served", scope="session")
def _served(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real monitor with the planted incident, filled once; only what has a browser asks for it."""
    assert chromium
    with real.served(tmp_path_factory.mktemp("served")) as served:
        yield served
