"""The HTTP API of `undertow serve`, put together."""

from collections.abc import Callable, MutableMapping

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import undertow
from undertow.api import (
    cost,
    detectability,
    docs,
    evidence,
    fleet,
    health,
    incidents,
    ingest,
    memory,
    receivers,
    reply,
    series,
    shares,
    silences,
    spans,
    targets,
    weights,
)
from undertow.api.connections import REASONS
from undertow.api.guard import Guard
from undertow.api.monitor import Decode, Deliveries, Monitor, Source, Watcher
from undertow.api.reply import Problem
from undertow.clock import Clock
from undertow.config import Config
from undertow.crew import Health
from undertow.errors import Refused, StoreError, TryAgain, UndertowError, UsageError
from undertow.store import Store

FAMILIES = (
    *(health, targets, detectability, memory, incidents, silences, receivers),
    *(series, shares, fleet, cost, evidence, ingest, weights, spans),
)


def create(
    store: Store,
    watcher: Watcher,
    source: Source | None,
    config: Config,
    clock: Clock,
    *,
    decode: Decode | None = None,
    deliverer: Deliveries | None = None,
    health: Callable[[str], Health] = lambda _: Health(True, "running"),
    closed: MutableMapping[str, int] | None = None,
) -> FastAPI:
    """The API over the parts of a monitor.

    `decode` takes the bodies of POST /v1/spans and /v1/traces; `health` tells how a thread is by its name, and
    `closed` counts by their reason the connections that the server below ends.
    """
    app = FastAPI(
        title="Undertow",
        version=undertow.__version__,
        docs_url=None,  # its page would load scripts from the internet
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    closed = dict.fromkeys(REASONS, 0) if closed is None else closed
    monitor = Monitor(store, watcher, source, config, clock, decode, deliverer, health, closed)
    for family in FAMILIES:
        app.include_router(family.routes(monitor))
    app.include_router(docs.routes(app))
    # Coroutines, all of them: a plain function would be called in a thread, which may be what cannot be had.
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UndertowError, _failed)
    app.add_exception_handler(MemoryError, _starved)
    app.add_exception_handler(RuntimeError, _threadless)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(Guard, config=config.api, closed=closed)
    return app


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  registered for it alone, as are those below
    return reply.problem(error)


async def _http(request: Request, error: Exception) -> Response:
    """404 and 405 of the router."""
    assert isinstance(error, HTTPException)  # noqa: S101
    told = {
        404: "there is nothing here; /docs lists what there is",
        405: f"{request.method} is not answered here",
    }
    return reply.problem(Problem(error.status_code, told.get(error.status_code, error.detail), error.headers))


async def _invalid(_: Request, error: Exception) -> Response:
    """Which parameters are wrong and why, without their values."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    told = (f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors())
    return reply.problem(Problem(422, "; ".join(told)))


async def _failed(_: Request, error: Exception) -> Response:
    if isinstance(error, UsageError):
        return reply.problem(Problem(400, str(error)))
    if isinstance(error, TryAgain | StoreError | Refused):
        return reply.problem(Problem(503, str(error), {"retry-after": "5"}))
    return reply.problem(Problem(500, str(error)))


async def _starved(_: Request, __: Exception) -> Response:
    return reply.problem(reply.no_memory())


async def _threadless(request: Request, error: Exception) -> Response:
    """A thread that cannot be started is memory that was refused; Python has no exception of its own for it."""
    if "can't start new thread" in str(error):
        return await _starved(request, error)
    raise error


async def _broken(_: Request, __: Exception) -> Response:
    return reply.problem(Problem(500, "a fault of the monitor; its log has the details"))
