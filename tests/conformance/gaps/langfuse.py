"""Langfuse's drop-in client, over OTLP."""

from tests.conformance.rules import (
    COMMON,
    CONTENT,
    ENDS_WELL,
    MAYBE,
    NO_ANSWER,
    NO_STATUS,
    SILENT_REFUSAL,
    USAGE,
    Capture,
    Says,
    lacks,
)
from tests.conformance.which import (
    api,
    both,
    but,
    either,
    every,
    kind,
    raw,
    refused,
    stream,
    uncounted,
    unheated,
    whole,
)

LANGFUSE = (
    *lacks("response_id", where=but(both(api("responses"), stream))),
    Says("model", lambda call: call.log.get("response_model", call.log["model"]), every, "the one that answered"),
    *lacks("response_model", "system_fingerprint"),
    Says("provider", "unknown", every, "it does not say"),
    Says("operation", "chat", api("responses", "text_completion"), "all generations are alike"),
    Says("tool_call_count", MAYBE, kind("refusal"), "a refusal has no content"),
    Says("stream", None, whole, "only streams are marked, by their first chunk"),
    Says("stream", None, refused, "only streams are marked, by their first chunk"),
    Says("temperature", 1.0, both(unheated, but(api("embeddings"))), "filled in where it was not sent"),
    *lacks("finish_reason", where=either(whole, api("responses"))),
    *SILENT_REFUSAL,
    *lacks("refusal", "response_chars", where=both(api("responses"), kind("tool")), why="the answer is the tool call"),
    *ENDS_WELL,
    *COMMON,
    *NO_STATUS,
    *NO_ANSWER,
)
OLD_LANGFUSE = (
    *lacks(
        *CONTENT,
        where=either(uncounted, both(stream, api("responses"))),
        why="without usage and reason it looks like a stream that was left",
    ),
    Says("max_tokens", None, api("responses"), "max_output_tokens is not told"),
    *lacks("finish_reason", why="this version does not say"),
    *lacks(
        *CONTENT,
        *USAGE,
        where=raw,
        why="answers in raw form are not read",
    ),
    Says("model", lambda call: call.log["model"], raw, "answers in raw form are not read"),
    *lacks(
        *USAGE,
        where=both(api("responses"), stream),
        why="streams of the Responses API are not read for it",
    ),
    *LANGFUSE,
)

CAPTURES = {
    "own-langfuse-5.0.4": Capture(LANGFUSE),
    "own-langfuse-3.8.1": Capture(OLD_LANGFUSE),
}
