from pathlib import Path

import pytest

from undertow.cli import main

SYNC = ["weights", "sync"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["file", "w.json", "--api", "127.0.0.1:8321"], "--api: expected an address such as http://127.0.0.1:8321"),
        (["kong", "x", "--gateway", "me:hunter2@kong"], "--gateway: expected an address such as"),
        (["kong", "x", "--gateway", "http://me:hunter2@kong:port"], "--gateway: expected an address such as"),
        (["envoy", "route"], "expected NAMESPACE/NAME, got 'route'"),
        (["file", "w.json", "--every", "0"], "--every: at least 1 second"),
        (["flagd", "flags.json"], "flags.json is not there"),
    ],
)
def test_a_command_that_makes_no_sense_ends_with_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake is told in one sentence, without a password that an address holds."""
    monkeypatch.chdir(tmp_path)
    assert main([*SYNC, *arguments, "--once"]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "hunter2" not in error


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the file that was asked for, not one that stands beside it for a moment."""
    path = tmp_path / "nowhere" / "weights.json"
    assert main([*SYNC, "file", str(path), "--once", "--api", "http://127.0.0.1:9", "--state", str(path)]) == 74
    error = capsys.readouterr().err.splitlines()
    assert error[-1] == f"undertow: {path} cannot be written: No such file or directory"
    assert "the weights feed at 127.0.0.1:9 cannot be reached" in error[0]
