"""Kafka into the store, exactly once: rows and offsets commit together, and reading starts where the store says.

Offsets go to Kafka too, but only for lag tools; nothing here ever reads them.
"""

import gc
import logging
import threading
from collections.abc import Callable

from undertow.batch import Decode, Sink
from undertow.clock import Clock, system_clock
from undertow.config import KafkaConfig
from undertow.errors import ConfigError, Refused
from undertow_collectors.client import Connect, FencedError, RejoinError, TopicDeniedError, UnavailableError
from undertow_collectors.session import FENCED, TROUBLES, Session
from undertow_collectors.source import Board, PartitionStatus, SourceStatus

log = logging.getLogger(__name__)

RETRY_S = 1.0
COLLECT = (100_000, 20, 50)
"""A batch is some hundred thousand objects without cycles; by default half the time goes into looking for some."""


class KafkaSource:
    """A Source that reads the topics of `config` as a member of its consumer group.

    `decode` turns messages of one partition into spans. `instance_id` belongs to the database: a restarted process is
    known by it as the same reader (static membership, so that it takes its partitions back at once), a second database
    in the group as another.
    """

    def __init__(
        self,
        config: KafkaConfig,
        decode: Decode,
        instance_id: str,
        *,
        lateness_s: float = 60.0,
        clock: Clock = system_clock,
        connect: Connect | None = None,
    ) -> None:
        self._config = config
        self._decode = decode
        self._instance_id = instance_id
        self._lateness_s = lateness_s
        self._clock = clock
        self._connect = connect or library(config)
        self._board = Board()
        self._board.set("connecting")
        self._partitions: Callable[[], tuple[PartitionStatus, ...]] = tuple

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Read until `stop` is set, through any trouble with the brokers; raises what the sink raised, but Refused.

        Makes the garbage collector of the process look for cycles less often.
        """
        gc.set_threshold(*COLLECT)
        try:
            while not stop.is_set():
                self._session(sink, stop)
        finally:
            self._board.set("stopped")

    def status(self) -> SourceStatus:
        """The state right now; callable from any thread."""
        return SourceStatus(*self._board.told(), self._partitions())

    def _session(self, sink: Sink, stop: threading.Event) -> None:
        """One connection from its beginning to its end."""
        self._board.set("connecting")
        session: Session | None = None
        try:
            client = self._connect(self._config, self._instance_id)
            session = Session(
                client,
                sink,
                self._board,
                self._decode,
                self._instance_id,
                clock=self._clock,
                lateness_s=self._lateness_s,
                from_start=self._config.start == "earliest",
            )
            self._partitions = session.partitions
            session.join()
            while not stop.is_set():
                session.turn()
        except UnavailableError as error:
            where = "" if isinstance(error, TopicDeniedError) else f"{self._config.bootstrap_servers}: "
            self._board.set(error.state, f"{where}{error}")
            self._board.clear(*(state for state in TROUBLES if state != error.state))
            stop.wait(RETRY_S)
        except RejoinError as error:
            log.warning("%s; joining the group anew", error)
            if session:
                session.leave()
            stop.wait(RETRY_S)  # brokers may disagree for a moment
        except FencedError:
            self._board.set("group_conflict", FENCED)
            stop.wait(RETRY_S)
        except (Refused, MemoryError) as error:  # what was read goes with the session, and is read again
            self._board.set("store_refused", str(error) or "there was no memory for what was read")
            stop.wait(RETRY_S)
        finally:
            if session:
                session.close()


def library(config: KafkaConfig) -> Connect:
    """What makes clients of the library that the configuration names.

    Raises ConfigError where confluent-kafka is named and not installed.
    """
    if config.client == "kafka-python":
        from undertow_collectors.kafka_python import KafkaPythonClient

        return KafkaPythonClient
    try:
        from undertow_collectors.confluent import ConfluentClient
    except ImportError:
        raise ConfigError(
            'kafka.client is "confluent-kafka", which is not installed: pip install confluent-kafka, '
            'or set kafka.client to "kafka-python"'
        ) from None
    return ConfluentClient
