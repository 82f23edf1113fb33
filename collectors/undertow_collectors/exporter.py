"""Ships OpenTelemetry spans from a Python program to a Kafka topic, as the Collector's kafka exporter would.

Each record's value is one `ExportTraceServiceRequest` in protobuf, which is the encoding `otlp_proto` of
opentelemetry-collector-contrib/exporter/kafkaexporter; the key is nil.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any

import kafka
from kafka.errors import KafkaError
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

MAX_RECORD_BYTES = 900_000
"""Brokers take a million bytes a record by default; the rest is left to the record's own framing."""

_log = logging.getLogger(__name__)


def records(spans: Sequence[ReadableSpan], limit_bytes: int = MAX_RECORD_BYTES) -> list[bytes]:
    """`spans` as OTLP protobuf records of at most `limit_bytes` each, unless a single span is larger than that."""
    if not spans:
        return []
    value = encode_spans(spans).SerializeToString()
    if len(value) <= limit_bytes or len(spans) == 1:
        return [value]
    middle = len(spans) // 2
    return records(spans[:middle], limit_bytes) + records(spans[middle:], limit_bytes)


class KafkaSpanExporter(SpanExporter):
    """A SpanExporter of opentelemetry-sdk that produces to a Kafka topic.

    `producer` is a `kafka.KafkaProducer` to share; without one, the exporter makes its own from `options` (its keyword
    arguments, `bootstrap_servers` among them) and closes it on shutdown. With `wait` an export ends when the broker
    has acknowledged it, which is what BatchSpanProcessor wants. Without, it returns at once and `force_flush` answers
    for what was sent since the last one. `partition` pins the records to one partition, which keeps their order.
    """

    def __init__(
        self,
        topic: str = "otlp_spans",
        *,
        producer: Any = None,
        wait: bool = True,
        partition: int | None = None,
        timeout_s: float = 10.0,
        **options: Any,
    ) -> None:
        self._owned = producer is None
        self._producer = producer or kafka.KafkaProducer(**{"acks": "all", "compression_type": "lz4"} | options)
        self._topic = topic
        self._wait = wait
        self._partition = partition
        self._timeout_s = timeout_s
        self._pending: list[Any] = []
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`; FAILURE, with the reason in the log, if the broker did not take them in time."""
        try:
            sent = [self._producer.send(self._topic, value, partition=self._partition) for value in records(spans)]
        except KafkaError as error:
            return self._failed(error)
        if not self._wait:
            with self._lock:
                self._pending.extend(sent)
            return SpanExportResult.SUCCESS
        return self._acknowledged(sent, self._timeout_s)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Whether the broker has acknowledged, within the time, all that was sent since the last flush."""
        with self._lock:
            sent, self._pending = self._pending, []
        return self._acknowledged(sent, timeout_millis / 1000) is SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Flush, and close the producer if it is the exporter's own."""
        self.force_flush(int(self._timeout_s * 1000))
        if self._owned:
            self._producer.close(timeout=self._timeout_s)

    def _acknowledged(self, sent: Sequence[Any], timeout_s: float) -> SpanExportResult:
        try:
            self._producer.flush(timeout=timeout_s)
            for future in sent:
                future.get(timeout=timeout_s)
        except KafkaError as error:
            return self._failed(error)
        return SpanExportResult.SUCCESS

    def _failed(self, error: KafkaError) -> SpanExportResult:
        _log.warning("topic %s did not take spans: %s: %s", self._topic, type(error).__name__, error)
        return SpanExportResult.FAILURE
