"""The proxy configuration of docs/dashboard.md, run by nginx before a real dashboard."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from tests.programs import free_ports

from . import browsing
from .browsing import PATIENCE_MS, SIZE
from .fixtures import FakeApi, serving
from .real import dashboard, until

pytestmark = pytest.mark.browser
GUIDE = Path(__file__).parents[2] / "docs" / "dashboard.md"
NAME = "undertow.example.com"
AROUND = """daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
{server} }}"""


@pytest.fixture(name="nginx", scope="module")
def _nginx() -> str:
    """The path of nginx; without one the test is skipped."""
    found = shutil.which("nginx")
    if not found:
        pytest.skip("no nginx: apt-get install nginx-light")
    return found


@pytest.fixture(name="browser", scope="module")
def _browser(chromium: str) -> Iterator[Browser]:
    with browsing.chromium(chromium, f"--host-resolver-rules=MAP {NAME} 127.0.0.1") as browser:
        yield browser


@contextmanager
def proxy(nginx: str, folder: Path, port: int, upstream: int, **changed: str) -> Iterator[str]:
    """The guide's server without TLS, on a port of its own; its address as people open it."""
    server = GUIDE.read_text(encoding="utf-8").split("```nginx\n")[1].split("```")[0]
    kept = [line for line in server.splitlines() if "ssl_certificate" not in line]
    given = {"443 ssl": f"127.0.0.1:{port}", "127.0.0.1:8501": f"127.0.0.1:{upstream}"} | changed
    text = "\n".join(kept)
    for old, new in given.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, server=text))
    with subprocess.Popen([nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")]) as process:
        try:
            health = f"http://127.0.0.1:{port}/_stcore/health"
            until(lambda: _answers(health), lambda: f"nginx does not answer: {process.poll()}")
            yield f"http://{NAME}:{port}"
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("host", ["$http_host", "$proxy_host"])
def test_the_guides_proxy_shows_and_decides(host: str, nginx: str, browser: Browser, tmp_path: Path) -> None:
    """With the Host that it got or with its own, once the dashboard is told the proxy's address."""
    port, upstream = free_ports(2)
    options = ("--address", f"http://{NAME}:{port}")
    with (
        serving() as api,
        dashboard(api.url, tmp_path, *options, port=upstream),
        proxy(nginx, tmp_path, port, upstream, **{"$http_host": host}) as url,
    ):
        page = browser.new_page(viewport=SIZE)
        page.goto(f"{url}/incident?id=inc_01")
        page.get_by_role("button", name="Decide").wait_for(timeout=PATIENCE_MS)
        page.get_by_label("Your name").locator("visible=true").fill("Ada")
        page.get_by_label("Reason").locator("visible=true").fill("we asked them")
        page.get_by_role("button", name="Decide").click()
        page.get_by_text("Acknowledge: done.").wait_for(timeout=PATIENCE_MS)
        page.close()
        assert [path for path, _ in api.posted] == ["/v1/incidents/inc_01/acknowledge"]


def test_a_proxy_that_the_dashboard_was_not_told_of_is_not_believed(
    nginx: str, browser: Browser, tmp_path: Path
) -> None:
    """Negative control: without the address the same page is refused, and X-Forwarded-Host opens nothing."""
    port, upstream = free_ports(2)
    forwarded = {"$http_host;": f"$http_host; proxy_set_header X-Forwarded-Host 127.0.0.1:{upstream};"}
    with (
        serving() as api,
        dashboard(api.url, tmp_path, port=upstream),
        proxy(nginx, tmp_path, port, upstream, **forwarded) as url,
    ):
        answer = browser.new_page().goto(url)
        assert answer
        assert answer.status == 403
        assert "--address" in answer.text()
        assert _asked(api) == []


def _asked(api: FakeApi) -> list[str]:
    return [path for path, _ in api.asked]
