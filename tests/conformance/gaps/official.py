"""OpenTelemetry's own instrumentations, the successors, and Elastic's."""

from tests.conformance.rules import (
    AZURE,
    BEGUN,
    COMMON,
    CONTENT,
    FIRST_COUNT,
    NEW_LIMIT,
    NO_ANSWER,
    NO_STATUS,
    REASONING_CHAT,
    RESPONSES,
    SILENT_REFUSAL,
    WHOLE,
    ZERO_CACHED,
    ZERO_REASONING,
    Capture,
    Says,
    lacks,
)
from tests.conformance.which import api, both, broke, either, ended_early, left, stream, whole

NO_REASON = lacks("finish_reason", where=stream, why="chunks are not read for it")
OPENAI_V2 = (
    *COMMON,
    *NO_STATUS,
    AZURE,
    *lacks("stream", "cached_input_tokens", "reasoning_tokens"),
    NEW_LIMIT,
    *lacks("system_fingerprint", where=stream, why="chunks are not read for it"),
)
SAYS_ERROR = Says("finish_reason", "other", left, "it says error, where the provider said nothing")
SAYS_ERROR_OF_ALL = SAYS_ERROR._replace(where=ended_early)
OLD_OPENAI_V2 = (*lacks("system_fingerprint", *CONTENT), *OPENAI_V2)
NOTHING_OF_BROKEN = lacks(
    "response_id", "response_model", where=broke, why="nothing of the answer is told with its error"
)
GENAI = (
    *COMMON,
    *NO_STATUS,
    AZURE,
    RESPONSES,
    WHOLE,
    BEGUN,
    ZERO_CACHED,
    ZERO_REASONING,
    FIRST_COUNT,
    *lacks("system_fingerprint", where=stream, why="chunks are not read for it"),
    *NO_ANSWER,
)
GENAI_ANTHROPIC = GENAI

CAPTURES = {
    "own-official-openai-v2-2.4b0": Capture(
        (*OPENAI_V2, *NO_REASON, *lacks(*CONTENT)), api("responses", "text_completion")
    ),
    "own-official-openai-v2-2.4b0-latest": Capture(
        (SAYS_ERROR, *SILENT_REFUSAL, *NO_ANSWER, *OPENAI_V2), api("responses", "text_completion"), events=True
    ),
    "own-official-openai-v2-2.1b0": Capture(
        (*NOTHING_OF_BROKEN, *NO_REASON, *OLD_OPENAI_V2), api("responses", "text_completion", "embeddings")
    ),
    "own-elastic-openai-1.2.0": Capture(
        (
            Says("max_tokens", 2000, both(whole, REASONING_CHAT), "max_completion_tokens is read"),
            *NOTHING_OF_BROKEN,
            *OLD_OPENAI_V2,
        ),
        either(left, api("responses", "text_completion")),
    ),
    "own-official-genai-openai-1.3b0": Capture((*lacks(*CONTENT), *GENAI), api("text_completion")),
    "own-official-genai-openai-1.3b0-events": Capture(
        (SAYS_ERROR_OF_ALL, *lacks(*CONTENT), *GENAI), api("text_completion"), events=True
    ),
    "own-official-genai-anthropic-1.3b0": Capture((*lacks(*CONTENT), *GENAI_ANTHROPIC)),
    "own-official-genai-anthropic-1.3b0-events": Capture(GENAI_ANTHROPIC, events=True),
}
