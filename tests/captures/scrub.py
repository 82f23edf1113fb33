"""Takes the recording machine out of OTLP bodies: paths in stack traces, what resources say of host and process."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_MESSAGES = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}
_DROPPED = re.compile(r"^(process\.|host\.|os\.|service\.instance\.id$)")
_CRATE = re.compile(r"/\S*/registry/src/[^/]+/")
_FRAME = re.compile(r'File "[^"]*/([^"/]+)"')


def scrub(kind: str, body: bytes, folders: list[Path]) -> bytes:
    """`body`, a request of `kind` traces or logs, without what tells of this machine and of `folders` on it."""
    request = _MESSAGES[kind].FromString(body)
    for block in request.resource_spans if kind == "traces" else request.resource_logs:
        kept = [pair for pair in block.resource.attributes if not _DROPPED.match(pair.key)]
        del block.resource.attributes[:]
        block.resource.attributes.extend(kept)
        for span in (span for scope in block.scope_spans for span in scope.spans) if kind == "traces" else ():
            span.status.message = _clean(span.status.message, folders)
        for value in _values(kind, block):
            if value.WhichOneof("value") == "string_value":
                value.string_value = _clean(value.string_value, folders)
    found: bytes = request.SerializeToString()
    return found


def scrub_json(kind: str, body: bytes, folders: list[Path]) -> bytes:
    """The same of a request in JSON."""
    request = json.loads(body)
    for block in request["resourceSpans" if kind == "traces" else "resourceLogs"]:
        found = block["resource"]
        found["attributes"] = [pair for pair in found["attributes"] if not _DROPPED.match(pair["key"])]
    return json.dumps(_clean_all(request, folders), separators=(",", ":")).encode()


def _clean_all(value: Any, folders: list[Path]) -> Any:
    if isinstance(value, dict):
        return {name: _clean_all(inner, folders) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean_all(inner, folders) for inner in value]
    return _clean(value, folders) if isinstance(value, str) else value


def _clean(text: str, folders: list[Path]) -> str:
    text = _CRATE.sub("", _FRAME.sub(r'File "\1"', text))
    for folder in folders:
        text = text.replace(str(folder), "").replace(str(folder)[1:], "")  # some are relative to /
    return text


def _values(kind: str, block: object) -> Iterator[AnyValue]:
    """Every value of a block of one resource."""
    yield from _of(block.resource.attributes)
    for scope in block.scope_spans if kind == "traces" else block.scope_logs:
        yield from _of(scope.scope.attributes)
        for item in scope.spans if kind == "traces" else scope.log_records:
            yield from _of(item.attributes)
            if kind == "logs":
                yield from _inner(item.body)
            else:
                for event in item.events:
                    yield from _of(event.attributes)


def _of(pairs: list[KeyValue]) -> Iterator[AnyValue]:
    for pair in pairs:
        yield from _inner(pair.value)


def _inner(value: AnyValue) -> Iterator[AnyValue]:
    yield value
    for item in value.array_value.values if value.HasField("array_value") else ():
        yield from _inner(item)
    if value.HasField("kvlist_value"):
        yield from _of(value.kvlist_value.values)
