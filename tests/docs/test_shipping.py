"""docs/shipping.md names everything that it has a way for, and its lines for libraries are those of the recordings."""

import re
import sqlite3
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest
from tests.captures.record import RECORDINGS

from undertow.batch import Decoded, Message, Origin
from undertow.loading import load
from undertow.span import Span
from undertow.store.dedup import WINDOW_S
from undertow_collectors import files
from undertow_collectors.decode.maps import compiled
from undertow_collectors.decode.registry import decode

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "shipping.md").read_text()
FORMATS = ROOT / "tests" / "fixtures" / "formats"
CAPTURES = ROOT / "tests" / "captures"
RECORDED = {
    "Anthropic's client for Python": ["anthropic-sdk-2.10.0"],
    "Langfuse": ["langfuse-5.0.4", "langfuse-3.8.1"],
    "Logfire": ["logfire-5.4.0"],
    "MLflow": ["mlflow-3.17.2"],
    "OpenLIT": ["openlit-1.45.0", "openlit-1.34.10"],
    "OpenTelemetry's own": [
        "official-openai-v2-2.4b0-latest",
        "official-genai-openai-1.3b0-events",
        "official-genai-anthropic-1.3b0-events",
    ],
    "Pydantic AI": ["pydantic-ai-2.68.0"],
    "Traceloop": [
        "traceloop-openai-0.62.4",
        "traceloop-openai-0.62.4-nocontent",
        "traceloop-openai-0.40.14",
        "traceloop-anthropic-0.62.4",
        "traceloop-anthropic-0.40.14",
    ],
    "Vercel's AI SDK": ["node-vercel-ai-6.0.326"],
}
"""The captures that a row of "Other libraries" was recorded with."""
FIXTURES = {
    "ADK for Go": ["adk-go-2.2.0"],
    "Anthropic's client for Python": ["own-anthropic-sdk-2.10.0"],
    "ferrogw": ["ferrogw-1.5.10"],
    "Genkit": ["genkit-1.42.0", "genkit-go-1.4.0"],
    "Langfuse": ["own-langfuse-5.0.4", "own-langfuse-3.8.1"],
    "LangSmith": ["own-langsmith-0.15.1"],
    "Logfire": ["own-logfire-5.4.0"],
    "Mastra": ["own-mastra-1.4.0"],
    "MLflow": ["own-mlflow-3.17.2"],
    "OpenAI Agents": ["own-openai-agents-2.6.0"],
    "OpenLIT": ["own-openlit-1.45.0", "own-openlit-1.34.10"],
    "Pydantic AI": ["own-pydantic-ai-2.68.0"],
    "Semantic Kernel": ["own-semantic-kernel-1.45.0"],
    "Strands": ["own-strands-1.62.0"],
    "Traceloop": ["own-traceloop-openai-0.62.4", "own-traceloop-anthropic-0.62.4"],
    "Vercel's AI SDK": ["own-node-vercel-ai-6.0.326", "own-vercel-ai-7.0.173"],
}
"""Spans of a library without any setting for texts."""


