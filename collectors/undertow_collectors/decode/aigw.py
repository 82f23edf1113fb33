"""Envoy AI Gateway: what its spans mean beyond the table of names.

Written after 1.1.0. It writes the chunks of a stream when the stream has ended, the event of the first one among them.
Under OpenTelemetry's names it repeats what Anthropic's Messages API counts as input, which leaves out the cache; under
OpenInference's it adds that.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from undertow_collectors.decode.coerce import count, literal
from undertow_collectors.decode.records import Record

SCOPE = "envoyproxy/ai-gateway"
_FIRST_CHUNK = "First Token Stream Event"
_ANTHROPIC = ("end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal", "pause_turn")
"""Why an answer ended, in the words that only the Messages API has."""


def mark(fields: dict[str, Any], values: dict[str, Any], record: Record) -> None:
    """Say that a call was a stream of whose first chunk the time is unknown."""
    if any(event.name == _FIRST_CHUNK for event in record.events()):
        fields["stream"] = values[".late_events"] = True


def recount(fields: dict[str, Any], values: Mapping[str, Any], derived: Counter[str]) -> None:
    """Count what went through Anthropic's cache into the input."""
    given = fields.get("input_tokens")
    beside = (fields.get("cached_input_tokens") or 0) + (count(values.get(".cache_write")) or 0)
    if given is not None and beside and ".openinference" not in values and _is_of_messages(fields, values):
        fields["input_tokens"] = given + beside
        derived["input_tokens"] += 1


def _is_of_messages(fields: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether the Messages API was called; Anthropic's models can be asked through the API of OpenAI, too."""
    reasons = literal(values.get(".finish_reasons"))
    reason = reasons[0] if isinstance(reasons, list) and reasons else None
    return fields.get("provider") == "anthropic" or reason in _ANTHROPIC
