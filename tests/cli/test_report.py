import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undertow.cli import main

Stream = Callable[..., list[dict[str, object]]]
Write = Callable[[str, list[dict[str, object]]], Path]
Report = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="database")
def _database(stream: Stream, write: Write, quick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """What a monitor left behind that watched one quiet target."""
    path = tmp_path / "undertow.duckdb"
    assert main(["replay", "--config", str(quick), "--db", str(path), str(write("log.jsonl", stream()))]) == 0
    capsys.readouterr()
    return path


@pytest.fixture(name="report")
def _report(quick: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """Runs `undertow report`; its exit code, output and errors."""

    def report(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(["report", "--config", str(quick), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return report


def rows(text: str) -> list[dict[str, Any]]:
    """The signals of the JSON report."""
    document = json.loads(text)
    assert document["false_alarm_interval_days"] == 30
    found: list[dict[str, Any]] = document["signals"]
    return found


def test_the_report_reads_a_database(database: Path, report: Report) -> None:
    """In plain words: the target, the level and volume of each signal, and the smallest changes."""
    code, out, _ = report("--detectability", "--db", database)
    assert code == 0
    assert "edge/openai/gpt-4\n" in out
    assert re.search(r"  output_tokens \([\d.]+, 8,6\d\d a day\): within a day from [+±]\d\.\d (or -\d\.\d )?%, ", out)
    assert "    %: -20 after " in out
    assert "  parse_fail: never, with 0 values in the baseline it is not judged" in out


def test_the_report_as_json(database: Path, report: Report) -> None:
    """One object with a row for each signal, in the shape of the API."""
    code, out, _ = report("--detectability", "--db", database, "--json")
    assert (code, out.count("\n")) == (0, 1)
    found = {row["signal"]: row for row in rows(out)}
    numbers = found["output_tokens"]
    assert numbers["target"] == {"gateway": "edge", "provider": "openai", "model": "gpt-4", "deployment": None}
    assert 0 < numbers["within_week"]["down"] < numbers["within_day"]["down"] < 0.1
    assert [one["change"] for one in found["finish_length"]["expected_delay"]] == [0.01, 0.02, 0.05]
    assert found["refusal"]["within_day"] is None


def test_a_database_without_a_baseline_is_not_enough(
    stream: Stream, write: Write, report: Report, tmp_path: Path
) -> None:
    """Exit code 3 and a sentence."""
    path = tmp_path / "young.duckdb"
    assert main(["replay", "--db", str(path), str(write("log.jsonl", stream(100)))]) == 0
    code, _, err = report("--detectability", "--db", path)
    assert (code, err) == (3, "undertow: no target has a baseline yet, so nothing would be noticed\n")


def test_no_database_is_made(report: Report, tmp_path: Path) -> None:
    """A name that is not there is told, and stays not there."""
    code, _, err = report("--detectability", "--db", tmp_path / "none.duckdb")
    assert (code, err) == (74, f"undertow: {tmp_path / 'none.duckdb'}: no such file\n")
    assert not (tmp_path / "none.duckdb").exists()


def test_the_report_asks_a_running_monitor(
    database: Path, quick: Path, report: Report, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answer over HTTP, with the token of the environment; another token is refused."""
    _, expected, _ = report("--detectability", "--db", database, "--json")
    url = serve("--config", str(quick), UNDERTOW_STORE__PATH=str(database), UNDERTOW_API__TOKEN="secret").ready()
    monkeypatch.setenv("UNDERTOW_API_TOKEN", "secret")
    assert report("--detectability", "--api", url, "--json") == (0, expected, "")
    monkeypatch.setenv("UNDERTOW_API_TOKEN", "wrong")
    code, _, err = report("--detectability", "--api", url)
    assert code == 74
    assert "401" in err


def test_a_monitor_that_is_away_is_a_passing_fault(report: Report) -> None:
    """Exit code 75: start the monitor, or read its database."""
    code, _, err = report("--detectability", "--api", "http://127.0.0.1:1")
    assert (code, err) == (75, "undertow: Nobody answers at http://127.0.0.1:1 (ConnectError).\n")


def test_the_model_review_comes_later(report: Report) -> None:
    """`undertow report` alone is a usage mistake that says so."""
    code, _, err = report()
    assert (code, err) == (
        2,
        "undertow: `report` needs --detectability or --memory; the model review comes in a later version\n",
    )


def test_the_last_days_against_the_baseline(database: Path, report: Report) -> None:
    """Each signal with its interval, marked where it left its baseline; the same as JSON."""
    code, out, _ = report("--memory", "--days", "30", "--db", database)
    assert code == 0
    assert re.search(r"edge/openai/gpt-4\n  baseline 1, \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d\n", out)
    assert re.search(r"\n  [ *] output_tokens [+-]\d+(\.\d)? % \[[+-]\d+(\.\d)?, [+-]\d+(\.\d)?\]\n", out)
    code, out, _ = report("--memory", "--days", "30", "--db", database, "--json")
    found = json.loads(out)
    assert (code, found["days"]) == (0, 30)
    assert {row["baseline_version"] for row in found["signals"]} == {1}


def test_days_that_are_none_are_a_usage_mistake(report: Report) -> None:
    """The message names the option and what it takes."""
    code, _, err = report("--memory", "--days", "0")
    assert code == 2
    assert "--days: 0 is not within 0 and 366 days" in err
