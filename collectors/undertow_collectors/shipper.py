"""Records to a Kafka topic from inside another program, which never waits for it and never sees it fail."""

import atexit
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka.errors import KafkaError

BUFFER_BYTES = 64 * 2**20
"""Values that wait for the broker; what comes on top is dropped and counted."""

CLOSE_S = 10.0
"""How long the end of the program waits for what is still on its way."""

CONNECT_AGAIN_S = 1.0
TELL_EVERY_S = 30.0

_log = logging.getLogger(__name__)


class Counts(NamedTuple):
    """What became of the records that were put: accepted = delivered + failed + waiting; dropped ones never were."""

    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    dropped: int = 0


class Shipper:
    """Sends from a thread of its own, which begins with the first record, as the producer does.

    `connect` makes the producer (of kafka-python) and raises KafkaError while no broker answers; it is asked again.
    Whatever the broker did not take is counted, and told in the log at most twice a minute and at the end.
    """

    def __init__(self, topic: str, connect: Callable[[], Any], buffer_bytes: int = BUFFER_BYTES) -> None:
        self._topic = topic
        self._connect = connect
        self._room = buffer_bytes
        self._records: queue.SimpleQueue[tuple[bytes | None, bytes] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._accepted = self._delivered = self._failed = self._dropped = 0
        self._told_at = -TELL_EVERY_S
        self._thread: threading.Thread | None = None
        self._producer: Any = None
        self._ending = threading.Event()

    @property
    def counts(self) -> Counts:
        """What became of the records so far; callable from any thread."""
        with self._lock:
            return Counts(self._accepted, self._delivered, self._failed, self._dropped)

    def put(self, value: bytes, key: bytes | None = None) -> bool:
        """Take one record, at once; False if it was dropped, because too much waits already."""
        with self._lock:
            if len(value) > self._room:
                self._dropped += 1
                full = True
            else:
                full = False
                self._room -= len(value)
                self._accepted += 1
                self._begin()
        if full:
            self._tell("too much waits for the broker already")
            return False
        if self._ending.is_set():  # the program ends, and this is what its other exit handlers bring
            self._send(key, value)
            self._flush(CLOSE_S)
        else:
            self._records.put((key, value))
        return True

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Send what waits, for at most `timeout_s`, and tell how many records were lost; records may still be put."""
        until = time.monotonic() + timeout_s
        atexit.unregister(self.close)
        self._ending.set()
        if self._thread is not None:
            self._records.put(None)
            self._thread.join(timeout_s)
            self._flush(max(0.0, until - time.monotonic()))
        lost = self._accepted - self._delivered + self._dropped
        if lost:
            _log.error("topic %s did not take %d of %d records", self._topic, lost, self._accepted + self._dropped)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="undertow-shipper", daemon=True)
            self._thread.start()
            self._register()

    def _register(self) -> None:
        atexit.unregister(self.close)
        if not self._ending.is_set():
            atexit.register(self.close)

    def _run(self) -> None:
        while record := self._records.get():
            self._send(*record)

    def _send(self, key: bytes | None, value: bytes) -> None:
        producer = self._connected()
        if producer is None:
            return self._settle(len(value), "no broker answers")
        try:
            future = producer.send(self._topic, value, key=key)
        except Exception as error:  # noqa: BLE001  the program that logs must not see it
            return self._settle(len(value), f"{type(error).__name__}: {error}")
        future.add_callback(lambda _: self._settle(len(value)))
        future.add_errback(lambda error: self._settle(len(value), f"{type(error).__name__}: {error}"))
        return None

    def _connected(self) -> Any:
        """The producer; None once the end has come without one."""
        while self._producer is None:
            try:
                self._producer = self._connect()
            except Exception as error:  # noqa: BLE001  as above; a wrong setting looks like this too
                self._tell(f"{type(error).__name__}: {error}")
                if self._ending.wait(CONNECT_AGAIN_S):
                    return None
            else:
                self._register()  # again: the last one registered is the first to run, and the library has one
        return self._producer

    def _flush(self, timeout_s: float) -> None:
        if self._producer is not None:
            try:
                self._producer.flush(timeout=timeout_s)
            except KafkaError as error:
                self._tell(f"{type(error).__name__}: {error}")

    def _settle(self, size: int, reason: str | None = None) -> None:
        with self._lock:
            self._room += size
            self._delivered += reason is None
            self._failed += reason is not None
        if reason is not None:
            self._tell(reason)

    def _tell(self, reason: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= TELL_EVERY_S:
            self._told_at = now
            _log.warning("topic %s: %s; so far %s", self._topic, reason, self.counts)
