"""Captured traffic of real clients through Apache Kafka into DuckDB: the counts must come out."""

from pathlib import Path
from typing import Any

import pytest

from undertow.store import Store
from undertow_collectors.files import messages

pytestmark = pytest.mark.kafka

FORMATS = Path(__file__).parents[1] / "fixtures" / "formats"
CLIENTS = ["kafka-python", "confluent-kafka"]
STORED = {"litellm-otel-v2": 260, "litellm-otel-v1-slp": 260, "otel-official": 56, "openinference": 60}


def sent(broker: Any, folder: str) -> tuple[str, int]:
    """Send a capture, file by file into one of two partitions; the topic, and how many messages it holds."""
    topic, count = broker.topic(2), 0
    for n, file in enumerate(sorted((FORMATS / folder).iterdir())):
        values = [message.value for message in messages(str(file))]
        broker.produce(topic, values, partition=n % 2)
        count += len(values)
    return topic, count


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("folder", STORED)
def test_captures_through_kafka(client: str, folder: str, apache_kafka: Any, read: Any, eventually: Any) -> None:
    """Every call becomes one row; no message is lost."""
    topic, count = sent(apache_kafka, folder)
    with Store.open(None) as store:
        read(apache_kafka, store, topic, client=client, format="auto").until(
            lambda: sum(store.offsets(topic).values()) == count, eventually
        )
        ingestion = store.ingestion()
    totals = ingestion["totals"]
    assert (totals["stored"], totals["duplicates"], totals["rejected"]) == (STORED[folder], 0, 0)
    assert totals["read"] == totals["stored"] + totals["skipped"]
