"""Logfire, Pydantic AI, and what Anthropic's client says by itself."""

from tests.conformance.rules import (
    AZURE,
    BEGUN,
    COMMON,
    CONTENT,
    ENDS_WELL,
    FIRST_COUNT,
    MAYBE,
    NO_ANSWER,
    NO_STATUS,
    RESPONSES,
    UNNAMED,
    WHOLE,
    ZERO_CACHED,
    Capture,
    Says,
    lacks,
)
from tests.conformance.which import api, azure, both, broke, ended_early, stream

LOGFIRE = (
    Says("response_id", None, both(azure, stream), "it keeps what the first chunk says, and Azure's says nothing"),
    Says("response_model", MAYBE, both(azure, stream), "it keeps what the first chunk says, and Azure's says nothing"),
    WHOLE,
    BEGUN,
    *lacks("system_fingerprint", "reasoning_tokens"),
    ZERO_CACHED,
    UNNAMED,
    FIRST_COUNT,
    *COMMON,
    *NO_STATUS,
    AZURE,
    RESPONSES,
    *NO_ANSWER,
)
PYDANTIC_AI = (
    WHOLE,
    BEGUN,
    ZERO_CACHED,
    *lacks("system_fingerprint"),
    *lacks("max_tokens", where=api("messages"), why="what it sends by itself is not told"),
    *ENDS_WELL,
    *COMMON,
    *NO_STATUS,
    RESPONSES,
    *NO_ANSWER,
)
ANTHROPIC_SDK = (
    WHOLE,
    *lacks(*CONTENT),
    *lacks("output_tokens", where=ended_early, why="the last event did not come"),
    Says("cached_input_tokens", MAYBE, broke, "only what the first event counts"),
    *COMMON,
    *NO_ANSWER,
)

CAPTURES = {
    "own-logfire-5.4.0": Capture(LOGFIRE),
    "own-pydantic-ai-2.68.0": Capture(PYDANTIC_AI),
    "own-anthropic-sdk-2.10.0": Capture(ANTHROPIC_SDK),
}
