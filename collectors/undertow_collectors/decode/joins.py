"""What only several spans of one message show together. Spans of a trace that came apart are left as they are.

One call counts once: an instrumentation inside of another reports the call again, and so does a model server that
continues the caller's trace, or a second exporter. LiteLLM gives a failed attempt and its fallback answer one
`litellm.call_id`, and in its v1 mode writes the provider's own words (`llm.<provider>.system_fingerprint`, `.model`) on
a child span of the call, `raw_gen_ai_request`. An evaluation (`gen_ai.evaluation.result`) names its answer.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from contextlib import suppress
from typing import Any, NamedTuple

from undertow.batch import Decoded
from undertow.outcome import UNKNOWN, is_bare
from undertow.span import Span
from undertow_collectors.decode.around import Around, Named, named
from undertow_collectors.decode.calls import UNRECOGNISED, is_certain, is_used
from undertow_collectors.decode.coerce import number, put, text
from undertow_collectors.decode.context import LABEL
from undertow_collectors.decode.enclosing import MAX_DEPTH, Gateways, Place, above, parents_of
from undertow_collectors.decode.otlp_schema import DecodeError
from undertow_collectors.decode.records import SERVER, Record, Source

_RAW = "raw_gen_ai_request"
_GATEWAYS = {"litellm", "openrouter"}
"""Scopes whose outer spans count; those of OpenRouter's Broadcast enclose attempts that used no tokens."""
_UNSENT = {"cached_answer", "refused_by_gateway"}
"""Why a span stands in place of a call that no provider was asked for."""

MAX_SIGNALS = 64
_RUNS = ("agent", "tool")
"""Why spans are skipped that begin something of their own: what an agent asks inside of a call is another call."""


class Call(NamedTuple):
    """A call, and the record and the instrumentation scope that said so.

    `named` says whether the record names a model, `certain` whether it says by itself that it is a call; one that is
    only taken for a call by what it used may be what encloses some.
    """

    span: Span
    record: Record
    scope: str
    named: bool = True
    certain: bool = True


class Unrecognised(NamedTuple):
    """A span that names a model, or what was `used` of one, and does not say whether it is a call."""

    place: int
    record: Record
    used: bool


class Joins:
    """Collects, while a message is read, what is joined at its end."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._skipped: list[Record] = []
        self._named: list[Named] = []
        self._runs: set[Place] = set()
        self._gateways = Gateways()
        self._unrecognised: list[Unrecognised] = []
        self._unsent: list[Record] = []
        self.wrappers: list[int] = []
        self._evaluations: dict[str, list[tuple[str, float]]] = defaultdict(list)
        self._by_call_id: defaultdict[str, list[Span]] = defaultdict(list)

    def skipped(self, record: Record, reason: str, index: int, values: dict[str, Any]) -> None:
        """Take note of a span that is no call, at its place in the message, with its attributes by slot."""
        self._skipped.append(record)
        self._named.append(named(values))
        self._gateways.add(record, values)
        if reason in _RUNS:
            self._runs.add((record.trace_id, record.span_id))
        if reason == UNRECOGNISED:
            self._unrecognised.append(Unrecognised(index, record, is_used(values)))
        elif reason in _UNSENT:
            self._unsent.append(record)

    def evaluation(self, record: Record, values: dict[str, Any]) -> None:
        """Take note of what an evaluation says of an answer, known by its id or by the span that it was logged in."""
        score, answer = number(values.get(".evaluated")), values.get("response_id")
        if score is not None:
            key = answer if isinstance(answer, str) else f"{record.trace_id}:{record.span_id}"
            self._evaluations[key].append((text(values.get(".evaluation")) or "", score))

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
            Around(self._calls, list(zip(self._skipped, self._named, strict=True))).complete(decoded)
        self._gateways.tell([(call.span, call.record) for call in self._calls], self._skipped, decoded)
        for call in self._calls if self._evaluations else ():
            _take_evaluations(call.span, self._evaluations, decoded)
        told = [*(call.record for call in self._calls), *self._unsent] if self._unrecognised else []
        if told:
            self.wrappers = _wrappers(self._unrecognised, told, self._skipped)
            decoded.skipped["wrapper"] += len(self.wrappers)
            decoded.skipped[UNRECOGNISED] -= len(self.wrappers)
            decoded.skipped += Counter()  # leaves no zeros
        again = _repeated(self._calls, self._skipped, self._runs) if len(self._calls) > 1 else {}
        if again:
            decoded.skipped.update(again.values())
            decoded.spans[:] = [span for span in decoded.spans if id(span) not in again]
        return again

    def _take_raw(self, decoded: Decoded) -> None:
        raw = {(r.trace_id, r.parent_id): r for r in self._skipped if r.name == _RAW}
        for call in self._calls if raw else ():
            found = raw.get((call.record.trace_id, call.record.span_id))
            if found is not None:
                with suppress(DecodeError):  # the call is whole without it
                    _take_raw(call.span, found, decoded)


def _says_too_little(span: Span) -> bool:
    """Whether the spans around a call may say more of it."""
    return span.status == "error" or span.provider == UNKNOWN or is_bare(span)


def _repeated(calls: list[Call], skipped: list[Record], runs: Set[Place]) -> dict[int, str]:
    """Spans that report a call which another one reports better, by id(): why they are skipped."""
    found: dict[int, str] = {}
    per_trace: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        per_trace[call.record.trace_id].append(call)
    crowded = {trace for trace, inside in per_trace.items() if len(inside) > 1}
    if crowded:
        parents = {(r.trace_id, r.span_id): r.parent_id for r in skipped if r.trace_id in crowded}
        for trace in crowded:
            found |= _nested(per_trace[trace], parents, runs)
    found |= _exported_twice([call for call in calls if id(call.span) not in found])
    if len({call.scope for call in calls}) > 1:
        found |= _told_by_two([call for call in calls if id(call.span) not in found])
    return found


def _nested(calls: list[Call], parents: dict[Place, str], runs: Set[Place]) -> dict[int, str]:
    """The inner of two reports is nearer to the provider and counts, unless a gateway or a server makes one of them.

    One that an agent or a tool of the outer call made is another call.
    """
    by_id = {call.record.span_id: call for call in calls}
    found: dict[int, str] = {}
    winners: dict[int, int] = {}
    for inner in calls:
        outer, inside = _enclosing(inner, by_id, parents)
        if outer is None or _is_later(inner, outer):
            continue
        if not outer.certain and inner.certain:
            found[id(outer.span)] = "wrapper"
            continue
        server = inner.record.kind == SERVER
        if (outer.span.status, inner.span.status) == ("ok", "error") and outer.scope not in _GATEWAYS:
            continue  # an attempt that failed is not the answer that came after it
        if not server and not runs.isdisjoint(inside):
            continue
        if not (_same_call(outer.span, inner.span) or (server and not inner.named)):
            continue
        winner, loser = (outer, inner) if server or outer.scope in _GATEWAYS else (inner, outer)
        if winners.get(id(winner.span)) != id(loser.span):  # spans may name each other as parents
            winners[id(loser.span)] = id(winner.span)
            found[id(loser.span)] = "provider_side" if server else "instrumented_twice"
    return found


def _is_later(inner: Call, outer: Call) -> bool:
    """Whether a call began when the one around it was over: where a context stays open, the next call stands in it."""
    return inner.record.kind != SERVER and inner.record.start_ns >= outer.record.end_ns > 0


def _enclosing(inner: Call, by_id: dict[str, Call], parents: dict[Place, str]) -> tuple[Call | None, list[Place]]:
    """The call around another one, and what stands between them."""
    trace, at = inner.record.trace_id, inner.record.parent_id
    between: list[Place] = []
    for _ in range(MAX_DEPTH):
        if not at or at in by_id:
            break
        between.append((trace, at))
        at = parents.get((trace, at), "")
    found = by_id.get(at) if at else None
    return (found if found is not inner else None), between


def _wrappers(unrecognised: list[Unrecognised], calls: list[Record], skipped: list[Record]) -> list[int]:
    """Spans around a call or inside of one, by their places: they only repeat it.

    `calls` also has what a gateway answered out of its cache, or refused, in place of one. A span that names
    nothing but a model belongs to a call that stands beside it in its trace, too.
    """
    parents = parents_of((*skipped, *calls))
    of_calls = {(call.trace_id, call.span_id) for call in calls}
    outside = {outer for trace, span in of_calls for outer in above(trace, span, parents)}
    traces = {trace for trace, _ in of_calls}
    found: list[int] = []
    for at, record, used in unrecognised:
        place = (record.trace_id, record.span_id)
        beside = not used and record.trace_id in traces
        if beside or place in outside or not of_calls.isdisjoint(above(*place, parents)):
            found.append(at)
    return found


def _same_call(outer: Span, inner: Span) -> bool:
    """Whether nested spans report one call or one of its attempts; a judge's call inside of a call is another."""
    if outer.response_id and inner.response_id:
        return outer.response_id == inner.response_id
    models = {outer.model, outer.sent_model, outer.response_model} & {
        inner.model,
        inner.sent_model,
        inner.response_model,
    }
    return bool(models - {None}) and outer.operation == inner.operation


