import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from undertow.store import Store

Stream = Callable[..., list[dict[str, object]]]
Serve = Callable[..., Any]
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


class Receiver(ThreadingHTTPServer):
    """Takes webhooks on this machine; `got` is what verified with the secret."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(Webhook(SECRET).verify(body, dict(self.headers.items())))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.shutdown()
    thread.join()
    receiver.server_close()


def _values(spans: list[dict[str, object]]) -> list[bytes]:
    return [json.dumps(span).encode() for span in spans]


def _kafka(broker: Any, topic: str) -> dict[str, str]:
    settings = {"BOOTSTRAP_SERVERS": broker.bootstrap, "TOPICS": topic, "API_VERSION": broker.api_version}
    return {f"UNDERTOW_KAFKA__{key}": value for key, value in settings.items() if value}


def _stored(url: str) -> int:
    return sum(target["spans"] for target in httpx.get(f"{url}/v1/targets").json()["targets"])


def test_a_silent_update_in_kafka_becomes_a_signed_webhook(
    mock_kafka: Any, serve: Serve, stream: Stream, receiver: Receiver, quick: Path
) -> None:
    """The whole way: gateway log in Kafka, store, detection, incident, outbox, verified webhook, weights feed."""
    topic = mock_kafka.topic(partitions=2)
    for partition in (0, 1):
        mock_kafka.produce(topic, _values(stream(change_at=3000)[partition::2]), partition)
    served = serve(
        "--config",
        str(quick),
        UNDERTOW_ALERTS__ALLOW_HOSTS="127.0.0.1",
        UNDERTOW_ALERTS__WEBHOOK__0__URL=receiver.url,
        UNDERTOW_ALERTS__WEBHOOK__0__SECRET=SECRET,
        **_kafka(mock_kafka, topic),
    )
    url = served.ready()
    served.until(lambda: receiver.got)
    (incident,) = httpx.get(f"{url}/v1/incidents").json()["incidents"]
    (opened,) = [one for one in receiver.got if one["type"] == "llm.drift.opened"]
    assert opened["data"]["id"] == incident["id"]
    assert (incident["cause"], incident["target"]["model"]) == ("provider_update", "gpt-4")
    assert [w["multiplier"] for w in httpx.get(f"{url}/v1/weights").json()["weights"]] == [0.5]
    served.until(lambda: _stored(url) == 5000)
    ingested = httpx.get(f"{url}/v1/ingest").json()
    assert ingested["totals"] | {"late": 0} == {
        "read": 5000,
        "stored": 5000,
        "duplicates": 0,
        "rejected": 0,
        "skipped": 0,
        "late": 0,
    }
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0


def test_a_broker_that_is_away_is_named(mock_kafka: Any, serve: Serve) -> None:
    """Without the broker /readyz answers 503 and says why, and a signal still ends the monitor well."""
    topic = mock_kafka.topic()
    mock_kafka.down()
    served = serve(**_kafka(mock_kafka, topic))
    url = served.ready()
    served.until(lambda: "broker_unavailable" in httpx.get(f"{url}/readyz").text)
    assert httpx.get(f"{url}/readyz").status_code == 503
    served.process.send_signal(signal.SIGTERM)
    assert served.ended() == 0


@pytest.mark.kafka
def test_a_monitor_started_again_reads_on_at_once(
    apache_kafka: Any, serve: Serve, stream: Stream, tmp_path: Path
) -> None:
    """Killed or stopped, the same database is the same static member: it reads on within seconds, nothing twice."""
    topic, spans = apache_kafka.topic(), stream(600)
    for total, number in ((200, signal.SIGKILL), (400, signal.SIGTERM), (600, signal.SIGTERM)):
        apache_kafka.produce(topic, _values(spans[total - 200 : total]))
        served = serve(**_kafka(apache_kafka, topic))
        url = served.ready()
        ready_at = time.monotonic()
        served.until(lambda url=url, total=total: _stored(url) == total)
        assert time.monotonic() - ready_at < 10.0, "a session timeout is 45 s"
        served.process.send_signal(number)
        assert served.ended() == (0 if number == signal.SIGTERM else -number), served.log.read_text()
    with Store.open(tmp_path / "undertow.duckdb") as store:
        assert store.ingestion()["totals"]["duplicates"] == 0
        assert store.offsets(topic) == {0: 600}
