"""Spans by HTTP, through the same decoders into the same store; the answer comes after the commit."""

import threading

import msgspec
from fastapi import APIRouter
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from undertow.api import bodies, reply
from undertow.api.monitor import Monitor
from undertow.api.reply import Problem
from undertow.batch import HTTP, Batch, Committed, Decoded, Message, Origin
from undertow.config import formats
from undertow.errors import Refused, StoreError, TryAgain

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
UNREADABLE = frozenset(
    {"invalid_protobuf", "invalid_json", "unexpected_type", "unrecognised_format", "empty_message", "too_deep"}
)
"""Reasons that mean, alone, that a body is no OTLP request."""

_NOTHING = {PROTOBUF: (b"",), JSON: (b"", b"{}")}
"""Bodies without a single span; senders that test a connection send these."""

Exported = ExportTraceServiceResponse | ExportLogsServiceResponse

_INVALID_ARGUMENT, _UNAVAILABLE = 3, 14


def routes(monitor: Monitor) -> APIRouter:
    """POST /v1/spans, /v1/traces and /v1/logs."""
    router = APIRouter(tags=["ingestion"])
    intake, known = Intake(monitor), formats(monitor.config)

    @router.post("/v1/spans", summary="Native spans, or any format by `?format=NAME`: an object, an array or JSONL")
    async def spans(request: Request, format: str = "native") -> Response:  # noqa: A002  the name of the parameter
        if format not in known:
            raise Problem(400, f"no format {format[:64]!r}; known: {', '.join(known)}")
        body = await bodies.read(request)
        _, done = await run_in_threadpool(intake.take, body, format)
        return reply.json({"stored": done.stored, "duplicates": done.duplicates, "rejected": done.rejected})

    @router.post("/v1/traces", summary="OTLP/HTTP traces, protobuf or JSON")
    async def traces(request: Request) -> Response:
        return await _export(request, intake, ExportTraceServiceResponse())

    @router.post("/v1/logs", summary="OTLP/HTTP log records, protobuf or JSON: GenAI events that hold a whole call")
    async def logs(request: Request) -> Response:
        return await _export(request, intake, ExportLogsServiceResponse())

    return router


async def _export(request: Request, intake: "Intake", response: Exported) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (PROTOBUF, JSON):
        raise Problem(415, f"content-type is {kind[:64]!r}; OTLP is {PROTOBUF} or {JSON}")
    try:
        body = await bodies.read(request)
        if body.strip() in _NOTHING[kind]:
            return _encoded(kind, 200, response)
        decoded, _ = await run_in_threadpool(intake.take, body, "otlp" if kind == PROTOBUF else "otlp_json")
    except Problem as problem:
        return _status(kind, problem.status, _INVALID_ARGUMENT, problem.detail)
    except (StoreError, TryAgain, Refused) as error:
        return _status(kind, 503, _UNAVAILABLE, str(error))
    except MemoryError:
        return _status(kind, 503, _UNAVAILABLE, reply.no_memory().detail)
    return _exported(kind, decoded, response)


class Intake:
    """Takes bodies one after the other, each under an offset of its own that is never given twice."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._lock = threading.Lock()

    def take(self, body: bytes, format_name: str) -> tuple[Decoded, Committed]:
        """Decode and commit.

        Raises StoreError, Refused or TryAgain where it was not committed, Problem 501 without decoders.
        """
        if self._monitor.decode is None:
            raise Problem(501, "this monitor was started without decoders")
        with self._lock:
            offset = self._monitor.store.offsets(HTTP).get(0, 0)
            message = Message(Origin(HTTP, 0, offset), body, self._monitor.clock())
            decoded = self._monitor.decode(message, format_name)
            batch = Batch()
            batch.add(message.origin, decoded)
            return decoded, self._monitor.store.ingest(batch)


def _exported(kind: str, decoded: Decoded, response: Exported) -> Response:
    """OTLP/HTTP: 400 for what is no request, else a response that counts the records that were refused."""
    reasons = {reject.reason for reject in decoded.rejects}
    if reasons and reasons <= UNREADABLE and not decoded.spans:
        return _status(kind, 400, _INVALID_ARGUMENT, f"not an OTLP request: {', '.join(sorted(reasons))}")
    if reasons:
        response.partial_success.error_message = ", ".join(sorted(reasons))
        if isinstance(response, ExportTraceServiceResponse):
            response.partial_success.rejected_spans = len(decoded.rejects)
        else:
            response.partial_success.rejected_log_records = len(decoded.rejects)
    return _encoded(kind, 200, response)


def _status(kind: str, http_status: int, code: int, text: str) -> Response:
    """OTLP/HTTP: the body of a failure is a google.rpc.Status; 503 asks the exporter to try again."""
    response = _encoded(kind, http_status, Status(code=code, message=text))
    if http_status == 503:
        response.headers["retry-after"] = "5"
    return response


def _encoded(kind: str, http_status: int, message: Exported | Status) -> Response:
    body = message.SerializeToString() if kind == PROTOBUF else msgspec.json.encode(MessageToDict(message))
    return Response(body, http_status, media_type=kind)
