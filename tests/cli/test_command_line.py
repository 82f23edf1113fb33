import os
import subprocess
import sys
from pathlib import Path

import pytest

from undertow import cli, documents
from undertow.errors import ConfigError, NotEnoughData, StoreError, TryAgain, UndertowError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`undertow COMMAND --help` shows the options and one line to copy."""
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"example:\n  undertow {name}" in text


def test_help_lists_what_works(capsys: pytest.CaptureFixture[str]) -> None:
    """`undertow --help` names each command that there is, and none that is not there yet."""
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert [name for name in cli.COMMANDS if f"    {name}" not in text] == []
    assert [name for name in cli.LATER if name in text] == []


@pytest.mark.parametrize("name", cli.LATER)
def test_commands_of_later_versions_say_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that the contract names and this version lacks answers plainly, with exit code 2."""
    assert cli.main([name, "--json"]) == 2
    assert capsys.readouterr().err == f"undertow: `{name}` is not in this version yet\n"


@pytest.mark.parametrize("argv", [[], ["replai"], ["replay"], ["replay", "--jsn", "x"], ["decode", "--format"]])
def test_a_command_line_without_sense_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Usage mistakes go to standard error and end with exit code 2."""
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error" in captured.err


@pytest.mark.parametrize("kind", [UndertowError, NotEnoughData, StoreError, TryAgain, ConfigError])
def test_a_mistake_is_one_sentence_and_its_exit_code(
    kind: type[UndertowError], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An UndertowError shows no traceback and ends with the code of its kind."""

    def fail(_: list[str]) -> int:
        raise kind("the disk is full")

    monkeypatch.setattr(cli, "_run", fail)
    assert cli.main([]) == kind.exit_code
    assert capsys.readouterr().err == "undertow: the disk is full\n"


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with 130 and without a traceback."""

    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert cli.main([]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
@pytest.mark.parametrize("command", [["simulate", "--list"], ["simulate", "--scenario", "none", "--out", "-"]])
def test_a_full_disk_behind_standard_output_is_one_line(command: list[str]) -> None:
    """Output that cannot be written ends with 74, and the interpreter adds nothing at its end."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "undertow.cli", *command], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (74, "undertow: output: No space left on device\n")


def test_help_comes_at_once() -> None:
    """Help imports none of the libraries that work needs."""
    code = "import sys; from undertow.cli import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert [
        name for name in ("duckdb", "kafka", "pyarrow", "numpy", "streamlit", "tqdm") if f"'{name}'" in loaded
    ] == []


@pytest.mark.parametrize("name", documents.DOCUMENTS)
def test_documents_made_from_code_are_current(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/ holds is what `python -m undertow.documents` would write now."""
    monkeypatch.setenv("COLUMNS", documents.WIDTH)
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == documents.DOCUMENTS[name](), "run `python -m undertow.documents`"


def test_undertow_is_installed_as_a_command() -> None:
    """The command that the package installs is this one."""
    command = Path(sys.executable).with_name("undertow")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.startswith("undertow 0.")
