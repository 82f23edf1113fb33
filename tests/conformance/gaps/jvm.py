"""Libraries of the JVM: OpenAI's client under OpenTelemetry's Java agent, Google's ADK, and LangChain4j."""

from tests.conformance.rules import (
    COMMON,
    CONTENT,
    NO_ANSWER,
    NO_STATUS,
    WHOLE,
    ZERO_CACHED,
    ZERO_REASONING,
    Capture,
    Says,
    lacks,
)
from tests.conformance.served import Call
from tests.conformance.which import api, both, broke, but, either, ended_early, kind, left, refused, stream


def asked(call: Call) -> tuple[str, ...]:
    """The name of a model behind Apigee."""
    return (f"apigee/openai/{call.log['model']}",) if call.api == "chat" else (call.log["model"],)


def official(call: Call) -> bool:
    """LangChain4j asks through OpenAI's own client, of which the agent tells; the other spans are LangChain4j's."""
    return call.number > 12


AGENT = (
    WHOLE,
    *NO_STATUS,
    *lacks("max_tokens", where=but(kind("reasoning")), why="only max_completion_tokens is read"),
    *lacks("system_fingerprint", *CONTENT),
)
NAMED_BY_OTHERS = "a call that failed before its first chunk has a name alone; others of the message may say its model"
ADK = (
    *NO_STATUS,
    Says("model", lambda call: ("unknown", *asked(call)), refused, NAMED_BY_OTHERS),
    Says("provider", ("unknown", "gcp.gen_ai", "openai"), refused, NAMED_BY_OTHERS),
    Says("model", asked, api("chat"), "Apigee's name of it"),
    Says("provider", "gcp.gen_ai", api("gemini"), "by the model, which Vertex may serve as well"),
    Says("operation", "generate_content", api("chat"), "all calls are named alike"),
    *lacks("max_tokens", "temperature", where=refused, why="nothing is told of them"),
    *lacks("stream"),
    *lacks("response_id", where=api("gemini")),
    *lacks("cached_input_tokens", where=api("chat"), why="its client of OpenAI's API does not read them"),
    ZERO_CACHED,
    ZERO_REASONING._replace(where=both(api("gemini"), ZERO_REASONING.where)),
    Says("finish_reason", "tool_calls", kind("tool"), "Gemini has no word for it; that the answer calls tools is one"),
    *lacks(*CONTENT, where=both(api("chat"), stream), why="the span keeps the chunk that has the usage"),
    Says("finish_reason", "stop", left, "a stream that was left is read to its end"),
    *COMMON,
    *NO_ANSWER,
)

LANGCHAIN4J = (
    Says("provider", "unknown", but(official), "only the host of the HTTP request below says it"),
    *lacks(*CONTENT, where=official, why="the inner span counts, which has none"),
    *lacks(*CONTENT, where=kind("tool", "tools"), why="tools are not told, and no text"),
    *lacks("cached_input_tokens", "reasoning_tokens", where=but(official)),
    *lacks("stream", "max_tokens", "system_fingerprint"),
    *NO_STATUS,
    *NO_ANSWER,
    *lacks("response_id", "response_model", where=broke, why="nothing of the answer is told"),
)

CAPTURES = {
    "own-jvm-agent-openai-2.33.1": Capture(AGENT, either(api("responses"), ended_early)),
    "own-jvm-adk-1.8.0": Capture(ADK),
    "own-jvm-langchain4j-1.11.0": Capture(LANGCHAIN4J, one_message=True),
}
