"""Decoding many messages at once beside decoding each by itself, for tests of formats that have a fast way."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from undertow import columns, instrumentation
from undertow.batch import REPAIRED, Decoded, Message, Origin, Part
from undertow.instrumentation import Instrumentation
from undertow_collectors.decode import reach, runs
from undertow_collectors.decode.registry import decode
from undertow_collectors.decode.runs import decode_run


@pytest.fixture(name="eager", scope="module")
def eager() -> Iterator[None]:
    """The fast ways take whatever they can, also a single message, and are asked about each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reach, "LEAST", 1)
        patch.setattr(runs, "MAX_WAIT", 1)
        yield


def messages(bodies: Sequence[Any], step: int = 1) -> list[Message]:
    """Messages of one partition, whose offsets are `step` apart."""
    values = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    return [Message(Origin("t\udcff", 2, 7 + step * n), value, 1.79e9 + n) for n, value in enumerate(values)]


def singly(sent: list[Message], **options: Any) -> list[Part]:
    """The slow way."""
    return [Part(m.origin, decode(m, **options), m.origin.offset + 1) for m in sent]


def apart(part: Part) -> list[Part]:
    """A part as one for each of its messages, with objects for spans."""
    table = part.decoded.columns
    if table is None:
        return [part]
    table.validate(full=True)
    assert set(table["topic"].to_pylist()) == {columns.plain(part.origin.topic)}
    assert set(table["partition"].to_pylist()) == {part.origin.partition}
    assert set(table["format"].to_pylist()) == {part.decoded.format}
    found: dict[int, Decoded] = {}
    repaired, writers = (
        table[name].to_pylist() if name in table.column_names else [None] * len(table)
        for name in (REPAIRED, instrumentation.COLUMN)
    )
    for span, ended_at, offset, index, field, writer in zip(
        columns.spans(table),
        *(table[name].to_pylist() for name in ("ended_at", "offset", "index")),
        repaired,
        writers,
        strict=True,
    ):
        decoded = found.setdefault(offset, Decoded(part.decoded.format))
        assert span.ended_at == ended_at
        assert len(decoded.spans) == index
        decoded.spans.append(span)
        decoded.repaired.update([field] if field else [])
        decoded.instrumentations.update([Instrumentation(*json.loads(writer))] if writer else [])
        for name in part.decoded.derived:
            known = span.cost_derived if name == "cost_usd" else getattr(span, name) is not None
            decoded.derived.update([name] if known else [])
    if len(found) == 1:
        only = found[part.origin.offset]
        only.skipped, only.coerced = part.decoded.skipped, part.decoded.coerced
        only.derived, only.unknown = part.decoded.derived, part.decoded.unknown
    else:
        written = sum((decoded.instrumentations for decoded in found.values()), Counter())
        assert part.decoded.instrumentations == written
        assert part.decoded.derived == sum((decoded.derived for decoded in found.values()), Counter())
        assert part.decoded.repaired == sum((decoded.repaired for decoded in found.values()), Counter())
        counts = (part.decoded.skipped, part.decoded.coerced, part.decoded.unknown)
        assert not any(counts), "counts of a run cannot be told apart by message"
    assert not part.decoded.spans
    assert not part.decoded.rejects
    return [Part(part.origin._replace(offset=offset), decoded, offset + 1) for offset, decoded in found.items()]


def check(sent: list[Message], **options: Any) -> list[Part]:
    """Both ways say the same of `sent`; the parts of the fast one."""
    parts = decode_run(sent, "auto", options.get("keep_labels", frozenset()), partial(decode, **options))
    assert [one for part in parts for one in apart(part)] == singly(sent, **options)
    return parts
