"""People log in with an OpenID Connect provider, in a real browser, over a real monitor."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.programs import free_ports

from undertow_collectors.scenarios import FLEET

from .browsing import PATIENCE_MS, SIZE, Watch, addresses, open_page
from .provider import CLIENT, CLIENT_SECRET, EMAIL, Provider, providing
from .real import Served, dashboard

pytestmark = pytest.mark.browser
SECRETS = """[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "thirty-two-characters-of-a-secret"
client_id = "{client}"
client_secret = "{secret}"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""
CLOSED = "Log in to see the fleet"


@pytest.fixture(name="provider", scope="module")
def _provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(name="url", scope="module")
def _url(served: Served, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("login")
    port, file = free_ports(1)[0], folder / "auth.toml"
    file.write_text(SECRETS.format(port=port, client=CLIENT, secret=CLIENT_SECRET, provider=provider.url))
    with dashboard(served.monitor.url, folder, "--oidc", str(file), port=port) as url:
        yield url


@pytest.fixture(name="page")
def _page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZE)
    yield context.new_page()
    context.close()


def test_nothing_is_told_to_who_has_not_logged_in(served: Served, url: str, browser: Browser) -> None:
    """On no page does any byte that reaches the browser hold the name of a model, a deployment or the incident."""
    hidden = {served.incident.encode()} | {name.encode() for one in FLEET for name in (one.model, one.deployment)}
    context = browser.new_context(viewport=SIZE)
    for address in addresses("").values():
        page = context.new_page()  # bodies of a page that was left are gone
        watch = Watch(page)
        open_page(page, url + address)
        expect(page.get_by_role("heading", level=1)).to_have_text(CLOSED)
        got = watch.got()
        assert CLOSED.encode() in got
        assert [name for name in hidden if name in got] == []
    context.close()


def test_who_logs_in_decides_by_name_and_leaves_nothing_open(served: Served, url: str, page: Page) -> None:
    """After the login there is the fleet; the trail has the e-mail of who decided; after the logout it is closed."""
    open_page(page, url)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name=EMAIL).click()
    expect(page.locator("[data-testid=stMain]")).to_contain_text(FLEET[0].model, timeout=PATIENCE_MS)
    open_page(page, f"{url}/incident?id={served.incident}")
    page.get_by_role("textbox", name="Reason").fill("looking")
    page.get_by_role("button", name=re.compile("^(Decide|Judge)$")).click()  # whether it is open still or over
    expect(page.get_by_text(re.compile("(Acknowledge|Judged): done."))).to_be_visible(timeout=PATIENCE_MS)
    trail = served.monitor.client.get(f"/v1/incidents/{served.incident}").json()["trail"]
    assert [one for one in trail if one["by"] == EMAIL and one["text"].endswith("looking")]  # `real: ` before a verdict
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(CLOSED, timeout=PATIENCE_MS)
    open_page(page, f"{url}/incident?id={served.incident}")
    expect(page.get_by_role("heading", level=1)).to_have_text(CLOSED)
