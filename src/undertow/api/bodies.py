"""Request bodies, bounded in bytes and in time before anything looks at them."""

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from undertow.api.reply import Problem

LIMIT_BYTES = 20 * 2**20
"""The largest body, as it comes and inflated; the OpenTelemetry Collector's default."""

DEADLINE_S = 10.0


async def read(request: Request, limit: int | None = None) -> bytes:
    """The body, inflated, of at most `limit` bytes (LIMIT_BYTES). Raises Problem 400, 408, 413 or 415."""
    limit = limit or LIMIT_BYTES
    body = await _receive(request, limit)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding == "gzip":
        return await asyncio.to_thread(inflate, body, limit)
    raise Problem(415, f"content-encoding {encoding[:64]!r} is not understood; use gzip or none")


def inflate(body: bytes, limit: int) -> bytes:
    """gzip, one member or several, never more than `limit` bytes of it. Raises Problem 400 or 413."""
    parts = bytearray()
    while body:
        member = zlib.decompressobj(wbits=31)
        try:
            parts += member.decompress(body, limit + 1 - len(parts))
        except zlib.error:
            raise Problem(400, "the body is not gzip") from None
        if len(parts) > limit:
            raise _too_large(limit)
        if not member.eof:
            raise Problem(400, "the body is gzip that was cut")
        body = member.unused_data
    return bytes(parts)


async def _receive(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(DEADLINE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise Problem(408, f"the body did not arrive within {DEADLINE_S:g} s", {"connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "the body was cut") from None
    return bytes(body)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body is larger than {limit} bytes", {"connection": "close"})
