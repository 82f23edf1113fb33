"""A real LiteLLM proxy in front of a fake provider, by its own callback and by OpenTelemetry, through Apache Kafka.

The provider's log is the truth: each attempt that it served is one span, none is lost and none is double.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any, TypeVar

import pytest
from tests.collector_process import Collector, overrides
from tests.litellm.accounts import differences, shipped
from tests.litellm.proxy import EXAMPLE, CrashedError, proxy
from tests.litellm.traffic import ask_all, plan
from tests.litellm.upstream import Upstream, serving

from undertow import columns
from undertow.batch import Batch, Committed, Origin
from undertow.config import KafkaConfig
from undertow.span import Span
from undertow.store import Store
from undertow_collectors.decode.runs import decode_run
from undertow_collectors.kafka import KafkaSource

pytestmark = [pytest.mark.litellm, pytest.mark.kafka, pytest.mark.collector]

T = TypeVar("T")

REQUESTS = 500
TRIES = 4


@dataclass
class Arrived:
    """A sink: a store, and beside it the spans that were put there, and the messages that each trace came in."""

    store: Store
    spans: list[Span] = field(default_factory=list)
    messages: defaultdict[str | None, set[Origin]] = field(default_factory=lambda: defaultdict(set))
    totals: dict[str, int] = field(default_factory=dict)

    def ingest(self, batch: Batch) -> Committed:
        """Into both."""
        for origin, decoded in batch.messages:
            spans, offsets = decoded.spans, [origin.offset] * len(decoded.spans)
            if decoded.columns is not None:
                spans, offsets = columns.spans(decoded.columns), decoded.columns["offset"].to_pylist()
            self.spans += spans
            for span, offset in zip(spans, offsets, strict=True):
                self.messages[span.trace_id].add(origin._replace(offset=offset))
        return self.store.ingest(batch)

    def positions(self, topic: str) -> dict[str, Any]:
        """The store's."""
        return self.store.positions(topic)


@dataclass(frozen=True)
class Run:
    """One run of the proxy: what the provider served, whose clients hung up, and what arrived either way."""

    log: list[dict[str, Any]]
    gone: set[int]
    callback: Arrived
    otel: Arrived


@pytest.fixture(name="attempt", scope="module")
def _attempt(without: Any) -> Callable[[Callable[[], T]], T]:
    """Runs what needs a proxy, again where the interpreter under LiteLLM crashed."""

    def attempt(run: Callable[[], T]) -> T:
        try:
            for _ in range(TRIES - 1):
                with suppress(CrashedError):
                    return run()
            return run()
        except CalledProcessError as error:
            return without(f"the environment of LiteLLM cannot be made: {error}")

    return attempt


@pytest.fixture(name="run", scope="module")
def _run(apache_kafka: Any, collector_program: Path, tmp_path_factory: Any, eventually: Any, attempt: Any) -> Run:
    def run() -> Run:
        topics = apache_kafka.topic(2), apache_kafka.topic(2)
        changes = overrides(apache_kafka.bootstrap, topics[1])
        collector = Collector(collector_program, tmp_path_factory.mktemp("collector"), changes)
        collector.start()
        try:
            return both_ways(apache_kafka, topics, tmp_path_factory.mktemp("litellm"), collector.http, eventually)
        finally:
            collector.stop()

    return attempt(run)


def both_ways(broker: Any, topics: tuple[str, str], directory: Path, collector: str, eventually: Any) -> Run:
    """Ask, and read what comes, until all is there that the provider served and that LiteLLM's spans can tell of."""
    asks, upstream = plan(REQUESTS), Upstream()
    logging = EXAMPLE.read_text().replace("logger]", "logger, otel]")
    environ = {"LITELLM_OTEL_V2": "true", "OTEL_EXPORTER": "otlp_http", "OTEL_ENDPOINT": collector}
    environ |= shipping(broker, topics[0]) | {"OTEL_SERVICE_NAME": "litellm"}
    with (
        reading(broker, topics[0], eventually) as callback,
        reading(broker, topics[1], eventually) as otel,
        serving(upstream.app) as url,
        proxy(directory, url, logging, environ) as gateway,
    ):
        assert len(ask_all(gateway, asks)) == REQUESTS
        eventually(lambda: len(callback.spans) >= len(upstream.log), "the callback ships every attempt")
        logged = len(logged_by_litellm(callback.spans))
        # LiteLLM does not flush OpenTelemetry when it stops, and loses the last five seconds
        eventually(lambda: len(otel.spans) >= logged, "OpenTelemetry ships what LiteLLM logs")
    return Run(upstream.log, {ask.number for ask in asks if ask.gone}, callback, otel)


