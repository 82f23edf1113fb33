"""What the spans of one message say of a call that says too little: whom it asked, why it failed, of what model.

The span of an HTTP client below a call names the host that was asked, where the call names no provider.
Mastra writes why a call failed on the agent's span alone; OpenAI's agents leave the model out of calls that failed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from undertow.span import Span
from undertow_collectors.decode import names, outcome
from undertow_collectors.decode.coerce import text
from undertow_collectors.decode.enclosing import above, parents_of
from undertow_collectors.decode.otlp_schema import DecodeError
from undertow_collectors.decode.records import SERVER, Record

UNKNOWN = "unknown"
"""The model of a failed call that names none, and the provider of one that does not follow from anything."""

_HOSTS = ("server.address", "net.peer.name", "url.full", "http.url", "http.host")
_VAGUE = ("other", "server_error")


class Reported(Protocol):
    """A call with the record and the scope that reported it."""

    @property
    def span(self) -> Span:
        """The call."""

    @property
    def record(self) -> Record:
        """What said so."""

    @property
    def scope(self) -> str:
        """The instrumentation."""


class _Target(NamedTuple):
    provider: str
    model: str


def complete(calls: Sequence[Reported], skipped: Sequence[Record], derived: Counter[str]) -> None:
    """Fill in what calls lack: the provider, and of failed ones the class and the one model that they can belong to."""
    _name_providers(calls, skipped, derived)
    failed = [call for call in calls if call.span.status == "error"]
    silent = [call for call in failed if _is_silent(call)]
    if silent:
        records = {(r.trace_id, r.span_id): r for r in (*skipped, *(call.record for call in calls))}
        parents = parents_of(records.values())
        for call in silent:
            places = above(call.record.trace_id, call.record.span_id, parents)
            _explain(call, (records[place] for place in places if place in records))
    for call in failed:
        if call.span.model == UNKNOWN:
            _name(call, calls, derived)


def _name_providers(calls: Sequence[Reported], skipped: Iterable[Record], derived: Counter[str]) -> None:
    """Take the provider of calls that do not name it from the host of the HTTP request right below."""
    unnamed = {(c.record.trace_id, c.record.span_id): c.span for c in calls if c.span.provider == UNKNOWN}
    for record in skipped if unnamed else ():
        place = (record.trace_id, record.parent_id)
        if place in unnamed and record.kind != SERVER:
            found = names.provider_of("", _host(record))
            if found != UNKNOWN:
                unnamed.pop(place).provider = found
                derived["provider"] += 1


def _host(record: Record) -> str | None:
    """The host that an HTTP client's span names, by OpenTelemetry's current or former names."""
    name = next((name for name in _HOSTS if name in record.attributes), "")
    with suppress(DecodeError):
        value = text(record.read(record.attributes[name])) if name else None
        return urlsplit(value).hostname if value and "//" in value else value
    return None


def _is_silent(call: Reported) -> bool:
    span, record = call.span, call.record
    told = record.message or any(event.kind for event in record.events())
    return not told and span.http_status is None and span.error_class in _VAGUE


def _explain(call: Reported, outer: Iterable[Record]) -> None:
    """Take the failure from the nearest of the `outer` spans that tells of one."""
    for record in outer:
        found = outcome.cause(record)
        if found is not None:
            status, kind = found
            call.span.http_status = status
            call.span.error_class = kind if kind != "other" else call.span.error_class
            return


def _name(call: Reported, calls: Sequence[Reported], derived: Counter[str]) -> None:
    """Give the call the one target of its trace, or of its instrumentation in this message, that it can belong to."""
    others = [other for other in calls if other.span.model != UNKNOWN and _may_be_of(call.span, other.span)]
    near = [other for other in others if other.record.trace_id == call.record.trace_id]
    for group in (near, [other for other in others if other.scope == call.scope]):
        targets = {_Target(other.span.provider, other.span.model) for other in group}
        if len(targets) == 1:
            call.span.provider, call.span.model = targets.pop()
            derived["model"] += 1
            return


def _may_be_of(failed: Span, other: Span) -> bool:
    same = failed.provider in (UNKNOWN, other.provider)
    return same and failed.gateway == other.gateway and failed.operation == other.operation
