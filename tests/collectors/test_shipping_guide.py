"""What docs/shipping.md tells people to do: the bridge for gateways that write files, and settings of libraries."""

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
from undertow_collectors.decode.registry import decode

ROOT = Path(__file__).parents[2]
EXPORT = ROOT / "tests" / "fixtures" / "formats" / "portkey" / "export.jsonl"
TOPIC = "llm_requests"


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


@pytest.mark.parametrize(("section", "capture"), [("Google's ADK", "adk-2.13.0"), ("vLLM", "vllm-0.33.0")])
def test_the_settings_for_a_library_are_those_of_its_recording(section: str, capture: str) -> None:
    """Variables of the guide that a capture was made with have the same values there; some are said to be needed."""
    guide = (ROOT / "docs" / "shipping.md").read_text().partition(f"\n## {section}\n")[2]
    lines = guide.partition("```sh\n")[2].partition("```")[0].splitlines()
    told = dict(line.split("=", 1) for line in lines if line.startswith("OTEL_"))
    recorded = RECORDINGS[capture].env
    assert told.keys() & recorded.keys()
    assert {name: told[name] for name in told.keys() & recorded.keys()}.items() <= recorded.items()


def test_a_model_server_behind_litellm_is_named_as_in_its_recording() -> None:
    """The guide's entry of the model list is the one that llama.cpp's server was recorded with."""
    guide = (ROOT / "docs" / "shipping.md").read_text()
    (entry,) = re.findall(r"litellm_params: \{(model: openai/tiny-llama.*)\}", guide)
    told = dict(pair.split(": ", 1) for pair in entry.split(", "))
    assert {name: told[name] for name in PARAMS} == PARAMS
