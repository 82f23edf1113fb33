"""The monitor of the demo: the real `undertow serve` as a process of its own, asked over its API."""

from pathlib import Path
from typing import Any, TypeVar

import httpx

from undertow.demo.broker import API_VERSION
from undertow.demo.child import Child
from undertow.demo.gateway import JSON_TOPIC, OTLP_TOPIC

T = TypeVar("T")

CONFIG = """\
[kafka]
bootstrap_servers = "{broker}"
topics = ["{json_topic}", "{otlp_topic}"]
api_version = "{api_version}"

[store]
path = "{folder}/undertow.duckdb"

[detect]
lateness_s = 2

[[alerts.webhook]]
url = "{webhook}"
secret_file = "{folder}/webhook.secret"

[alerts]
allow_hosts = ["127.0.0.1"]
dashboard_url = "{dashboard}"

[weights]
mode = "enforce"

[api]
port = {port}
"""


def configure(folder: Path, *, broker: str, webhook: str, secret: str, port: int, dashboard: str) -> Path:
    """Write the monitor's configuration into `folder`, the secret in a file of its own; the configuration's path."""
    secret_file = folder / "webhook.secret"
    secret_file.touch(mode=0o600)
    secret_file.write_text(secret)
    path = folder / "undertow.toml"
    text = CONFIG.format(
        broker=broker,
        webhook=webhook,
        dashboard=dashboard,
        port=port,
        folder=folder,
        json_topic=JSON_TOPIC,
        otlp_topic=OTLP_TOPIC,
        api_version=".".join(map(str, API_VERSION)),
    )
    path.write_text(text)
    return path


class Monitor:
    """`undertow serve --config CONFIG`, from construction until `close`; a context manager.

    Questions that it does not answer, because it is starting or busy, get an empty answer.
    """

    def __init__(self, config: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = Child(["undertow.cli", "serve", "--config", str(config)], config.with_name("serve.log"))
        self.client = httpx.Client(base_url=self.url, timeout=5.0, trust_env=False)  # no proxy lies between

    def ready(self) -> bool:
        """Whether every part of it runs."""
        return bool(self._get("/readyz", "ready", False))

    def totals(self) -> dict[str, int]:
        """Counts of what it has taken in: read, stored, duplicates, rejected, skipped, late."""
        return self._get("/v1/ingest", "totals", {})

    def targets(self) -> list[dict[str, Any]]:
        """Every target with its state."""
        return self._get("/v1/targets", "targets", [])

    def incidents(self) -> list[dict[str, Any]]:
        """Every incident."""
        return self._get("/v1/incidents", "incidents", [])

    def close(self) -> None:
        """End it."""
        self.client.close()
        self.process.close()

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, path: str, key: str, otherwise: T) -> T:
        try:
            found: T = self.client.get(path).json()[key]
        except (httpx.HTTPError, ValueError, KeyError):
            return otherwise
        return found
