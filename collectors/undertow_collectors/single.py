"""One message of a topic by its offset, apart from the reading of all others, with kafka-python."""

import time
from typing import Any

from kafka.errors import OffsetOutOfRangeError


def record_at(consumer: Any, tp: Any, offset: int, timeout_s: float) -> Any | None:
    """The record at `offset`, by a `consumer` without a group; None where none is there, or not in time."""
    consumer.assign([tp])
    consumer.seek(tp, offset)
    until = time.monotonic() + timeout_s
    try:
        while time.monotonic() < until:
            for record in consumer.poll(timeout_ms=100, max_records=1).get(tp, ()):
                return record if record.offset == offset else None
    except OffsetOutOfRangeError:
        return None
    return None
