"""OpenInference's instrumentations of OpenAI's and Anthropic's clients."""

from tests.conformance.rules import (
    AZURE,
    COMMON,
    CONTENT,
    FIRST_COUNT,
    MAYBE,
    NO_ANSWER,
    NO_STATUS,
    RESPONSES,
    USAGE,
    ZERO_CACHED,
    Capture,
    Says,
    lacks,
)
from tests.conformance.which import (
    api,
    asynchronous,
    both,
    broke,
    either,
    every,
    helper,
    kind,
    left,
    refused,
    refusing,
    stream,
    whole,
)

OPENINFERENCE = (
    *COMMON,
    *NO_STATUS,
    AZURE,
    RESPONSES,
    Says("stream", MAYBE, whole, "only by what the request does not have"),
    *lacks("response_id", "system_fingerprint", where=broke, why="nothing of the answer is told"),
    Says("response_model", MAYBE, broke, "one of the two libraries tells it"),
    Says("response_chars", MAYBE, refusing, "a refusal has a place of its own"),
    Says("tool_call_count", MAYBE, either(refusing, api("text_completion")), "there is no list of them"),
    *NO_ANSWER,
)
OPENINFERENCE_ANTHROPIC = (
    ZERO_CACHED,
    FIRST_COUNT,
    *OPENINFERENCE,
)
OLD_OPENINFERENCE_ANTHROPIC = (
    *lacks("response_id", "response_model", "finish_reason", where=stream, why="the answer is a Python object's name"),
    Says(
        "input_tokens",
        lambda call: call.log["input_tokens"] - 48,
        both(stream, kind("cached")),
        "cached ones are left out of streams",
    ),
    *lacks("cached_input_tokens", where=stream, why="cached ones are left out of streams"),
    *lacks("output_tokens", where=broke, why="zero"),
    Says("stream", MAYBE, helper, "the request does not ask for a stream"),
    *OPENINFERENCE_ANTHROPIC,
)
HIDDEN = (
    *lacks(*CONTENT, "response_id", "system_fingerprint", why="only the answer's own JSON has it, which is hidden"),
    Says(
        "response_model",
        MAYBE,
        api("embeddings"),
        "the name that answered is not told from the name that was asked for",
    ),
    *lacks("finish_reason", where=api("responses"), why="only the answer's own JSON has it, which is hidden"),
)
NODE = (
    *lacks(
        *USAGE,
        "response_model",
        "response_id",
        "system_fingerprint",
        where=both(stream, api("chat")),
        why="of a stream only the text is told",
    ),
    Says("tool_call_count", 1, both(stream, kind("tools")), "it joins the calls of a stream into one"),
    *lacks("response_model", "input_tokens", where=api("embeddings"), why="of embeddings only the vectors are told"),
    *OPENINFERENCE,
)
LANGCHAIN = (
    Says("stream", (None, False), stream, "the parameters are the model's, not the call's"),
    *(
        Says(field, MAYBE, every, "inside of LangChain's own JSON")
        for field in ("response_id", "system_fingerprint", "response_model", "reasoning_tokens", "cached_input_tokens")
    ),
    *OPENINFERENCE,
)

CAPTURES = {
    "own-openinference-langchain-0.1.80": Capture(LANGCHAIN),
    "own-node-openinference-openai-4.2.7": Capture(NODE, refused),
    "own-openinference-openai-0.1.66": Capture(OPENINFERENCE),
    "own-openinference-openai-0.1.66-hidden": Capture((*HIDDEN, *OPENINFERENCE)),
    "own-openinference-openai-0.1.30": Capture(OPENINFERENCE, left),
    "own-openinference-anthropic-3.1.0": Capture(OPENINFERENCE_ANTHROPIC),
    "own-openinference-anthropic-0.1.18": Capture(
        OLD_OPENINFERENCE_ANTHROPIC, either(left, refused, both(helper, asynchronous))
    ),
}
