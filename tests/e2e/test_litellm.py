"""A real LiteLLM proxy in front of a fake provider, by its own callback and by OpenTelemetry, through Apache Kafka.

The provider's log is the truth: each attempt that it served is one span, none is lost and none is double.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest
from tests.collector_process import Collector, overrides
from tests.litellm.accounts import differences, shipped
from tests.litellm.proxy import EXAMPLE, CrashedError, proxy
from tests.litellm.traffic import Ask, ask_all, plan
from tests.litellm.upstream import Upstream, serving

from undertow.batch import Batch, Committed
from undertow.config import KafkaConfig
from undertow.span import Span
from undertow.store import Store
from undertow_collectors.decode.registry import decode
from undertow_collectors.kafka import KafkaSource

pytestmark = [pytest.mark.litellm, pytest.mark.kafka, pytest.mark.collector]

REQUESTS = 500
TRIES = 4

Asked = tuple[tuple[str, str], dict[int, int], list[dict[str, Any]]]


@dataclass
class Arrived:
    """A store, with the spans that were put into it."""

    store: Store
    spans: list[Span] = field(default_factory=list)

    def ingest(self, batch: Batch) -> Committed:
        """As a sink of Kafka's source."""
        self.spans += [span for _, decoded in batch.messages for span in decoded.spans]
        return self.store.ingest(batch)

    def offsets(self, topic: str) -> dict[int, int]:
        """The store's."""
        return self.store.offsets(topic)


@dataclass(frozen=True)
class Run:
    """One run of the proxy: what was asked, what the provider served, and what arrived either way."""

    statuses: dict[int, int]
    log: list[dict[str, Any]]
    gone: set[int]
    callback: Arrived
    otel: Arrived


@pytest.fixture(name="run", scope="module")
def _run(
    apache_kafka: Any, collector_program: Path, tmp_path_factory: Any, eventually: Any, without: Any
) -> Iterator[Run]:
    asks = plan(REQUESTS)
    gone = {ask.number for ask in asks if ask.gone}
    try:
        topics, statuses, log = retried(lambda: asked(asks, apache_kafka, collector_program, tmp_path_factory.mktemp))
    except CalledProcessError as error:
        without(f"the environment of LiteLLM cannot be made: {error}")
    with Store.open(None) as first, Store.open(None) as second:
        arrived = [drained(apache_kafka, *pair, eventually) for pair in zip(topics, (first, second), strict=True)]
        yield Run(statuses, log, gone, *arrived)


def retried(run: Callable[[], Asked]) -> Asked:
    """The first of TRIES runs in which the interpreter under LiteLLM does not crash."""
    for _ in range(TRIES - 1):
        with suppress(CrashedError):
            return run()
    return run()


def asked(asks: list[Ask], broker: Any, collector_program: Path, directory: Callable[[str], Path]) -> Asked:
    """Send the requests: the two topics that were written, the clients' statuses, and the provider's log."""
    topics, upstream = (broker.topic(2), broker.topic(2)), Upstream()
    collector = Collector(collector_program, directory("collector"), overrides(broker.bootstrap, topics[1]))
    environ = {
        "UNDERTOW_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
        "UNDERTOW_LITELLM__TOPIC": topics[0],
        "LITELLM_OTEL_V2": "true",
        "OTEL_EXPORTER": "otlp_http",
        "OTEL_ENDPOINT": collector.http,
        "OTEL_SERVICE_NAME": "litellm",
    }
    collector.start()
    try:
        logging = EXAMPLE.read_text().replace("logger]", "logger, otel]")
        with serving(upstream.app) as url, proxy(directory("litellm"), url, logging, environ) as gateway:
            statuses = ask_all(gateway, asks)
    finally:
        collector.stop()
    return topics, statuses, upstream.log


def drained(broker: Any, topic: str, store: Store, eventually: Any) -> Arrived:
    """Everything in `topic`, read by Undertow's source into `store`."""
    ends, sink, stopped = broker.ends(topic), Arrived(store), threading.Event()
    config = KafkaConfig(bootstrap_servers=broker.bootstrap, topics=[topic], group_id=topic)
    source = KafkaSource(config, partial(decode, keep_labels=frozenset({"request"})), f"reader-of-{topic}")
    reading = threading.Thread(target=source.run, args=(sink, stopped))
    reading.start()
    try:
        eventually(lambda: store.offsets(topic) == ends, f"all of {topic} is stored")
    finally:
        stopped.set()
        reading.join()
    return sink


def test_every_attempt_is_shipped_once(run: Run) -> None:
    """Each attempt that the provider served is one span, with its tokens, its outcome and who answered it."""
    assert len(run.statuses) == REQUESTS
    assert differences(run.log, run.callback.spans, run.gone) == ([], [])


def test_nothing_is_stored_twice_or_rejected(run: Run) -> None:
    """What arrives is stored as it is: no ids collide, nothing is refused."""
    for arrived in (run.callback, run.otel):
        totals = arrived.store.ingestion()["totals"]
        assert totals["stored"] == len(arrived.spans)
        assert (totals["duplicates"], totals["rejected"]) == (0, 0)


def seen(span: Span, gone: bool) -> tuple[Any, ...]:
    """What both ways say of an attempt; LiteLLM's spans do not show who hung up, nor that a failure was to stream."""
    outcome = ("gone",) if gone else (span.status, span.error_class, span.http_status, span.finish_reason)
    asked = (span.trace_id, span.provider, span.model, span.sent_model, span.operation, bool(span.fallback))
    return (
        *asked,
        *outcome,
        span.response_id,
        span.input_tokens,
        span.output_tokens,
        span.status != "error" and bool(span.stream),
    )


def test_both_ways_tell_the_same(run: Run) -> None:
    """LiteLLM's spans, by way of a Collector, have the calls, tokens, errors and fallbacks that the callback has.

    They lack what LiteLLM logs of no request: failed attempts after the first one.
    """
    gone = {span.trace_id for span in run.callback.spans if span.status == "cancelled"}
    logged = [span for _, spans in by_trace(run.callback.spans) for span in without_later_failures(spans)]
    by_callback = Counter(seen(span, span.trace_id in gone) for span in logged)
    by_otel = Counter(seen(span, span.trace_id in gone) for span in run.otel.spans)
    assert (by_otel - by_callback, by_callback - by_otel) == (Counter(), Counter())
    assert len(gone) == len(run.gone)
    assert len(run.callback.spans) - len(logged) == 55


def by_trace(spans: list[Span]) -> list[tuple[str | None, list[Span]]]:
    """Spans of each client request in the order in which they began."""
    ordered = sorted(spans, key=lambda span: (span.trace_id or "", span.started_at))
    return [(trace, list(found)) for trace, found in groupby(ordered, key=lambda span: span.trace_id)]


def without_later_failures(spans: list[Span]) -> list[Span]:
    """The first failed attempt of a request and its answer."""
    failed = [span for span in spans if span.status == "error"]
    return failed[:1] + [span for span in spans if span.status != "error"]


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
    logged = [span for _, spans in by_trace(run.callback.spans) for span in without_later_failures(spans)]
    missing, surplus = differences(run.log, logged, run.gone)
    assert surplus == []
    assert {attempt.sent_model for attempt in missing} == {"flaky", "fail-429"}
