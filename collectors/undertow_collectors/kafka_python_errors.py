"""Errors of kafka-python in the words of client.py."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    InconsistentGroupProtocolError,
    KafkaError,
    OffsetOutOfRangeError,
    RetriableError,
    SaslAuthenticationFailedError,
    SecurityDisabledError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from undertow.veil import Veil
from undertow_collectors.client import (
    GROUP_HINT,
    GROUP_READ_HINT,
    LOGIN_HINT,
    PERMISSIONS_HINT,
    BrokerError,
    DeniedError,
    FencedError,
    GroupDeniedError,
    GroupError,
    OutOfRangeError,
    TopicDeniedError,
    UnavailableError,
    UnreadableError,
    tls_hint,
)
from undertow_collectors.kafka_python_records import BatchError

LOGIN = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError, SecurityDisabledError)


@contextmanager
def translated(hide: Veil, cause: Callable[[], Exception | None] = lambda: None) -> Iterator[None]:
    """Raise errors of client.py instead, without a password that a broker repeats.

    `cause` is what kept the library from the broker, where it only says that it did not get there.
    """
    try:
        yield
    except BatchError as error:
        topic, partition = error.partition
        raise UnreadableError({(topic, partition): error.offset}, hide(str(error))) from None
    except OffsetOutOfRangeError as error:
        raise OutOfRangeError({(tp.topic, tp.partition): offset for tp, offset in error.args[0].items()}) from None
    except FencedInstanceIdError:
        raise FencedError from None
    except (KafkaError, OSError) as error:
        raise _named(error, cause() if isinstance(error, (RetriableError, OSError)) else None, hide) from None


def _named(error: Exception, cause: Exception | None, hide: Veil) -> UnavailableError:
    """The error of client.py for `error`, or for its `cause` where that says more."""
    told = cause or error
    text = hide(_text(told))
    if isinstance(told, TopicAuthorizationFailedError):
        return TopicDeniedError(told.args[0] if told.args else ["a topic"])
    if isinstance(told, GroupAuthorizationFailedError):
        return GroupDeniedError(f"{text}; {GROUP_READ_HINT}")
    if isinstance(told, AuthorizationError):
        return DeniedError(f"{text}; {PERMISSIONS_HINT}")
    if isinstance(told, LOGIN):
        return DeniedError(f"{text}; {LOGIN_HINT}")
    if "Handshake failed" in text:
        return DeniedError(f"{text}; {tls_hint(text)}")
    if isinstance(told, InconsistentGroupProtocolError):
        return GroupError(GROUP_HINT)
    return (UnavailableError if isinstance(told, (RetriableError, OSError)) else BrokerError)(text)


def _text(error: Exception) -> str:
    name = type(error).__name__
    return f"{name}: {str(error).removeprefix(f'{name}: ')}"
