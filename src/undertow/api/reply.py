"""Answers: JSON, Arrow for tables, and RFC 9457 problems."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

ARROW = "application/vnd.apache.arrow.stream"


class Problem(Exception):  # noqa: N818  an answer, not a fault
    """Raised where a request cannot be answered; becomes `application/problem+json`."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def no_memory() -> Problem:
    """What a request is answered that the process had no memory for; the next one may find some."""
    return Problem(503, "there was no memory for this request, of which nothing was kept", {"retry-after": "5"})


def json(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`document` as JSON; what is not finite becomes null."""
    return Response(msgspec.json.encode(document), status, dict(headers or {}), "application/json")


def problem(problem: Problem) -> Response:
    """The RFC 9457 form of `problem`; its type is about:blank, its title the status in words."""
    body = {"title": HTTPStatus(problem.status).phrase, "status": problem.status, "detail": problem.detail}
    return Response(msgspec.json.encode(body), problem.status, problem.headers, "application/problem+json")


def table(request: Request, document: dict[str, Any], rows: str, schema: pa.Schema | None = None) -> Response:
    """`document` as JSON, or its list `rows` as an Arrow IPC stream where `Accept` asks for that.

    What else the document holds stands in the metadata of the Arrow schema, each value as JSON.
    """
    if ARROW not in request.headers.get("accept", ""):
        return json(document, headers={"vary": "accept"})
    rest = {name: msgspec.json.encode(value) for name, value in document.items() if name != rows}
    return Response(_stream(document[rows], schema, rest), 200, {"vary": "accept"}, ARROW)


def _stream(rows: Sequence[dict[str, Any]], schema: pa.Schema | None, metadata: Mapping[str, bytes]) -> bytes:
    found = pa.Table.from_pylist(list(rows), schema=schema).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, found.schema) as writer:
        writer.write_table(found)
    return bytes(sink.getvalue().to_pybytes())
