"""OTLP traces in protobuf straight into columns, as long as every span is a plain call in OTel's GenAI names.

Spans that have the same attributes in the same order are read together, attribute by attribute (`otlp_cells.py`), over
many messages. A message goes the slow way, whole, if one of its spans failed or has events, holds an answer, is of a
convention that needs more than one attribute to be understood, or may be joined with another span; what it all means
is said in `genai.py`.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from undertow.batch import Decoded, Message, Part
from undertow.instrumentation import encoded
from undertow_collectors.decode import aigw, calls, jaeger, zipkin
from undertow_collectors.decode.attributes import PLAN
from undertow_collectors.decode.coerce import count
from undertow_collectors.decode.context import LABEL, UNKNOWN_NAMES
from undertow_collectors.decode.dialects import plan_of
from undertow_collectors.decode.otlp import source_of
from undertow_collectors.decode.otlp_cells import BESIDE, MixedError
from undertow_collectors.decode.otlp_plans import Signature, planned, signature_of
from undertow_collectors.decode.otlp_schema import DecodeError, RawTracesData
from undertow_collectors.decode.parts import WHOLES, parts_of
from undertow_collectors.decode.reach import OddError, Reach
from undertow_collectors.decode.strictjson import looks_like_json

MOST = 1_000
"""Spans after which a run ends; more do not stay in the processor's cache."""

_CORE = attrgetter(
    *("trace_id", "span_id", "parent_span_id", "name", "start_time_unix_nano", "end_time_unix_nano"),
    *("attributes", "events", "status"),
)
_CALM = (b"", b"\x18\x00", b"\x18\x01")
"""Encodings of a status that is not a failure and says nothing more."""

_OTHERS = ("litellm", "openlit", aigw.SCOPE)
"""Scopes whose spans are read together with what is peculiar to them."""

_USAGE = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd")

Values = dict[str, list[Any]]
"""Values by field, each list of one length."""


class Spans(NamedTuple):
    """The spans of one message, yet to be read, with what its resources say."""

    cores: list[tuple[Any, ...]]
    gateways: list[str | None]
    labels: list[dict[str, str] | None]
    writers: set[str]


_reach = Reach()


def take(messages: Sequence[Message], keep_labels: frozenset[str]) -> list[Part]:
    """The run at the beginning of `messages` that holds nothing but plain calls."""
    found = _opened(messages[: _reach.size])
    return _reach.attempt(found, lambda some: _read(messages[: len(some)], some, keep_labels), _size)


def _size(spans: Spans) -> int:
    return len(spans.cores)


def _opened(messages: Sequence[Message]) -> list[Spans]:
    """The messages up to the first that is something else, or to MOST spans."""
    found: list[Spans] = []
    size = 0
    for message in messages:
        value = message.value
        try:
            if size >= MOST or not _is_otlp(value):
                break
            spans = _spans(RawTracesData.FromString(value))
        except (DecodeError, OddError):
            break
        found.append(spans)
        size += len(spans.cores)
    return found


def _is_otlp(value: bytes) -> bool:
    """Whether `registry.recognise` takes a message that begins as a TracesData for one."""
    return value[:1] == b"\n" and not (looks_like_json(value) or jaeger.is_span(value) or zipkin.is_list(value))


def _spans(request: Any) -> Spans:
    found = Spans([], [], [], set())
    scopes: set[str] = set()
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            source = source_of(group.resource, scoped.scope)
            scopes.add(source.scope)
            if source.scope.startswith(_OTHERS) or plan_of(source.scope) is not PLAN or len(source.service or "") > 512:
                raise OddError
            before = len(found.cores)
            found.cores.extend(map(_CORE, scoped.spans))
            new = len(found.cores) - before
            found.gateways.extend(repeat(source.service, new))
            found.labels.extend(repeat({"gateway_version": source.version[:LABEL]} if source.version else None, new))
            found.writers.add(encoded(source.instrumentation("otlp")))
    if not found.cores or len(scopes) > 1 or len(found.writers) > 1:  # two instrumentations may tell of one call
        raise OddError
    return found