def rows() -> dict[str, list[str]]:
    """The cells beside the name of each row of "Other libraries"."""
    section = GUIDE.partition("\n## Other libraries\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return {name: cells for name, *cells in ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)}


def anchor(heading: str) -> str:
    """What a link to a heading is."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def wrong_in_the_list(guide: str) -> list[str]:
    """What the list at the top links to and is not there, has not, or has out of order."""
    listed = re.findall(r"\[([^]]+)\]\(#([^)]+)\)", guide.partition("\n## ")[0])
    sections = [anchor(heading) for heading in re.findall(r"^## (.*)$", guide, re.MULTILINE)]
    names, linked = [name for name, _ in listed], [link for _, link in listed]
    unlisted = [library for library in rows() if not any(name.startswith(library) for name in names)]
    order = [] if names == sorted(names, key=str.lower) else ["order"]
    return [*(set(linked) - set(sections)), *(set(sections) - set(linked)), *unlisted, *order]


def test_every_section_and_library_is_in_the_list_at_the_top() -> None:
    """Each section is linked, each library named, in alphabetical order. Negative controls: any of them amiss."""
    assert wrong_in_the_list(GUIDE) == []
    assert wrong_in_the_list(GUIDE.replace("(#kong)", "(#king)")) == ["king", "kong"]
    assert wrong_in_the_list(GUIDE.replace("[Kong]", "[Zong]")) == ["order"]
    assert wrong_in_the_list(GUIDE.replace("[Mastra](#other-libraries)", "")) == ["Mastra"]


def test_a_row_is_recorded_or_says_after_what_it_was_written() -> None:
    """Rows that nobody ran here say so, and versions of the others are those of their captures, in order of name."""
    assert list(rows()) == sorted(rows(), key=str.lower)
    for library, (turned_on, *_) in rows().items():
        assert turned_on.startswith("recorded (" if library in RECORDED else "after its "), library
        told = re.findall(r"\d+\.\d+[.b]\d+|\d+\.\d+b\d+", turned_on.partition(")")[0])
        assert all(any(version in name for name in RECORDED[library]) for version in told), library


def lines(library: str) -> list[str]:
    """The calls that a recorded row tells users of Python to make, `module.name(...)`."""
    told = rows()[library][0].partition("After its")[0]
    return [code for code in re.findall("`([^`]+)`", told) if re.match(r"[\w.]+\.\w+\(", code)]


def roots(monkeypatch: pytest.MonkeyPatch, modules: set[str]) -> dict[str, MagicMock]:
    """Modules that note down what is called in them, one for each top-level package."""
    found = {module.partition(".")[0]: MagicMock() for module in modules}
    for module in modules:
        name, mock = module.partition(".")[0], found[module.partition(".")[0]]
        monkeypatch.setitem(sys.modules, name, mock)
        for part in module.split(".")[1:]:
            name, mock = f"{name}.{part}", getattr(mock, part)
            monkeypatch.setitem(sys.modules, name, mock)
    return found


def driver(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The driver of the captures, with no exporter."""
    monkeypatch.syspath_prepend(CAPTURES / "drive")
    monkeypatch.setitem(sys.modules, "calls", MagicMock())
    monkeypatch.setitem(sys.modules, "sdk", MagicMock())
    monkeypatch.delitem(sys.modules, "main", raising=False)
    found = import_module("main")
    monkeypatch.delitem(sys.modules, "main")
    return found


def calls(found: dict[str, MagicMock]) -> list[Any]:
    """All that was called."""
    return [call for mock in found.values() for call in mock.mock_calls]


PYTHON = [library for library in RECORDED if lines(library)]


def missing(library: str, told: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the drivers of a library's captures did not execute."""
    main = driver(monkeypatch)
    modules = {line.partition("(")[0].rpartition(".")[0] for line in told}
    done = roots(monkeypatch, modules)
    for recording in (RECORDINGS[name] for name in RECORDED[library]):
        main.INSTRUMENTATIONS[recording.driver](recording.clients.split())
    seen = calls(done)
    unseen = []
    for line in told:
        module, _, name = line.partition("(")[0].rpartition(".")
        asked = roots(monkeypatch, modules)
        eval(line.removeprefix(f"{module}."), {name: getattr(import_module(module), name)})  # noqa: S307  our own document
        unseen += [] if all(call in seen for call in calls(asked)) else [line]
    return unseen


@pytest.mark.parametrize("library", PYTHON)
def test_the_lines_of_a_row_are_what_its_driver_executes(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of the row was made for its captures. Negative control: one with another argument was not."""
    assert missing(library, lines(library), monkeypatch) == []
    changed = [re.sub(r"\(([^()]*)\)$", "(another=1)", line) for line in lines(library)]
    assert missing(library, changed, monkeypatch) == changed


def test_the_other_recorded_rows_are_what_their_drivers_do() -> None:
    """Langfuse's client and the option of Vercel's AI SDK stand in the drivers; Anthropic's client needs no line."""
    drive = CAPTURES / "drive"
    assert {"Logfire", "MLflow", "OpenLIT", "OpenTelemetry's own", "Pydantic AI", "Traceloop"} == set(PYTHON)
    assert "`from langfuse.openai import openai`" in rows()["Langfuse"][0]
    assert 'import_module("langfuse.openai").openai' in (drive / "main.py").read_text()
    assert "`experimental_telemetry: { isEnabled: true }`" in rows()["Vercel's AI SDK"][0]
    vercel = (drive / "node" / "vercel.cjs").read_text()
    assert "const TOLD = { isEnabled: true };" in vercel
    assert "experimental_telemetry: TOLD" in vercel
    assert RECORDINGS["anthropic-sdk-2.10.0"].driver == "none"
    assert "ANTHROPIC_OPEN_TELEMETRY=false" in GUIDE
    assert RECORDINGS["openinference-anthropic-3.1.0"].env["ANTHROPIC_OPEN_TELEMETRY"] == "false"


@pytest.mark.parametrize("library", RECORDED)
def test_the_variables_of_a_recorded_row_were_set_for_its_captures(library: str) -> None:
    """`NAME=value` of a recorded row is in the environment of one of its captures, if it is not after a source."""
    told = "".join(cell.partition("after its")[0] for cell in rows()[library][:2])
    recorded = {f"{name}={value}" for capture in RECORDED[library] for name, value in RECORDINGS[capture].env.items()}
    assert set(re.findall(r"`([A-Z_]{5,}=[^`]+)`", told)) <= recorded


def spans(folder: str, kind: str = "") -> list[Span]:
    """The calls of a fixture, out of bodies of a kind."""
    paths = [path for path in sorted((FORMATS / folder).glob(f"{kind}*")) if path.suffix != ".jsonl"]
    return [span for path in paths for message in files.messages(str(path)) for span in decode(message).spans]


@pytest.mark.parametrize("library", FIXTURES)
def test_the_texts_of_answers_are_there_where_a_row_says_so(library: str) -> None:
    """Spans recorded without any setting show most answers or none, as the row says."""
    for folder in FIXTURES[library]:
        ended = [span for span in spans(folder, "traces-") or spans(folder) if span.status == "ok"]
        answered = [span for span in ended if span.operation != "embeddings"]
        shown = sum(span.response_chars is not None for span in answered) / len(answered)
        assert (shown > 0.6) if rows()[library][1].startswith("always") else (shown == 0), folder


def otlp(resource: str, attributes: str) -> Decoded:
    """A call with an attribute of its resource and one of its own."""
    span = (
        '{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat gpt-4o",'
        ' "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000", "attributes": ['
        '{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},'
        f' {{"key": "gen_ai.request.model", "value": {{"stringValue": "gpt-4o"}}}}{attributes}]}}'
    )
    body = (
        f'{{"resourceSpans": [{{"resource": {{"attributes": [{resource}]}}, "scopeSpans": [{{"spans": [{span}]}}]}}]}}'
    )
    return decode(Message(Origin("otlp_spans", 0, 0), body.encode()))


def test_undertows_attributes_count_on_spans_alone() -> None:
    """`undertow.provider` of a resource does nothing, and on the span it counts; `unknown_service` is no gateway."""
    mine = '{"key": "undertow.provider", "value": {"stringValue": "mine"}}'
    nameless = '{"key": "service.name", "value": {"stringValue": "unknown_service:python"}}'
    (of_resource,) = otlp(f"{mine}, {nameless}", "").spans
    (of_span,) = otlp("", f", {mine}").spans
    assert (of_resource.provider, of_resource.gateway, of_span.provider) == ("unknown", None, "mine")


EVENTS = {"own-openlit-1.45.0": 12, "own-official-genai-anthropic-1.3b0-events": 0}
"""How many log events of a capture do not hold the id of their span."""


@pytest.mark.parametrize("folder", EVENTS)
def test_a_log_event_tells_less_than_its_span(folder: str) -> None:
    """An event has no duration and its call's end for a start; OpenLIT's have no provider, and some no span's id."""
    ends = {span.span_id: span.started_at + (span.duration_s or 0) for span in spans(folder, "traces-")}
    events = spans(folder, "logs-")
    assert all(event.duration_s is None for event in events)
    at_the_end = [abs(event.started_at - ends[event.span_id]) < 0.1 for event in events if event.span_id in ends]
    assert all(at_the_end)
    assert len(events) - len(at_the_end) == EVENTS[folder]
    assert ("openlit" in folder) == all(event.provider == "unknown" for event in events)
    assert WINDOW_S == 120  # the guide says "two minutes"


def test_no_log_event_of_adk_is_a_call() -> None:
    """The recording sent ADK's log events, too, which the guide's endpoint leaves out: none of them is a call."""
    assert list((FORMATS / "own-adk-2.13.0").glob("logs-*"))
    assert spans("own-adk-2.13.0", "traces-")
    assert spans("own-adk-2.13.0", "logs-") == []


def unexported(guide: str) -> list[str]:
    """Variables in blocks of shell that no program would get."""
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", guide, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if re.match(r"[A-Z_]+=\S+$", line)]


def test_variables_are_exported() -> None:
    """A line of shell that only sets a variable says `export`."""
    assert unexported(GUIDE) == []
    assert unexported(GUIDE.replace("export OTEL_SERVICE_NAME=qwen3-8b", "OTEL_SERVICE_NAME=qwen3-8b")) != []


def section(heading: str) -> str:
    """The text below a heading."""
    return GUIDE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(("gateway", "at"), [("one-api-0.6.11", 0), ("new-api-0.6.3", 1)])
def test_sqlite_sends_what_the_maps_read_and_no_other_rows(gateway: str, at: int, tmp_path: Path) -> None:
    """The statement for SQLite gives the spans that whole rows give, and leaves out a row that is no call."""
    told = section("one-api and new-api")
    statement = re.findall(r'sqlite3 one-api.db "(.*?)"', told, re.DOTALL)[at]
    (path := tmp_path / "undertow.toml").write_text(re.findall(r"```toml\n(.*?)```", told, re.DOTALL)[0])
    kafka = load(path, {}).kafka
    assert kafka is not None
    maps, origin = compiled(kafka.field_map), Origin(kafka.topics[0], 0, 0)
    whole = (FORMATS / gateway / "logs.jsonl").read_text().splitlines()
    with sqlite3.connect(":memory:") as db:
        columns = [name for (name,) in db.execute("SELECT key FROM json_each(?)", (whole[0],))]
        names = ", ".join(f'"{name}"' for name in columns)
        db.execute(f"CREATE TABLE logs ({names})")
        for line in whole:
            values = [value for (value,) in db.execute("SELECT value FROM json_each(?)", (line,))]
            db.execute(f"INSERT INTO logs VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608
        db.execute("INSERT INTO logs (id, type, created_at, model_name) VALUES (9999, 1, 1790000000, '')")
        sent = [line for (line,) in db.execute(statement.replace("1200", "0"))]
        every = db.execute(re.sub(r"WHERE type .* AND", "WHERE", statement)).fetchall()
    db.close()

    def decoded(line: str) -> list[Span]:
        return list(decode(Message(origin, line.encode(), 1_800_000_000.0), maps=maps).spans)

    assert [decoded(line) for line in sent] == [decoded(line) for line in whole]
    assert all(decoded(line) for line in sent)
    assert any("1790000000" in line for (line,) in every)  # the row that is no call, if unasked


def test_rows_go_to_the_topic_that_is_read() -> None:
    """The bridge, Kafka Connect and the configuration of one-api and new-api name one topic."""
    told = section("one-api and new-api")
    (read,) = re.findall(r'^topics = \["(\w+)"\]', told, re.MULTILINE)
    (connect,) = re.findall(r"^topic.prefix=(\w+)", told, re.MULTILINE)
    (bridge,) = re.findall(r'producer.send\("(\w+)", line.strip', GUIDE)
    assert read == connect == bridge
