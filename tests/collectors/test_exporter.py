"""The Kafka span exporter: what is exported arrives, and what does not arrive is said to have failed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.errors import KafkaTimeoutError
from kafka.future import Future
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from undertow_collectors.exporter import KafkaSpanExporter, records
from undertow_collectors.payloads import otlp, readable
from undertow_collectors.scenarios import SCENARIOS
from undertow_collectors.simulate import traffic

SPANS = list(traffic(SCENARIOS["none"], seed=1, days=0.01, per_day=10_000.0))


class FakeProducer:
    """Keeps what it is sent; fails at `send` or at the acknowledgement when told to."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.sent: list[bytes] = []
        self.closed = False

    def send(self, _topic: str, value: bytes, partition: int | None = None) -> Any:
        if self.fails == "send":
            raise KafkaTimeoutError(f"no metadata for partition {partition}")
        self.sent.append(value)
        future = Future()
        return future.failure(KafkaTimeoutError("gone")) if self.fails == "ack" else future.success(None)

    def flush(self, timeout: float) -> None:
        assert timeout > 0

    def close(self, timeout: float) -> None:
        assert timeout > 0
        self.closed = True


@pytest.fixture(autouse=True)
def _futures(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(self: Future, timeout: float) -> Any:
        assert timeout > 0
        if self.failed():
            raise self.exception
        return self.value

    monkeypatch.setattr(Future, "get", get, raising=False)


@pytest.fixture(name="spans")
def _spans() -> list[ReadableSpan]:
    return [readable(span) for span in SPANS]


@pytest.fixture(name="broker")
def _broker() -> Iterator[str]:
    confluent = pytest.importorskip("confluent_kafka", reason="needs confluent-kafka, the extra `demo`")
    mock = confluent.Producer({"test.mock.num.brokers": 1})
    brokers = mock.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{b.host}:{b.port}" for b in brokers)
    mock.flush(1)


def _ids(values: Sequence[bytes]) -> list[str]:
    requests = [ExportTraceServiceRequest.FromString(value) for value in values]
    found = [
        s for r in requests for resource in r.resource_spans for scope in resource.scope_spans for s in scope.spans
    ]
    return [f"{s.trace_id.hex()}:{s.span_id.hex()}" for s in found]


def test_exports_every_span_as_protobuf(spans: list[ReadableSpan]) -> None:
    """One export is one record, which holds every span with its ids."""
    producer = FakeProducer()
    assert KafkaSpanExporter(producer=producer).export(spans) is SpanExportResult.SUCCESS
    assert len(producer.sent) == 1
    assert sorted(_ids(producer.sent)) == sorted(s.span_id for s in SPANS)


def test_splits_what_a_broker_would_refuse(spans: list[ReadableSpan]) -> None:
    """Records stay under the limit and lose nothing; a single span over the limit is a record of its own."""
    values = records(spans, limit_bytes=8000)
    assert max(map(len, values)) <= 8000 < len(otlp(SPANS))
    assert sorted(_ids(values)) == sorted(s.span_id for s in SPANS)
    assert len(records(spans, limit_bytes=1)) == len(spans)
    assert records([]) == []


@pytest.mark.parametrize(("fails", "result"), [("send", "FAILURE"), ("ack", "FAILURE"), ("", "SUCCESS")])
def test_says_when_the_broker_did_not_take_them(
    spans: list[ReadableSpan], fails: str, result: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure to send or to acknowledge is FAILURE and a log line, never an exception."""
    assert KafkaSpanExporter(producer=FakeProducer(fails)).export(spans) is SpanExportResult[result]
    assert ("did not take spans" in caplog.text) == (result == "FAILURE")


@pytest.mark.parametrize(("fails", "delivered"), [("ack", False), ("", True)])
def test_without_waiting_the_flush_answers(spans: list[ReadableSpan], fails: str, delivered: bool) -> None:
    """With wait=False export succeeds at once and force_flush tells once whether all was acknowledged."""
    exporter = KafkaSpanExporter(producer=FakeProducer(fails), wait=False)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    assert exporter.force_flush() is delivered
    assert exporter.force_flush()


def test_leaves_a_shared_producer_open(spans: list[ReadableSpan]) -> None:
    """Shutdown flushes but does not close a producer that was passed in."""
    producer = FakeProducer()
    exporter = KafkaSpanExporter(producer=producer)
    exporter.export(spans)
    exporter.shutdown()
    assert not producer.closed


def _arrived(broker: str, topic: str, expected: int) -> list[str]:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker,
        api_version=(2, 0),
        auto_offset_reset="earliest",
        consumer_timeout_ms=15_000,
        metadata_max_age_ms=200,  # kafka-python 3.0.12 may not ask for topics named while it still bootstraps
    )
    arrived: list[str] = []
    for record in consumer:
        arrived += _ids([record.value])
        if len(arrived) >= expected:
            break
    consumer.close()
    return arrived


def test_ships_through_a_broker(broker: str) -> None:
    """Spans made with the SDK arrive at a Kafka-protocol broker, every one of them."""
    exporter = KafkaSpanExporter("otlp_spans", bootstrap_servers=broker, api_version=(2, 0))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for index in range(300):
        tracer.start_span(f"chat {index}").end()
    provider.shutdown()
    arrived = _arrived(broker, "otlp_spans", 300)
    assert len(arrived) == len(set(arrived)) == 300


def test_the_example_in_the_documentation_ships(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of docs/shipping.md runs as it stands and its span arrives."""
    text = (Path(__file__).parents[2] / "docs" / "shipping.md").read_text()
    example = text.split("```python\n")[1].split("```")[0]
    set_provider: list[TracerProvider] = []
    monkeypatch.setattr("opentelemetry.trace.set_tracer_provider", set_provider.append)
    monkeypatch.setattr("opentelemetry.trace.get_tracer", lambda name: set_provider[0].get_tracer(name))
    with_broker = example.replace(
        'bootstrap_servers="localhost:9092"', f'bootstrap_servers="{broker}", api_version=(2, 0)'
    )
    assert with_broker != example
    exec(compile(with_broker, "docs/shipping.md", "exec"), {})  # noqa: S102  our own document
    set_provider[0].shutdown()
    assert len(_arrived(broker, "otlp_spans", 1)) == 1
