"""One table from attribute names to what they mean, for every convention of LLM spans that is on the wire.

OTel GenAI: open-telemetry/semantic-conventions-genai (Development) and the deprecated names of semantic-conventions
1.27 to 1.36; `llm.*` of OpenInference and OpenLLMetry (Traceloop); what LiteLLM, OpenLIT, Langfuse and vLLM put beside.
"""

from typing import NamedTuple

from undertow.span import FIELDS
from undertow_collectors.decode.coerce import BY_FIELD

FIELD_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "operation": ("gen_ai.operation.name", "llm.request.type"),
    "provider": (
        "gen_ai.provider.name",
        "gen_ai.system",
        "llm.provider",
        "llm.system",
        "llm.vendor",
        "gen_ai.model.provider",
        "ai.model.provider",
        "langsmith.metadata.ls_provider",
    ),
    "model": (
        "litellm.model_group",
        "gen_ai.request.model",
        "llm.request.model",
        "llm.request.model_name",
        "ai.model.id",
        "langsmith.metadata.ls_model_name",
    ),
    "sent_model": ("litellm.provider.model",),
    "response_id": ("gen_ai.response.id", "llm.response.id", "gen_ai.request.id", "ai.response.id"),
    "response_model": ("gen_ai.response.model", "llm.response.model", "llm.response.model_name", "ai.response.model"),
    "system_fingerprint": (
        "openai.response.system_fingerprint",
        "gen_ai.openai.response.system_fingerprint",
        "gen_ai.openai.system_fingerprint",
        "gen_ai.response.system_fingerprint",
    ),
    "server_address": ("server.address", "gen_ai.openai.api_base", "openai.api_base"),
    "region": ("cloud.region", "aws.region"),
    "prompt_name": ("gen_ai.prompt.name", "langfuse.observation.prompt.name"),
    "prompt_version": (
        "gen_ai.prompt.version",
        "langfuse.observation.prompt.version",
        "llm.prompt_template.version",
        "litellm.metadata.requester_metadata.prompt_version",
    ),
    "route": (
        "litellm.metadata.requester_metadata.route",
        "litellm.metadata.user_api_key_alias",
        "metadata.user_api_key_alias",
        "litellm.team.alias",
        "metadata.user_api_key_team_alias",
    ),
    "stream": (
        "gen_ai.request.stream",
        "gen_ai.request.is_stream",
        "litellm.request.streaming",
        "gen_ai.is_streaming",
        "llm.is_streaming",
        "langsmith.request.streaming",
    ),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
        "gen_ai.response.input_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
        "gen_ai.response.output_tokens",
    ),
    "cached_input_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.reasoningTokens",
        "ai.usage.outputTokenDetails.reasoningTokens",
    ),
    "max_tokens": ("gen_ai.request.max_tokens", "llm.request.max_tokens", "langsmith.metadata.ls_max_tokens"),
    "temperature": (
        "gen_ai.request.temperature",
        "llm.request.temperature",
        "llm.temperature",
        "langsmith.metadata.ls_temperature",
    ),
    "ttft_s": (
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "gen_ai.latency.time_to_first_token",
        "agw.ai.time_to_first_token",
    ),
    "cost_usd": (
        "litellm.cost.total",
        "gen_ai.cost.total_cost",
        "agw.ai.usage.cost.total",
        "gen_ai.usage.cost",
        "gen_ai.usage.total_cost",
        "llm.cost.total",
        "llm.response.cost",
        "operation.cost",
        "ferro.cost.usd",
    ),
    "http_status": ("http.response.status_code", "http.status_code", "http.status"),
}
"""Field of the span -> attribute names, the one that counts first."""

