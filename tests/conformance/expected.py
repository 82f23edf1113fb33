"""Every capture by its name, and what the decoders do not get right yet."""

from tests.conformance.gaps import frameworks, langfuse, official, openinference, openlit, traceloop, traps
from tests.conformance.rules import Capture

CAPTURES: dict[str, Capture] = {
    **official.CAPTURES,
    **traceloop.CAPTURES,
    **openinference.CAPTURES,
    **openlit.CAPTURES,
    **langfuse.CAPTURES,
    **frameworks.CAPTURES,
    **traps.CAPTURES,
}

WRONG: dict[tuple[str, str], str] = {
    ("own-traps-openinference-langchain-openai", "*"): "LangChain's span and OpenAI's are two calls",
    ("own-node-vercel-ai-6.0.326", "*"): "calls that failed and embeddings are taken for wrappers",
    ("own-openinference-openai-0.1.66-hidden", "refusal"): "__REDACTED__ is no answer",
    ("own-openinference-openai-0.1.66-hidden", "tool_call_count"): "__REDACTED__ is no answer",
    ("own-openinference-openai-0.1.66-hidden", "response_chars"): "__REDACTED__ is no answer",
    ("own-openinference-openai-0.1.66-hidden", "max_tokens"): "max_output_tokens is not read",
    ("own-openinference-openai-0.1.66-hidden", "operation"): "a Completion span is a chat",
    ("own-langfuse-5.0.4", "response_id"): "the id of an item is not the answer's",
    ("own-langfuse-3.8.1", "response_id"): "the id of an item is not the answer's",
    ("own-langfuse-5.0.4", "finish_reason"): "metadata.finish_reason is not read",
    ("own-langfuse-3.8.1", "finish_reason"): "metadata.finish_reason is not read",
    ("own-logfire-5.4.0", "response_model"): "the name that was asked for is no snapshot",
    ("own-langfuse-5.0.4", "refusal"): "an answer without any part is unknown, not no refusal",
    ("own-langfuse-5.0.4", "response_chars"): "an answer without any part is unknown, not its JSON",
    ("own-langfuse-5.0.4", "max_tokens"): "max_output_tokens is not read",
    ("own-langfuse-3.8.1", "refusal"): "an answer without any part is unknown, not no refusal",
    ("own-langfuse-3.8.1", "response_chars"): "an answer without any part is unknown, not its JSON",
    ("own-langfuse-3.8.1", "max_tokens"): "max_output_tokens is not read",
    ("own-openlit-1.45.0", "refusal"): "an answer without any part is unknown, not no refusal",
    ("own-openlit-1.45.0", "response_chars"): "an answer without any part is unknown, not empty",
    ("own-openlit-1.34.10", "system_fingerprint"): "the text None is no fingerprint",
    ("own-openlit-1.34.10", "response_chars"): "an answer in JSON is taken for messages",
    ("own-openlit-1.34.10", "refusal"): "an answer in JSON is taken for messages",
    ("own-openlit-1.34.10", "tool_call_count"): "an answer in JSON is taken for messages",
    ("own-official-openai-v2-2.4b0-latest", "refusal"): "an answer without any part is unknown, not no refusal",
    ("own-official-openai-v2-2.4b0-latest", "response_chars"): "an answer without any part is unknown, not empty",
    ("own-openinference-openai-0.1.66", "max_tokens"): "max_output_tokens is not read",
    ("own-openinference-openai-0.1.30", "max_tokens"): "max_output_tokens is not read",
    ("own-openinference-openai-0.1.66", "operation"): "a Completion span is a chat",
    ("own-openinference-openai-0.1.30", "operation"): "a Completion span is a chat",
}
"""What the decoders do not yet get right: (capture, field or *) -> why. What became right fails until it leaves."""
