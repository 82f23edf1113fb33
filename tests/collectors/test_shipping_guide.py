"""What docs/shipping.md tells people to do: the bridge for gateways that write files, and settings of libraries."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import KafkaConsumer
from tests.captures.record import CONTENT, RECORDINGS

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


def test_the_settings_for_adk_are_those_of_its_recording() -> None:
    """The driver runs the guide's snippet; the variables beside it are those that the capture was made with."""
    guide = (ROOT / "docs" / "shipping.md").read_text().partition("\n## Google's ADK\n")[2]
    told = dict(line.split("=", 1) for line in guide.partition("```sh\n")[2].partition("```")[0].splitlines())
    recorded = RECORDINGS["adk-2.13.0"].env
    assert {name: value for name, value in told.items() if name in recorded} == {CONTENT: "SPAN_AND_EVENT"}
    assert recorded[CONTENT] == told[CONTENT]
