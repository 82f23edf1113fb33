"""What the monitor says of itself, measured in one place and told twice: at /metrics and by OTLP.

docs/api.md explains each metric. Labels are bounded and hold no request ids, users or text.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import undertow
from undertow.clock import Clock
from undertow.crew import RUNNING, UPKEEP, Health

PROMETHEUS_TEXT = CONTENT_TYPE_LATEST

Samples = Sequence[tuple[tuple[str, ...], float]]
"""Label values, in the order of the definition, and the value."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric under its Prometheus name; OTLP has it without `_total`."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    unit: str = "1"

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        """Counters count since the database was made, deliveries and connections since the start."""
        return "counter" if self.name.endswith("_total") else "gauge"


DEFINITIONS = (
    Definition("undertow_spans_ingested_total", "Spans stored.", unit="{span}"),
    Definition("undertow_dedup_dropped_total", "Spans that were stored before.", unit="{span}"),
    Definition("undertow_spans_late_total", "Spans stored too late to be judged.", unit="{span}"),
    Definition("undertow_spans_late_ratio", "Share of the last thousand spans that came too late to be judged."),
    Definition("undertow_clocks_ahead", "Hosts or targets whose spans are held because their clock is ahead."),
    Definition("undertow_decode_errors_total", "Calls or messages that became no span.", ("reason",)),
    Definition("undertow_spans_skipped_total", "Valid things that are no LLM call.", ("reason",)),
    Definition("undertow_consumer_lag_records", "Messages not read yet.", ("topic", "partition"), "{message}"),
    Definition("undertow_event_time_lag_seconds", "Age of the newest span.", unit="s"),
    Definition("undertow_source_state", "1 for the state that the source is in.", ("state",)),
    Definition("undertow_incidents", "Incidents on record.", ("cause", "severity", "status"), "{incident}"),
    Definition("undertow_webhook_deliveries_total", "Attempts to deliver.", ("sink", "outcome"), "{attempt}"),
    Definition("undertow_api_connections_closed_total", "Clients that were ended or refused.", ("reason",)),
    Definition("undertow_upkeep_failures", "Rounds of upkeep that failed in a row.", ("task",), "{round}"),
    Definition("undertow_build_info", "1 for the version that runs.", ("version",)),
)


class Store(Protocol):
    """What is measured of the store."""

    def ingestion(self) -> Mapping[str, Any]:
        """Offsets and counts."""
        ...

    def lateness(self) -> Mapping[str, Any]:
        """What came late, and whose clock is ahead."""
        ...

    def incidents(self, status: str | None = None, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        """Incident documents."""
        ...


class Measurements:
    """Measures everything in DEFINITIONS, by name, when it is called; any thread may."""

    def __init__(
        self,
        store: Store,
        source: Any | None,
        deliverer: Any | None,
        clock: Clock,
        closed: Mapping[str, int] | None = None,
        health: Callable[[str], Health] = lambda _: RUNNING,
    ) -> None:
        self._store = store
        self._source = source
        self._deliverer = deliverer
        self._clock = clock
        self._closed = closed or {}
        self._health = health

    def __call__(self) -> dict[str, Samples]:  # noqa: D102  told by the class
        ingestion = self._store.ingestion()
        status = self._source.status() if self._source else None
        deliveries = dict(self._deliverer.deliveries) if self._deliverer else {}
        newest, lateness = ingestion["newest"], self._store.lateness()
        late = lateness["late"]
        return {
            "undertow_spans_ingested_total": [((), ingestion["totals"]["stored"])],
            "undertow_dedup_dropped_total": [((), ingestion["totals"]["duplicates"])],
            "undertow_spans_late_total": [((), ingestion["totals"]["late"])],
            "undertow_spans_late_ratio": [((), late["spans"] / late["of"])] if late["of"] else [],
            "undertow_clocks_ahead": [((), len(lateness["ahead"]))],
            "undertow_decode_errors_total": _by_reason(ingestion["rejects"]),
            "undertow_spans_skipped_total": _by_reason(ingestion["skipped"]),
            "undertow_consumer_lag_records": _lags(status),
            "undertow_event_time_lag_seconds": [] if newest is None else [((), self._clock() - newest)],
            "undertow_source_state": [((status.state,), 1)] if status else [],
            "undertow_incidents": _incidents(self._store.incidents()),
            "undertow_webhook_deliveries_total": list(deliveries.items()),
            "undertow_api_connections_closed_total": [((reason,), n) for reason, n in self._closed.items()],
            "undertow_upkeep_failures": [((task,), self._health(task).failures) for task in UPKEEP],
            "undertow_build_info": [((undertow.__version__,), 1)],
        }


def prometheus_text(measure: Callable[[], Mapping[str, Samples]]) -> bytes:
    """Everything as the Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(measure))
    return generate_latest(registry)


def export(
    measure: Callable[[], Mapping[str, Samples]],
    endpoint: str,
    *,
    interval_s: float = 60.0,
    reader: MetricReader | None = None,
) -> MeterProvider:
    """Send everything to an OTLP/HTTP endpoint every `interval_s`, until `shutdown` of what is returned.

    `endpoint` is the base address, as in OTEL_EXPORTER_OTLP_ENDPOINT; `reader` takes the place of the sender.
    """
    address = endpoint.rstrip("/").removesuffix("/v1/metrics") + "/v1/metrics"
    sender = reader or PeriodicExportingMetricReader(OTLPMetricExporter(address), interval_s * 1000)
    resource = Resource.create({"service.name": "undertow", "service.version": undertow.__version__})
    provider = MeterProvider([sender], resource, shutdown_on_exit=False)
    meter = provider.get_meter("undertow", undertow.__version__)
    for definition in DEFINITIONS:
        create = meter.create_observable_counter if definition.kind == "counter" else meter.create_observable_gauge
        name = definition.name.removesuffix("_total")
        create(name, [_observed(definition, measure)], definition.unit, definition.text)
    return provider


class _Collector(Collector):
    def __init__(self, measure: Callable[[], Mapping[str, Samples]]) -> None:
        self._measure = measure

    def collect(self) -> Iterable[Metric]:
        measured = self._measure()
        for definition in DEFINITIONS:
            kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
            family = kind(definition.name, definition.text, labels=definition.labels)
            for labels, value in measured[definition.name]:
                family.add_metric(labels, value)
            yield family


def _observed(
    definition: Definition, measure: Callable[[], Mapping[str, Samples]]
) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        for labels, value in measure()[definition.name]:
            yield Observation(value, dict(zip(definition.labels, labels, strict=True)))

    return observe


def _by_reason(counts: Iterable[Mapping[str, Any]]) -> Samples:
    return [((row["reason"],), row["count"]) for row in counts]


def _lags(status: Any | None) -> Samples:
    partitions = status.partitions if status else ()
    return [((p.topic, str(p.partition)), p.lag) for p in partitions if p.lag is not None]


def _incidents(documents: Iterable[Mapping[str, Any]]) -> Samples:
    return list(Counter((d["cause"], d["severity"], d["status"]) for d in documents).items())