def shipping(broker: Any, topic: str) -> dict[str, str]:
    """The callback's settings."""
    return {"UNDERTOW_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "UNDERTOW_LITELLM__TOPIC": topic}


@contextmanager
def reading(broker: Any, topic: str, eventually: Any) -> Iterator[Arrived]:
    """What Undertow's source reads of `topic` into a store, while the block runs and then to the topic's end."""
    config = KafkaConfig(bootstrap_servers=broker.bootstrap, topics=[topic], group_id=topic)
    source = KafkaSource(config, partial(decode_run, keep_labels=frozenset({"request"})), f"reader-of-{topic}")
    stopped = threading.Event()
    with Store.open(None) as store:
        sink = Arrived(store)
        thread = threading.Thread(target=source.run, args=(sink, stopped))
        thread.start()
        try:
            yield sink
            ends = broker.ends(topic)
            eventually(lambda: store.offsets(topic) == ends, f"all of {topic} is stored")
        finally:
            stopped.set()
            thread.join()
        sink.totals = store.ingestion()["totals"]


def test_every_attempt_is_shipped_once(run: Run) -> None:
    """Each attempt that the provider served is one span, with its tokens, its outcome and who answered it."""
    assert differences(run.log, run.callback.spans, run.gone) == ([], [])


def test_nothing_is_stored_twice_or_rejected(run: Run) -> None:
    """What arrives is stored as it is: no ids collide, nothing is refused."""
    for arrived in (run.callback, run.otel):
        assert arrived.totals["stored"] == len(arrived.spans)
        assert (arrived.totals["duplicates"], arrived.totals["rejected"]) == (0, 0)


def test_both_ways_tell_the_same(run: Run) -> None:
    """LiteLLM's spans, by way of a Collector, have the calls, tokens, errors and fallbacks that the callback has.

    They lack what LiteLLM logs of no request: failed attempts after the first one.
    """
    gone = {span.trace_id for span in run.callback.spans if span.status == "cancelled"}
    apart = {trace for trace, messages in run.otel.messages.items() if len(messages) > 1}
    by_callback = Counter(seen(span, gone, apart) for span in logged_by_litellm(run.callback.spans))
    by_otel = Counter(seen(span, gone, apart) for span in run.otel.spans)
    assert (by_otel - by_callback, by_callback - by_otel) == (Counter(), Counter())
    assert len(gone) == len(run.gone)
    assert len(apart) < 0.1 * REQUESTS


def seen(span: Span, gone: Container[str | None], apart: Container[str | None]) -> tuple[Any, ...]:
    """What both ways say of an attempt.

    LiteLLM's spans do not show who hung up, nor that a failure was to stream; and which answers are fallbacks shows
    only where a trace comes in one message, which those `apart` do not.
    """
    outcome = (span.status, span.error_class, span.http_status, span.finish_reason)
    streamed = span.status != "error" and bool(span.stream)
    fallback = None if span.trace_id in apart else bool(span.fallback)
    asked = (span.trace_id, span.provider, span.model, span.sent_model, span.operation, fallback, streamed)
    answered = (span.response_id, span.input_tokens, span.output_tokens)
    return (*asked, *answered, *(() if span.trace_id in gone else outcome))


def logged_by_litellm(spans: Sequence[Span]) -> list[Span]:
    """Of each client request the first failed attempt and the answer."""
    ordered = sorted(spans, key=lambda span: (span.trace_id or "", span.started_at))
    found = []
    for _, attempts in groupby(ordered, key=lambda span: span.trace_id):
        failures = 0
        for span in attempts:
            failures += span.status == "error"
            if span.status != "error" or failures == 1:
                found.append(span)
    return found


@pytest.mark.parametrize("place", [0, 250, -1])
def test_a_lost_or_doubled_attempt_is_found(run: Run, place: int) -> None:
    """The comparison itself: one span less, or one more, under whatever id, is told by name."""
    spans = run.callback.spans
    odd = shipped(spans[place])
    without = [span for span in spans if span is not spans[place]]
    assert differences(run.log, without, run.gone) == ([odd], [])
    assert differences(run.log, [*spans, spans[place]], run.gone) == ([], [odd])


def test_what_litellm_logs_by_itself_is_not_enough(run: Run) -> None:
    """Without the deployment hook, attempts would be missing, and the comparison tells which."""
    missing, surplus = differences(run.log, logged_by_litellm(run.callback.spans), run.gone)
    assert surplus == []
    assert {attempt.sent_model for attempt in missing} == {"flaky", "fail-429"}


def test_what_the_proxy_still_holds_when_it_stops_is_shipped(
    apache_kafka: Any, tmp_path_factory: Any, attempt: Any
) -> None:
    """Right after the last answer the proxy is told to stop; its last log events come while the interpreter ends."""

    def run() -> tuple[dict[int, int], int]:
        topic, upstream, directory = apache_kafka.topic(), Upstream(), tmp_path_factory.mktemp("litellm")
        settings = shipping(apache_kafka, topic)
        with serving(upstream.app) as url, proxy(directory, url, EXAMPLE.read_text(), settings) as gateway:
            ask_all(gateway, plan(36))
        return apache_kafka.ends(topic), len(upstream.log)

    ends, served = attempt(run)
    assert ends == {0: served}
