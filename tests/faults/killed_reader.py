"""A process to be killed: Kafka into a store, committing as often as it can so that kills hit commits.

    python killed_reader.py DATABASE BOOTSTRAP TOPIC atomic|broken [drain]

Says `source is running` on standard error once it reads; with `drain` it ends when nothing is left to read.
"""

import logging
import sys
import threading
import time

from broken_sink import BrokenSink

import undertow_collectors.session
from undertow.config import KafkaConfig
from undertow.store import Store
from undertow_collectors.decode.runs import decode_run
from undertow_collectors.kafka import KafkaSource

LINGER_S = 0.02
BETWEEN_COMMITS_S = 0.1  # what the broken sink takes, so that most kills fall in there on a fast disk, too


def drained(source: KafkaSource) -> bool:
    """Whether the store has everything."""
    partitions = source.status().partitions
    return bool(partitions) and all(p.lag == 0 for p in partitions)


def main(database: str, bootstrap: str, topic: str, kind: str, drain: bool) -> None:
    """Read until killed, or until nothing is left."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    undertow_collectors.session.LINGER_S = LINGER_S
    config = KafkaConfig(bootstrap_servers=bootstrap, topics=[topic], group_id=topic)
    source = KafkaSource(config, lambda messages: decode_run(messages, "native"), f"undertow-{topic}")
    stop = threading.Event()
    with Store.open(database) as store:
        sink = store if kind == "atomic" else BrokenSink(store, lambda _: time.sleep(BETWEEN_COMMITS_S))
        reader = threading.Thread(target=source.run, args=(sink, stop))
        reader.start()
        while reader.is_alive() and not (drain and drained(source)):
            time.sleep(0.05)
        stop.set()
        reader.join()


if __name__ == "__main__":
    main(*sys.argv[1:5], drain="drain" in sys.argv)