def _exported_twice(calls: list[Call]) -> dict[int, str]:
    """Calls with one response id whose times overlap: two exporters of one instrumentation wrote them.

    Some servers give all their answers one id, so the tokens must be the same, too.
    """
    first: dict[tuple[str | int | None, ...], Span] = {}
    found: dict[int, str] = {}
    for call in calls:
        span = call.span
        if span.response_id is not None:
            kept = first.setdefault((call.scope, span.response_id, span.input_tokens, span.output_tokens), span)
            if kept.span_id != span.span_id and kept.started_at <= span.ended_at and span.started_at <= kept.ended_at:
                found[id(span)] = "exported_twice"
    return found


def _told_by_two(calls: list[Call]) -> dict[int, str]:
    """Calls of one service that two instrumentations tell of in spans beside each other; each has one counterpart."""
    found: dict[int, str] = {}
    going_on: list[Call] = []
    for call in sorted(calls, key=lambda one: one.span.started_at):
        going_on = [one for one in going_on if one.span.ended_at >= call.span.started_at]
        other = next((one for one in going_on if _counterparts(one, call)), None)
        if other is None:
            going_on.append(call)
            continue
        going_on.remove(other)
        loser = other if other.span.response_id is None or call.span.response_id is not None else call
        found[id(loser.span)] = "instrumented_twice"
    return found


def _counterparts(one: Call, other: Call) -> bool:
    first, second = one.span, other.span
    if one.scope == other.scope or (first.gateway, first.status) != (second.gateway, second.status):
        return False
    if first.response_id and second.response_id:
        return first.response_id == second.response_id
    if not (_same_call(first, second) or _nameless(first, second)) or not (
        _inside(first, second) or _inside(second, first)
    ):
        return False
    pairs = ((first.input_tokens, second.input_tokens), (first.output_tokens, second.output_tokens))
    return all(a == b or a is None or b is None for a, b in pairs)


def _nameless(first: Span, second: Span) -> bool:
    """Whether one of two failures in a trace does not say of which model it is, so that it may be the other."""
    return first.trace_id == second.trace_id and UNKNOWN in (first.model, second.model)


def _inside(inner: Span, outer: Span) -> bool:
    return outer.started_at <= inner.started_at and inner.ended_at <= outer.ended_at


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
