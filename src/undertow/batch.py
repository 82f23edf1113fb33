"""What travels from a source to the store: messages, what they became, and how far the source has been read."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from undertow import instrumentation
from undertow.instrumentation import Instrumentation
from undertow.span import Span

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


HTTP = "http:api"
"""The source of what comes by HTTP. No topic of Kafka has a colon in its name."""


def is_topic(source: str) -> bool:
    """Whether `source` is a topic of Kafka, not a file or HTTP."""
    return ":" not in source


class Origin(NamedTuple):
    """Where a message came from. Files use `file:NAME` and HTTP `http:api` as the topic."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was received; `timestamp_s` is the source's own, in Unix seconds."""

    origin: Origin
    value: bytes
    timestamp_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A call, or a whole message, that could not become a span.

    `index` is its place in the message; `reason` a counted snake_case name; `detail` holds no prompt or answer text;
    `sha256` and `length` (bytes) identify the payload, which is kept only with `store.keep_text`.
    """

    reason: str
    detail: str = ""
    index: int = 0
    sha256: str = ""
    length: int = 0
    payload: bytes | None = None


def _empty() -> Counter[str]:
    return Counter.__new__(Counter)  # Counter() takes a quarter of a microsecond, four times a message


def _no_instrumentations() -> Counter[Instrumentation]:
    return Counter.__new__(Counter)


REPAIRED = "repaired"
"""A column of runs that is no field of a span: the field that was made unknown in a row."""

BESIDE_SPANS = (REPAIRED, instrumentation.COLUMN)
"""All columns of runs that are none."""


@dataclass(slots=True)
class Decoded:
    """What one message became, or a run of messages of one partition. `format` is the decoder that took it.

    The spans of a run are not in `spans` but in `columns`, a table of `undertow.columns.of_values`, where each has the
    offset of its message. A run of several messages holds nothing but spans, and counts nothing but derived and
    repaired fields and instrumentations, which its rows tell too; so it may be cut between any two messages.
    `skipped` counts valid things that are not LLM calls, by reason; by field, `coerced` counts values of another type,
    `derived` inferred ones, and `repaired` those that could not be used and were cut, hashed or made unknown; `unknown`
    counts unread keys by name. `instrumentations` counts spans by who wrote them, where a message says more of that
    than its format; one with zero was seen, and none of its spans was a call.
    """

    format: str = "unknown"
    spans: list[Span] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=_empty)
    coerced: Counter[str] = field(default_factory=_empty)
    derived: Counter[str] = field(default_factory=_empty)
    repaired: Counter[str] = field(default_factory=_empty)
    unknown: Counter[str] = field(default_factory=_empty)
    instrumentations: Counter[Instrumentation] = field(default_factory=_no_instrumentations)
    columns: "pa.Table | None" = None

    @property
    def count(self) -> int:
        """Number of spans."""
        return len(self.spans) if self.columns is None else int(self.columns.num_rows)

    @property
    def read(self) -> int:
        """How many things the message held."""
        return self.count + len(self.rejects) + self.skipped.total()


def run_of(name: str, columns: "pa.Table", derived: Iterable[str] = ()) -> Decoded:
    """A run in the format `name`, or a piece of one, where fields that are `derived` are so wherever they are known.

    Costs, which may be told too, are derived where `cost_derived` says so; the column REPAIRED names the field that was
    made unknown in a row, and `instrumentation.COLUMN` who wrote its span.
    """
    names = columns.column_names
    counts = {field: columns.num_rows - columns[field].null_count for field in derived}
    if "cost_derived" in names and columns["cost_derived"].null_count < columns.num_rows:
        counts["cost_usd"] = sum(filter(None, columns["cost_derived"].to_pylist()))
    run = Decoded(name, columns=columns, derived=Counter({field: count for field, count in counts.items() if count}))
    if REPAIRED in names:
        for found in columns[REPAIRED].drop_null().value_counts().to_pylist():
            run.repaired[found["values"]] += found["counts"]
    if instrumentation.COLUMN in names:
        run.instrumentations = instrumentation.counted(columns[instrumentation.COLUMN])
    return run


def instrumentations(decoded: Decoded) -> Mapping[Instrumentation, int]:
    """Return how many spans each instrumentation wrote; spans of which no more is told are their format's."""
    if decoded.instrumentations or not decoded.count:
        return decoded.instrumentations
    return {instrumentation.named(decoded.format): decoded.count}


class Part(NamedTuple):
    """A message, or a run of messages of one partition: where it begins, what it became, where the next one begins."""

    origin: Origin
    decoded: Decoded
    next_offset: int


Decode = Callable[[Sequence[Message]], list[Part]]
"""What messages of one partition became, in order, each in one part; `undertow_collectors.decode.runs.decode_run`."""


class Mark(NamedTuple):
    """A message that was read, as far as it takes to recognise it."""

    offset: int
    timestamp_s: float | None
    digest: str


class Position(NamedTuple):
    """How far a partition was read, and a message by which its topic is recognised; None where nothing is known."""

    next_offset: int
    mark: Mark | None = None


@dataclass(slots=True)
class Batch:
    """Decoded messages in arrival order, to be committed in one transaction with `next_offsets`.

    `next_offsets` maps (topic, partition) to the offset to resume from, one past the last message in the batch. Where
    runs of several partitions overlap in time, `order` has the places of the spans, as `messages` tells them, in the
    order in which they count as arrived.

    A topic may be deleted and come again under its name: `identities` tells which one was read (see
    undertow_collectors.identity), and its offsets count for that one alone. `marks` are messages by which it is
    recognised. `formerly` is how the identity was written until now, where more is known of it than before.
    """

    messages: list[tuple[Origin, Decoded]] = field(default_factory=list)
    next_offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    order: "NDArray[Any] | None" = None
    identities: dict[str, str] = field(default_factory=dict)
    marks: dict[tuple[str, int], Mark] = field(default_factory=dict)
    formerly: dict[str, str] = field(default_factory=dict)

    def add(self, origin: Origin, decoded: Decoded, next_offset: int | None = None) -> None:
        """Append a message, or a run that ends before `next_offset`, and move its partition's offset past it."""
        self.messages.append((origin, decoded))
        self.next_offsets[origin.topic, origin.partition] = origin.offset + 1 if next_offset is None else next_offset

    @property
    def spans(self) -> int:
        """Number of spans in the batch."""
        return sum(decoded.count for _, decoded in self.messages)


@dataclass(frozen=True, slots=True)
class Committed:
    """Counts of one commit: read = stored + duplicates + rejected + skipped; late ones are among the stored."""

    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    skipped: int = 0
    late: int = 0

    def __add__(self, other: "Committed") -> "Committed":
        return Committed(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.rejected + other.rejected,
            self.skipped + other.skipped,
            self.late + other.late,
        )


class Sink(Protocol):
    """Where sources deliver: the store, or a stand-in for it."""

    def ingest(self, batch: Batch) -> Committed:
        """Commit everything in the batch or nothing; returns after the commit."""
        ...

    def positions(self, topic: str) -> dict[str, dict[int, Position]]:
        """How far each partition of `topic` was read, by the identity of the topic, that of the last commit last."""
        ...
