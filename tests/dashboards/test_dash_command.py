"""Starting the dashboard."""

import argparse
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from undertow import cli
from undertow_dashboards import __main__ as dashboard
from undertow_dashboards.__main__ import command, main, settings


def test_command_has_no_secret_and_stays_on_this_machine() -> None:
    """The token never stands on the command line, and the default address is loopback."""
    line = command("http://127.0.0.1:8321")
    assert line[:3] == [sys.executable, "-m", "undertow_dashboards"]
    assert line[3:] == ["--api", "http://127.0.0.1:8321", "--host", "127.0.0.1", "--port", "8501"]


def test_streamlit_runs_quietly() -> None:
    """No usage statistics, no browser window, no question for an e-mail address."""
    expected = {"browser.gatherUsageStats": False, "server.headless": True, "server.address": "127.0.0.1"}
    assert expected.items() <= settings("127.0.0.1", 8501).items()


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["--api", "ftp://x"], "--api ftp://x", 2),
        (["--api", "http://u:secret@x"], "no user or password", 2),
        (["--host", "nowhere.invalid"], "--host nowhere.invalid", 2),
        (["--port", "99999"], "--port 99999", 2),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], says: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad address, host or port is named, with exit code 2, and no password is repeated."""
    assert main(arguments) == code
    told = capsys.readouterr().err
    assert says in told
    assert "secret" not in told


def test_busy_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A taken port ends with 75 and the number."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 75
    assert str(port) in capsys.readouterr().err


def test_help_is_quick_and_has_an_example() -> None:
    """`--help` works in a process of its own and does not wait for Streamlit."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "undertow_dashboards", "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "Example: undertow dashboard --api" in done.stdout
    assert "streamlit" not in done.stderr


def test_the_configuration_says_where_it_is_opened_and_who_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file and the command line add up."""
    file = tmp_path / "undertow.toml"
    file.write_text('[dashboard]\naddresses = ["https://a.example"]\noperators = ["ada"]\nread_only = true\n')
    seen: list[argparse.Namespace] = []
    monkeypatch.setattr(dashboard, "run", lambda args: seen.append(args) or 0)
    assert cli.main(["dashboard", "--config", str(file), "--address", "https://b.example", "--operator", "bob"]) == 0
    assert seen[0].address == ["https://b.example", "https://a.example"]
    assert (seen[0].operator, seen[0].read_only) == (["bob", "ada"], True)
