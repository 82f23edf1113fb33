"""Where the Go comes from that builds the OpenTelemetry Collector for the tests."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import collector_build
from tests.programs import MissingError

PLATFORM = "linux/amd64"
EXPECTED = collector_build.SUMS["linux-amd64"]


@pytest.fixture(name="go")
def _go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a command `go` alone on the search path: of some version, with a newer one to download of some hash."""

    def go(version: str, found_sum: str = EXPECTED) -> Path:
        fetched = tmp_path / "toolchain"
        (fetched / "bin").mkdir(parents=True)
        (fetched / "bin" / "go").touch(mode=0o444)
        answer = json.dumps({"Sum": found_sum, "Dir": str(fetched)})
        (tmp_path / "go").write_text(
            f"#!/bin/sh\n[ $1 = version ] && echo 'go version {version} {PLATFORM}' || echo '{answer}'\n"
        )
        (tmp_path / "go").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    return go


def test_a_go_that_is_new_enough_is_taken(go: Callable[..., Path]) -> None:
    """Nothing is fetched."""
    place = go("go1.25.3")
    assert collector_build.find_go(pytest.fail) == place / "go"


@pytest.mark.parametrize("version", ["go1.19.8", "go1.24.13"])
def test_an_older_go_fetches_a_newer_one(version: str, go: Callable[..., Path]) -> None:
    """It may run afterwards, and what it is has been said."""
    place, said = go(version), []
    found = collector_build.find_go(said.append)
    assert found == place / "toolchain" / "bin" / "go"
    assert found.stat().st_mode & 0o111
    assert "fetching Go 1.26" in said[0]


def test_a_newer_go_with_another_hash_is_not_run(go: Callable[..., Path]) -> None:
    """The hash that stands in the repository decides, whatever the registry says of itself."""
    place = go("go1.19.8", found_sum="h1:AAAA")
    with pytest.raises(MissingError, match="h1:AAAA, which is not expected"):
        collector_build.find_go(lambda _: None)
    assert not (place / "toolchain" / "bin" / "go").stat().st_mode & 0o111


def test_no_go_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of the skip names what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(collector_build, "GO_HOME", tmp_path)
    with pytest.raises(MissingError, match="not found: go"):
        collector_build.find_go(lambda _: None)
