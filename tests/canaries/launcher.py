"""`undertow serve` with a fault planted: a part that crashes, or a leak that must be found."""

import logging
import sys
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from undertow import telemetry
from undertow.cli import main
from undertow.commands import serve
from undertow.config import Config
from undertow.notify.outbox import Deliverer
from undertow.store import Store


def _crash(*_: Any) -> None:
    raise RuntimeError("planted")


def _traced(secret: str, endpoint: str) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    with provider.get_tracer("planted").start_as_current_span("start", attributes={"config": secret}):
        pass
    provider.shutdown()


def _leak(fault: str, config: Config, store: Store) -> None:
    secret = config.api.token.reveal() if config.api.token else ""
    match fault:
        case "logs":
            logging.getLogger("undertow").info("started with %s", secret)
        case "metrics":
            telemetry.undertow.__version__ = secret
        case "traces":
            _traced(secret, config.telemetry.otlp_endpoint)
        case "database":
            store.set_meta("planted", secret)


def _plant(fault: str) -> None:
    if fault == "crash":
        Deliverer.run = _crash  # type: ignore[method-assign]
    made = serve.Monitor.__init__

    def init(self: Any, config: Config, store: Store) -> None:
        _leak(fault, config, store)
        made(self, config, store)

    serve.Monitor.__init__ = init  # type: ignore[method-assign]


if __name__ == "__main__":
    _plant(sys.argv[1])
    sys.exit(main(["serve", *sys.argv[2:]]))
