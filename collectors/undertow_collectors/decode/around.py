"""What the spans around a call say of it, where the call itself does not: how it ended, and whom a failure was of.

An instrumentation may report a refused call as a bare span, without an error, an id, usage or a finish reason; the span
of the HTTP request inside of it, or a failed span around it, then says what became of it. Mastra writes why a call
failed on the agent's span alone. A failure may name no model or provider, as those of OpenAI's agents; a span around
it, or a call of its trace that began before it ended, may. A later one may be its fallback, and which calls share a
message is chance, so that neither names it: detection knows the targets of a gateway.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from undertow.batch import Decoded
from undertow.outcome import UNKNOWN, is_bare
from undertow.span import ErrorClass, Span
from undertow_collectors.decode import failures, names, outcome, providers
from undertow_collectors.decode.coerce import text
from undertow_collectors.decode.enclosing import Call, Place, Skipped, above, parents_of, place, records_of
from undertow_collectors.decode.otlp_schema import DecodeError
from undertow_collectors.decode.records import EVENT, SERVER, Record

_HTTP_STATUS = ("http.response.status_code", "http.status_code")
_HOSTS = ("server.address", "net.peer.name", "url.full", "http.url", "http.host")
_HTTP_METHOD = ("http.request.method", "http.method")
_VAGUE = (None, "other", "server_error")


class Named(NamedTuple):
    """The provider and the model that a span names; None for one that it does not name."""

    provider: str | None
    model: str | None


def _named_in(values: Mapping[str, Any]) -> Named:
    """Whom the attributes of a span, by slot, name."""
    provider = text(values.get("provider"))
    model = text(values.get("model")) or text(values.get(".model_name"))
    return Named(providers.canonical(provider) if provider and not providers.is_framework(provider) else None, model)


class Around:
    """The spans of a message by their place in a trace: `calls`, and those that were `skipped` with what they name."""

    def __init__(self, calls: Sequence[Call], skipped: Sequence[Skipped]) -> None:
        self._calls = calls
        self._of_call = {place(call.record): call for call in calls}
        self._records = {place(record): record for record in records_of(calls, skipped)}
        self._named = {place(one.record): who for one in skipped if (who := _named_in(one.values)).model} | {
            at: Named(call.span.provider, call.span.model) for at, call in self._of_call.items()
        }
        self._parents = parents_of(self._records.values())
        self._requests: dict[Place, Record] | None = None
        self._last_in: dict[Place, int] | None = None
        self._first_of: dict[tuple[str, str | None], dict[Named, int]] | None = None

    def complete(self, decoded: Decoded) -> None:
        """Write into the calls what the spans around them say."""
        self._ask_hosts(decoded)
        for call in self._calls:
            if call.record.trace_id:
                self._end(call, decoded)
                if call.span.status == "error" and UNKNOWN in (call.span.provider, call.span.model):
                    self._name(call, decoded)

    # ------------------------------------------------------------------ how it ended

    def _end(self, call: Call, decoded: Decoded) -> None:
        span = call.span
        failed = span.status == "error"
        if is_bare(span) or (failed and (span.http_status is None or span.error_class in _VAGUE)):
            request = self._request_of(call)
            if request is not None:
                _take_request(span, request, decoded)
        if is_bare(span) and (outer := self._failed_around(call)) is not None:
            _take_failure(span, outcome.cause(outer) or (None, "other"), decoded)
        elif failed and _is_unexplained(call):
            causes = (outcome.cause(self._records[at]) for at in self._above(call.record))
            if found := next(filter(None, causes), None):
                _take_failure(span, found, decoded)

    def _request_of(self, call: Call) -> Record | None:
        """The last HTTP request that was made inside of a call, and of no call inside of that."""
        if self._requests is None:
            self._requests = {}
            for record in self._records.values():
                owner = self._call_around(record) if _is_request(record) else None
                if owner is not None:
                    known = self._requests.get(owner)
                    if known is None or known.start_ns <= record.start_ns:
                        self._requests[owner] = record
        return self._requests.get(place(call.record))

    def _call_around(self, record: Record) -> Place | None:
        return next((at for at in self._above(record) if at in self._of_call), None)

    def _failed_around(self, call: Call) -> Record | None:
        """The nearest span around a call, if it failed and no call in it began after this one."""
        nearest = next(self._above(call.record), None)
        if nearest is None or not self._records[nearest].failed:
            return None
        if self._last_in is None:
            self._last_in = {}
            for one in self._calls:
                for at in self._above(one.record):
                    self._last_in[at] = max(self._last_in.get(at, 0), one.record.start_ns)
        return self._records[nearest] if self._last_in[nearest] <= call.record.start_ns else None

    # ------------------------------------------------------------------ whom it was of

    def _ask_hosts(self, decoded: Decoded) -> None:
        """Take the provider of calls that do not name it from the host of the HTTP request right below."""
        unnamed = {at: call.span for at, call in self._of_call.items() if call.span.provider == UNKNOWN}
        for record in self._records.values() if unnamed else ():
            at = (record.trace_id, record.parent_id)
            if at in unnamed and record.kind != SERVER:
                found = providers.guess("", _host(record))
                if found != UNKNOWN:
                    unnamed.pop(at).provider = found
                    decoded.derived["provider"] += 1

    def _name(self, call: Call, decoded: Decoded) -> None:
        found = self._named_around(call) or self._named_beside(call)
        for field, value in zip(("provider", "model"), found or (), strict=False):
            if getattr(call.span, field) == UNKNOWN and value not in (None, UNKNOWN):
                setattr(call.span, field, value)
                decoded.derived[field] += 1

    def _named_around(self, call: Call) -> Named | None:
        around = (self._named[at] for at in self._above(call.record) if at in self._named)
        return next((who for who in around if _fits(call.span, who) and who.model != UNKNOWN), None)

    def _named_beside(self, call: Call) -> Named | None:
        """The one that every call of the trace was of which began before this one had ended."""
        if self._first_of is None:
            self._first_of = {}
            for one in self._calls:
                if UNKNOWN not in (who := Named(one.span.provider, one.span.model)):
                    begun = self._first_of.setdefault((one.record.trace_id, one.span.gateway), {})
                    begun[who] = min(begun.get(who, one.record.start_ns), one.record.start_ns)
        begun = self._first_of.get((call.record.trace_id, call.span.gateway), {})
        found = [who for who, at in begun.items() if at < call.record.end_ns and _fits(call.span, who)]
        return found[0] if len(found) == 1 else None

    def _above(self, record: Record) -> Iterator[Place]:
        """The places of the spans of this message that enclose one, the nearest first."""
        return filter(self._records.__contains__, above(*place(record), self._parents))


def _is_unexplained(call: Call) -> bool:
    """Whether a failed call has no word on why it failed."""
    span, record = call.span, call.record
    explained = record.message or any(event.kind for event in record.events())
    return not explained and span.http_status is None and span.error_class in _VAGUE


def _fits(span: Span, who: Named) -> bool:
    return span.provider in (UNKNOWN, who.provider or UNKNOWN) and span.model in (UNKNOWN, who.model)


def _is_request(record: Record) -> bool:
    has = record.attributes.__contains__
    sent = record.kind not in (SERVER, EVENT)  # some encodings tell no other kind
    return sent and (any(map(has, _HTTP_STATUS)) or (record.failed and any(map(has, _HTTP_METHOD))))


def _read(record: Record, attributes: tuple[str, ...]) -> str | None:
    """The first of these attributes that says something."""
    for name in attributes:
        try:
            if name in record.attributes and (found := text(record.read(record.attributes[name]))):
                return found
        except DecodeError:  # the call is whole without it
            continue
    return None


def _host(record: Record) -> str | None:
    """The host that an HTTP client's span names, by OpenTelemetry's current or former names."""
    value = _read(record, _HOSTS)
    return urlsplit(value).hostname if value and "//" in value else value


def _take_request(span: Span, request: Record, decoded: Decoded) -> None:
    """The status of the answer to an HTTP request, and the failure that it means."""
    status = names.http_status(_read(request, _HTTP_STATUS))
    refused = status is not None and status >= 400
    if status is not None and span.http_status is None and (refused or span.status == "ok"):
        span.http_status = status
        decoded.derived["http_status"] += 1
    if refused or request.failed:
        _fail(span, _class_of(request, str(status) if refused else None), decoded)


def _take_failure(span: Span, cause: tuple[int | None, ErrorClass], decoded: Decoded) -> None:
    status, found = cause
    _fail(span, found, decoded)
    if span.http_status is None and status is not None:
        span.http_status = status
        decoded.derived["http_status"] += 1


def _class_of(record: Record, code: str | None) -> ErrorClass:
    kind = failures.bare(_read(record, ("error.type",)) or next((e.kind for e in record.events() if e.kind), None))
    return failures.class_of(kind, code, record.message)


def _fail(span: Span, found: ErrorClass, decoded: Decoded) -> None:
    if span.status == "ok":
        span.status = "error"
        decoded.derived["status"] += 1
    if span.error_class is None or (span.error_class in _VAGUE and found != "other"):
        decoded.derived["error_class"] += found != span.error_class
        span.error_class = found
