"""Which topics there are by their ids, and one message apart from the reading of all others, with confluent-kafka."""

import logging
from collections.abc import Callable, Collection
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from undertow_collectors.client import UnavailableError
from undertow_collectors.confluent_errors import Causes, translated
from undertow_collectors.identity import Identity, spelled

log = logging.getLogger(__name__)


class TopicIds:
    """Asks an admin client; whether the broker gives ids is learned from its first answer."""

    def __init__(self, admin: Any, causes: Causes) -> None:
        self._admin, self._causes = admin, causes
        self._gives_ids: bool | None = None

    def identify(self, topics: Collection[str], timeout_s: float) -> dict[str, Identity]:
        """Return the identity of each of `topics` that exists; raises UnavailableError."""
        with translated(self._causes):
            cluster = self._admin.cluster_id(timeout_s) or ""
        if self._gives_ids is False:
            return {topic: Identity(cluster) for topic in topics}
        asked = self._admin.describe_topics(TopicCollection(list(topics)), request_timeout=timeout_s)
        found = {}
        for topic, answer in asked.items():
            try:
                found[topic] = Identity(cluster, spelled(str(answer.result().topic_id)))
            except KafkaException as error:
                if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                if self._gives_ids:
                    raise UnavailableError(self._causes.hide(str(error))) from None
                log.info("the broker does not describe topics: %s", self._causes.hide(str(error)))
                self._gives_ids = False
                return {topic: Identity(cluster) for topic in topics}
        self._gives_ids = True
        return found


class Single:
    """A consumer that joins no group, made by `make` when it is needed first."""

    def __init__(self, make: Callable[[], Any], causes: Causes) -> None:
        self._make, self._causes = make, causes
        self._consumer: Any = None

    def record_at(self, tp: Any, timeout_s: float) -> Any | None:
        """Return the record at the offset of `tp`; None where none is there, or not in time."""
        with translated(self._causes):
            if self._consumer is None:
                self._consumer = self._make()
            self._consumer.assign([tp])
            polled = self._consumer.consume(1, timeout_s)
            self._consumer.assign([])
        found = [m for m in polled if m.error() is None and m.offset() == tp.offset]
        return found[0] if found else None

    def close(self) -> None:
        """End the consumer, if there is one."""
        if self._consumer is not None:
            self._consumer.close()
