"""`undertow serve`: the monitor. The only place where source, store, detection, alerts and API are wired."""

import argparse
import logging
import os
import random
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType

from undertow import logs, telemetry
from undertow.api.app import create
from undertow.api.connections import Connections
from undertow.api.server import Server
from undertow.clock import system_clock
from undertow.commands.inputs import keeping, run_decoder
from undertow.config import Config, KafkaConfig
from undertow.crew import Crew
from undertow.errors import TryAgain, UndertowError
from undertow.loading import load
from undertow.notify.outbox import Deliverer
from undertow.store import Store
from undertow.watch.clocks import Clocks
from undertow.watch.loop import Watcher
from undertow.watch.silence import Silence
from undertow_collectors.kafka import KafkaSource
from undertow_collectors.source import Source

EXAMPLE = "undertow serve --config undertow.toml"

TICK_S = 1.0
SILENCE_S = 15.0
CLOCKS_S = 5.0
ROLLING_S = 5.0
RETENTION_S = 3600.0
LOGS_S = 60.0
CHECKPOINT_S = 3600.0
STOP_S = 8.0
LAST_ANSWERS_S = 2
LAST_METRICS_S = 1

log = logging.getLogger(__name__)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="configuration (default: ./undertow.toml)")
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="how to log (default: text)")


def run(args: argparse.Namespace) -> int:
    """Run the monitor until SIGTERM or SIGINT; 75 where a part of it died."""
    logs.configure(args.log_format)
    config = load(args.config, os.environ)
    listener = listen(config.api.host, config.api.port)
    with Store.open(config.store.path, config=config.store, lateness_s=config.detect.lateness_s) as store:
        return Monitor(config, store).run(listener)


class Monitor:
    """One running monitor on an open store."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config, self._store = config, store
        self._stopped_by = "itself"
        self._crew = Crew(on_failure=self._end)
        self._watcher = Watcher(store, config, system_clock)
        self._source = source(config, config.kafka, store) if config.kafka else None
        self._silence = Silence(store, self._watcher.silences, self._source, config, system_clock)
        self._clocks = Clocks(store, config, system_clock)
        self._deliverer = Deliverer(store, config.alerts, system_clock, random.Random())  # noqa: S311  jitter
        self._connections = Connections.of(config.api)
        app = create(
            store,
            self._watcher,
            self._source,
            config,
            system_clock,
            decode=keeping(config),
            deliverer=self._deliverer,
            health=self._crew.health,
            closed=self._connections.closed,
        )
        self._server = _Server(app, self._connections, timeout_graceful_shutdown=LAST_ANSWERS_S)

    def run(self, listener: socket.socket) -> int:
        """Serve on `listener` until a signal or a failure; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        if self._source:
            self._crew.start("source", partial(self._source.run, self._store))
        self._crew.repeat("detection", TICK_S, self._tick)
        self._crew.start("outbox", self._deliverer.run)
        self._crew.repeat("silence", SILENCE_S, self._silence.tick)
        self._crew.repeat("clocks", CLOCKS_S, self._clocks.tick)
        self._crew.repeat("rolling", ROLLING_S, self._roll)
        self._crew.repeat("retention", RETENTION_S, self._retain)
        self._crew.repeat("logs", LOGS_S, logs.say_suppressed)
        self._crew.repeat("checkpoint", CHECKPOINT_S, self._store.checkpoint)
        with self._exported():
            self._server.run(sockets=[listener])
            return self._stopped()

    @contextmanager
    def _exported(self) -> Iterator[None]:
        """Send the monitor's own metrics where the configuration says, if it does."""
        endpoint = self._config.telemetry.otlp_endpoint
        if not endpoint:
            yield
            return
        measure = telemetry.Measurements(
            self._store, self._source, self._deliverer, system_clock, self._connections.closed, self._crew.health
        )
        provider = telemetry.export(measure, endpoint)
        try:
            yield
        finally:
            provider.shutdown(LAST_METRICS_S * 1000)

    def _tick(self) -> None:
        if self._store.broken:
            raise self._store.broken
        with suppress(_Stopping):
            self._watcher.tick(progress=self._between_slices)
            self._watcher.remind()

    def _between_slices(self, _: int) -> None:
        if self._crew.stop.is_set():
            raise _Stopping

    def _roll(self) -> None:
        """Sum up what is over, taking at most half of the time where there is much of it."""
        while not self._crew.stop.is_set():
            began = time.monotonic()
            if not self._store.roll():
                return
            self._crew.stop.wait(time.monotonic() - began)

    def _retain(self) -> None:
        deleted = self._store.retain(system_clock())
        log.info("retention: %s", ", ".join(f"{n} {name}" for name, n in deleted.items()))

    def _signalled(self, number: int, _: FrameType | None) -> None:
        self._stopped_by = signal.Signals(number).name  # a handler that logs may interrupt a log line
        self._end()

    def _end(self) -> None:
        self._crew.stop.set()
        self._server.should_exit = True

    def _stopped(self) -> int:
        hanging = self._crew.join(STOP_S)
        if hanging:
            log.error("%s did not stop within %.0f s; what was committed is safe", ", ".join(hanging), STOP_S)
            os._exit(TryAgain.exit_code)
        failure = self._crew.failure
        if failure is None:
            log.info("stopped by %s", self._stopped_by)
            return 0
        return failure.exit_code if isinstance(failure, UndertowError) else TryAgain.exit_code


class _Stopping(Exception):  # noqa: N818  no error
    """Detection is asked to stop between two slices."""


class _Server(Server):
    """Leaves signals to the monitor, and says when it is ready."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            log.info("ready on %s", address(listener))


def source(config: Config, kafka: KafkaConfig, store: Store) -> Source:
    """The Kafka source, under the identity that the database keeps."""
    return KafkaSource(
        kafka,
        run_decoder(kafka.format, config),
        kept(store, "group_instance_id"),
        lateness_s=config.detect.lateness_s,
    )


def kept(store: Store, key: str) -> str:
    """An identity that is made once and stays with the database."""
    value = store.meta(key)
    if value is None:
        value = f"undertow-{uuid.uuid4().hex[:16]}"
        store.set_meta(key, value)
    return value


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises TryAgain naming the keys where the address cannot be had."""
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # or asyncio lets Nagle wait 40 ms
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
    except OSError as error:
        raise TryAgain(f"api.host, api.port: cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


def address(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