class Counts:
    """What a run of messages counts, each by the message of the span."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._message = list(chain.from_iterable(map(repeat, range(len(sizes)), sizes)))
        self._messages = len(sizes)
        self._found: list[Decoded] = []

    def add(self, kind: str, name: str, rows: Sequence[int]) -> None:
        """Count `name` once for the span in each of these rows."""
        if rows and not self._found:
            self._found = [Decoded() for _ in range(self._messages)]
        for row in rows:
            getattr(self._found[self._message[row]], kind)[name] += 1

    def by_message(self) -> list[Decoded]:
        """What each message counts, nothing where none counts anything."""
        if any(len(counts.unknown) > UNKNOWN_NAMES for counts in self._found):
            raise OddError
        return self._found


def _read(messages: Sequence[Message], found: Sequence[Spans], keep_labels: frozenset[str]) -> list[Part]:
    sizes = [len(spans.cores) for spans in found]
    counts = Counts(sizes)
    *core, attributes, events, statuses = zip(*chain.from_iterable(spans.cores for spans in found), strict=True)
    if any(events) or (any(statuses) and any(map(_is_told, statuses))):
        ends = zip(events, statuses, strict=True)
        raise OddError(next(row for row, (event, status) in enumerate(ends) if event or _is_told(status)))
    values = _identified(*core)
    values |= _by_signature([cells[:] for cells in attributes], keep_labels, counts)
    _settle(values)
    values["gateway"] = list(chain.from_iterable(spans.gateways for spans in found))
    labels = list(chain.from_iterable(spans.labels for spans in found))
    values |= {"status": ["ok"] * len(labels)} | ({"labels": labels} if any(labels) else {})
    writers = [writer for spans in found for writer in spans.writers]
    return parts_of(messages, "otlp", values, sizes, told=counts.by_message(), writers=writers)


def _is_told(status: Sequence[bytes]) -> bool:
    return len(status) > 1 or (len(status) == 1 and status[0] not in _CALM)


def _identified(
    trace_ids: Sequence[bytes],
    span_ids: Sequence[bytes],
    parents: Sequence[bytes],
    names: Sequence[str],
    starts: Sequence[int],
    ends: Sequence[int],
) -> Values:
    """Ids and times; no span may be inside of another, nor one that repeats another."""
    if {*map(len, trace_ids)} != {16} or {*map(len, span_ids)} != {8} or bytes(16) in trace_ids or bytes(8) in span_ids:
        raise OddError
    if not (calls.WRAPPERS.isdisjoint(names) and set(parents).isdisjoint(span_ids)):
        raise OddError
    start, end = np.array(starts, np.uint64), np.array(ends, np.uint64)
    if not start.all() or (end < start).any():
        raise OddError
    duration_s = (end - start) / 1e9
    if duration_s.max() > 1e9:
        raise OddError
    traces = list(map(bytes.hex, trace_ids))
    return {
        "span_id": list(map(":".join, zip(traces, map(bytes.hex, span_ids), strict=True))),
        "trace_id": traces,
        "started_at": (start / 1e9).tolist(),
        "duration_s": duration_s.tolist(),
    }


def _by_signature(cells: list[Sequence[bytes]], keep_labels: frozenset[str], counts: Counts) -> Values:
    """Values by field of the spans with these cells."""
    every = range(len(cells))
    if len(set(map(len, cells))) == 1:
        try:  # all may be like the first
            return _alike(signature_of(cells[0]), cells, every, keep_labels, counts)
        except MixedError:
            pass
    rows: dict[Signature, list[int]] = {}
    for row in every:
        rows.setdefault(signature_of(cells[row]), []).append(row)
    odd = [places[0] for signature, places in rows.items() if planned(signature) is None]
    if odd:
        raise OddError(min(odd))
    values: Values = {}
    for signature, places in rows.items():
        found = _alike(signature, [cells[row] for row in places], places, keep_labels, counts)
        for name, part in found.items():
            column = values.setdefault(name, [None] * len(cells))
            for row, value in zip(places, part, strict=True):
                column[row] = value
    return values


def _alike(
    signature: Signature,
    cells: Sequence[Sequence[bytes]],
    rows: Sequence[int],
    keep_labels: frozenset[str],
    counts: Counts,
) -> Values:
    """Values by field of the spans in `rows`, which all have one signature."""
    plan = planned(signature)
    if plan is None or not keep_labels.isdisjoint(plan.unread):
        raise OddError(rows[0])
    columns = list(zip(*cells, strict=True))
    try:
        read = [(name, *reads(columns[place])) for place, name, reads in plan.cells]
    except OddError as odd:
        raise OddError(None if odd.row is None else rows[odd.row]) from None
    for place, skims in plan.skimmed:
        skims(columns[place])
    for name, _, repaired in read:
        counts.add("coerced", name, [rows[at] for at in repaired] if name else ())
    for name in plan.unread:
        counts.add("unknown", name, rows)
    values = {name: found for name, found, _ in read if name}
    for name in plan.doubled:
        if 0 in values[name]:
            raise OddError(rows[list(values[name]).index(0)])
    if "ttft_s" in values and "stream" not in values:
        values["stream"] = [True] * len(cells)
        counts.add("derived", "stream", rows)
    return values


def _zeros(column: Sequence[Any]) -> Iterator[int]:
    """The rows of a column that are zero, most often none."""
    row = -1
    with suppress(ValueError):
        while True:
            row = column.index(0, row + 1)
            yield row


def _refuse_parts(values: Values) -> None:
    """Leave to `settle.tokens` what may count a part beside its whole, going by a total or by what was cached."""
    size = len(values["model"])
    for part, whole in WHOLES:
        if part in values:  # zeros are forgotten before `parts_of` compares
            odd = next((row for row in _zeros(values.get(whole, ())) if values[part][row]), None)
            if odd is not None:
                raise OddError(odd)
    written, totals = (values.pop(name, None) for name in BESIDE)
    if written is None and totals is None:
        return
    nothing = [None] * size
    known = (values.get(name) or nothing for name in _USAGE[:4])
    rows = zip(*known, written or nothing, totals or nothing, strict=True)
    for row, (given, _, cached, reasoning, wrote, total) in enumerate(rows):
        beside = (cached or 0) + (count(wrote) or 0)
        if beside > (given or 0) or (total is not None and (beside or reasoning)):
            raise OddError(row)


def _settle(values: Values) -> None:
    """What the values of one span mean together: see `genai.span`."""
    _refuse_parts(values)
    ids = [found for found in values.get("response_id", ()) if found is not None]
    if len(set(ids)) < len(ids):
        raise OddError
    streams = values.get("stream", ())
    if "ttft_s" in values and False in streams:
        values["ttft_s"] = [None if s is False else t for s, t in zip(streams, values["ttft_s"], strict=True)]
    inputs = values.get("input_tokens") or [None] * len(values["model"])
    if "cost_usd" in values:
        values["cost_usd"] = [cost or None for cost in values["cost_usd"]]
    if "stream" in values and (zeros := list(_zeros(values.get("output_tokens", ())))):
        outputs = list(values["output_tokens"])
        for row in zeros:
            outputs[row] = None if values["stream"][row] else 0
        values["output_tokens"] = outputs
    if not all(inputs):
        for name in values.keys() & set(_USAGE):
            values[name] = [v if i else v or None for v, i in zip(values[name], inputs, strict=True)]
