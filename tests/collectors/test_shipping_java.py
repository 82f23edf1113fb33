"""The recipe of docs/shipping.md for Java is that by which the captures of the JVM were recorded."""

import re
from pathlib import Path

import pytest

from undertow_collectors import files
from undertow_collectors.decode.registry import decode

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "tests" / "captures"
FORMATS = ROOT / "tests" / "fixtures" / "formats"


def recipe() -> str:
    """The shell lines that start a program under the agent."""
    blocks = (ROOT / "docs" / "shipping.md").read_text().split("```bash\n")[1:]
    (found,) = [block.split("```")[0] for block in blocks if "-javaagent:" in block]
    return found


def departures(lines: str) -> list[str]:
    """What the recipe has that the recorder does not do."""
    recorder = (CAPTURES / "record.py").read_text()
    pins = "".join(path.read_text() for path in CAPTURES.glob("jvm-*.in"))
    (version,) = re.findall(r"-javaagent:opentelemetry-javaagent-([\d.]+)\.jar", lines)
    names = [f'"{name}"' for name in re.findall(r"^export (\w+)=", lines, re.MULTILINE)]
    protocol = re.findall(r"^export OTEL_EXPORTER_OTLP_PROTOCOL=(\S+)", lines, re.MULTILINE)
    wanted = [*names, *(f'"{found}"' for found in protocol)]
    missing = [text for text in wanted if text not in recorder]
    return missing if f"opentelemetry-javaagent:{version}" in pins else [*missing, version]


def test_the_recipe_is_what_was_recorded() -> None:
    """Variables, protocol and version of the agent are those of the recorder; others are found out."""
    assert departures(recipe()) == []
    assert departures(recipe().replace("http/protobuf", "http/json")) == ['"http/json"']
    assert departures(recipe().replace("OTEL_SERVICE_NAME", "OTEL_NAME")) == ['"OTEL_NAME"']
    assert departures(recipe().replace("2.33.1", "2.0.0")) == ["2.0.0"]


@pytest.mark.parametrize("folder", sorted(path.name for path in FORMATS.glob("own-jvm-*")))
def test_the_service_of_the_recipe_becomes_the_gateway(folder: str) -> None:
    """What the agent exports is read as it comes, under the name that the recipe gives the service."""
    paths = sorted((FORMATS / folder).glob("traces-*"))
    bodies = [decode(message) for path in paths for message in files.messages(str(path))]
    assert {span.gateway for body in bodies for span in body.spans} == {"capture"}
