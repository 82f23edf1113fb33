"""The spans of one target as columns, in the order in which they are judged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from undertow.outcome import NO_OUTCOME, NOT_GENERATING
from undertow.served import is_alias
from undertow.span import Target
from undertow.watch import custom

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

COLUMNS = (
    "span_id", "ended_at", "gateway", "provider", "model", "deployment", "operation", "route", "status", "fallback",
    "input_tokens", "output_tokens", "parse_ok", "refusal", "finish_reason", "response_model",
    "sent_model", "system_fingerprint", "prompt_version", "error_class", "schema_fingerprint", "signals", "labels",
    "answered",
    "ttft_s", "duration_s", "cost_usd", "score", "confidence", "task_success", "tool_call_count", "reasoning_tokens",
    "response_chars", "cost_derived",
)  # fmt: skip
"""The columns that judging needs, of the table `Store.released` returns."""
NUMBERS = COLUMNS[COLUMNS.index("ttft_s") :]
TEXTS = ("finish_reason", "schema_fingerprint")
TENANT = "tenant"
"""The label that says which customer asked, and the column that it becomes."""
RELEASES = ("gateway_version", "app_version", "sdk_version")
"""The labels that say which release of the user's own software sent a request, and the columns that they become."""
SEPARATOR = "\x1f"
"""Between operation and route in `Frame.group`."""
UNNAMED_ERROR = "other"
UNNAMED = "unnamed"
"""The column that is 1 for a failure that does not name its target itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """A text column as codes into its distinct values; code -1 is unknown."""

    codes: IntArray
    values: tuple[str, ...]

    def __getitem__(self, rows: slice | IntArray | BoolArray) -> "Names":
        return Names(self.codes[rows], self.values)

    def recode(self, index: dict[str, int]) -> IntArray:
        """The codes under another numbering; values not in `index` and unknown ones become -1."""
        if len(self.codes) < len(self.values):  # a few rows of a batch of many names
            used, places = np.unique(self.codes, return_inverse=True)
            found = [index.get(self.values[code], -1) if code >= 0 else -1 for code in used]
            return np.array(found, np.int64)[places]
        table = np.array([index.get(v, -1) for v in self.values] + [-1], np.int64)
        return table[self.codes]

    @staticmethod
    def unknown(n: int) -> "Names":
        """n times unknown."""
        return Names(np.full(n, -1, np.int64), ())

    @staticmethod
    def concat(parts: "Sequence[Names]") -> "Names":
        """Several columns one after the other, under one numbering."""
        index: dict[str, int] = {}
        for part in parts:
            used, first = np.unique(part.codes, return_index=True)  # what no row has is not kept
            for code in used[np.argsort(first)]:
                if code >= 0:
                    index.setdefault(part.values[code], len(index))
        return Names(np.concatenate([part.recode(index) for part in parts]), tuple(index))

    @staticmethod
    def of(column: pa.ChunkedArray) -> "Names":
        """A dictionary-encoded text column."""
        encoded = pc.dictionary_encode(column).combine_chunks()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return Names(codes, tuple(encoded.dictionary.to_pylist()))


Column = FloatArray | Names


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """n spans of one target, by (ended_at, span_id).

    `at` is event time in Unix seconds; `content` marks answers that content signals are taken from (status ok, not a
    fallback); numbers and truth values are floats with NaN for unknown; `group` is operation and route in one. `more`
    holds the columns that many logs lack, by name; `numbers` and `names` read them.
    """

    span_id: npt.NDArray[np.object_]
    at: FloatArray
    ok: BoolArray
    content: BoolArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    parse_ok: FloatArray
    refusal: FloatArray
    finish_length: FloatArray
    group: Names
    snapshot: Names
    fingerprint: Names
    prompt_version: Names
    more: Mapping[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, rows: slice | IntArray | BoolArray) -> "Frame":
        core = {name: getattr(self, name)[rows] for name in CORE}
        return Frame(**core, more={name: column[rows] for name, column in self.more.items()})

    def numbers(self, name: str) -> FloatArray:
        """(n,) numbers or truth values of an optional column, NaN where unknown."""
        column = self.more.get(name)
        return np.full(len(self), np.nan) if column is None or isinstance(column, Names) else column

    def names(self, name: str) -> Names:
        """An optional text column."""
        column = self.more.get(name)
        return column if isinstance(column, Names) else Names.unknown(len(self))

    def columns(self) -> dict[str, Any]:
        """Every column by name, those of `more` behind a slash."""
        core = {name: getattr(self, name) for name in CORE}
        return core | {f"/{name}": column for name, column in self.more.items()}

    @staticmethod
    def of(columns: Mapping[str, Any]) -> "Frame":
        """The frame that `columns` came from."""
        core = {name: column for name, column in columns.items() if name[0] != "/"}
        return Frame(**core, more={name[1:]: column for name, column in columns.items() if name[0] == "/"})

    @staticmethod
    def concat(parts: "Sequence[Frame]") -> "Frame":
        """Frames of one target, one after the other."""
        every = [part.columns() for part in parts]
        kinds = {name: type(column) for columns in every for name, column in columns.items()}
        joined: dict[str, Any] = {}
        for name, kind in kinds.items():
            some: list[Any] = [
                columns[name] if name in columns else _unknown(kind, len(part))
                for columns, part in zip(every, parts, strict=True)
            ]
            joined[name] = Names.concat(some) if kind is Names else np.concatenate(some)
        return Frame.of(joined)

    @staticmethod
    def merged(parts: "Sequence[Frame]") -> "Frame":
        """Frames of one target as one, in order of (ended_at, span_id)."""
        frame = Frame.concat(parts)
        return frame[np.lexsort((frame.span_id.astype(str), frame.at))]


CORE = tuple(f.name for f in fields(Frame) if f.name != "more")
"""The columns that every frame has."""

Lookup = Callable[[Target, float, float], Frame | None]
"""(target, since, until) to its judged spans with since < ended_at <= until."""


def named(table: pa.Table) -> tuple[list[Target], IntArray]:
    """The targets of released spans, each once, and the place of each span's own among them (n,)."""
    keys = [Names.of(table[name]) for name in ("gateway", "provider", "model", "deployment")]
    packed = np.zeros(table.num_rows, np.int64)
    for key in keys:  # numbered anew after each, so that the numbers stay small however many names there are
        packed = np.unique(packed * (len(key.values) + 1) + key.codes + 1, return_inverse=True)[1]
    first = np.unique(packed, return_index=True)[1]
    texts = [[*key.values, None] for key in keys]
    columns = [[text[code] for code in key.codes[first]] for key, text in zip(keys, texts, strict=True)]
    return [Target(g, p or "", m or "", d) for g, p, m, d in zip(*columns, strict=True)], packed


