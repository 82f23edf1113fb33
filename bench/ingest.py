"""From Kafka to DuckDB, beside consuming the same topic and throwing it away, and inserting the same rows alone.

Spans a second by the wall clock, on Apache Kafka; without Java or Maven on the mock cluster inside librdkafka, which
keeps little, so fewer spans are sent there, and the note says so.
"""

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.apache_kafka import Server, jars
from tests.programs import MissingError

from bench.decode import PER_MESSAGE, native_message, otlp_message
from bench.figures import trial
from undertow.batch import Batch, Committed, Decode, Decoded, Message, Part, Position
from undertow.config import KafkaConfig
from undertow.demo.broker import Broker
from undertow.store import Store
from undertow_collectors.decode.runs import decode_run
from undertow_collectors.kafka import KafkaSource

PARTITIONS = 4
Client = Literal["kafka-python", "confluent-kafka"]
CLIENTS: dict[str, Client] = {"kafka-python": "kafka-python", "confluent": "confluent-kafka"}
"""Names in the figures, and in the configuration."""


def run(spans: int) -> Iterator[dict[str, Any]]:
    """Each client and format beside the topic thrown away, and once beside the insert alone."""
    with broker(spans) as (bootstrap, api_version, broker_name):
        sent = spans if api_version is None else min(spans, 50_000)
        topics = {"native": (native(sent), 1), "otlp": (otlp(sent), PER_MESSAGE)}
        for form, (values, per_message) in topics.items():
            produce(bootstrap, form, values)
            for name, client in CLIENTS.items():
                config = KafkaConfig(bootstrap_servers=bootstrap, topics=[form], api_version=api_version, client=client)
                if f"{form}.{name}" != "otlp.confluent":
                    yield from compare(f"ingest.{form}.{name}", config, sent // per_message * per_message, broker_name)


def compare(bench: str, config: KafkaConfig, spans: int, broker_name: str) -> Iterator[dict[str, Any]]:
    """One topic three times: thrown away undecoded, into DuckDB, and the rows of it inserted alone."""
    thrown = Counting(lambda _: Committed())
    consumed = drain(config, thrown, spans, decoded=undecoded)
    kept: list[Batch] = []
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "a.duckdb", clock=None) as store:

        def keep(batch: Batch) -> Committed:
            kept.append(batch)
            return store.ingest(batch)

        sink = Counting(keep)
        stored = drain(config, sink, spans, decoded=decode_run)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "b.duckdb", clock=None) as store:
        began = time.perf_counter()
        for batch in kept:
            store.ingest(batch)
        inserted = spans / (time.perf_counter() - began)
    note = f"{broker_name}; inserting the same rows alone: {inserted:,.0f} spans/s"
    yield figure(bench, stored, "consuming the same topic and throwing it away", consumed, spans, note)
    if bench == "ingest.native.kafka-python":
        yield figure(f"{bench}.insert", stored, "inserting the same rows alone", inserted, spans, broker_name)


def undecoded(messages: Sequence[Message]) -> list[Part]:
    """As many spans without a field as the bench put into the messages."""
    per_message = 1 if messages[0].value.startswith(b"{") else PER_MESSAGE
    offsets = np.repeat([message.origin.offset for message in messages], per_message)
    nothing = pa.table({"ended_at": np.zeros(len(offsets)), "offset": offsets})
    return [Part(messages[0].origin, Decoded("none", columns=nothing), messages[-1].origin.offset + 1)]


@dataclass
class Counting:
    """A sink that counts spans on their way to another, and reads every topic from its start."""

    commit: Callable[[Batch], Committed]
    spans: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def ingest(self, batch: Batch) -> Committed:
        """Pass the batch on."""
        committed = self.commit(batch)
        with self.changed:
            self.spans += sum(decoded.read for _, decoded in batch.messages)
            self.changed.notify_all()
        return committed

    def positions(self, topic: str) -> dict[str, dict[int, Position]]:  # noqa: ARG002
        """Every run reads all there is."""
        return {}


def drain(config: KafkaConfig, sink: Counting, spans: int, decoded: Decode) -> float:
    """Spans a second from the first commit's fetch to the last commit; joining the group is not counted."""
    stop = threading.Event()
    reader = f"bench-{time.monotonic_ns()}"
    source = KafkaSource(msgspec.structs.replace(config, group_id=reader), decoded, reader)
    thread = threading.Thread(target=source.run, args=(sink, stop), daemon=True)
    thread.start()
    while source.status().state != "running" and sink.spans == 0 and thread.is_alive():
        time.sleep(0.001)
    began = time.perf_counter()
    with sink.changed:
        while sink.spans < spans and thread.is_alive():
            sink.changed.wait(1.0)
    took = time.perf_counter() - began
    stop.set()
    thread.join()
    if sink.spans < spans:
        raise SystemExit(f"bench: the reader ended after {sink.spans:,} of {spans:,} spans")
    return spans / took


@contextmanager
def broker(spans: int) -> Iterator[tuple[str, str | None, str]]:
    """Where the broker is, the protocol version it must be spoken to in, and its name."""
    try:
        place = None if trial(spans) else jars()
        reason = "such a trial needs no other"
    except MissingError as missing:
        place, reason = None, str(missing)
    if place is None:
        with Broker(topics=("native", "otlp")) as mock:
            yield mock.address, "2.0", f"librdkafka's mock cluster, for {reason}"
        return
    with tempfile.TemporaryDirectory() as folder:
        server = Server(place, Path(folder))
        server.start()
        try:
            yield server.bootstrap, None, "Apache Kafka"
        finally:
            server.stop()


def produce(bootstrap: str, topic: str, values: Iterable[bytes]) -> None:
    """Fill a new topic of PARTITIONS partitions in turn."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if topic not in admin.list_topics(timeout=30).topics:
        admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % PARTITIONS)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()


def native(spans: int) -> Iterator[bytes]:
    """Native objects in order of time."""
    rng = random_source()
    return (native_message(rng, number) for number in range(spans))


def otlp(spans: int) -> Iterator[bytes]:
    """OTLP messages of PER_MESSAGE spans."""
    rng = random_source()
    return (otlp_message(rng) for _ in range(spans // PER_MESSAGE))


def random_source() -> Any:
    """The same messages in every run."""

    return random.Random(11)


def figure(bench: str, value: float, limit: str, limit_value: float, spans: int, note: str) -> dict[str, Any]:
    """One line of `make bench`."""
    return {
        "bench": bench,
        "value": round(value),
        "unit": "spans/s",
        "limit": limit,
        "limit_value": round(limit_value),
        "ratio": round(value / limit_value, 3),
        "spans": spans,
        "note": note,
    }
