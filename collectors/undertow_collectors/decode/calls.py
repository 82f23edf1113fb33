"""Which spans are LLM calls. Most spans in a company's traces are none, and some only repeat one."""

from collections.abc import Mapping
from typing import Any

from undertow_collectors.decode import genkit, haystack, mlflow, names
from undertow_collectors.decode.coerce import flag, mapping
from undertow_collectors.decode.reading import Reading
from undertow_collectors.decode.records import EVENT, Record

WRAPPERS = {"raw_gen_ai_request", "litellm_proxy_request", "fastapi.dependencies"}
"""Spans that repeat a call which another span reports."""

_STEPS = ("route ", "cache.", "redis.", "redis ", "postgres.", "postgres ")
"""What the names of a gateway's own steps around a call begin with: it chooses a deployment, asks or fills a cache.

LiteLLM copies the model that was asked for onto all spans of a request.
"""

DETAILS = "gen_ai.client.inference.operation.details"
"""The event that holds a whole call."""

_LIBRARIES = (".langfuse", ".vercel", ".genkit", ".haystack", ".mlflow", ".gateway")
"""Slots by which a library marks its spans."""

_KINDS = {"llm": None, "embedding": None, "agent": "agent", "tool": "tool"}
"""Kinds of spans of OpenInference and of LangSmith -> why they are no calls; those of the others are not told."""

_LANGFUSE = {"generation": None, "embedding": None, "agent": "agent", "tool": "tool"}


_AROUND = {
    *("predict", "apredict", "stream", "astream", "structured_predict", "astructured_predict"),
    *("stream_structured_predict", "astream_structured_predict", "predict_and_call", "apredict_and_call"),
}
"""Methods of LlamaIndex's models that fill in a prompt and call the model by another method, which has the messages."""

_EMBEDS = ("get_text_embedding", "get_query_embedding", "get_agg_embedding", "aget_")
"""What the names begin with of those of its embedding models."""

_AT_ONCE_NS = 1_000_000
"""What takes less has asked nobody."""

UNRECOGNISED = "unrecognised"
"""Has to do with a model, but nothing says whether it is a call: counted and shown like what cannot be read."""

_GENAI = ("gen_ai.", "llm.")
"""What attributes begin with that have to do with models; a limit may have dropped those that say what a call was."""

_OF_A_MODEL = {"model", "response_model", "input_tokens", "output_tokens", "response_id", ".finish_reasons", ".total"}
_USED = _OF_A_MODEL - {"model", "response_model"}
_ANSWERED = {"response_id", "input_tokens", "output_tokens", ".usage"}


def skip_reason(record: Record, values: dict[str, Any]) -> str | None:
    """Return why a span is not counted as an LLM call, None if it is one; `values` are its attributes by slot."""
    none = _is_none(record, values)
    if none:
        return none
    kind = values.get(".openinference") or values.get(".langsmith")
    if kind is not None:
        return _KINDS.get(str(kind).lower(), "not_llm_call") or _asked_nobody(record, values)
    operation = str(values.get("operation", ""))
    if other := names.other_operation(operation):
        return other
    if not values.keys().isdisjoint(_LIBRARIES):
        return _of_library(record, values)
    if ".traceloop" in values or _opens_a_stream(record, values):
        return "wrapper"
    if names.operation(operation):
        return None
    return _by_evidence(record, values)


def _is_none(record: Record, values: dict[str, Any]) -> str | None:
    """Why a span is no call, whatever its convention says of it."""
    if record.name in WRAPPERS or (record.name.startswith(_STEPS) and not is_used(values)):
        return "wrapper"
    if record.kind == EVENT and record.name != DETAILS:
        return _event(record.name)
    if record.failed and _refused_by_gateway(values):
        return "refused_by_gateway"
    if flag(values.get(".cache_hit")) or flag(mapping(values.get(".hidden_params")).get("cache_hit")):
        return "cached_answer"
    return _step(record, values) if ".openinference" in values else None


def _of_library(record: Record, values: dict[str, Any]) -> str | None:
    """The same of spans that a library marks by a word of its own."""
    if ".langfuse" in values:
        return _LANGFUSE.get(str(values[".langfuse"]).lower(), "not_llm_call")
    if ".vercel" in values:
        return _vercel(str(values[".vercel"]))
    if ".genkit" in values:
        return genkit.skip_reason(values)
    if ".haystack" in values:
        return haystack.skip_reason(record, values, UNRECOGNISED)
    reason = mlflow.skip_reason(record, values)
    return reason if reason or mlflow.names_a_model(values) else UNRECOGNISED


def is_used(values: Mapping[str, Any]) -> bool:
    """Return whether the attributes of a span say what an answer used."""
    return not values.keys().isdisjoint(_USED)


