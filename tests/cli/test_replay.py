import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undertow.cli import main

Stream = Callable[..., list[dict[str, object]]]
Write = Callable[[str, list[dict[str, object]]], Path]
Replay = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(name="replay")
def _replay(quick: Path, capsys: pytest.CaptureFixture[str]) -> Replay:
    """Runs `undertow replay --json` and gives its exit code and report."""

    def replay(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
        code = main(["replay", "--json", "--config", str(quick), *map(str, arguments)])
        out = capsys.readouterr().out
        assert out.count("\n") == 1, "one JSON object alone on standard output"
        return code, json.loads(out)

    return replay


def test_a_home_made_log_is_replayed_by_its_field_map(
    stream: Stream, write: Write, quick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A silent update is found in a log that only a field map can read."""
    keys = {"span_id": "id", "started_at": "ts", "model": "m", "output_tokens": "out", "input_tokens": "in"}
    records = [{key: span[name] for name, key in keys.items()} for span in stream(change_at=3000)]
    config = tmp_path / "home.toml"
    rules = "\n".join(f'{name} = "{key}"' for name, key in keys.items())
    config.write_text(
        f'{quick.read_text()}\n[[kafka.field_map]]\nname = "home"\n[kafka.field_map.fields]\n{rules}\n'
        'provider = {value = "openai"}\nroute = {value = "chat"}\n'
    )
    assert (
        main(["replay", "--json", "--config", str(config), "--format", "home", str(write("log.jsonl", records))]) == 1
    )
    report = json.loads(capsys.readouterr().out)
    assert report["spans"]["stored"] == 5000
    (incident,) = report["incidents"]
    assert (incident["cause"], incident["target"]["gateway"]) == ("provider_update", "home")


def test_a_silent_update_is_an_open_incident(stream: Stream, write: Write, replay: Replay) -> None:
    """Answers that halve in length are reported as the provider's update, in the shape of the contract, with exit 1."""
    code, report = replay(write("log.jsonl", stream(change_at=3000)))
    assert code == 1
    assert list(report) == [
        "version",
        "spans",
        "rejects",
        "skipped",
        "first",
        "last",
        "targets",
        "incidents",
        "notices",
        "weights",
    ]
    target = {"gateway": "edge", "provider": "openai", "model": "gpt-4", "deployment": None}
    assert report["version"] == 1
    assert report["spans"] == {"read": 5000, "stored": 5000, "duplicates": 0, "rejected": 0, "skipped": 0, "late": 0}
    assert (report["first"], report["last"]) == (1767571201.5, 1767621191.5)
    assert report["targets"] == [target | {"spans": 5000, "baseline": "frozen", "baseline_spans": 2000}]
    (incident,) = report["incidents"]
    assert incident["target"] == target
    assert (incident["cause"], incident["lane"], incident["status"]) == ("provider_update", "content", "open")
    assert 3000 < incident["opened_after_spans"] < 3300
    assert incident["signals"][0]["signal"] == "output_tokens"
    assert incident["signals"][0]["effect"]["name"] == "ratio"
    assert incident["signals"][0]["effect"]["value"] == pytest.approx(0.5, abs=0.15)
    assert report["weights"] == [{"target": target, "multiplier": 0.5, "at": incident["opened_at"]}]


def test_people_read_when_and_what_it_costs(
    stream: Stream, write: Write, quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --json: the change time with its interval, the size, and tokens a day; unknown dollars are not told."""
    spans = [span | {"model": "house-blend"} for span in stream(change_at=3000)]  # a model without a list price
    main(["replay", "--config", str(quick), str(write("log.jsonl", spans))])
    out = capsys.readouterr().out
    assert re.search(r"changed about 2026-01-05 (08|09):\d\d:\d\dZ \(2026-01-05 \S+ to 2026-01-05 \S+\)", out)
    assert re.search(r"^  output_tokens down, ratio 0\.\d+ \(0\.\d+ to 0\.\d+\)$", out, re.MULTILINE)
    assert re.search(r"^  -[\d,]+ output tokens a day \(-[\d,]+ to -[\d,]+\)$", out, re.MULTILINE)
    assert "USD" not in out


def test_nothing_changed_is_no_incident(stream: Stream, write: Write, replay: Replay) -> None:
    """The control: the same traffic without a change gives no incident and exit 0."""
    code, report = replay(write("log.jsonl", stream()))
    assert (code, report["incidents"], report["weights"]) == (0, [], [])


def test_files_are_merged_in_event_time(stream: Stream, write: Write, replay: Replay) -> None:
    """A log that is spread over two files, hour by hour, gives the verdicts of the one file."""
    spans = stream(change_at=3000)
    whole = replay(write("whole.jsonl", spans))[1]
    halves = [[s for i, s in enumerate(spans) if i // 360 % 2 == odd] for odd in (0, 1)]
    parts = replay(write("b.jsonl", halves[1]), write("a.jsonl", halves[0]))[1]
    assert parts["spans"]["late"] == 0
    assert parts["incidents"] == whole["incidents"]


def test_one_file_after_the_other_would_be_late(stream: Stream, write: Write, replay: Replay) -> None:
    """The control: the same two halves as one file, unmerged, leave half of the log unjudged."""
    spans = stream(change_at=3000)
    halves = [[s for i, s in enumerate(spans) if i // 360 % 2 == odd] for odd in (0, 1)]
    assert replay(write("both.jsonl", halves[1] + halves[0]))[1]["spans"]["late"] > 2000


def test_everything_read_is_accounted_for(stream: Stream, write: Write, replay: Replay) -> None:
    """Read = stored + duplicates + rejected + skipped, and each rejection has a reason."""
    spans = stream(600)
    path = write("log.jsonl", [*spans, *spans[-50:], *({"span_id": "x", "started_at": 1.0},) * 3])
    _, report = replay(path)
    counts = report["spans"]
    assert counts["read"] == counts["stored"] + counts["duplicates"] + counts["rejected"] + counts["skipped"] == 653
    assert (counts["stored"], counts["duplicates"], counts["rejected"]) == (600, 50, 3)
    assert sum(one["count"] for one in report["rejects"]) == 3


def test_a_database_can_be_kept(stream: Stream, write: Write, replay: Replay, tmp_path: Path) -> None:
    """With --db the spans stay; the same file again brings nothing new."""
    path, db = write("log.jsonl", stream(600)), tmp_path / "kept.duckdb"
    replay(path, "--db", db)
    _, again = replay(path, "--db", db)
    assert (again["spans"]["stored"], again["spans"]["duplicates"]) == (0, 600)
    assert again["targets"][0]["spans"] == 600


def test_people_get_lines(stream: Stream, write: Write, quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the report is a few lines that name target, cause, effect and weight."""
    path = write("log.jsonl", stream(change_at=3000))
    assert main(["replay", str(path), "--config", str(quick)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "5000 read: 5000 stored"
    assert "edge/openai/gpt-4: 5000 spans, baseline frozen (2000 spans)" in lines
    assert any("critical: provider_update of edge/openai/gpt-4" in line for line in lines)
    assert any(line.startswith("  output_tokens down, ratio 0.") for line in lines)
    assert "weight of edge/openai/gpt-4: 0.5" in lines


def test_standard_input_can_be_replayed(stream: Stream, write: Write, quick: Path) -> None:
    """`-` reads standard input; standard output holds the report alone."""
    with write("log.jsonl", stream(600)).open("rb") as log:
        done = subprocess.run(
            [sys.executable, "-m", "undertow.cli", "replay", "-", "--json", "--config", str(quick), "--progress"],
            stdin=log,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["spans"]["read"] == 600
    assert "spans" in done.stderr


def test_a_file_that_is_not_there_ends_with_74(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is named before anything is read."""
    assert main(["replay", str(tmp_path / "absent.jsonl")]) == 74
    assert "absent.jsonl: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "rejected"), [("", 0), ("{nothing of this\n{is JSON\n", 2)])
def test_nothing_readable_ends_with_65(
    text: str, rejected: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of which nothing could be read is bad data; the report still says what was rejected and why."""
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    assert main(["replay", "--json", str(path)]) == 65
    out, err = capsys.readouterr()
    assert json.loads(out)["spans"]["rejected"] == rejected
    assert "nothing could be read" in err


def test_a_bad_configuration_ends_with_78(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The configuration is looked at before the files."""
    (tmp_path / "bad.toml").write_text("[detct]\n")
    assert main(["replay", str(write("log.jsonl", [])), "--config", str(tmp_path / "bad.toml")]) == 78
    assert "detct: unknown key; did you mean `detect`?" in capsys.readouterr().err
