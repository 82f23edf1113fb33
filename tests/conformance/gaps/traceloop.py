"""Traceloop's instrumentations of OpenAI's and Anthropic's clients."""

from tests.conformance.rules import (
    AZURE,
    COMMON,
    CONTENT,
    ENDS_WELL,
    MAYBE,
    NEW_LIMIT,
    NO_ANSWER,
    NO_STATUS,
    RESPONSES,
    WHOLE,
    Capture,
    Says,
    lacks,
)
from tests.conformance.which import (
    api,
    both,
    but,
    either,
    ended_early,
    failed,
    helper,
    kind,
    refused,
    refusing,
    stream,
    whole,
)

SUMMED = Says("cached_input_tokens", 0, both(api("embeddings"), but(failed)), "it adds up what is not there")
TRACELOOP = (
    *COMMON,
    *NO_STATUS,
    AZURE,
    RESPONSES,
    NEW_LIMIT,
    SUMMED,
    *ENDS_WELL,
    *lacks("system_fingerprint", "reasoning_tokens", where=both(stream, api("chat")), why="chunks are not read for it"),
    *NO_ANSWER,
)
OLD_TRACELOOP = (
    *lacks("reasoning_tokens"),
    *lacks("input_tokens", "output_tokens", "cached_input_tokens", where=stream, why="chunks are not read for it"),
    Says("operation", "chat", api("text_completion"), "completion is what others call a chat"),
    Says(
        "response_chars",
        8,
        both(api("chat"), kind("filtered")),
        "it writes FILTERED in place of an answer that was filtered",
    ),
    Says("response_chars", MAYBE, refusing, "a refusal has a place of its own"),
    Says("tool_call_count", MAYBE, refusing, "a refusal has a place of its own"),
    *TRACELOOP,
)
TRACELOOP_ANTHROPIC = (
    Says("stream", None, either(whole, helper), "only create(stream=True) is marked"),
    Says(
        "output_tokens", lambda call: call.log["output_tokens"] + 1, both(stream, but(failed)), "adds the first event"
    ),
    *TRACELOOP,
)
OLD_TRACELOOP_ANTHROPIC = (
    WHOLE,
    *(
        Says(field, None, helper, "nothing but the request is told of messages.stream()")
        for field in ("response_id", "finish_reason", "stream", "error_class", "http_status", *CONTENT)
    ),
    Says("status", "ok", helper, "nothing but the request is told of messages.stream()"),
    Says("finish_reason", None, kind("reasoning"), "thinking stands where the reason is read"),
    *lacks("max_tokens"),
    *lacks("response_model", "input_tokens", "output_tokens", "cached_input_tokens", where=stream),
    *lacks(*CONTENT, where=both(stream, kind("tools")), why="tool calls of streams are not told"),
    *OLD_TRACELOOP,
)
NODE = (
    *lacks(
        *CONTENT,
        "response_id",
        "response_model",
        "finish_reason",
        where=both(api("responses"), stream),
        why="streams of the Responses API are not read",
    ),
    *lacks("input_tokens", "output_tokens", where=stream, why="chunks are not read for it"),
    *lacks("stream", "cached_input_tokens", "reasoning_tokens", "system_fingerprint"),
    Says("temperature", None, lambda call: call.log.get("temperature") == 0, "zero is left out"),
    *TRACELOOP,
)

CAPTURES = {
    "own-node-traceloop-openai-0.27.0": Capture(NODE, either(refused, api("embeddings"))),
    "own-traceloop-openai-0.62.4": Capture(TRACELOOP, both(api("responses"), kind("length"))),
    "own-traceloop-openai-0.62.4-nocontent": Capture(
        (*lacks(*CONTENT), *TRACELOOP), both(api("responses"), kind("length"))
    ),
    "own-traceloop-openai-0.40.14": Capture(OLD_TRACELOOP, either(ended_early, api("responses"))),
    "own-traceloop-openai-0.40.14-nocontent": Capture(
        (*lacks("finish_reason", *CONTENT), *OLD_TRACELOOP), either(ended_early, api("responses"))
    ),
    "own-traceloop-anthropic-0.62.4": Capture(TRACELOOP_ANTHROPIC, either(ended_early, both(helper, failed))),
    "own-traceloop-anthropic-0.40.14": Capture(
        OLD_TRACELOOP_ANTHROPIC, either(ended_early, both(refused, but(helper)))
    ),
}
