"""Decoded spans as rows of the spans table, and which of them it cannot hold."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from undertow.batch import Batch, Origin, Reject
from undertow.config import StoreConfig
from undertow.span import FIELDS, Field, Span
from undertow.store.redact import redact
from undertow.store.schema import ARROW

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


def plain(text: str) -> str:
    """`text` as UTF-8 can say it: lone surrogates, as in the name of an odd file, become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def rows(batch: Batch) -> list[Row]:
    """The spans of `batch` in arrival order."""
    return [
        Row(span, origin, index, decoded.format)
        for origin, decoded in batch.messages
        for index, span in enumerate(decoded.spans)
    ]


def refusals(batch: Batch) -> list[Refusal]:
    """The rejects of `batch` in arrival order."""
    return [Refusal(reject, origin, decoded.format) for origin, decoded in batch.messages for reject in decoded.rejects]


def table(batch: Sequence[Row]) -> pa.Table:
    """The rows as Arrow, with `ended_at` and without `late`.

    Raises ValueError, OverflowError, TypeError or ArrowException when a value fits no column. NaN and infinities do
    not, since one of them would spoil every quantile of its time.
    """
    spans = [row.span for row in batch]
    columns = {field.name: _column(field, spans) for field in FIELDS}
    columns["ended_at"] = pa.array([span.ended_at for span in spans], pa.float64())
    return pa.table(columns | _origins(batch))


def _column(field: Field, spans: Sequence[Span]) -> pa.Array:
    values = list(map(attrgetter(field.name), spans))
    if field.kind == "map":
        return _maps(values)
    if field.kind == "json":
        values = [None if value is None else msgspec.json.encode(value).decode() for value in values]
    column = pa.array(values, ARROW[field.kind])
    if field.kind == "float" and pc.all(pc.is_finite(column)).as_py() is False:
        raise ValueError(f"{field.name} is not finite")
    return column


def _maps(values: Sequence[dict[str, str] | None]) -> pa.Array:
    if not any(values):
        return pa.array([None if value is None else [] for value in values], ARROW["map"])
    offsets = [0, *accumulate(len(value or ()) for value in values)]
    starts = [None if value is None else start for value, start in zip(values, offsets, strict=False)]
    keys = pa.array([key for value in values if value for key in value], pa.string())
    items = pa.array([item for value in values if value for item in value.values()], pa.string())
    return pa.MapArray.from_arrays(pa.array([*starts, offsets[-1]], pa.int32()), keys, items)


def _origins(batch: Sequence[Row]) -> dict[str, pa.Array]:
    return {
        "topic": pa.array([plain(row.origin.topic) for row in batch], pa.string()),
        "partition": pa.array([row.origin.partition for row in batch], pa.int32()),
        "offset": pa.array([row.origin.offset for row in batch], pa.int64()),
        "index": pa.array([row.index for row in batch], pa.int32()),
        "format": pa.array([row.format for row in batch], pa.string()),
    }


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