def is_certain(values: Mapping[str, Any]) -> bool:
    """Return whether the attributes of a span say by themselves that it is a call, as every convention does."""
    return names.operation(str(values.get("operation", ""))) is not None or not values.keys().isdisjoint(
        (".openinference", ".langsmith", ".vllm", *_LIBRARIES)
    )


def _step(record: Record, values: dict[str, Any]) -> str | None:
    """LlamaIndex has spans of the kinds LLM and EMBEDDING for steps that only prepare a request, as
    `OpenAI._prepare_chat_with_tools`, and for methods that call another one of the same class, which has a span.
    """
    owner, _, method = record.name.rpartition(".")
    if not owner or is_used(values):
        return None
    if method.lstrip("_").startswith("prepare"):
        return None if record.failed else "not_llm_call"
    around = method in _AROUND and not any(name.startswith("llm.input_messages.") for name in record.attributes)
    return "wrapper" if around or method.startswith(_EMBEDS) else None


def _asked_nobody(record: Record, values: dict[str, Any]) -> str | None:
    """DSPy and LangChain write an answer out of a cache of their own as they write any other, without its usage; what
    took less than a millisecond came over no network. The spans of streams may end when these begin.
    """
    at_once = 0 < record.end_ns - record.start_ns < _AT_ONCE_NS and ".response" in values
    if not at_once or record.failed or is_used(values) or "stream" in record.name or record.events():
        return None
    return "cached_answer"


def _refused_by_gateway(values: dict[str, Any]) -> bool:
    """LiteLLM's v1 modes report a model that it does not have, or a key, as a failed call of no provider."""
    return "provider" not in values and str(values.get(".error_type")).startswith("Proxy")


def _vercel(operation: str) -> str | None:
    """Vercel's AI SDK: the inner spans are calls, `ai.generateText.doGenerate`, those around them are not."""
    if operation.startswith("ai.toolCall"):
        return "tool"
    return None if operation.rpartition(".")[2].startswith("do") else "wrapper"


def _opens_a_stream(record: Record, values: dict[str, Any]) -> bool:
    """Logfire ends the span of a stream when it begins; a second one, a `log` at its end, has the answer."""
    unanswered = values.keys().isdisjoint(("response_id", "input_tokens", "output_tokens"))
    return values.get(".logfire") == "span" and unanswered and not record.failed


def _event(name: str) -> str:
    """Why an event of the log is no call: it tells of one that a span reports, or of something else."""
    if name == "gen_ai.evaluation.result":
        return "evaluation"
    return "call_event" if name.startswith("gen_ai.") else "not_llm_call"


def _by_evidence(record: Record, values: dict[str, Any]) -> str | None:
    """Spans of no known operation are calls where they name a model and what the call used, or how it failed."""
    if names.counts_tokens(record.name):
        return "not_llm_call"
    answered = not values.keys().isdisjoint(_ANSWERED)
    named = not values.keys().isdisjoint(("model", ".model_name", ".vllm"))
    if named and (answered or (record.failed and not values.keys().isdisjoint(("provider", "operation")))):
        return None
    if record.kind == EVENT and not named:
        return "call_event"
    if record.dropped and any(name.startswith(_GENAI) for name in record.attributes):
        return "attributes_dropped"
    return "not_llm_call" if values.keys().isdisjoint(_OF_A_MODEL) else UNRECOGNISED


def name_observation(reading: Reading) -> None:
    """Take an observation of Langfuse without a type for a generation where it names a model, as Langfuse does."""
    if ".langfuse" not in reading.values and reading.sources.get(".model_name", "").startswith("langfuse."):
        reading.values[".langfuse"] = "generation"


def name_operation(record: Record, reading: Reading) -> None:
    """Take the operation from a span's name, `completion gpt-4o`, as OpenTelemetry names calls, where nothing says it.

    Quarkus says no more of a call that failed.
    """
    operation, _, model = record.name.partition(" ")
    known = names.operation(operation) if model and model == reading.values["model"] else None
    if known and not is_certain(reading.values):
        reading.values["operation"] = known
        reading.sources["operation"] = "the span's name"


def name_failure(record: Record, reading: Reading) -> None:
    """OpenLIT before 1.40 gives a failed call no attribute: the span's name is `chat gpt-4o`, the error's type has the
    name of the client.
    """
    operation, _, model = record.name.partition(" ")
    if model and names.operation(operation):
        client = next((event.kind for event in record.events() if event.kind), "").partition(".")[0]
        named = {"operation": operation, "model": model} | ({"provider": client} if client else {})
        reading.values.update(named)
        reading.sources.update(dict.fromkeys(named, "the span's name"))
