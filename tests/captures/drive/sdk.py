"""OpenTelemetry's SDK as an application sets it up: batches by OTLP/HTTP, to where the environment says."""

from contextlib import suppress
from importlib import import_module

from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class Sdk:
    """Providers of traces and logs, set for the whole process."""

    def __init__(self) -> None:
        self.tracers, self.loggers = TracerProvider(), LoggerProvider()
        self.tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        trace.set_tracer_provider(self.tracers)
        _logs.set_logger_provider(self.loggers)
        with suppress(ImportError):  # events had a provider of their own until 1.39
            events, sdk = import_module("opentelemetry._events"), import_module("opentelemetry.sdk._events")
            events.set_event_logger_provider(sdk.EventLoggerProvider(self.loggers))

    def end(self) -> None:
        """Send what is left."""
        self.tracers.shutdown()
        self.loggers.shutdown()
