import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undertow.batch import Decoded, Message, Origin
from undertow.span import Span
from undertow_collectors import files
from undertow_collectors.decode.registry import decode

FORMATS = Path(__file__).parents[2] / "fixtures" / "formats"
NO_MESSAGES = ("README.md", "expected.jsonl")


@pytest.fixture(name="capture", scope="session")
def _capture() -> Callable[[str], list[Message]]:
    """The messages of one captured folder, by its name."""

    def read(name: str) -> list[Message]:
        paths = sorted(path for path in (FORMATS / name).iterdir() if path.name not in NO_MESSAGES)
        return [message for path in paths for message in files.messages(str(path))]

    return read


@pytest.fixture(name="curated", scope="session")
def _curated() -> list[tuple[str, Message]]:
    """Single spans of every captured format: (format, OTLP/JSON message)."""
    found = []
    for message in files.messages(str(FORMATS / "curated.jsonl.zst")):
        row = json.loads(message.value)
        scoped = {"scope": row["scope"], "spans": [row["span"]]}
        body = json.dumps({"resourceSpans": [{"resource": row["resource"], "scopeSpans": [scoped]}]})
        found.append((row["format"], Message(message.origin, body.encode())))
    return found


@pytest.fixture(name="read", scope="session")
def _read() -> Callable[..., Decoded]:
    """Decode bytes as a message from a topic."""

    def read(value: Any, **options: Any) -> Decoded:
        body = (
            value
            if isinstance(value, bytes)
            else value.encode()
            if isinstance(value, str)
            else json.dumps(value).encode()
        )
        return decode(Message(Origin("topic", 3, 14), body, timestamp_s=1_790_000_000.0), **options)

    return read


@pytest.fixture(name="spans", scope="session")
def _spans(capture: Callable[[str], list[Message]]) -> Callable[[str], list[Span]]:
    """The spans of one captured folder."""
    return lambda name: [span for message in capture(name) for span in decode(message).spans]
