"""Errors of confluent-kafka (librdkafka) in the words of client.py."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from undertow.veil import Veil
from undertow_collectors.client import (
    CODECS,
    DAMAGED_HINT,
    GROUP_HINT,
    GROUP_READ_HINT,
    LOGIN_HINT,
    PERMISSIONS_HINT,
    READ_HINT,
    BrokerError,
    DeniedError,
    FencedError,
    GroupDeniedError,
    GroupError,
    OutOfRangeError,
    Partition,
    UnavailableError,
    UnreadableError,
    tls_hint,
)

LOGIN = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.UNSUPPORTED_SASL_MECHANISM)
PERMISSION = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
UNREADABLE = (KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION, KafkaError._NOT_IMPLEMENTED, KafkaError._PARTIAL)
AWAY = (
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._UNKNOWN_BROKER,
    KafkaError._WAIT_COORD,
    KafkaError._MAX_POLL_EXCEEDED,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
)


class Causes:
    """What librdkafka reports beside the calls: `last` is what keeps it from the brokers, None after an answer."""

    def __init__(self, hide: Veil) -> None:
        self.hide = hide
        self.last: DeniedError | None = None

    def __call__(self, error: Any) -> None:
        """Its `error_cb`: refusals come here alone."""
        found = named(error, self.hide)
        if isinstance(found, DeniedError):
            self.last = found


@contextmanager
def translated(causes: Causes) -> Iterator[None]:
    """Raise errors of client.py instead, without a password that a broker repeats."""
    try:
        yield
    except KafkaException as error:
        found = named(error.args[0], causes.hide)
        raise (causes.last if causes.last and type(found) is UnavailableError else found) from None


def named(error: Any, hide: Veil) -> UnavailableError:
    """The error of client.py for one of librdkafka."""
    code, text = error.code(), hide(str(error.str()))
    if code in LOGIN:
        return DeniedError(f"{text}; {LOGIN_HINT}")
    if code == KafkaError._SSL or "SSL handshake failed" in text:
        return DeniedError(f"{text}; {tls_hint(text)}")
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return GroupDeniedError(f"{text}; {GROUP_READ_HINT}")
    if code in PERMISSION:
        return DeniedError(f"{text}; {PERMISSIONS_HINT}")
    if code == KafkaError.INCONSISTENT_GROUP_PROTOCOL:
        return GroupError(GROUP_HINT)
    return (UnavailableError if code in AWAY or error.retriable() else BrokerError)(hide(str(error)))


def of_partition(error: Any, partition: Partition, offset: int, following: int, hide: Veil) -> Exception | None:
    """What an error event of one partition means, whose next message is `following`; None for a passing one."""
    code = error.code()
    if code == KafkaError._AUTO_OFFSET_RESET:
        return OutOfRangeError({partition: offset})
    if code in UNREADABLE:
        return UnreadableError({partition: following}, _why(hide(error.str())))
    if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return UnreadableError({partition: following}, READ_HINT, "access_denied")
    return None


def of_group(error: Any, hide: Veil) -> Exception | None:
    """What an error event of no partition means; None where librdkafka gets over it by itself."""
    if error.code() == KafkaError.FENCED_INSTANCE_ID:
        return FencedError()
    found = named(error, hide)
    return found if error.fatal() or isinstance(found, (DeniedError, GroupError)) else None


def _why(text: str) -> str:
    """librdkafka's sentence about a batch, with the name of the codec and what to do."""
    codec = re.search(r"codec 0x([0-9a-f]+)", text)
    if codec is None:
        return f"the next batch is damaged ({text}); {DAMAGED_HINT}"
    name = CODECS.get(int(codec[1], 16))
    if name is None:
        return f"the next batch is compressed with codec {int(codec[1], 16)}, which Kafka does not have; {DAMAGED_HINT}"
    if "Not implemented" in text:
        return f"the next batch is compressed with {name}, which this librdkafka cannot read; install another"
    return f"the next batch ({name}) is damaged ({text}); {DAMAGED_HINT}"
