"""A simulated gateway: routes requests, and ships its log to Kafka as real ones do.

Claude's calls go out as OTLP, made with opentelemetry-sdk and shipped by our KafkaSpanExporter; the others as LiteLLM's
StandardLoggingPayload, as a callback with a Kafka producer would send it.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import kafka
import numpy as np
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Status, StatusCode

from undertow.clock import Clock, system_clock
from undertow.demo.router import Router
from undertow.errors import UndertowError
from undertow.span import Span
from undertow_collectors import payloads
from undertow_collectors.exporter import KafkaSpanExporter
from undertow_collectors.scenarios import CLAUDE_SONNET, DAY_S, FLEET, NORMAL, SCENARIOS, Behaviour, Endpoint
from undertow_collectors.simulate import attempts, traffic

JSON_TOPIC = "llm_requests"
OTLP_TOPIC = "otlp_spans"
TICK_S = 0.1
CHUNK = 1000
SHARES = {"gpt-4o": 0.5, "claude-sonnet": 0.25, "llama-3.3-70b": 0.25}
"""What the users ask for, by model."""


class Shipper:
    """Sends spans to Kafka. With `ordered` all go to one partition of one topic, so that a reader gets them in order.

    History needs that: its days pass in seconds, so that two partitions would soon lie hours of event time apart.
    """

    def __init__(self, producer: Any, *, ordered: bool) -> None:
        self._producer = producer
        self._partition = 0 if ordered else None
        self._failures: list[Exception] = []
        self._exporter = KafkaSpanExporter(
            JSON_TOPIC if ordered else OTLP_TOPIC, producer=producer, wait=False, partition=self._partition
        )
        resource = Resource({"service.name": CLAUDE_SONNET.gateway})
        provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._tracer = provider.get_tracer("undertow.demo")
        self.sent = 0

    def ship(self, spans: Sequence[Span]) -> None:
        """Hand `spans` to the producer in their order."""
        for span in spans:
            if span.model == CLAUDE_SONNET.model:
                self._trace(span)
            else:
                value = payloads.litellm(span)
                self._producer.send(JSON_TOPIC, value, partition=self._partition).add_errback(self._failures.append)
        self.sent += len(spans)

    def flush(self) -> None:
        """Return when the broker has everything; raises UndertowError if it did not take a record."""
        if not self._exporter.force_flush(20_000) or self._failures:
            raise UndertowError(f"the embedded broker did not take what the gateway sent: {self._failures[:1]}")

    def _trace(self, span: Span) -> None:
        own = self._tracer.start_span(
            f"{span.operation} {span.model}",
            kind=SpanKind.CLIENT,
            attributes=payloads.attributes(span),
            start_time=int(span.started_at * 1e9),
        )
        if span.status != "ok":
            own.set_status(Status(StatusCode.ERROR))
        own.end(int(span.ended_at * 1e9))


class Gateway:
    """Ships a history at once and then live traffic, routed by `router`, until `close`; a context manager."""

    def __init__(
        self, address: str, api_version: tuple[int, int], router: Router, seed: int, clock: Clock = system_clock
    ) -> None:
        self._producer = kafka.KafkaProducer(
            bootstrap_servers=address, api_version=api_version, acks="all", compression_type="lz4", linger_ms=5
        )
        self._history = Shipper(self._producer, ordered=True)
        self._live = Shipper(self._producer, ordered=False)
        self._router = router
        self._seed = seed
        self._rng = np.random.default_rng([seed, 1000])
        self._clock = clock
        self._behaviours: dict[Endpoint, Behaviour] = {}
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, "gateway")
        self._running: Future[None] | None = None
        self._until = 0.0

    @property
    def sent(self) -> int:
        """Spans shipped so far, history included."""
        return self._history.sent + self._live.sent

    def history(self, days: float, per_day: float, after_chunk: Callable[[int], None]) -> None:
        """Ship the last `days`, `per_day` attempts at each endpoint; `after_chunk(sent)` may make it wait."""
        start = self._clock() - days * DAY_S
        chunk: list[Span] = []
        for span in traffic(SCENARIOS["none"], self._seed, start=start, days=days, per_day=per_day):
            chunk.append(span)
            if len(chunk) == CHUNK:
                self._ship(chunk, after_chunk)
                chunk = []
        self._ship(chunk, after_chunk)

    def start(self, per_s: float) -> None:
        """Begin live traffic of `per_s` requests a second, from now on."""
        self._until = self._clock()
        self._running = self._pool.submit(self._run, per_s)

    def change(self, endpoint: Endpoint, behaviour: Behaviour) -> None:
        """From now on `endpoint` answers so."""
        self._behaviours[endpoint] = behaviour

    def check(self) -> None:
        """Raise UndertowError if something has stopped the live traffic."""
        if self._running and self._running.done() and (error := self._running.exception()):
            raise UndertowError(f"the simulated gateway has stopped: {error!r}") from error

    @contextmanager
    def held(self) -> Iterator[int]:
        """Hold live traffic for a moment; gives the number of spans sent, all of which the broker has."""
        with self._turn:
            self._live.flush()
            yield self.sent
            self._until = self._clock()

    def close(self) -> None:
        """Stop live traffic."""
        self._stop.set()
        self._pool.shutdown()
        self._producer.close(timeout=5)

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ship(self, chunk: Sequence[Span], after_chunk: Callable[[int], None]) -> None:
        self._history.ship(chunk)
        self._history.flush()
        after_chunk(self.sent)

    def _run(self, per_s: float) -> None:
        while not self._stop.wait(TICK_S):
            with self._turn:
                self._live.ship(self._requests(per_s))

    def _requests(self, per_s: float) -> list[Span]:
        """What has ended since the last turn, in the order in which it did."""
        begin, self._until = self._until, self._clock()
        at = np.sort(self._rng.uniform(begin, self._until, self._rng.poisson(per_s * (self._until - begin))))
        models = self._rng.choice(list(SHARES), len(at), p=list(SHARES.values()))
        chosen = [FLEET.index(self._router.choose(self._rng, model)) for model in models]
        spans: list[Span] = []
        for index, endpoint in enumerate(FLEET):
            mine = at[np.array(chosen, dtype=int) == index]
            spans += attempts(self._rng, endpoint, mine, self._behaviours.get(endpoint, NORMAL))
        return sorted(spans, key=lambda span: span.ended_at)
