"""Two instrumentations at once: each call has two spans, of which one is kept."""

from tests.conformance.gaps.openinference import OPENINFERENCE, OPENINFERENCE_ANTHROPIC
from tests.conformance.gaps.traceloop import OLD_TRACELOOP, TRACELOOP_ANTHROPIC
from tests.conformance.rules import ANY, CONTENT, MAYBE, PARTIAL, Capture, Says
from tests.conformance.which import api, both, broke, but, either, ended_early, every, failed, kind, left, stream

KEPT_ONE = "either of the two spans may be the one that is kept"
EITHER = tuple(
    Says(field, MAYBE, every, KEPT_ONE)
    for field in (
        "operation",
        "stream",
        "error_class",
        "reasoning_tokens",
        "cached_input_tokens",
        "max_tokens",
        "system_fingerprint",
        "response_id",
        "response_model",
        "finish_reason",
        "http_status",
        *CONTENT,
    )
)
OF_EITHER = (
    Says("operation", "chat", api("responses"), "the Responses API counts as chat"),
    Says("response_chars", PARTIAL, either(ended_early, kind("filtered")), KEPT_ONE),
    Says("output_tokens", PARTIAL, ended_early, KEPT_ONE),
    Says("error_class", ANY, broke, KEPT_ONE),
    Says("finish_reason", (None, "stop", "tool_calls"), both(api("responses"), kind("tool")), KEPT_ONE),
    *EITHER,
)
ONE_MORE = Says(
    "output_tokens",
    lambda call: (call.log["output_tokens"], call.log["output_tokens"] + 1),
    both(stream, but(failed), but(left)),
    "Traceloop adds the first event",
)
BREAKS = Says("status", "error", broke, "Traceloop has no span of them")

CAPTURES = {
    "own-traps-traceloop-httpx": Capture(OLD_TRACELOOP, either(ended_early, api("responses"))),
    "own-traps-traceloop-openinference": Capture((*OF_EITHER, *OPENINFERENCE), left, one_message=True),
    "own-traps-openinference-langchain-openai": Capture((*OF_EITHER, *OPENINFERENCE), one_message=True),
    "own-traps-openinference-anthropic-sdk": Capture((*OF_EITHER, *OPENINFERENCE_ANTHROPIC), one_message=True),
    "own-traps-traceloop-anthropic-sdk": Capture(
        (*OF_EITHER, ONE_MORE, BREAKS, *TRACELOOP_ANTHROPIC), one_message=True
    ),
}
