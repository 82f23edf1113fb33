"""Frameworks of Python applications: LlamaIndex, Haystack, DSPy, CrewAI and agno."""

from tests.conformance.gaps.openinference import OPENINFERENCE
from tests.conformance.gaps.traceloop import TRACELOOP
from tests.conformance.rules import (
    ANY,
    CONTENT,
    USAGE,
    WHOLE,
    ZERO_CACHED,
    ZERO_REASONING,
    Capture,
    Says,
    lacks,
)
from tests.conformance.served import Call
from tests.conformance.which import api, both, broke, but, either, every, failed, left

IDS = lacks("response_id", "system_fingerprint")
ASKED = lacks("response_model", why="only what was asked for is told")
REQUEST = lacks("max_tokens", "temperature", why="what a model was made with is not told")
NO_REASON = lacks("finish_reason")
LEFT = tuple(
    Says(field, value, left, "the application left by an exception of its own")
    for field, value in (("status", "error"), ("error_class", "other"), ("response_model", None))
)


def ninth(call: Call) -> bool:
    """What Haystack's agent asked, in a step that has no component of its own."""
    return call.number == 9


LLAMA_INDEX = (
    *lacks("cached_input_tokens", "reasoning_tokens", "finish_reason", where=api("responses")),
    *lacks("input_tokens", where=api("embeddings")),
    Says("status", "cancelled", left, "its generator was closed"),
    *IDS,
    *ASKED,
    *REQUEST,
    *OPENINFERENCE,
)
ANSWERED = (
    Says("model", lambda call: call.log["response_model"], but(either(failed, left)), "only what answered is told"),
    Says("model", ANY, every, "a failure names no model; the only one in the message is taken"),
    *LEFT,
    *IDS,
    *REQUEST,
)
HAYSTACK = (
    *ANSWERED,
    Says("stream", None, either(failed, left), "only an answer shows that it was streamed"),
    WHOLE,
    *OPENINFERENCE,
)
HAYSTACK_3 = (Says("provider", "unknown", ninth, "the step of an agent names no component"), *HAYSTACK)
OPENINFERENCE_HAYSTACK = (
    *ANSWERED,
    Says("provider", "unknown", api("embeddings"), "embeddings name a model alone"),
    *lacks("response_model", where=either(api("embeddings"), broke), why="the model is told once"),
    Says("stream", None, either(failed, left), "only an answer shows that it was streamed"),
    ZERO_CACHED,
    ZERO_REASONING,
    *OPENINFERENCE,
)
DSPY = (
    *lacks(*USAGE, *CONTENT, where=api("responses"), why="the answer is a list of a shape of its own"),
    *lacks(*USAGE),
    Says("http_status", None, every, "the error's type tells the class alone"),
    *NO_REASON,
    *IDS,
    *ASKED,
    *OPENINFERENCE,
)
AGNO = (
    Says("error_class", "other", both(failed, but(broke)), "its error quotes neither type nor status"),
    Says("http_status", None, every, "its error quotes neither type nor status"),
    *lacks(*USAGE, *CONTENT, where=left, why="the stream was left"),
    ZERO_CACHED,
    *lacks("reasoning_tokens"),
    *NO_REASON,
    *IDS,
    *ASKED,
    *OPENINFERENCE,
)
CREWAI = (
    Says("provider", "unknown", every, "no event of CrewAI's names a provider"),
    *lacks("stream", "reasoning_tokens"),
    ZERO_CACHED,
    *NO_REASON,
    *IDS,
    *ASKED,
    *REQUEST,
    *OPENINFERENCE,
)
CREWAI_ITSELF = (
    *lacks("response_model", why="it repeats what was asked for"),
    *lacks("system_fingerprint"),
    ZERO_CACHED,
    ZERO_REASONING,
    *OPENINFERENCE,
)

CAPTURES: dict[str, Capture] = {
    "own-openinference-llama-index-4.6.1": Capture(LLAMA_INDEX),
    "own-traceloop-llama-index-0.62.4": Capture(TRACELOOP, api("embeddings")),
    "own-haystack-2.0.0": Capture(HAYSTACK_3),
    "own-haystack-ai-2.31.0": Capture(HAYSTACK),
    "own-openinference-haystack-0.1.46": Capture(OPENINFERENCE_HAYSTACK),
    "own-openinference-dspy-0.1.48": Capture(DSPY),
    "own-openinference-agno-1.0.15": Capture(AGNO),
    "own-crewai-1.15.30": Capture(CREWAI_ITSELF),
    "own-openinference-crewai-1.1.21": Capture(CREWAI, broke),
    "own-openinference-crewai-1.1.21-openai": Capture(OPENINFERENCE),
}
