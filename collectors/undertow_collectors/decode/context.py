"""What a decoder is told besides the bytes, and what all of them do alike."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from undertow.batch import Decoded, Origin, Reject, is_topic
from undertow.span import Span
from undertow_collectors.decode.provenance import UNSET, Provenance

UNKNOWN_NAMES = 64
"""Distinct unread names counted in one message; the rest are counted together as `(other)`."""

CALLER_FIELDS = (
    "route",
    "prompt_name",
    "prompt_version",
    "variant",
    "parse_ok",
    "refusal",
    "task_success",
    "schema_fingerprint",
    "score",
    "confidence",
)
"""Fields of the span that an application may send through a gateway, in the request's own `metadata`."""

_MAX_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""The request parameter that limits the output, by each of its names."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a message came from, when (Unix seconds, by the source's clock), and which extra keys to keep as labels.

    `sources`, where there is one, wants to know where each value came from; a normal run pays nothing for it.
    """

    origin: Origin
    timestamp_s: float | None = None
    keep_labels: frozenset[str] = frozenset()
    sources: Provenance | None = None

    def note(self, name: str, source: str, raw: Any = UNSET, coerced: bool = False) -> None:
        """Say where a field of the span came from, what stood there, and whether it had to be repaired."""
        if self.sources is not None:
            self.sources.note(name, source, raw, coerced)

    def close(self, outcome: Span | Reject | str, unread: Iterable[str] = ()) -> None:
        """Say what the record became whose fields were noted: a span, a reject, or the reason for a skip."""
        if self.sources is not None:
            self.sources.close(outcome, unread)

    def span_id(self, index: int) -> str:
        """An id made from the place in the source, for records without one; a gateway's retries then look new.

        In Kafka the message's timestamp belongs to the place, for a topic may be deleted and come again.
        """
        place = f"{self.origin.topic}:{self.origin.partition}:{self.origin.offset}:{index}"
        if self.timestamp_s is None or not is_topic(self.origin.topic):
            return place
        return f"{place}@{self.timestamp_s * 1000:.0f}"

    def identify(self, fields: dict[str, Any], index: int, derived: Counter[str]) -> None:
        """Fill in a missing `span_id` and `started_at` (logs are shipped when a call ends), counting both."""
        if not fields.get("span_id"):
            fields["span_id"] = self.span_id(index)
            derived["span_id"] += 1
            self.note("span_id", "derived: topic, partition, offset, Kafka's timestamp and place in the message")
        if fields.get("started_at") is None and self.timestamp_s is not None:
            fields["started_at"] = self.timestamp_s - (fields.get("duration_s") or 0.0)
            derived["started_at"] += 1
            self.note("started_at", "derived: the message's timestamp less the duration")


Decoder = Callable[[bytes, Context], Decoded]
"""A format: bytes in; spans, counted skips and rejects out. Raises Rejected where the whole message is unreadable."""


def max_tokens(parameters: Mapping[str, Any]) -> Any:
    """Return what a request's parameters limit its output to, by whichever name; None where they do not."""
    return next((parameters[name] for name in _MAX_TOKENS if parameters.get(name)), None)


def count_unknown(unknown: Counter[str], names: Iterable[str]) -> None:
    """Count unread keys by name; the names come from outside, so both their number and their length are bounded."""
    for name in names:
        known = name in unknown or len(unknown) < UNKNOWN_NAMES
        unknown[name[:128] if known else "(other)"] += 1


LABEL = 256
"""Characters of a label's name or value (CONTRACTS 1)."""


def add_labels(fields: dict[str, Any], values: Mapping[str, Any], keep: frozenset[str]) -> None:
    """Keep the scalar `values` that `keep` names as labels, cut to 256 characters, beside those already there."""
    kept = {name[:LABEL]: str(values[name])[:LABEL] for name in keep if isinstance(values.get(name), str | int | float)}
    labels = fields.get("labels")
    if kept and isinstance(labels, dict | None):
        fields["labels"] = dict(list((kept | (labels or {})).items())[:32])


def forget_zeros(fields: dict[str, Any]) -> None:
    """Make usage of zero unknown where it is no measurement: on failures, and where no call could be (no input)."""
    if fields.get("status") == "error" or not fields.get("input_tokens"):
        for name in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd"):
            fields[name] = fields.get(name) or None
    if not fields.get("output_tokens") and (fields.get("response_chars") or fields.get("stream")):
        fields["output_tokens"] = (
            fields.get("output_tokens") or None
        )  # a text has tokens; streams are often not counted
    fields["cost_usd"] = fields.get("cost_usd") or None  # what a gateway writes that knows no price
