"""A Kafka-protocol broker inside this process: the mock cluster of librdkafka, on a real TCP port.

It makes topics of four partitions when they are first asked for, keeps about 5 MiB a partition, and drops the oldest
records silently beyond that; whoever produces must not run further ahead of the reader.
"""

from typing import Any

from undertow.errors import UndertowError

API_VERSION = (2, 0)
"""What kafka-python must be told: it cannot read the mock's answer to ApiVersions."""


class Broker:
    """The broker, running from construction until `close`; a context manager."""

    def __init__(self, topics: tuple[str, ...] = ()) -> None:
        try:
            from confluent_kafka import Producer
        except ImportError:
            raise UndertowError("the embedded broker is not installed; run: pip install confluent-kafka") from None
        self._mock: Any = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._mock.list_topics(timeout=10).brokers.values()
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        for topic in topics:
            self._mock.list_topics(topic, timeout=10)

    def close(self) -> None:
        """Stop; connections end and records are gone."""
        self._mock = None

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
