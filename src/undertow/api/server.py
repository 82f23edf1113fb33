"""The HTTP server below the API: uvicorn, with bounds on its connections and on the time that clients take."""

import asyncio
import socket
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from undertow.api.connections import Connections, Turn, network
from undertow.api.guard import HEAD_BYTES

ACCEPTED_AT_ONCE = 16
"""asyncio accepts so many before it runs any of them; what is not counted yet must not use up the open files."""

PENDING = 1024
"""Connections that the kernel holds until they are accepted."""

FIRST_BYTE_S = 1
"""Linux hands a connection over when its first byte is there, or after this time: a request takes no place before."""

REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n"


class Server(uvicorn.Server):
    """Serves `app`, keeping what `connections` admits. Options are those of `uvicorn.Config`."""

    def __init__(self, app: ASGIApp, connections: Connections, **options: Any) -> None:
        config = uvicorn.Config(
            cast("Any", app),
            http=cast("type[asyncio.Protocol]", partial(_Connection, connections)),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=min(ACCEPTED_AT_ONCE, connections.at_once),
            h11_max_incomplete_event_size=HEAD_BYTES,
            **options,
        )
        super().__init__(config)
        self._connections = connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(PENDING)
            if hasattr(socket, "TCP_DEFER_ACCEPT"):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, FIRST_BYTE_S)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: end what is overdue."""
        self._connections.sweep()
        return await super().on_tick(counter)


class _Connection(H11Protocol):
    """A connection that knows whose turn it is, and since when: `undertow.api.connections.Connection`."""

    def __init__(self, connections: Connections, **options: Any) -> None:
        super().__init__(**options)
        self._connections = connections
        self.network, self.since = "", connections.clock()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.network = network(self.client[0] if self.client else "")
        if not self._connections.admit(self):
            transport.write(REFUSAL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.forget(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self.since = self._connections.clock()

    def on_response_complete(self) -> None:
        self.since = self._connections.clock()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self._connections.closed["malformed"] += 1
        super().send_400_response(msg)

    def turn(self) -> Turn | None:
        if self.unread_bytes():
            return Turn.READING_OR_BODY
        if self.cycle is None:
            return Turn.FIRST_REQUEST
        if self.cycle.response_complete:
            return Turn.NEXT_REQUEST
        return Turn.READING_OR_BODY if self.cycle.more_body else None

    def unread_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def drop(self) -> None:
        self.transport.abort()
