"""OpenInference spans (Arize Phoenix): what their attributes mean beyond the table of names.

Spec: Arize-ai/openinference, spec/semantic_conventions.md. A client's instrumentation writes into `llm.model_name` what
the provider declared, once there is an answer; what was asked for stands in the invocation parameters. Frameworks and
LiteLLM's exporter write what they asked for there.
"""

from collections.abc import Iterator
from typing import Any

from undertow_collectors.decode import answer, providers, replies
from undertow_collectors.decode.coerce import leading
from undertow_collectors.decode.context import CALLER_FIELDS, max_tokens
from undertow_collectors.decode.records import Record

_REQUESTED = ("model", "model_name", "model_id", "modelId")


def found(fields: dict[str, Any], values: dict[str, Any], record: Record) -> Iterator[tuple[str, Any, str]]:
    """What stands in the JSON attributes of a span: field, value, and the clue that it came from.

    `fields` is what is known, and is read anew after each.
    """
    parameters, named = leading(values.get(".parameters")), values.get(".model_name")
    yield "model", _requested(parameters), ".parameters"
    if fields.get("model") is None:
        yield "model", _requested(_whole_or_leading(values.get(".request"))), ".request"
    yield "model", named, ".model_name"
    if fields.get("provider") is None:
        yield "provider", providers.in_class_name(record.name.partition(".")[0]), "the span's name"
    text = "text_completion" if record.name.lower() in ("completion", "completions") else "chat"
    yield "operation", "embeddings" if values[".openinference"] == "EMBEDDING" else text, ".openinference"
    yield "max_tokens", max_tokens(parameters), ".parameters"
    yield "temperature", parameters.get("temperature"), ".parameters"
    yield "stream", parameters.get("stream"), ".parameters"
    yield "stream", True if "stream" in record.name.rpartition(".")[2] else None, "the span's name"
    if not record.failed:
        said = _whole_or_leading(values.get(".response"))
        for name, value in (answer.identity(said) | answer.usage(said)).items():
            yield name, value or None, ".response"
        yield "ttft_s", replies.first_chunk_s(said, record), ".response"
        yield "response_model", named if named != fields.get("model") else None, ".model_name"
    metadata = leading(values.get(".metadata"))
    for name in CALLER_FIELDS:
        yield name, metadata.get(name), ".metadata"


def _whole_or_leading(value: Any) -> Any:
    """A body, or what stands before the cut in one that an exporter cut."""
    return answer.body(value) or leading(value)


def _requested(parameters: Any) -> Any:
    if not isinstance(parameters, dict):
        return None
    return next((parameters[name] for name in _REQUESTED if parameters.get(name)), None)
