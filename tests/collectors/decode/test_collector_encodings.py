"""The same spans as the OpenTelemetry Collector wrote them in each encoding of its kafka exporter."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.batch import Message, Origin
from undertow_collectors.decode.registry import decode, recognise

Capture = Callable[[str], list[Message]]

FORMATS = {
    "otlp_proto": "otlp",
    "otlp_json": "otlp_json",
    "jaeger_proto": "jaeger_proto",
    "jaeger_json": "jaeger_json",
    "zipkin_proto": "zipkin_proto",
    "zipkin_json": "zipkin_json",
}
CANNOT: dict[str, set[str]] = {
    "jaeger_proto": {"fallback"},  # a span a message, and a fallback shows in two
    "jaeger_json": {"fallback"},
    "zipkin_proto": {"started_at", "duration_s"},  # whole microseconds
    "zipkin_json": {"started_at", "duration_s"},
}
PLACE = Origin("t", 0, 0)
encodings = pytest.mark.parametrize("encoding", FORMATS)


def calls(messages: list[Message]) -> dict[str, dict[str, Any]]:
    """Every call by its id, as plain fields."""
    spans = [span for message in messages for span in decode(message).spans]
    found = {span.span_id: msgspec.to_builtins(span) for span in spans}
    assert len(found) == len(spans)
    return found


@encodings
def test_every_encoding_is_recognised(capture: Capture, encoding: str) -> None:
    """Each message is told by its bytes, and read the same when the format is named."""
    for message in capture(f"otelcol-{encoding}"):
        assert decode(message).format == FORMATS[encoding]
        assert decode(message).spans == decode(message, FORMATS[encoding]).spans


@encodings
def test_every_call_is_counted_once(capture: Capture, encoding: str) -> None:
    """Eight calls and the six spans around them, whatever carried them."""
    decoded = [decode(message) for message in capture(f"otelcol-{encoding}")]
    assert sum((d.skipped for d in decoded), Counter()) == {"not_llm_call": 3, "wrapper": 3}
    assert [reject for d in decoded for reject in d.rejects] == []
    assert len(calls(capture(f"otelcol-{encoding}"))) == 8


@encodings
def test_every_field_survives_the_encoding(capture: Capture, encoding: str) -> None:
    """All fields are as in the requests that the Collector was sent, but for what an encoding has no room for."""
    sent = calls(capture("otel-official")) | calls(capture("litellm-otel-v2"))
    for span_id, found in calls(capture(f"otelcol-{encoding}")).items():
        wanted = sent[span_id]
        changed = {name for name in wanted if found[name] != wanted[name]}
        assert changed <= CANNOT.get(encoding, set())
        assert found["started_at"] == pytest.approx(wanted["started_at"], abs=2e-6)
        assert found["duration_s"] == pytest.approx(wanted["duration_s"], abs=2e-6)


def test_texts_for_numbers_are_counted(capture: Capture) -> None:
    """Zipkin has only strings, and each that becomes a number is a coercion; Jaeger keeps the types."""
    coerced = {
        encoding: sum((decode(m).coerced for m in capture(f"otelcol-{encoding}")), Counter()) for encoding in FORMATS
    }
    assert coerced["zipkin_json"] == coerced["zipkin_proto"]
    assert coerced["zipkin_json"]["output_tokens"] == 4
    assert coerced["jaeger_json"] == coerced["jaeger_proto"] == coerced["otlp_json"] == coerced["otlp_proto"] == {}


def test_otlp_keeps_its_messages(capture: Capture) -> None:
    """No captured OTLP message, nor any part of one from its beginning, is taken for Jaeger or Zipkin."""
    folders = ("otel-official", "litellm-otel-v2", "openinference", "traceloop-nocontent", "otelcol-otlp_proto")
    for value in (message.value for folder in folders for message in capture(folder)):
        assert {recognise(value[:length], PLACE) for length in (*range(1, 300), len(value))} == {"otlp"}


def varint(number: int) -> bytes:
    """Protobuf's variable-length integer."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number: int, content: bytes) -> bytes:
    """A field of any length-delimited type."""
    return varint(number << 3 | 2) + varint(len(content)) + content


contents = st.one_of(*(st.binary(min_size=size, max_size=size) for size in (0, 8, 16))) | st.binary(max_size=40)
resource_spans = st.lists(st.builds(field, st.sampled_from([1, 1, 2, 2, 3, 1000]), contents), max_size=5)
requests = st.lists(resource_spans.map(lambda fields: field(1, b"".join(fields))), min_size=1, max_size=4)


@settings(max_examples=500, deadline=None)
@given(requests)
def test_nothing_with_the_fields_of_otlp_is_taken_for_another(value: Any) -> None:
    """Whatever stands in resource spans, in any order, of the lengths of ids too: OTLP wins."""
    assert recognise(b"".join(value), PLACE) not in ("jaeger_proto", "zipkin_proto")


ids = st.binary(min_size=8, max_size=8)
traces = st.binary(min_size=16, max_size=16)


@settings(max_examples=200, deadline=None)
@given(traces, ids, st.binary(max_size=300))
def test_jaeger_is_told_by_its_two_ids(trace: Any, span: Any, rest: Any) -> None:
    """A trace id and a span id at the top of a message are Jaeger's, whatever follows."""
    assert recognise(field(1, trace) + field(2, span) + field(3, rest), PLACE) == "jaeger_proto"


@settings(max_examples=200, deadline=None)
@given(traces | ids, ids | st.just(b""), ids, st.text(max_size=300))
def test_zipkin_is_told_by_the_ids_of_its_first_span(trace: Any, parent: Any, span: Any, name: Any) -> None:
    """Ids of 64 or 128 bits, with or without a parent, and a name of any length."""
    parts = [field(1, trace), field(2, parent) if parent else b"", field(3, span), field(5, name.encode())]
    assert recognise(field(1, b"".join(parts)) * 2, PLACE) == "zipkin_proto"


def test_the_rule_needs_the_field_that_otlp_lacks() -> None:
    """Negative control: three fields of an id's length are OTLP, a fourth makes them Zipkin."""
    three = field(1, bytes(16)) + field(2, bytes(8)) + field(3, bytes(8))
    assert recognise(field(1, three), PLACE) == "otlp"
    assert recognise(field(1, three + b"\x20\x01"), PLACE) == "zipkin_proto"


@pytest.mark.parametrize("name", ["jaeger_proto", "zipkin_proto"])
def test_otlp_read_as_another_is_rejected(capture: Capture, name: str) -> None:
    """A wrong name in the configuration loses nothing silently: the message is rejected, not skipped."""
    value = capture("otel-official")[0].value
    decoded = decode(Message(PLACE, value), name)
    assert decoded.spans == []
    assert decoded.skipped == {}
    assert decoded.rejects
