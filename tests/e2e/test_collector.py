"""OTLP through a real OpenTelemetry Collector and Apache Kafka: whatever the encoding, the calls are those sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from undertow import columns
from undertow.batch import Batch, Committed, Message, Origin
from undertow.span import Span
from undertow_collectors.decode.registry import decode
from undertow_collectors.files import messages

pytestmark = [pytest.mark.kafka, pytest.mark.collector]

FORMATS = Path(__file__).parents[1] / "fixtures" / "formats"
SENT = (
    "litellm-otel-v2",
    "otel-official",
    "own-openinference-openai-0.1.66",
    "own-traceloop-openai-0.62.4",
    "own-official-genai-openai-1.3b0",
    "own-langfuse-5.0.4",
)
EVENTS = "own-official-genai-openai-1.3b0-events"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
AS_DOCUMENTED: dict[str, Any] = {}
SMALLER = {"batch": 100_000}
BY_TRACE = {"partition_traces_by_id": True}
JOINED = {"fallback"}
"""What shows only where two spans of a trace are in one message, which is never sure."""
ROUNDED = {"started_at", "duration_s", "ttft_s"}
"""What Zipkin has in whole microseconds."""
EXACT = ("started_at", "duration_s")


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.formats: set[str] = set()
        self.rejects: list[Any] = []
        self.skipped = 0

    def ingest(self, batch: Batch) -> Committed:
        """Keep everything."""
        for _, decoded in batch.messages:
            self.spans += decoded.spans if decoded.columns is None else columns.spans(decoded.columns)
            self.rejects += decoded.rejects
            self.skipped += decoded.skipped.total()
            self.formats.add(decoded.format)
        return Committed(stored=batch.spans)

    def positions(self, _topic: str) -> dict[str, Any]:
        """From the beginning."""
        return {}


@pytest.fixture(name="arrived")
def _arrived(apache_kafka: Any, read: Any, native: Any, eventually: Any) -> Callable[[str], Kept]:
    """Everything in a topic, read by a KafkaSource up to a last message that is put there to be recognised."""

    def arrived(topic: str) -> Kept:
        kept = Kept()
        apache_kafka.produce(topic, [native(0)])
        reading = read(apache_kafka, kept, topic, format="auto")
        reading.until(lambda: kept.spans and kept.spans[-1].span_id == "s0", eventually)
        kept.spans.pop()
        kept.formats.discard("native")
        return kept

    return arrived


def captured(*folders: str, kind: str = "traces") -> list[bytes]:
    """The OTLP requests of real clients."""
    files = (file for folder in folders for file in sorted((FORMATS / folder).glob(f"{kind}-*")))
    return [message.value for file in files for message in messages(str(file))]


def spans_of(values: list[bytes]) -> tuple[dict[str, Span], int]:
    """What the requests themselves hold: calls by their ids, and how many other spans."""
    decoded = [decode(Message(Origin("t", 0, 0), value)) for value in values]
    return {span.span_id: span for d in decoded for span in d.spans}, sum(d.skipped.total() for d in decoded)


def send(collector: Any, values: list[bytes]) -> None:
    """Send requests, by HTTP and gRPC in turns, and let the collector ship them."""
    with grpc.insecure_channel(collector.grpc.removeprefix("http://")) as channel:
        stub = TraceServiceStub(channel)
        for n, value in enumerate(values):
            if n % 2:
                stub.Export(ExportTraceServiceRequest.FromString(value), timeout=10)
            else:
                collector.post("/v1/traces", value)
    collector.stop()


@pytest.mark.parametrize(
    ("encoding", "compression", "options", "lost"),
    [
        ("otlp_proto", "zstd", AS_DOCUMENTED, JOINED),
        ("otlp_proto", "none", BY_TRACE, JOINED),
        ("otlp_json", "gzip", SMALLER, JOINED),
        ("otlp_json", "lz4", BY_TRACE, JOINED),
        ("jaeger_proto", "gzip", AS_DOCUMENTED, JOINED),
        ("jaeger_json", "zstd", BY_TRACE, JOINED),
        ("zipkin_proto", "zstd", SMALLER, JOINED | ROUNDED),
        ("zipkin_json", "gzip", BY_TRACE, JOINED | ROUNDED),
    ],
)
def test_every_encoding_carries_the_calls(
    encoding: str, compression: str, options: dict[str, Any], lost: set[str],
    apache_kafka: Any, otel_collector: Any, arrived: Any,
) -> None:  # fmt: skip
    """Over 450 calls in five conventions come out as they went in, and every other span is skipped as before."""
    topic, requests = apache_kafka.topic(), captured(*SENT)
    send(otel_collector(apache_kafka, topic, encoding=encoding, compression=compression, **options), requests)
    kept, (wanted, skipped) = arrived(topic), spans_of(requests)
    assert kept.formats == {"otlp" if encoding == "otlp_proto" else encoding}
    assert kept.rejects == []
    assert kept.skipped == skipped
    assert len(kept.spans) == len(wanted) > 450
    for span in kept.spans:
        found, sent = msgspec.to_builtins(span), msgspec.to_builtins(wanted[span.span_id])
        assert {name for name in sent if found[name] != sent[name]} <= lost
        assert [found[name] for name in EXACT] == pytest.approx([sent[name] for name in EXACT], abs=3e-6)


def test_the_exporters_of_the_sdk(apache_kafka: Any, otel_collector: Any, arrived: Any) -> None:
    """opentelemetry-sdk's own exporters, gRPC and HTTP with gzip, reach the store through the documented file."""
    topic = apache_kafka.topic()
    collector = otel_collector(apache_kafka, topic)
    exporters = [
        GrpcExporter(collector.grpc, insecure=True),
        HttpExporter(f"{collector.http}/v1/traces", compression=Compression.Gzip),
    ]
    for n, exporter in enumerate(exporters):
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("test").start_as_current_span("chat gpt-4o", attributes=CALL) as span:
            span.set_attribute("gen_ai.usage.output_tokens", n + 7)
        provider.shutdown()
    collector.stop()
    assert sorted(span.output_tokens for span in arrived(topic).spans) == [7, 8]


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
def test_log_events_arrive(encoding: str, apache_kafka: Any, otel_collector: Any, arrived: Any) -> None:
    """GenAI events, which are log records, go the same way as spans."""
    topic, requests = apache_kafka.topic(), captured(EVENTS, kind="logs")
    collector = otel_collector(apache_kafka, topic, encoding=encoding)
    for value in requests:
        collector.post("/v1/logs", value)
    collector.stop()
    kept, (wanted, skipped) = arrived(topic), spans_of(requests)
    assert {span.span_id: span for span in kept.spans} == wanted
    assert len(kept.spans) == len(wanted) > 40
    assert (kept.skipped, kept.rejects) == (skipped, [])


def test_a_collector_that_drops_spans_fails_the_test(apache_kafka: Any, otel_collector: Any) -> None:
    """Negative control: a record past Kafka's limit is dropped with all its spans, and the end of the test tells it."""
    collector = otel_collector(apache_kafka, apache_kafka.topic(), encoding="otlp_json", batch=1_100_000)
    with pytest.raises(AssertionError, match="MESSAGE_TOO_LARGE"):
        send(collector, captured(*SENT))
