"""A Prometheus Alertmanager as a process of a test: alerts in on a free port, notifications out to a webhook."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
from tests.collector_build import Say, built
from tests.programs import Program, free_ports

SOURCE = Path(__file__).parent / "alertmanager"
"""Pins the release: the last whose module holds the page that it serves, and so can be built from the module."""

PACKAGE = "github.com/prometheus/alertmanager/cmd/alertmanager"


def program(say: Say) -> Path:
    """Alertmanager, built where the cache lacks this version of it. Raises MissingError where it cannot be built."""
    return built("alertmanager", "Alertmanager", SOURCE, ("go.mod", "go.sum"), PACKAGE, say)


class Alertmanager:
    """Notifies `webhook` of every alert by itself, at once, and of its end."""

    def __init__(self, binary: Path, directory: Path, webhook: str) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        route = {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        hook = {"name": "hook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}
        config = directory / "alertmanager.yml"
        config.write_text(json.dumps({"route": route, "receivers": [hook]}))
        command = [
            str(binary),
            f"--config.file={config}",
            f"--storage.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        self._client = httpx.Client(base_url=f"{self.url}/api/v2", timeout=10.0, trust_env=False)
        self._program = Program("Alertmanager", command, directory / "alertmanager.log", self._ready)

    def start(self) -> None:
        """Start it and wait until it takes alerts; MissingError with its log when it does not."""
        self._program.start()

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
        self._program.stop()

    def _ready(self) -> bool:
        try:
            return self._client.get("/status").is_success
        except httpx.TransportError:
            return False
