"""What a captured format cannot say, or says otherwise; everything else must equal what was served.

A rule names a field, the calls it is about, what the span has there, and why. `MAYBE` is the served value or unknown:
the format has only words for people to take it from. `PARTIAL` is any part of it: what had come until the end. `ANY` is
not compared.
"""

from typing import Any, NamedTuple

from tests.conformance.served import Where
from tests.conformance.which import (
    api,
    azure,
    both,
    broke,
    but,
    ended_early,
    every,
    kind,
    left,
    refused,
    refusing,
    stream,
    whole,
)

MAYBE = object()
PARTIAL = object()
ANY = object()


class Says(NamedTuple):
    """The span has `value` in `field`, or one of a tuple, in the calls of `where`; it may be a function of the call."""

    field: str
    value: Any
    where: Where
    why: str


class Capture(NamedTuple):
    """One folder of captures: its rules, of which the first that fits counts, and the calls that it has no span for."""

    rules: tuple[Says, ...]
    missing: Where | None = None
    events: bool = False
    """Whether its log records tell of calls by themselves."""
    one_message: bool = False
    """Whether its bodies are read as one message, because a call has two spans, which may come in two bodies."""


def lacks(*fields: str, where: Where = every, why: str = "the format has no word for it") -> tuple[Says, ...]:
    """The format never says these."""
    return tuple(Says(field, None, where, why) for field in fields)


CONTENT = ("response_chars", "tool_call_count", "refusal")
USAGE = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")

CACHED_STREAM = both(api("messages"), stream, kind("cached"))
REASONING_CHAT = both(api("chat"), kind("reasoning"))

AZURE = Says("provider", "openai", azure, "Azure's client is OpenAI's")
RESPONSES = Says("operation", "chat", api("responses"), "the Responses API counts as chat")
NEW_LIMIT = Says("max_tokens", None, REASONING_CHAT, "max_completion_tokens is not read")
NO_STATUS = (Says("http_status", None, but(refused), "only the message of an error has one"),)
WHOLE = Says("stream", None, whole, "only streams are marked")
BEGUN = Says("stream", None, refused, "only streams that began are marked")
COMMON = (
    Says("status", "ok", left, "a stream that was closed looks like one that ended"),
    Says(
        "finish_reason",
        "tool_calls",
        both(api("responses"), kind("tool")),
        "the Responses API names no reason; that the answer calls tools is one",
    ),
)

ZERO_CACHED = Says("cached_input_tokens", None, lambda call: not call.log.get("cached_tokens"), "zero is left out")
ZERO_REASONING = Says("reasoning_tokens", None, lambda call: not call.log.get("reasoning_tokens"), "zero is left out")
FRESH = Says(
    "input_tokens", lambda call: call.log["input_tokens"] - 48, CACHED_STREAM, "cached ones are left out of streams"
)
FIRST_COUNT = Says("output_tokens", 1, both(api("messages"), ended_early), "what the stream's first event counts")

NO_ANSWER = (
    Says("finish_reason", None, ended_early, "the last chunk did not come"),
    Says("response_chars", PARTIAL, ended_early, "as much as had come"),
    Says("refusal", MAYBE, ended_early, "as much as had come"),
    Says("tool_call_count", MAYBE, ended_early, "as much as had come"),
)
SILENT_REFUSAL = lacks(
    "refusal", "response_chars", where=both(refusing, api("chat")), why="the text of a refusal is not told"
)
ENDS_WELL = (
    Says("status", "ok", broke, "a stream that broke off looks like one that ended"),
    Says("error_class", None, broke, "a stream that broke off looks like one that ended"),
)
