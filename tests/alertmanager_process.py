"""A Prometheus Alertmanager as a process of a test: alerts in on a free port, notifications out to a webhook."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
from tests.apache_kafka import MissingError, free_ports
from tests.collector_build import Say, built

SOURCE = Path(__file__).parent / "alertmanager"
"""Pins the release: the last whose module holds the page that it serves, and so can be built from the module."""

PACKAGE = "github.com/prometheus/alertmanager/cmd/alertmanager"
START_S, STOP_S = 30.0, 10.0


def program(say: Say) -> Path:
    """Alertmanager, built where the cache lacks this version of it. Raises MissingError where it cannot be built."""
    return built("alertmanager", "Alertmanager", SOURCE, ("go.mod", "go.sum"), PACKAGE, say)


class Alertmanager:
    """Notifies `webhook` of every alert by itself, at once, and of its end."""

    def __init__(self, binary: Path, directory: Path, webhook: str) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._log = directory / "alertmanager.log"
        route = {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        hook = {"name": "hook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}
        config = directory / "alertmanager.yml"
        config.write_text(json.dumps({"route": route, "receivers": [hook]}))
        self._command = [
            str(binary),
            f"--config.file={config}",
            f"--storage.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        self._client = httpx.Client(base_url=f"{self.url}/api/v2", timeout=10.0, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it takes alerts; MissingError with its log when it does not."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise MissingError(f"Alertmanager did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def alerts(self) -> list[dict[str, Any]]:
        """Those that stand, silenced ones too."""
        found: list[dict[str, Any]] = self._client.get("/alerts").raise_for_status().json()
        return found

    def silence(self, **labels: str) -> None:
        """Silence what has these labels, for an hour."""
        now = time.time()
        moments = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (now, now + 3600)]
        body = {
            "matchers": [{"name": key, "value": value, "isRegex": False} for key, value in labels.items()],
            "startsAt": moments[0],
            "endsAt": moments[1],
            "createdBy": "test",
            "comment": "test",
        }
        self._client.post("/silences", json=body).raise_for_status()

    def stop(self) -> None:
        """End it, if it runs."""
        self._client.close()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ready(self) -> bool:
        try:
            return self._client.get("/status").is_success
        except httpx.TransportError:
            return False
