"""What stands around an answer is not the answer: a library that writes it in another way moves no signal."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.collectors.decode.frames_changed import CHANGES, Change, changed

from undertow.batch import Message
from undertow.span import Span
from undertow_collectors import files
from undertow_collectors.decode import content
from undertow_collectors.decode.registry import decode, inflate

FORMATS = Path(__file__).parents[2] / "fixtures" / "formats"
FOLDERS = sorted(path for path in FORMATS.iterdir() if path.is_dir() and not path.name.startswith("otelcol-"))
SHOWN = (
    "response_chars",
    "response_sha256",
    "parse_ok",
    "refusal",
    "schema_fingerprint",
    "signals",
    "tool_call_count",
    "finish_reason",
    "response_id",
    "response_model",
    "system_fingerprint",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
)
"""What an answer and what stands around it can show."""


def traces(folder: Path) -> Iterator[Message]:
    """The messages of a folder that are OTLP traces, in protobuf."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".md" or path.name == "expected.jsonl":
            continue
        for message in files.messages(str(path)):
            value = inflate(message.value)
            if b"resourceSpans" in value[:200]:
                yield replace(message, value=_of_json(value))
            elif value[:1] == b"\n" and _is_traces(value):
                yield replace(message, value=value)


def _of_json(value: bytes) -> bytes:
    """The same in protobuf; ids in hexadecimal digits, read as base64, are longer than ids may be."""
    found = Parse(value, TracesData(), ignore_unknown_fields=True)
    for span in _spans(found):
        span.trace_id, span.span_id, span.parent_span_id = span.trace_id[:16], span.span_id[:8], span.parent_span_id[:8]
    return found.SerializeToString()


def _spans(found: TracesData) -> list[OtlpSpan]:
    return [span for group in found.resource_spans for scoped in group.scope_spans for span in scoped.spans]


def _is_traces(value: bytes) -> bool:
    try:
        return any(span.trace_id for span in _spans(TracesData.FromString(value)))
    except DecodeError:
        return False


def moved(message: Message, change: Change) -> list[str]:
    """What the spans of a message say otherwise, when what stands around its answers was written in another way."""
    other = changed(message.value, change)
    if other is None:
        return []
    before = {span.span_id: span for span in decode(message).spans}
    after = decode(replace(message, value=other))
    assert not after.rejects
    assert len(after.spans) >= len(before)
    known = [span for span in after.spans if span.span_id in before]  # of two that tell of a call another may count
    return [difference for span in known for difference in _differences(before[span.span_id], span)]


def _differences(before: Span, after: Span) -> Iterator[str]:
    for name in SHOWN:
        was, found = getattr(before, name), getattr(after, name)
        if found is not None and found != was:
            yield f"{before.span_id}: {name} was {was!r} and is {found!r}"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_what_stands_around_an_answer_moves_no_signal(folder: Path, change: str) -> None:
    """Wrapped, cut or written anew, an answer shows what it showed, or nothing; never something else."""
    assert [found for message in traces(folder) for found in moved(message, CHANGES[change])] == []


@pytest.mark.parametrize("change", ["wrapped", "repr", "cut"])
def test_a_reader_that_takes_frames_for_answers_is_caught(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where any text in those attributes is an answer, the same changes move signals."""
    monkeypatch.setattr(content, "_is_frame", lambda *_: False)
    messages = traces(FORMATS / "own-openinference-openai-0.1.66")
    assert any(moved(message, CHANGES[change]) for message in messages)


def test_the_captures_hold_frames_of_many_kinds() -> None:
    """The property is about something: dozens of captures hold what the changes can be made to."""
    folders = [folder for folder in FOLDERS if any(changed(m.value, CHANGES["wrapped"]) for m in traces(folder))]
    assert len(folders) >= 20
