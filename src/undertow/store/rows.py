"""Decoded spans as rows of the spans table, and which of them it cannot hold."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar

import msgspec
import pyarrow as pa

from undertow import columns
from undertow.batch import BESIDE_SPANS, Batch, Decoded, Origin, Reject
from undertow.columns import plain
from undertow.config import StoreConfig
from undertow.span import Span
from undertow.store.redact import redact

T = TypeVar("T")


class Row(msgspec.Struct, frozen=True, gc=False):
    """A span and where it came from; `index` is its place among the spans of its message."""

    span: Span
    origin: Origin
    index: int
    format: str


class Refusal(NamedTuple):
    """A reject and where it came from."""

    reject: Reject
    origin: Origin
    format: str


def rows(batch: Batch) -> list[Row]:
    """The spans of `batch` in the order in which they count as arrived."""
    found = [row for origin, decoded in batch.messages for row in _rows(origin, decoded)]
    return found if batch.order is None else [found[place] for place in batch.order]


def _rows(origin: Origin, decoded: Decoded) -> Iterator[Row]:
    if decoded.columns is None:
        for index, span in enumerate(decoded.spans):
            yield Row(span, origin, index, decoded.format)
        return
    places = (decoded.columns[name].to_pylist() for name in ("offset", "index"))
    for span, offset, index in zip(columns.spans(decoded.columns), *places, strict=True):
        yield Row(span, origin._replace(offset=offset), index, decoded.format)


def refusals(batch: Batch) -> list[Refusal]:
    """The rejects of `batch` in arrival order."""
    return [Refusal(reject, origin, decoded.format) for origin, decoded in batch.messages for reject in decoded.rejects]


def table(batch: Batch) -> pa.Table:
    """The spans of `batch` as Arrow, with `ended_at` and without `late`, in the order of `rows`.

    A field that no span knows may have no column.

    Raises ValueError, OverflowError, TypeError or ArrowException when a value fits no column.
    """
    parts: list[pa.Table] = []
    for is_run, group in groupby(batch.messages, lambda message: message[1].columns is not None):
        if is_run:
            parts += [decoded.columns for _, decoded in group]
        else:
            parts.append(of_rows([row for origin, decoded in group for row in _rows(origin, decoded)]))
    found = parts[0] if len(parts) == 1 else pa.concat_tables(parts or [_NONE], promote_options="default")
    found = found.drop_columns([name for name in BESIDE_SPANS if name in found.column_names])
    return found if batch.order is None else found.combine_chunks().take(pa.array(batch.order))


def of_rows(batch: Sequence[Row]) -> pa.Table:
    """The rows as Arrow, with `ended_at` and without `late`; raises as `table` does."""
    found = columns.of_spans([row.span for row in batch])
    found["topic"] = pa.array([plain(row.origin.topic) for row in batch], pa.string())
    found["partition"] = pa.array([row.origin.partition for row in batch], pa.int32())
    found["offset"] = pa.array([row.origin.offset for row in batch], pa.int64())
    found["index"] = pa.array([row.index for row in batch], pa.int32())
    found["format"] = pa.array([row.format for row in batch], pa.string())
    return pa.table(found)


_NONE = of_rows([])


def complete(spans: pa.Table) -> pa.Table:
    """`spans` with the columns of fields that none of them knows, which runs leave out."""
    return pa.concat_tables([_NONE, spans], promote_options="default")


def refusal_table(refused: Sequence[Refusal], received_at: float, config: StoreConfig) -> pa.Table:
    """The rejects as Arrow; payloads only where the operator wants them, and without secrets."""
    return pa.table(
        {
            "received_at": pa.array([received_at] * len(refused), pa.float64()),
            "reason": pa.array([plain(r.reject.reason) for r in refused], pa.string()),
            "detail": pa.array([plain(r.reject.detail) for r in refused], pa.string()),
            "topic": pa.array([plain(r.origin.topic) for r in refused], pa.string()),
            "partition": pa.array([r.origin.partition for r in refused], pa.int32()),
            "offset": pa.array([r.origin.offset for r in refused], pa.int64()),
            "index": pa.array([r.reject.index for r in refused], pa.int32()),
            "format": pa.array([r.format for r in refused], pa.string()),
            "sha256": pa.array([r.reject.sha256 for r in refused], pa.string()),
            "length": pa.array([r.reject.length for r in refused], pa.int64()),
            "payload": pa.array([_payload(r.reject, config) for r in refused], pa.binary()),
        }
    )


def _payload(reject: Reject, config: StoreConfig) -> bytes | None:
    if reject.payload is None or not config.keep_text:
        return None
    return redact(reject.payload) if config.redact else reject.payload


def culprits(batch: Sequence[T], accepted: Callable[[Sequence[T]], bool]) -> list[T]:
    """Those of `batch` that are not `accepted` on their own, found by bisection."""
    if not batch or accepted(batch):
        return []
    if len(batch) == 1:
        return list(batch)
    middle = len(batch) // 2
    return culprits(batch[:middle], accepted) + culprits(batch[middle:], accepted)


def refuse(row: Row) -> Refusal:
    """The reject that stands for a span which passed its decoder and not the store."""
    text = repr(row.span).encode("utf-8", "backslashreplace")
    digest = hashlib.sha256(text).hexdigest()
    reject = Reject("store_refused", "the database cannot hold this span", row.index, digest, len(text))
    return Refusal(reject, row.origin, row.format)
