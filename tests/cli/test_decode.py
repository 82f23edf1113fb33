import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undertow.cli import main

Stream = Callable[..., list[dict[str, object]]]
Write = Callable[[str, list[dict[str, object]]], Path]


def test_spans_come_out_normalised(stream: Stream, write: Write, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Standard output holds one span a line with the known fields alone; standard error the count."""
    path = write("log.jsonl", stream(3))
    assert main(["decode", str(path)]) == 0
    out, err = capfdbinary.readouterr()
    spans = [json.loads(line) for line in out.splitlines()]
    assert spans == [span | {"operation": "chat", "status": "ok"} for span in stream(3)]
    assert err == b"3 read, 3 spans\n"


def test_what_is_no_span_is_written_down_with_its_reason(
    stream: Stream, write: Write, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """--rejects takes one line for each reject: where it stood, why, and which bytes it was, without the bytes."""
    path, rejects = write("log.jsonl", [*stream(2), {"span_id": "x"}]), tmp_path / "rejects.jsonl"
    assert main(["decode", str(path), "--rejects", str(rejects)]) == 0
    (row,) = map(json.loads, rejects.read_text().splitlines())
    assert list(row) == ["topic", "partition", "offset", "index", "reason", "detail", "sha256", "length"]
    assert row["reason"].startswith("missing_")
    assert f"1 rejected as {row['reason']}".encode() in capfdbinary.readouterr().err


def test_nothing_readable_ends_with_65(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Where nothing could be read the exit code is 65 and the file is named."""
    path = tmp_path / "noise.jsonl"
    path.write_text("{\n")
    assert main(["decode", str(path)]) == 65
    assert b"noise.jsonl: nothing could be read" in capfdbinary.readouterr().err


def test_a_reader_that_leaves_is_no_mistake(stream: Stream, write: Write) -> None:
    """`undertow decode FILE | head -1` ends quietly."""
    path = write("log.jsonl", stream(20_000))
    command = f"{sys.executable} -m undertow.cli decode {path} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["span_id"] == "span-1-0"
