"""OpenLIT with both clients."""

from tests.conformance.rules import (
    AZURE,
    CACHED_STREAM,
    COMMON,
    CONTENT,
    FRESH,
    MAYBE,
    NEW_LIMIT,
    NO_ANSWER,
    NO_STATUS,
    RESPONSES,
    SILENT_REFUSAL,
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
    several,
    stream,
    uncounted,
    unheated,
)

BARE = both(failed, api("messages"))
OPENLIT = (
    Says("finish_reason", "stop", both(api("responses"), kind("tool")), "the Responses API's status"),
    *COMMON,
    *NO_STATUS,
    AZURE,
    RESPONSES,
    NEW_LIMIT,
    *(Says(field, None, BARE, "nothing but the model is told of them") for field in ("stream", "max_tokens")),
    Says("input_tokens", 29, uncounted, "it counts words itself"),
    Says("output_tokens", 16, uncounted, "it counts words itself"),
    FRESH,
    Says("cached_input_tokens", 0, CACHED_STREAM, "cached ones are left out of streams"),
    Says("reasoning_tokens", None, but(both(api("responses"), kind("reasoning"))), "only the Responses API's are told"),
    Says("temperature", None, failed, "parameters are told with answers only"),
    Says("temperature", 1.0, both(unheated, but(failed), but(api("embeddings"))), "filled in where it was not sent"),
    Says("response_chars", 65, several, "it joins the choices with a line"),
    *SILENT_REFUSAL,
    *NO_ANSWER,
)
SPEECHLESS = either(kind("tool", "tools"), both(api("messages", "responses"), kind("reasoning")))
CACHED = {"cached": 48, "reasoning": 8}
OLD_OPENLIT = (
    *lacks(*CONTENT, where=kind("json"), why="JSON in the event is not told from what stands around an answer"),
    *lacks("system_fingerprint", where=kind("anonymous")),
    Says("stream", None, either(failed, api("embeddings")), "only answers are marked"),
    Says("max_tokens", None, failed, "nothing but the model is told of failures"),
    *lacks("cached_input_tokens", "reasoning_tokens"),
    Says("input_tokens", 29, both(stream, api("chat")), "it counts words itself"),
    Says(
        "output_tokens",
        lambda call: None if call.log["tool_calls"] else 16,
        both(stream, api("chat")),
        "it counts words",
    ),
    Says("finish_reason", "stop", both(stream, api("chat")), "it says stop of every stream"),
    Says("tool_call_count", MAYBE, kind("tool", "tools", "refusal"), "in a Python repr, and not of every answer"),
    *lacks(*CONTENT, where=SPEECHLESS, why="the text of the event is empty"),
    Says("response_chars", lambda call: call.log["chars"], several, "it tells the first choice"),
    Says(
        "input_tokens",
        lambda call: call.log["input_tokens"] - CACHED[call.log["kind"]],
        both(api("messages"), kind(*CACHED)),
        "cached ones are left out",
    ),
    *OPENLIT,
)

CAPTURES = {
    "own-openlit-1.45.0": Capture(
        OPENLIT, either(ended_early, api("text_completion"), both(helper, failed)), events=True
    ),
    "own-openlit-1.34.10": Capture(
        OLD_OPENLIT, either(ended_early, api("text_completion"), helper, both(refused, stream))
    ),
}
