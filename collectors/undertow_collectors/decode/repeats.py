"""Which spans of a message report a call that another one of them reports, too: a call counts once.

An instrumentation inside of another reports the call again, and so does a model server that continues the caller's
trace, or a second exporter.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from undertow.outcome import UNKNOWN
from undertow.span import Span
from undertow_collectors.decode.calls import UNRECOGNISED, is_used
from undertow_collectors.decode.enclosing import Call, Place, Skipped, above, parents_of, place, records_of
from undertow_collectors.decode.records import SERVER

_GATEWAYS = {"litellm", "openrouter"}
"""Scopes whose outer spans count; those of OpenRouter's Broadcast enclose attempts that used no tokens."""

_UNSENT = {"cached_answer", "refused_by_gateway"}
"""Why a span stands in place of a call that no provider was asked for."""

_RUNS = ("agent", "tool")
"""Why spans are skipped that begin something of their own: what an agent asks inside of a call is another call."""


def repeated(calls: Sequence[Call], skipped: Sequence[Skipped]) -> dict[int, str]:
    """Return the spans that report a call which another one reports better, by id(): why they are skipped."""
    found: dict[int, str] = {}
    per_trace: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        per_trace[call.record.trace_id].append(call)
    crowded = {trace for trace, inside in per_trace.items() if len(inside) > 1}
    if crowded:
        parents = parents_of(one for one in records_of(calls, skipped) if one.trace_id in crowded)
        runs = {place(one.record) for one in skipped if one.reason in _RUNS}
        for trace in crowded:
            found |= _nested(per_trace[trace], parents, runs)
    found |= _exported_twice([call for call in calls if id(call.span) not in found])
    if len({call.scope for call in calls}) > 1:
        found |= _told_by_two([call for call in calls if id(call.span) not in found])
    return found


def wrappers(calls: Sequence[Call], skipped: Sequence[Skipped]) -> list[int]:
    """Return the positions of unrecognised records that stand around a call or inside of one: they only repeat it.

    What a gateway answered out of its cache, or refused, in place of a call counts as one. A span that names nothing
    but a model belongs to a call that stands beside it in its trace, too.
    """
    unrecognised = [one for one in skipped if one.reason == UNRECOGNISED]
    if not unrecognised:
        return []
    unsent = (one for one in skipped if one.reason in _UNSENT)
    of_calls = {place(record) for record in records_of(calls, unsent)}
    parents = parents_of(records_of(calls, skipped))
    outside = {outer for at in of_calls for outer in above(*at, parents)}
    traces = {trace for trace, _ in of_calls}
    found: list[int] = []
    for one in unrecognised:
        at = place(one.record)
        beside = one.record.trace_id in traces and not is_used(one.values)
        if beside or at in outside or not of_calls.isdisjoint(above(*at, parents)):
            found.append(one.position)
    return found


def _nested(calls: list[Call], parents: Mapping[Place, str], runs: Set[Place]) -> dict[int, str]:
    """The inner of two reports is nearer to the provider and counts, unless a gateway or a server makes one of them.

    One that an agent or a tool of the outer call made is another call.
    """
    by_place = {place(call.record): call for call in calls}
    found: dict[int, str] = {}
    winners: dict[int, int] = {}
    for inner in calls:
        outer, inside = _enclosing(inner, by_place, parents)
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


def _enclosing(
    inner: Call, by_place: Mapping[Place, Call], parents: Mapping[Place, str]
) -> tuple[Call | None, list[Place]]:
    """The call around another one, and what stands between them."""
    between: list[Place] = []
    for at in above(*place(inner.record), parents):
        if at in by_place:
            return by_place[at] if by_place[at] is not inner else None, between
        between.append(at)
    return None, between


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
