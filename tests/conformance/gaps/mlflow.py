"""MLflow, in attributes of its own and in OpenTelemetry's."""

from tests.conformance.rules import (
    AZURE,
    COMMON,
    CONTENT,
    MAYBE,
    NO_ANSWER,
    NO_STATUS,
    RESPONSES,
    USAGE,
    WHOLE,
    Capture,
    Says,
    lacks,
)
from tests.conformance.served import Call
from tests.conformance.which import api, both, broke, but, helper, kind, left, refused, refusing, stream, whole

OPENED = both(api("messages"), stream)
ANSWER = ("response_id", "response_model", "finish_reason", *USAGE, *CONTENT)


def unseen(call: Call) -> bool:
    """Streams of OpenAI's client that the application left, and those of the helper of Anthropic's, leave no span."""
    return helper(call) or (left(call) and api("chat")(call))


MLFLOW = (
    WHOLE,
    *NO_STATUS,
    *lacks(*ANSWER, where=OPENED, why="the span ends when the stream begins"),
    Says("status", "ok", both(OPENED, broke), "the span ends when the stream begins"),
    Says("error_class", None, both(OPENED, broke), "the span ends when the stream begins"),
    *lacks("input_tokens", where=api("embeddings"), why="none are counted"),
    *lacks("response_chars", where=both(refusing, api("chat")), why="a refusal is no content"),
    Says("tool_call_count", MAYBE, both(refusing, api("chat")), "a refusal is no content"),
    *lacks("tool_call_count", where=api("text_completion"), why="a text alone"),
    AZURE,
    RESPONSES,
    *COMMON,
    *NO_ANSWER,
)
SEMCONV = (
    *lacks("cached_input_tokens", "reasoning_tokens", where=whole, why="only MLflow's own names have them"),
    *lacks("system_fingerprint", where=whole, why="only MLflow's own names have it"),
    *lacks("finish_reason", where=api("messages"), why="its converter leaves it out"),
    Says("finish_reason", "stop", both(api("responses"), kind("tool")), "its converter says so of every answer"),
    Says("operation", "generate_content", api("text_completion"), "what it calls everything that is no chat"),
    *lacks(*USAGE, *CONTENT, where=api("text_completion"), why="its converter knows chats alone"),
    *lacks("stream", where=OPENED, why="only OpenAI's own parameters are kept"),
    *lacks("max_tokens", where=both(OPENED, but(refused)), why="what cannot be converted costs the request, too"),
    Says("refusal", None, both(refusing, api("chat")), "a refusal is no content"),
    *MLFLOW,
)
CAPTURES = {"own-mlflow-3.17.2": Capture(MLFLOW, unseen), "own-mlflow-3.17.2-semconv": Capture(SEMCONV, unseen)}
