"""An OpenTelemetry Collector as a process of a test: OTLP in on free ports, Kafka out, as docs/examples says it."""

import json
from pathlib import Path
from typing import Any

import httpx
from tests.programs import Program, free_ports

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "collector.yaml"
TITLE = "the OpenTelemetry Collector"
STOP_S = 30.0
READY = "Everything is ready"


def overrides(
    brokers: str, topic: str, encoding: str = "otlp_proto", compression: str = "zstd", batch: int = 0, **kafka: Any
) -> dict[str, Any]:
    """What a test changes in the example: where Kafka is, the topic of traces and logs alike, and how they go there.

    `encoding` is one of the kafka exporter's, `batch` the most bytes of OTLP in a record, `kafka` further settings of
    the exporter.
    """
    into = {"topic": topic, "encoding": encoding}
    logs = into if encoding.startswith("otlp_") else into | {"encoding": "otlp_proto"}
    producer = {"compression": compression} | kafka.pop("producer", {})
    exporter = {"brokers": [brokers], "traces": into, "logs": logs, "producer": producer} | kafka
    if batch:
        exporter["sending_queue"] = {"batch": {"min_size": batch // 2, "max_size": batch}}
    return {"exporters": {"kafka": exporter}}


class Collector:
    """A collector with the example's configuration and `changes` to it, its log in `directory`.

    `http` and `grpc` are its endpoints as exporters of OTLP want them.
    """

    def __init__(self, program: Path, directory: Path, changes: dict[str, Any]) -> None:
        http, grpc = free_ports(2)
        self.http, self.grpc = f"http://127.0.0.1:{http}", f"http://127.0.0.1:{grpc}"
        self._log = directory / "collector.log"
        protocols = {"http": {"endpoint": f"127.0.0.1:{http}"}, "grpc": {"endpoint": f"127.0.0.1:{grpc}"}}
        place = {
            "receivers": {"otlp": {"protocols": protocols}},
            "service": {"telemetry": {"metrics": {"level": "none"}}},
        }
        (directory / "place.yaml").write_text(json.dumps(place))
        (directory / "changes.yaml").write_text(json.dumps(changes))
        files = (EXAMPLE, directory / "place.yaml", directory / "changes.yaml")
        command = [str(program), *(f"--config={file}" for file in files)]
        self._program = Program(TITLE, command, self._log, lambda: READY in self._log.read_text())

    def start(self) -> None:
        """Start it and wait until it takes spans; MissingError with its log when it does not."""
        self._program.start()

    def post(self, path: str, body: bytes, content_type: str = "application/x-protobuf", **headers: str) -> None:
        """POST one OTLP request to `/v1/traces` or `/v1/logs`; raises where it is not taken."""
        headers = {"content-type": content_type} | headers
        httpx.post(self.http + path, content=body, headers=headers, timeout=10.0).raise_for_status()

    def stop(self) -> None:
        """Let it ship what it holds and end it; AssertionError with its log if it lost something or ended badly."""
        code = self._program.stop(grace_s=STOP_S)
        if code is None:
            return
        log = self._log.read_text()
        assert code == 0, f"{TITLE} ended with {code}: {log[-2000:]}"
        complaints = [line for line in log.splitlines() if "\terror\t" in line]
        assert not complaints, f"{TITLE} complained: {' '.join(complaints)[:2000]}"
