"""Envoy AI Gateway in both of its conventions, and Rig, a library for Rust."""

from tests.conformance.rules import (
    AZURE,
    COMMON,
    CONTENT,
    ENDS_WELL,
    FIRST_COUNT,
    NO_ANSWER,
    NO_STATUS,
    RESPONSES,
    WHOLE,
    ZERO_CACHED,
    ZERO_REASONING,
    Capture,
    Says,
    lacks,
)
from tests.conformance.which import api, both, broke, either, ended_early, kind, left, refused, stream, whole

COUNTING = api("count_tokens")
UNENDED = both(api("chat"), ended_early)
"""Streams that broke off before their end: Envoy ends the exchange, and the span is dropped."""

AIGW = (
    *NO_STATUS,
    RESPONSES,
    *COMMON,
    *ENDS_WELL,
    FIRST_COUNT,
    *NO_ANSWER,
)
AIGW_OPENINFERENCE = (
    Says("provider", "unknown", api("embeddings"), "spans of embeddings name none"),
    *lacks("cached_input_tokens", "reasoning_tokens", where=api("responses"), why="zero is left out"),
    Says("tool_call_count", None, both(stream, kind("tools")), "deltas of a stream are not put together"),
    AZURE,
    WHOLE,
    *AIGW,
)
NOTHING_OF_RESPONSES = lacks(
    "response_id",
    "response_model",
    "input_tokens",
    "output_tokens",
    "finish_reason",
    where=both(api("responses"), stream),
    why="nothing of the answer is told",
)
AIGW_GENAI = (
    *NOTHING_OF_RESPONSES,
    *lacks("finish_reason", where=api("responses"), why="the Responses API names none"),
    *lacks("stream", "system_fingerprint", *CONTENT),
    ZERO_CACHED,
    ZERO_REASONING,
    *AIGW,
)
UNSEEN = both(stream, either(left, broke))
RIG = (
    *lacks("finish_reason", "max_tokens", "temperature", "system_fingerprint", *CONTENT),
    Says("error_class", "other", both(whole, refused), "a failed call tells nothing of its failure"),
    *lacks("http_status"),
    *lacks(
        *("response_id", "response_model", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"),
        where=UNSEEN,
        why="the span gets the answer at its end",
    ),
    *ENDS_WELL,
    RESPONSES,
    *COMMON,
)

CAPTURES = {
    "own-go-envoy-ai-gateway-1.1.0": Capture(AIGW_OPENINFERENCE, either(COUNTING, UNENDED)),
    "own-go-envoy-ai-gateway-1.1.0-genai": Capture(AIGW_GENAI, either(COUNTING, UNENDED)),
    "own-rust-rig-0.44.0": Capture(RIG),
}