CLUES: dict[str, tuple[str, ...]] = {
    "finish_reasons": (
        "gen_ai.response.finish_reasons",
        "llm.finish_reason",
        "gen_ai.response.finish_reason",
        "llm.response.finish_reason",
        "llm.response.stop_reason",
        "anthropic.message.stop_reason",
        "langfuse.observation.metadata.finish_reason",
        "ai.response.finishReason",
    ),
    "error_type": ("error.type",),
    "error_code": ("litellm.provider.error.code", "error.code"),
    "call_id": ("litellm.call_id", "litellm.trace_id"),
    "cache_hit": ("litellm.cache_hit",),
    "evaluation": ("gen_ai.evaluation.name",),
    "evaluated": ("gen_ai.evaluation.score.value",),
    "hidden_params": ("hidden_params",),
    "requester": ("metadata.requester_metadata",),
    "metadata": ("metadata",),
    "openinference": ("openinference.span.kind",),
    "traceloop": ("traceloop.span.kind",),
    "langfuse": ("langfuse.observation.type",),
    "vercel": ("ai.operationId",),
    "first_chunk_ms": ("ai.response.msToFirstChunk", "ferro.stream.time_to_first_token_ms"),
    "target": ("target",),
    "logfire": ("logfire.span_type",),
    "logged_s": ("duration",),
    "genkit": ("genkit:metadata:subtype", "genkit:type"),
    "mlflow": ("mlflow.spanType",),
    "haystack": ("haystack.component.type", "haystack.agent.step.llm.input"),
    "mlflow_provider": ("mlflow.llm.provider",),
    "mlflow_format": ("mlflow.message.format",),
    "ferro": ("ferro.schema.version",),
    "vllm": ("gen_ai.latency.e2e", "gen_ai.latency.time_in_queue"),
    "model_name": (
        "llm.model_name",
        "embedding.model_name",
        "langfuse.observation.model.name",
        "genkit:name",
        "mlflow.llm.model",
    ),
    "parameters": (
        "llm.invocation_parameters",
        "embedding.invocation_parameters",
        "langfuse.observation.model.parameters",
    ),
    "request": ("input.value", "genkit:input", "mlflow.spanInputs", "haystack.component.input"),
    "usage": ("langfuse.observation.usage_details", "mlflow.chat.tokenUsage"),
    "cost": ("langfuse.observation.cost_details", "mlflow.llm.cost"),
    "metadata_id": ("langfuse.observation.metadata.id",),
    "level": ("langfuse.observation.level",),
    "first_chunk_at": ("langfuse.observation.completion_start_time", "mastra.completion_start_time"),
    "output_type": ("gen_ai.output.type", "gen_ai.openai.request.response_format"),
    "schema": ("gen_ai.request.structured_output_schema", "llm.request.structured_output_schema"),
    "output_messages": ("gen_ai.output.messages",),
    "text": ("ai.response.text", "ai.response.object"),
    "completion": ("gen_ai.completion",),
    "response_type": ("output.mime_type",),
    "langsmith": ("langsmith.span.kind",),
    "run_usage": ("langsmith.metadata.usage_metadata",),
    "mastra": ("mastra.span.type",),
    "tool_calls": ("gen_ai.response.tool_calls", "ai.response.toolCalls"),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "total": (
        "gen_ai.usage.total_tokens",
        "llm.token_count.total",
        "llm.usage.total_tokens",
        "ai.usage.totalTokens",
    ),
    "response": ("output.value", "langfuse.observation.output", "gen_ai.completion_json"),
    "returned": (
        "genkit:output",
        "mlflow.spanOutputs",
        "haystack.component.output",
        "haystack.agent.step.llm.output",
    ),
}
"""What is read, but is no field by itself: its name here -> attribute names, the one that counts first."""

ANSWERS = ("gen_ai.completion.", "llm.completions.", "llm.output_messages.")
"""What the attributes begin with that hold an answer piece by piece: `gen_ai.completion.0.content`."""

QUESTIONS = (
    "gen_ai.input.messages",
    "gen_ai.prompt",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "input.mime_type",
    "langfuse.observation.input",
    "llm.input_messages.",
    "llm.prompts.",
    "llm.request.functions.",
    "embedding.embeddings.",
    "ai.prompt",
    "ai.value",
    "ai.embedding",
    "ai.request.headers.",
    "mlflow.chat.tools",
)
"""What the attributes begin with that hold prompts: known, and never looked at."""

_OWN = "undertow."


class Slot(NamedTuple):
    """Where an attribute goes: the best `rank` wins a `name`; a name with a dot before it is a clue."""

    name: str
    rank: int


PLAN: dict[str, Slot] = {
    **{a: Slot("." + name, rank) for name, found in CLUES.items() for rank, a in enumerate(found, 1)},
    **{a: Slot(field, rank) for field, found in FIELD_ATTRIBUTES.items() for rank, a in enumerate(found, 1)},
    **{
        _OWN + f.name: Slot(f.name, 0) for f in FIELDS if f.name in BY_FIELD and f.name not in ("span_id", "started_at")
    },
}
"""Every attribute that is read; `undertow.<field>` sets a field of the span directly, before all others."""

COUNTED = {"input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"}
"""Fields of which a library may write zero under one name and the number under another."""
