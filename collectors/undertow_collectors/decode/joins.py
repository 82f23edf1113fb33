"""What only several spans of one message show together. Spans of a trace that came apart are left as they are.

LiteLLM gives a failed attempt and its fallback answer one `litellm.call_id`, and in its v1 mode writes the provider's
own words (`llm.<provider>.system_fingerprint`, `.model`) on a child span of the call, `raw_gen_ai_request`.
"""

from collections import defaultdict
from contextlib import suppress
from typing import Any

from undertow.batch import Decoded
from undertow.span import Span
from undertow_collectors.decode.coerce import put
from undertow_collectors.decode.otlp_schema import DecodeError
from undertow_collectors.decode.records import Record

_RAW = "raw_gen_ai_request"


class Joins:
    """Collects, while a message is read, what is joined at its end."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, list[Span]] = defaultdict(list)
        self._raw: dict[str, Record] = {}
        self._spans: dict[str, Span] = {}

    def wrapper(self, record: Record) -> None:
        """Take note of a skipped span."""
        if record.name == _RAW:
            self._raw[f"{record.trace_id}:{record.parent_id}"] = record

    def call(self, span: Span, call_id: Any) -> None:
        """Take note of a call, with LiteLLM's id of the client request."""
        if isinstance(call_id, str):
            self._calls[call_id].append(span)
            self._spans[span.span_id] = span

    def apply(self, decoded: Decoded) -> None:
        """Write what was found into the spans."""
        for spans in self._calls.values():
            if len(spans) > 1:
                _mark_fallbacks(spans, decoded)
        for span_id, record in self._raw.items():
            if span_id in self._spans:
                with suppress(DecodeError):  # the call is whole without it
                    _take_raw(self._spans[span_id], record, decoded)


def _mark_fallbacks(spans: list[Span], decoded: Decoded) -> None:
    failed: set[str] = set()
    for span in sorted(spans, key=lambda s: s.started_at):
        if span.fallback is None and failed - {span.model}:
            span.fallback = True
            decoded.derived["fallback"] += 1
        if span.status == "error":
            failed.add(span.model)


def _take_raw(span: Span, record: Record, decoded: Decoded) -> None:
    found: dict[str, Any] = {}
    for attribute in record.attributes:
        system, _, name = attribute.rpartition(".")
        field = {"system_fingerprint": "system_fingerprint", "model": "response_model"}.get(name)
        if field and system.startswith("llm."):
            put(found, field, record.read(record.attributes[attribute]), decoded.coerced)
    model = found.get("response_model")
    if span.status == "ok" and span.response_model is None and model not in (span.model, span.sent_model):
        span.response_model = model
    span.system_fingerprint = span.system_fingerprint or found.get("system_fingerprint")
