"""OTLP's spans as the Collector writes them for Jaeger and Zipkin, where tags stand for what those have no place for.

pkg/translator/jaeger and pkg/translator/zipkin of opentelemetry-collector-contrib 0.155.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from undertow.batch import Decoded, Reject
from undertow.span import Rejected
from undertow_collectors.decode import strictjson
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.records import Event, Record, Source, checked_id, service_of, text_of
from undertow_collectors.decode.traces import collect

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
"""Kinds of spans by their names in tags, as OTLP numbers them."""

_NO_SERVICE = "otlpresourcenoservicename"
_SCOPE = ("otel.scope.name", "otel.library.name")
_SCOPE_VERSION = ("otel.scope.version", "otel.library.version")
_OWN = {
    *_SCOPE,
    *_SCOPE_VERSION,
    "otel.status_code",
    "otel.status_description",
    "error",
    "span.kind",
    "w3c.tracestate",
}
"""Tags that are no attributes of the span."""


class Tags:
    """Tags by name; `read` makes a Python value of one of them."""

    def __init__(self, found: Mapping[str, Any], read: Callable[[Any], Any]) -> None:
        self._found = found
        self._read = read

    def text(self, *names: str) -> str | None:
        """What the first of `names` that is there says, if it is a string."""
        name = next((name for name in names if name in self._found), None)
        return None if name is None else text_of(self._read(self._found[name]))

    def source(self, service: Any, version: str | None) -> Source:
        """Who sent the span; the Collector makes up a service where the resource names none."""
        named = service_of(service)
        known = named is not None and named.lower() != _NO_SERVICE
        scope, scope_version = self.text(*_SCOPE), self.text(*_SCOPE_VERSION)
        return Source(named if known else None, version, scope or "", scope_version or "")

    def record(
        self,
        ids: tuple[str, str, str],
        name: str,
        start_ns: int,
        end_ns: int,
        events: Callable[[], list[Event]],
        kind: int | None = None,
    ) -> Record:
        """The span with `ids` of trace, span and parent in hex; `kind` is None where a tag says it."""
        trace, span, parent = ids
        return Record(
            checked_id(trace.zfill(32), 32, "trace_id"),  # 64 bits are lengthened as the Collector does it
            checked_id(span, 16, "span_id"),
            parent if parent.strip("0") else "",
            name,
            nanoseconds(start_ns, "started_at"),
            nanoseconds(end_ns, "duration_s"),
            self._failed(),
            {name: value for name, value in self._found.items() if name not in _OWN},
            self._read,
            events,
            KINDS.get(self.text("span.kind") or "", 0) if kind is None else kind,
            self.text("otel.status_description") or "",
        )

    def _failed(self) -> bool:
        status = self.text("otel.status_code")
        if status:
            return status.upper().endswith("ERROR")
        return "error" in self._found and str(self._read(self._found["error"])).lower() != "false"


Found = tuple[Source, Callable[[], Record]]
"""One span of a message, as `traces.collect` wants it."""


def collect_json(name: str, value: bytes, read: Callable[[bytes | msgspec.Raw], Found], context: Context) -> Decoded:
    """Spans in JSON, one, an array, or one a line; one that cannot be parsed costs itself alone."""
    found, rejects = [], []
    for index, document in enumerate(strictjson.documents(value)):
        try:
            found.append(read(document))
        except Rejected as rejected:
            rejects.append(Reject(rejected.reason, rejected.detail, index))
            context.close(rejects[-1])
    decoded = collect(name, found, context)
    decoded.rejects += rejects
    return decoded


def event(attributes: Mapping[str, Any], name: Any, time_ns: int) -> Event:
    """An event with `attributes` as Python values."""
    return Event(
        name if isinstance(name, str) else "",
        nanoseconds(time_ns, "ttft_s"),
        text_of(attributes.get("exception.type")),
        lambda: attributes,
    )


def nanoseconds(value: int, field: str) -> int:
    """`value`, if 64 bits hold it; raises Rejected with reason `invalid_<field>`."""
    if not 0 <= value < 2**64:
        raise Rejected(f"invalid_{field}", "not a 64-bit number of nanoseconds")
    return value
