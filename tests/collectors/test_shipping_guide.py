"""What users copy from docs/shipping.md: the bridge for gateways that write files, the lines for frameworks."""

import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import KafkaConsumer
from tests.captures.record import RECORDINGS
from tests.litellm.llama import PARAMS

from undertow.batch import Message, Origin
from undertow.demo.broker import API_VERSION, Broker
from undertow_collectors import files
from undertow_collectors.decode.registry import decode

ROOT = Path(__file__).parents[2]
EXPORT = ROOT / "tests" / "fixtures" / "formats" / "portkey" / "export.jsonl"
TOPIC = "llm_requests"
FRAMEWORKS = {
    "LlamaIndex": "openinference-llama-index-4.6.1",
    "Haystack": "haystack-2.0.0",
    "DSPy": "openinference-dspy-0.1.48",
    "CrewAI": "openinference-crewai-1.1.21-openai",
    "agno": "openinference-agno-1.0.15",
}
"""The capture that was recorded by executing a library's row of the guide."""


def bridge() -> str:
    """The script that the guide calls lines.py."""
    blocks = (ROOT / "docs" / "shipping.md").read_text().split("```python\n")[1:]
    (found,) = [block.split("```")[0] for block in blocks if "sys.stdin.buffer" in block]
    return found


def test_the_lines_of_a_file_become_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of a log export arrives as a message of its own and is recognised; blank lines are none."""
    lines = EXPORT.read_bytes().splitlines(keepends=True)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\n".join(lines) + b"\n\n")))
    address = 'bootstrap_servers="localhost:9092"'
    assert address in bridge()
    with Broker((TOPIC,)) as broker:
        script = bridge().replace(address, f'bootstrap_servers="{broker.address}", api_version=(2, 0)')
        exec(compile(script, "docs/shipping.md", "exec"), {})  # noqa: S102  our own document
        consumer = KafkaConsumer(
            TOPIC,
            bootstrap_servers=broker.address,
            api_version=API_VERSION,
            auto_offset_reset="earliest",
            consumer_timeout_ms=15_000,
        )
        arrived = [record.value for _, record in zip(lines, consumer, strict=False)]
        consumer.close()
    assert sorted(arrived) == sorted(line.strip() for line in lines)
    assert {decode(Message(Origin(TOPIC, 0, 0), value)).format for value in arrived} == {"portkey"}


def row(library: str) -> list[str]:
    """The cells of a library's row in the guide: its name, what is installed, what is executed."""
    (found,) = [
        line
        for line in (ROOT / "docs" / "shipping.md").read_text().splitlines()
        if line.startswith(f"| {library} |") and "()" in line
    ]
    return found.split("|")[1:-1]


@pytest.mark.parametrize("library", FRAMEWORKS)
def test_the_lines_for_a_framework_are_those_that_its_capture_was_recorded_with(library: str) -> None:
    """The driver of the capture executes the row, its environment has the packages, and its spans are calls."""
    captures, name = ROOT / "tests" / "captures", FRAMEWORKS[library]
    _, install, lines = row(library)
    pinned = (captures / f"{name.removesuffix('-openai')}.in").read_text()
    assert [package for package in re.findall("`([^`]+)`", install) if f"{package}==" not in pinned] == []
    assert f'_guided("{library}")' in (captures / "drive" / "main.py").read_text()
    assert re.findall(r"`([\w.]+)\(\)", lines)
    bodies = sorted((ROOT / "tests" / "fixtures" / "formats" / f"own-{name}").glob("traces-*"))
    decoded = [decode(message) for body in bodies for message in files.messages(str(body))]
    assert sum(len(found.spans) for found in decoded) >= 10
    assert not any(found.rejects for found in decoded)


GUIDE = (ROOT / "docs" / "shipping.md").read_text()
CAPTURES = ROOT / "tests" / "captures"
DRIVERS = {
    "rust": CAPTURES / "drive" / "rust" / "rig" / "src" / "main.rs",
    "go": CAPTURES / "drive" / "go" / "anthropic-sdk" / "main.go",
}


def steps(code: str) -> list[str]:
    """The lines of code, wherever they are indented to."""
    return [line.strip() for line in code.splitlines() if line.strip()]


def missing(shown: str, driver: str) -> list[str]:
    """The lines of a recipe from the first one on that a driver does not have where it should come."""
    rest = iter(steps(driver))
    return [line for line in steps(shown) if line not in rest]


@pytest.mark.parametrize("language", DRIVERS)
def test_recipes_of_programs_are_what_captures_were_recorded_with(language: str) -> None:
    """Each line that the guide shows stands in the driver whose recording is read, in the same order."""
    (shown,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    driver = DRIVERS[language].read_text()
    assert missing(shown, driver) == []
    assert missing("another()\n" + shown, driver)


def test_the_recipe_of_envoys_traces_is_what_they_were_recorded_with() -> None:
    """The guide sets no variable that the recording did not set."""
    section = GUIDE.partition("## Envoy AI Gateway")[2].partition("\nEnvoy writes")[0]
    shown = set(re.findall(r"\b(?:OTEL|AI_GATEWAY)_[A-Z_]+", section))
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in shown
    assert shown <= set(re.findall(r'"((?:OTEL|AI_GATEWAY)_[A-Z_]+)"', (CAPTURES / "record.py").read_text()))


@pytest.mark.parametrize(("section", "capture"), [("Google's ADK", "adk-2.13.0"), ("vLLM", "vllm-0.33.0")])
def test_the_settings_for_a_library_are_those_of_its_recording(section: str, capture: str) -> None:
    """Variables of the guide that a capture was made with have the same values there; some are said to be needed."""
    guide = (ROOT / "docs" / "shipping.md").read_text().partition(f"\n## {section}\n")[2]
    lines = guide.partition("```sh\n")[2].partition("```")[0].splitlines()
    told = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export OTEL_"))
    recorded = RECORDINGS[capture].env
    assert told.keys() & recorded.keys()
    assert {name: told[name] for name in told.keys() & recorded.keys()}.items() <= recorded.items()


def test_a_model_server_behind_litellm_is_named_as_in_its_recording() -> None:
    """The guide's entry of the model list is the one that llama.cpp's server was recorded with."""
    guide = (ROOT / "docs" / "shipping.md").read_text()
    (entry,) = re.findall(r"litellm_params: \{(model: openai/tiny-llama.*)\}", guide)
    told = dict(pair.split(": ", 1) for pair in entry.split(", "))
    assert {name: told[name] for name in PARAMS} == PARAMS
