"""What only several spans of one message show together. Spans of a trace that came apart are left as they are.

One call counts once (`repeats`). LiteLLM gives a failed attempt and its fallback answer one `litellm.call_id`, and in
its v1 mode writes the provider's own words (`llm.<provider>.system_fingerprint`, `.model`) on a child span of the call,
`raw_gen_ai_request`. An evaluation (`gen_ai.evaluation.result`) names its answer.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from undertow.batch import Decoded
from undertow.outcome import UNKNOWN, is_bare
from undertow.span import Span
from undertow_collectors.decode import repeats
from undertow_collectors.decode.around import Around
from undertow_collectors.decode.calls import UNRECOGNISED, is_certain
from undertow_collectors.decode.coerce import number, put, text
from undertow_collectors.decode.context import LABEL
from undertow_collectors.decode.enclosing import Call, Skipped, complete_by_gateways, place
from undertow_collectors.decode.otlp_schema import DecodeError
from undertow_collectors.decode.records import Record, Source

_RAW = "raw_gen_ai_request"
MAX_SIGNALS = 64


class Joins:
    """Collects, while a message is read, what is joined at its end."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._skipped: list[Skipped] = []
        self.wrappers: list[int] = []
        self._evaluations: dict[str, list[tuple[str, float]]] = defaultdict(list)
        self._by_call_id: defaultdict[str, list[Span]] = defaultdict(list)

    def skipped(self, skipped: Skipped) -> None:
        """Take note of a span that is no call."""
        self._skipped.append(skipped)
        if skipped.reason == "evaluation":
            self._evaluation(skipped.record, skipped.values)

    def call(self, span: Span, record: Record, source: Source, values: Mapping[str, Any]) -> None:
        """Take note of a call, whose attributes by slot are `values`; among them LiteLLM's id of the client request."""
        has_name = not values.keys().isdisjoint(("model", ".model_name"))
        self._calls.append(Call(span, record, source.scope, has_name, is_certain(values)))
        call_id = values.get(".call_id")
        if isinstance(call_id, str):
            self._by_call_id[call_id].append(span)

    def apply(self, decoded: Decoded) -> dict[int, str]:
        """Write what was found into the spans, and drop those that report a call again: why, by their id()."""
        for spans in self._by_call_id.values():
            if len(spans) > 1:
                _mark_fallbacks(spans, decoded)
        self._take_raw(decoded)
        if any(_says_too_little(call.span) for call in self._calls):
            Around(self._calls, self._skipped).complete(decoded)
        complete_by_gateways(self._calls, self._skipped, decoded)
        for call in self._calls if self._evaluations else ():
            _take_evaluations(call.span, self._evaluations, decoded)
        self._rename_wrappers(decoded)
        return self._drop_repeated(decoded)

    def _evaluation(self, record: Record, values: Mapping[str, Any]) -> None:
        """What an evaluation says of an answer, known by its id or by the span that it was logged in."""
        score, answer = number(values.get(".evaluated")), values.get("response_id")
        if score is not None:
            key = answer if isinstance(answer, str) else f"{record.trace_id}:{record.span_id}"
            self._evaluations[key].append((text(values.get(".evaluation")) or "", score))

    def _rename_wrappers(self, decoded: Decoded) -> None:
        self.wrappers = repeats.wrappers(self._calls, self._skipped)
        if self.wrappers:
            decoded.skipped["wrapper"] += len(self.wrappers)
            decoded.skipped[UNRECOGNISED] -= len(self.wrappers)
            decoded.skipped += Counter()  # leaves no zeros

    def _drop_repeated(self, decoded: Decoded) -> dict[int, str]:
        again = repeats.repeated(self._calls, self._skipped) if len(self._calls) > 1 else {}
        if again:
            decoded.skipped.update(again.values())
            decoded.spans[:] = [span for span in decoded.spans if id(span) not in again]
        return again

    def _take_raw(self, decoded: Decoded) -> None:
        raw = {(r.trace_id, r.parent_id): r for r in (one.record for one in self._skipped) if r.name == _RAW}
        for call in self._calls if raw else ():
            found = raw.get(place(call.record))
            if found is not None:
                with suppress(DecodeError):  # the call is whole without it
                    _take_raw(call.span, found, decoded)


def _says_too_little(span: Span) -> bool:
    """Whether the spans around a call may say more of it."""
    return span.status == "error" or span.provider == UNKNOWN or is_bare(span)


def _mark_fallbacks(spans: list[Span], decoded: Decoded) -> None:
    failed: set[str] = set()
    for span in sorted(spans, key=_order):
        if span.fallback is None and failed - {span.model}:
            span.fallback = True
            decoded.derived["fallback"] += 1
        if span.status == "error" and span.model != UNKNOWN:
            failed.add(span.model)


def _order(span: Span) -> tuple[bool, float]:
    """An answer comes after the failures; v1 says of a streamed one that it began with the request."""
    return span.status != "error", span.started_at


def _take_evaluations(span: Span, evaluations: dict[str, list[tuple[str, float]]], decoded: Decoded) -> None:
    """Each evaluation becomes a signal of its name, and the first one from 0 to 1 the score."""
    found = evaluations.get(span.response_id or "") or evaluations.get(span.span_id, [])
    for name, score in found:
        if span.score is None and 0 <= score <= 1:
            span.score = score
            decoded.derived["score"] += 1
        signals = span.signals or {}
        if name and len(signals) < MAX_SIGNALS:
            span.signals = {**signals, f"evaluation.{name}"[:LABEL]: score}


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
