"""Which connections the API keeps: bounded in number, in all and by address, and in the time that a client may take.

All of it comes before authentication, so a client is judged only by what it makes the server wait for: the head of a
request, a body, or that it reads an answer.
"""

import ipaddress
import logging
import resource
import time
from collections.abc import Callable, Collection, Iterable
from enum import IntEnum
from operator import itemgetter
from typing import Protocol, Self

from undertow.config import ApiConfig

HEAD_S = 10.0
"""From a connection or an answer to the end of the next request's head."""

READ_S, READ_BYTES = 30.0, 30 * 2**10
"""A client that has not read its answer takes at least so many bytes of it in that time."""

REASONS = ("slow_head", "slow_body", "slow_reader", "displaced", "too_many", "malformed")
"""Why the server ended or refused a connection."""

log = logging.getLogger(__name__)


class Turn(IntEnum):
    """What a client is waited for, in the order in which it makes room for others."""

    NEXT_REQUEST = 0
    READING_OR_BODY = 1
    FIRST_REQUEST = 2


HEADS = (Turn.NEXT_REQUEST, Turn.FIRST_REQUEST)


class Connection(Protocol):
    """One client of the server."""

    network: str
    since: float

    def turn(self) -> Turn | None:
        """What the client has to do next; None while the server has to."""
        ...

    def unread_bytes(self) -> int:
        """How much of its answers the client has not taken."""
        ...

    def drop(self) -> None:
        """End it without a word."""
        ...


class Connections:
    """The connections that are kept. Every method is called by the server's event loop alone."""

    def __init__(self, limit: int, per_network: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.closed = dict.fromkeys(REASONS, 0)
        self.clock = clock
        self.at_once = max(1, min(limit, per_network) // 4)
        self._limit, self._per_network = limit, per_network
        self._kept: dict[str, set[Connection]] = {}
        self._unread: dict[Connection, tuple[float, int]] = {}

    @classmethod
    def of(cls, config: ApiConfig) -> Self:
        """The limits of the configuration, as far as the process may open files."""
        limit, per_address = allowed(config, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        if limit < config.max_connections:
            log.warning(
                "api.max_connections is %d, but half of the files that this process may open are %d: %d are kept; "
                "raise its limit of open files (ulimit -n, LimitNOFILE=)",
                *(config.max_connections, limit, limit),
            )
        return cls(limit, per_address)

    def admit(self, connection: Connection) -> bool:
        """Keep `connection`, in place of one that is waited for where it is full; False where there is none.

        A request that arrives at once is therefore answered, however many slow clients hold what there is.
        """
        peers = self._kept.get(connection.network, set())
        if len(peers) >= self._per_network and not self._make_room(peers):
            return False
        if self.count() >= self._limit and not self._make_room(self._all()):
            return False
        self._kept.setdefault(connection.network, set()).add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """`connection` has ended, or was never kept."""
        self._unread.pop(connection, None)
        peers = self._kept.get(connection.network, set())
        peers.discard(connection)
        if not peers:
            self._kept.pop(connection.network, None)

    def sweep(self) -> None:
        """Drop what has been waited for too long."""
        now = self.clock()
        for connection in list(self._all()):
            if self._is_slow_reader(connection, now):
                self._drop(connection, "slow_reader")
            elif connection.turn() in HEADS and now - connection.since > HEAD_S:
                self._drop(connection, "slow_head")

    def count(self) -> int:
        """How many are kept."""
        return sum(map(len, self._kept.values()))

    def _all(self) -> Collection[Connection]:
        return [connection for peers in self._kept.values() for connection in peers]

    def _make_room(self, among: Iterable[Connection]) -> bool:
        """Drop the one that was waited for longest among those that make room first."""
        waiting = [(turn, one.since, one) for one in among if (turn := one.turn()) is not None]
        if not waiting:
            self.closed["too_many"] += 1
            return False
        self._drop(min(waiting, key=itemgetter(0, 1))[2], "displaced")
        return True

    def _drop(self, connection: Connection, reason: str) -> None:
        self.closed[reason] += 1
        self.forget(connection)
        connection.drop()

    def _is_slow_reader(self, connection: Connection, now: float) -> bool:
        left = connection.unread_bytes()
        if not left:
            self._unread.pop(connection, None)
            return False
        since, before = self._unread.setdefault(connection, (now, left))
        if now - since <= READ_S:
            return False
        self._unread[connection] = (now, left)
        return before - left < READ_BYTES


def allowed(config: ApiConfig, files: int) -> tuple[int, int]:
    """How many connections are kept in all and by address where a process may open `files` (negative: any number).

    The other half is for the store, Kafka and alerts. The share of one address stays what the configuration says.
    """
    limit = config.max_connections if files < 0 else max(1, min(config.max_connections, files // 2))
    share = min(config.max_connections_per_address, config.max_connections) / config.max_connections
    return limit, max(1, round(limit * share))


def network(address: str) -> str:
    """What counts as one address: of IPv6 the /64 that one host has to itself."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
