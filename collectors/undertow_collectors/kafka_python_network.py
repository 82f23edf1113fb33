"""How kafka-python gets to a broker, in limited time, and what keeps it from there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
)
from kafka.net.compat import KafkaNetClient


class NetClient(KafkaNetClient):  # type: ignore[misc]  # no types in kafka-python
    """3.0.12 does not hand the setting down, so that asking for a topic would create it.

    `cause` is what went wrong last on the way to a broker, None after the first that went well: while it begins, the
    library tries again and says nothing but that it got nowhere.
    """

    def __init__(self, limit_ms: int, **configs: Any) -> None:
        super().__init__(**configs)
        self._limit_ms = limit_ms
        self.cause: Exception | None = None
        self._get_connection, self._manager.get_connection = self._manager.get_connection, self._noting
        self._refresh, self.cluster.refresh_metadata = self.cluster.refresh_metadata, self._refreshing
        self.cluster.config["allow_auto_create_topics"] = False
        bootstrap = self._manager.bootstrap_async  # without a limit, where the library itself begins one
        self._manager.bootstrap_async = lambda timeout_ms=None, refresh=True: bootstrap(
            limit_ms if timeout_ms is None else timeout_ms, refresh
        )

    def reach(self) -> None:
        """Fetch metadata anew in time."""
        self._manager.bootstrap(self._limit_ms)

    def _noting(self, *args: Any, **options: Any) -> Any:
        connection = self._get_connection(*args, **options)
        connection.init_future.add_errback(self._note)
        return connection

    async def _refreshing(self, *args: Any, **options: Any) -> None:
        try:
            await self._refresh(*args, **options)
        except KafkaError as error:
            self._note(error)
            raise
        self.cause = None

    def _note(self, error: Exception) -> None:
        login = str(self._manager.config["security_protocol"]).startswith("SASL")
        if login and isinstance(error, KafkaConnectionError) and "socket disconnected" in str(error):
            # Brokers do so after a wrong password, and whether their answer is read before depends on luck.
            error = SaslAuthenticationFailedError("the broker ended the connection during the login")
        silent = isinstance(error, (NodeNotReadyError, KafkaTimeoutError, RequestTimedOutError))
        if not silent or self.cause is None:  # the last try is cut short, and says less than those before
            self.cause = error


class Network:
    """Makes the network client of a consumer or admin, and keeps hold of it."""

    client: NetClient

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms

    @property
    def cause(self) -> Exception | None:
        """What went wrong last on the way to a broker, if it did not go well since."""
        return self.client.cause if hasattr(self, "client") else None

    def __call__(self, **configs: Any) -> NetClient:
        """The client, made as the library asks for it."""
        self.client = NetClient(self._limit_ms, **configs)
        return self.client

    def reach(self) -> None:
        """Fetch metadata anew in time."""
        self.client.reach()


@contextmanager
def network(limit_ms: int) -> Iterator[Network]:
    """A network that is closed on failure: the library leaves its own running where a constructor fails."""
    made = Network(limit_ms)
    try:
        yield made
    except BaseException:
        if hasattr(made, "client"):
            made.client.close()
        raise