def split(table: pa.Table, targets: Sequence[Target], places: IntArray) -> Iterator[tuple[Target, Frame]]:
    """One frame for each of the `targets` that a span of the table (`COLUMNS`) is placed at, in the spans' order."""
    if table.num_rows == 0:
        return
    frame, order = _frame(table), np.argsort(places, kind="stable")
    bounds = np.flatnonzero(np.diff(places[order])) + 1
    for rows in np.split(order, bounds):
        yield targets[places[rows[0]]], frame[rows]


def by_target(table: pa.Table) -> Iterator[tuple[Target, Frame]]:
    """Split released spans (`COLUMNS`) into one frame for each target, keeping their order."""
    return split(table, *named(table))


def cut(frames: Mapping[Target, Frame], at: float) -> tuple[dict[Target, Frame], dict[Target, Frame]]:
    """What of `frames`, none of them empty, came until `at`, and what came after it."""
    until: dict[Target, Frame] = {}
    after: dict[Target, Frame] = {}
    for target, frame in frames.items():
        n = int(np.searchsorted(frame.at, at, side="right"))
        if n:
            until[target] = frame if n == len(frame) else frame[:n]
        if n < len(frame):
            after[target] = frame[n:] if n else frame
    return until, after


def _frame(table: pa.Table) -> Frame:
    status, fallback = table["status"], _floats(table["fallback"])
    ok = pc.equal(status, "ok").to_numpy()
    finish = pc.equal(table["finish_reason"], "length")
    content = ok & ~(fallback == 1)
    return Frame(
        span_id=table["span_id"].to_numpy(),
        at=table["ended_at"].to_numpy(),
        ok=ok,
        content=content,
        input_tokens=_floats(table["input_tokens"]),
        output_tokens=_floats(table["output_tokens"]),
        parse_ok=_floats(table["parse_ok"]),
        refusal=_floats(table["refusal"]),
        finish_length=_floats(finish),
        group=Names.of(pc.binary_join_element_wise(table["operation"], pc.fill_null(table["route"], ""), SEPARATOR)),
        snapshot=_snapshot(table, content),
        fingerprint=Names.of(pc.if_else(pa.array(content), table["system_fingerprint"], None)),
        prompt_version=Names.of(table["prompt_version"]),
        more=_more(table),
    )


