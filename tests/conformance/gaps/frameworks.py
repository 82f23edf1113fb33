"""Logfire, Pydantic AI, Google's ADK, vLLM, and what Anthropic's client says by itself."""

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
    REASONING_CHAT,
    RESPONSES,
    USAGE,
    WHOLE,
    ZERO_CACHED,
    ZERO_REASONING,
    Capture,
    Says,
    lacks,
)
from tests.conformance.which import api, azure, both, broke, but, ended_early, every, failed, kind, left, stream

LOGFIRE = (
    Says("response_id", None, both(azure, stream), "it keeps what the first chunk says, and Azure's says nothing"),
    Says("response_model", MAYBE, both(azure, stream), "it keeps what the first chunk says, and Azure's says nothing"),
    WHOLE,
    BEGUN,
    *lacks("system_fingerprint", "reasoning_tokens"),
    ZERO_CACHED,
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
VERCEL = (
    Says("http_status", None, every, "not even in the message of an error"),
    Says("error_class", "other", failed, "AI_APICallError is all that it says"),
    Says("stream", MAYBE, api("embeddings"), "by the name of the span"),
    *lacks("reasoning_tokens", "cached_input_tokens", where=kind("json"), why="objects are told less of than texts"),
    Says("reasoning_tokens", None, api("messages"), "none are told"),
    Says("max_tokens", MAYBE, api("messages"), "what it sends by itself is not told of failures"),
    RESPONSES,
    *lacks("refusal", "response_chars", where=kind("tool"), why="an empty text is left out"),
    Says("response_model", None, api("embeddings"), "the answer's model is not told"),
    *lacks("system_fingerprint"),
    *COMMON,
    *NO_ANSWER,
)
ADK = (
    Says("operation", "generate_content", every, "ADK calls all of them so"),
    Says(
        "model", lambda call: f"openai/{call.log['model']}", api("chat"), "LiteLLM's name of it is what was asked for"
    ),
    *lacks("response_model", "response_id", "system_fingerprint", "stream", "temperature"),
    Says("output_tokens", lambda call: call.log["output_tokens"] + 64, REASONING_CHAT, "reasoning is counted twice"),
    ZERO_REASONING,
    Says("finish_reason", "stop", both(api("chat"), kind("tool")), "Gemini has no other word for it"),
    *lacks(*USAGE, where=left, why="the last chunk did not come"),
    Says("http_status", MAYBE, failed, "where the sentence of an error has one"),
    *lacks("http_status", where=but(failed)),
    *COMMON,
    *NO_ANSWER,
)
VLLM = (
    Says("provider", "vllm", every, "the server itself tells"),
    *lacks("response_model", "system_fingerprint", "finish_reason", "stream", "http_status", *CONTENT),
    *lacks("cached_input_tokens", "reasoning_tokens"),
    Says("temperature", None, lambda call: not call.log.get("temperature"), "zero is left out"),
)

CAPTURES = {
    "own-vllm-0.33.0": Capture(VLLM),
    "own-adk-2.13.0": Capture(ADK),
    "own-node-vercel-ai-6.0.326": Capture(VERCEL),
    "own-logfire-5.4.0": Capture(LOGFIRE),
    "own-pydantic-ai-2.68.0": Capture(PYDANTIC_AI),
    "own-anthropic-sdk-2.10.0": Capture(ANTHROPIC_SDK),
    "own-go-anthropic-sdk-1.84.0": Capture(ANTHROPIC_SDK, api("count_tokens")),
}
