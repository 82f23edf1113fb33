import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from undertow import telemetry
from undertow.batch import Batch, Decoded, Origin, Reject
from undertow.config import Config, TelemetryConfig
from undertow.telemetry import DEFINITIONS, Measurements


@pytest.fixture(name="busy")
def _busy(api: Any) -> Any:
    api.fill()
    api.fill()
    batch = Batch()
    decoded = Decoded("native", rejects=[Reject("invalid_json")])
    decoded.skipped["not_llm_call"] = 3
    batch.add(Origin("t", 0, 1), decoded)
    api.store.ingest(batch)
    api.put_incident()
    return api.start(closed={"slow_head": 3, "displaced": 0})


def by_name(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by label values, by the name of the sample."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            order = next(d.labels for d in DEFINITIONS if d.name == sample.name)
            found.setdefault(sample.name, {})[tuple(sample.labels[label] for label in order)] = sample.value
    return found


EXPECTED: dict[str, dict[tuple[str, ...], float]] = {
    "undertow_spans_ingested_total": {(): 100},
    "undertow_dedup_dropped_total": {(): 100},
    "undertow_spans_late_total": {(): 0},
    "undertow_spans_late_ratio": {(): 0},
    "undertow_clocks_ahead": {(): 0},
    "undertow_decode_errors_total": {("invalid_json",): 1},
    "undertow_spans_skipped_total": {("not_llm_call",): 3},
    "undertow_consumer_lag_records": {("t", "0"): 7},
    "undertow_event_time_lag_seconds": {(): 60},
    "undertow_source_state": {("running",): 1},
    "undertow_incidents": {("provider_update", "critical", "open"): 1},
    "undertow_webhook_deliveries_total": {("webhook:h:1", "sent"): 2},
    "undertow_api_connections_closed_total": {("slow_head",): 3, ("displaced",): 0},
    "undertow_upkeep_failures": {("rolling",): 0, ("retention",): 0, ("checkpoint",): 0},
    "undertow_build_info": {("0.1.0",): 1},
}


def test_prometheus_gets_every_metric(busy: Any) -> None:
    """The text parses, and each value is what the parts say."""
    response = busy.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert by_name(response.text) == EXPECTED


def test_otlp_sends_the_same(busy: Any) -> None:
    """The same names without `_total`, the same labels and values, counters as monotonic sums."""
    reader = InMemoryMetricReader()
    measure = Measurements(busy.store, busy.source, busy.deliverer, busy.clock, busy.closed)
    provider = telemetry.export(measure, "http://127.0.0.1:9", reader=reader)
    data = reader.get_metrics_data()
    assert data is not None
    found = {metric.name: metric for r in data.resource_metrics for s in r.scope_metrics for metric in s.metrics}
    provider.shutdown()
    assert set(found) == {name.removesuffix("_total") for name in EXPECTED}
    for name, values in EXPECTED.items():
        metric = found[name.removesuffix("_total")]
        points = {tuple((p.attributes or {}).values()): p.value for p in metric.data.data_points}  # type: ignore[union-attr]
        assert points == values, name
        assert getattr(metric.data, "is_monotonic", False) == name.endswith("_total")


def test_otlp_goes_to_the_endpoint(busy: Any) -> None:
    """The sender posts protobuf to /v1/metrics below the endpoint."""
    received: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.path, self.headers["content-type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    measure = Measurements(busy.store, busy.source, busy.deliverer, busy.clock, busy.closed)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        provider = telemetry.export(measure, f"http://127.0.0.1:{server.server_address[1]}/")
        assert provider.force_flush()
        provider.shutdown()
        server.shutdown()
        thread.join()
    path, kind, body = received[0]
    assert (path, kind) == ("/v1/metrics", "application/x-protobuf")
    assert b"undertow_spans_ingested" in body


def test_an_empty_monitor_has_metrics_too(api: Any) -> None:
    """Nothing came in, there is no source and no receiver: what is unknown is absent, not zero."""
    api.start(source=None, deliverer=None)
    found = by_name(api.get("/metrics").text)
    assert found["undertow_spans_ingested_total"] == {(): 0}
    assert "undertow_event_time_lag_seconds" not in found


def test_metrics_can_be_turned_off(api: Any, problem: Any) -> None:
    """telemetry.prometheus = false."""
    api.start(config=Config(telemetry=TelemetryConfig(prometheus=False)))
    assert "telemetry.prometheus" in problem(api.get("/metrics"), 404)


def test_names_follow_prometheus_conventions_and_are_documented() -> None:
    """Base units, `_total` for counters, and each stands in docs/api.md."""
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    for definition in DEFINITIONS:
        assert re.fullmatch(r"undertow_[a-z_]+", definition.name)
        assert f"`{definition.name}`" in page
        for label in definition.labels:
            assert f"`{label}`" in page