def _snapshot(table: pa.Table, content: BoolArray) -> Names:
    """The served names that declare a model, of answers that take part; one that was asked for declares nothing."""
    declared = Names.of(pc.if_else(pa.array(content), table["response_model"], None))
    asked = Names.of(table["model"])
    sent = Names.of(table["sent_model"]) if "sent_model" in table.column_names else Names.unknown(len(table))
    triples = np.stack([declared.codes, asked.codes, sent.codes])
    found, place = np.unique(triples, axis=1, return_inverse=True)
    names = [(*declared.values, None), (*asked.values, None), (*sent.values, None)]
    repeats = [
        said is None or is_alias(said, wanted or "", upstream)
        for said, wanted, upstream in ((of[i] for of, i in zip(names, triple, strict=True)) for triple in found.T)
    ]
    codes = np.where(np.array(repeats, bool)[place.reshape(-1)], -1, declared.codes)
    left = [code for code in dict.fromkeys(codes.tolist()) if code >= 0]
    table_of = np.full(len(declared.values) + 1, -1, np.int64)
    table_of[left] = np.arange(len(left))
    return Names(table_of[codes], tuple(declared.values[code] for code in left))


def _more(table: pa.Table) -> dict[str, Column]:
    """What is known of the optional columns; a column without a value is left out."""
    known = {name for name in table.column_names if table[name].null_count < len(table)}
    more: dict[str, Column] = {name: _floats(table[name]) for name in NUMBERS if name in known}
    more |= {name: Names.of(table[name]) for name in TEXTS if name in known}
    more["outcome"] = Names.of(_outcome(table))
    if "signals" in known:
        for name, values in custom.columns(table["signals"]).items():
            more[name] = values if isinstance(values, np.ndarray) else Names.of(values)
    if "labels" in known:
        for label in (TENANT, *RELEASES):
            values = pc.map_lookup(table["labels"], pa.scalar(label), "first")
            if values.null_count < len(values):
                more[label] = Names.of(values)
    return more


def _outcome(table: pa.Table) -> pa.ChunkedArray:
    """`ok`, `cancelled`, the class of the error, or NO_OUTCOME where nothing shows how a call ended."""
    classes = table["error_class"] if "error_class" in table.column_names else pa.nulls(len(table), pa.string())
    failed = pc.fill_null(classes, UNNAMED_ERROR)
    known = pc.if_else(pc.equal(table["status"], "error"), failed, table["status"])
    if "answered" not in table.column_names:
        return known
    generates = pc.invert(pc.is_in(table["operation"], pa.array(NOT_GENERATING)))
    bare = pc.and_(pc.and_(pc.equal(table["status"], "ok"), pc.invert(table["answered"])), generates)
    return pc.if_else(bare, NO_OUTCOME, known)


def _unknown(kind: type, n: int) -> Column:
    return Names.unknown(n) if kind is Names else np.full(n, np.nan)


def _floats(column: pa.ChunkedArray) -> FloatArray:
    floats: FloatArray = pc.cast(column, pa.float64()).to_numpy().astype(np.float64, copy=False)
    return floats
