"""The wheel in what a container gives it: no root, no capabilities, nothing to write to but the folder of its data."""

import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.programs import free_ports
from tests.served import Served, lines, spans

CONFINED = str(Path(__file__).parents[1] / "faults" / "read_only.py")
WHERE = "import undertow, undertow_dashboards as d; print(undertow.__file__, d.__file__)"
STARTS_S = 60.0
TRIES = """
import os, pathlib
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(os.getuid(), int(status["CapEff"], 16))
for place in (".", "..", "/", os.environ["PYTHONPATH"]):
    try:
        pathlib.Path(place, "probe").touch()
        print("writes", place)
    except OSError as error:
        print("refused", place)
"""


@pytest.fixture(name="confined")
def _confined(shipped: Any, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts the wheel's `undertow` with arguments, or another program of Python, in `tmp_path/data`."""
    site, data = tmp_path / "site", tmp_path / "data"
    data.mkdir()
    with zipfile.ZipFile(shipped.wheel) as wheel:
        wheel.extractall(site)
    command = [sys.executable, CONFINED, str(data), "true"]
    if (refused := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"no namespaces here: {refused.stderr.strip()}")
    started: list[Served] = []

    def start(*arguments: str, program: tuple[str, ...] = ("-m", "undertow.cli"), **environ: str) -> Served:
        line = (CONFINED, str(data), sys.executable, *program)
        more = {"PYTHONPATH": str(site), "HOME": "/nonexistent", "UNDERTOW_API__PORT": "0"}
        started.append(Served(data, *arguments, program=line, **more | environ))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def output(served: Served) -> list[str]:
    """What it writes until its end."""
    told, _ = served.process.communicate(timeout=STARTS_S)
    assert served.process.returncode == 0, served.log.read_text()
    return told.decode().splitlines()


def test_nothing_but_the_folder_can_be_written(confined: Callable[..., Served], tmp_path: Path) -> None:
    """Negative control: it is not root there, has no capability, and every other place refuses a file."""
    site = str(tmp_path / "site")
    assert output(confined(program=("-c", TRIES))) == [
        *("1000 0", "writes .", "refused ..", "refused /", f"refused {site}"),
    ]
    assert all(place.startswith(site) for place in output(confined(program=("-c", WHERE)))[0].split())


def test_the_monitor_needs_no_more(confined: Callable[..., Served], tmp_path: Path) -> None:
    """It takes spans, answers, and ends well; all that it wrote is its database."""
    served = confined("serve")
    url = served.ready()
    assert httpx.post(f"{url}/v1/spans", content=lines(spans("gpt-4", range(300)))).json()["stored"] == 300
    assert httpx.get(f"{url}/v1/targets").json()["targets"][0]["spans"] == 300
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0, served.log.read_text()
    assert {file.name for file in (tmp_path / "data").iterdir()} == {"undertow.duckdb", "serve.log"}


def test_a_database_elsewhere_is_refused_by_name(confined: Callable[..., Served]) -> None:
    """Outside of the folder no file can be made, and the message says which."""
    served = confined("serve", UNDERTOW_STORE__PATH="/elsewhere.duckdb")
    assert served.process.wait(STARTS_S) != 0
    assert "/elsewhere.duckdb" in served.log.read_text()


def test_the_dashboard_needs_no_folder_at_all(confined: Callable[..., Served], tmp_path: Path) -> None:
    """It serves its pages and leaves nothing behind."""
    [port] = free_ports(1)
    served = confined("dashboard", "--port", str(port))

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=2.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    served.until(answers)
    served.process.send_signal(signal.SIGTERM)
    served.ended()
    assert {file.name for file in (tmp_path / "data").iterdir()} == {"serve.log"}
