import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undertow.cli import main
from undertow.commands.explain import records
from undertow.span import Span
from undertow_collectors.decode.provenance import Provenance
from undertow_collectors.decode.registry import decode
from undertow_collectors.files import messages

Stream = Callable[..., list[dict[str, object]]]
Write = Callable[[str, list[dict[str, object]]], Path]


def test_spans_come_out_normalised(stream: Stream, write: Write, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Standard output holds one span a line with the known fields alone; standard error the count."""
    logged = [span | {"cost_usd": 0.01} for span in stream(3)]
    path = write("log.jsonl", logged)
    assert main(["decode", str(path)]) == 0
    out, err = capfdbinary.readouterr()
    spans = [json.loads(line) for line in out.splitlines()]
    assert spans == [span | {"operation": "chat", "status": "ok"} for span in logged]
    assert err == b"3 read, 3 spans\n"


@pytest.mark.parametrize(
    ("folder", "written", "faults"),
    [
        ("adk-go-2.2.0/openai.pb", "gcp.vertex.agent 2.0.0", ["wrong at the source, tokens of gcp.vertex.agent 2.0.0"]),
        ("ferrogw-1.5.10/stream.pb", "github.com/ferro-labs/ai-gateway", []),
    ],
)
def test_who_wrote_the_spans_is_said(
    folder: str, written: str, faults: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Standard error names the instrumentation and what is known to be wrong with it, also with --explain."""
    path = Path(__file__).parents[1] / "fixtures" / "formats" / folder
    for options in ([], ["--explain"]):
        assert main(["decode", *options, str(path)]) == 0
        lines = capfdbinary.readouterr().err.decode().splitlines()
        assert lines[1] == f"written by {written}"
        assert [line.partition(": ")[0] for line in lines[2:]] == faults


def test_a_cost_that_was_not_logged_is_marked(
    stream: Stream, write: Write, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Where the list knows the model the cost follows from it, and the span says so."""
    assert main(["decode", str(write("log.jsonl", stream(1)))]) == 0
    span = json.loads(capfdbinary.readouterr().out)
    assert span["cost_derived"] is True
    assert span["cost_usd"] > 0


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


def test_a_format_that_is_not_there_ends_with_2(
    stream: Stream, write: Write, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A name that is neither a format nor a field map is a usage mistake that lists what there is."""
    assert main(["decode", "--format", "home", str(write("log.jsonl", stream(1)))]) == 2
    assert b"no format 'home'; known: auto, native" in capfdbinary.readouterr().err


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> list[str]:
    """The options that name a configuration with a field map."""
    path = tmp_path / "home.toml"
    path.write_text(
        '[[kafka.field_map]]\nname = "home"\nrequired = ["tokens_in"]\n[kafka.field_map.fields]\nmodel = "model"\n'
        'provider = {value = "openai"}\ninput_tokens = "tokens_in"\nduration_s = {path = "latency_ms", unit = "ms"}\n'
    )
    return ["--config", str(path)]


RECORD = {"model": "gpt-4o", "tokens_in": "12", "latency_ms": 1500, "who": {"team": "a", "id": 3}}


def test_a_field_map_of_the_configuration_is_read(
    write: Write, home: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A record of one's own becomes a span; its file's time stands in for Kafka's."""
    path = write("log.jsonl", [RECORD])
    os.utime(path, (1.79e9, 1.79e9))
    assert main(["decode", *home, str(path)]) == 0
    (span,) = map(json.loads, capfdbinary.readouterr().out.splitlines())
    assert (span["gateway"], span["input_tokens"], span["duration_s"]) == ("home", 12, 1.5)
    assert span["started_at"] == 1.79e9 - 1.5


def test_explain_says_where_each_field_came_from(
    write: Write, home: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A line a field: value, path, what stood there where that is something else, repairs, and the unread names."""
    path = write("log.jsonl", [RECORD, {"tokens_in": 1}, {"_event": "fallback_success"}])
    assert main(["decode", "--explain", *home, str(path)]) == 0
    text = capfdbinary.readouterr().out.decode()
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in text.split("\n\n")[0].splitlines()[1:]}
    assert lines["model"] == "gpt-4o model"
    assert lines["provider"] == "openai constant"
    assert lines["input_tokens"] == '12 tokens_in = "12" (coerced)'
    assert lines["duration_s"] == "1.5 latency_ms = 1500"
    assert lines["status"] == "ok default"
    assert lines["span_id"].endswith("offset, Kafka's timestamp and place in the message")
    assert lines["not"] == "read who.team, who.id"
    assert "rejected as missing_model\n  input_tokens         1" in text
    assert "skipped as fallback_event" in text


def test_explain_names_a_span_that_is_no_call(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """By its scope, its name and its ids; one that could not be recognised shows its attributes."""
    span = {"traceId": "aa" * 16, "spanId": "bb" * 8, "name": "answer a customer", "kind": 1}
    span |= {"startTimeUnixNano": "1795000000000000000", "endTimeUnixNano": "1795000001000000000"}
    span["attributes"] = [{"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}}]
    body = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "shop"}, "spans": [span]}]}]}
    path = tmp_path / "traces.json"
    path.write_text(json.dumps(body))
    main(["decode", "--explain", str(path)])
    lines = [line.split(maxsplit=1) for line in capfdbinary.readouterr().out.decode().splitlines()]
    assert lines[0][-1].endswith("skipped as unrecognised")
    assert [" ".join(rest.split()) for _, rest in lines[1:4]] == [
        "answer a customer scope: shop",
        f"{'aa' * 16}:{'bb' * 8} traceId and spanId",
        "read gen_ai.request.model",
    ]


def test_explain_for_programs(write: Write, home: list[str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """--json gives one object a record, whatever became of it."""
    path = write("log.jsonl", [RECORD, {"tokens_in": 1}, {"_event": "fallback_success"}])
    assert main(["decode", "--explain", "--json", *home, str(path)]) == 0
    rows = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [(row["outcome"], row.get("reason")) for row in rows] == [
        ("span", None),
        ("rejected", "missing_model"),
        ("skipped", "fallback_event"),
    ]
    assert rows[0]["fields"]["input_tokens"] == {"value": 12, "source": "tokens_in", "raw": "12", "coerced": True}
    assert rows[0]["unread"] == ["who.team", "who.id"]


def test_json_without_explain_is_a_usage_mistake(stream: Stream, write: Write) -> None:
    """Without --explain every line is JSON already."""
    assert main(["decode", "--json", str(write("log.jsonl", stream(1)))]) == 2


FIXTURES = Path(__file__).parents[1] / "fixtures" / "formats"


@pytest.mark.parametrize(
    ("path", "noted"), [("litellm-otel-v1-slp/standard_logging_payload.jsonl.zst", True), ("otel-official", False)]
)
def test_explaining_changes_no_span(path: str, noted: bool) -> None:
    """With and without a recorder the same comes out of captured traffic."""
    place = FIXTURES / path
    for file in sorted(place.iterdir()) if place.is_dir() else [place]:
        for message in messages(str(file)):
            sources = Provenance()
            explained = decode(message, sources=sources)
            assert explained.spans == decode(message).spans
            found = list(records(explained, sources))
            assert len(found) == explained.read
            told = [record.notes.keys() for record in found if isinstance(record.outcome, Span)]
            assert not noted or all({"span_id", "model", "status"} <= names for names in told)


def test_explain_of_native_spans(stream: Stream, write: Write, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A field of a native span comes from the key of its name."""
    assert main(["decode", "--explain", "--json", str(write("log.jsonl", stream(2)))]) == 0
    rows = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [row["format"] for row in rows] == ["native", "native"]
    told = [(name, field["source"]) for row in rows for name, field in row["fields"].items()]
    assert all(source in (name.partition(".")[0], "default", "derived: list prices") for name, source in told)


def test_a_reader_that_leaves_is_no_mistake(stream: Stream, write: Write) -> None:
    """`undertow decode FILE | head -1` ends quietly."""
    path = write("log.jsonl", stream(20_000))
    command = f"{sys.executable} -m undertow.cli decode {path} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["span_id"] == "span-1-0"
