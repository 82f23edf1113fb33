"""MLflow: spans of its tracing and of its AI Gateway, whose attributes hold JSON, a string with its quotes too.

Written after mlflow 3.17.2 (mlflow/tracing, mlflow/gateway and the autologging of each client). An autologged client
has the served model in `mlflow.llm.model` and the one that was asked for among its own parameters; frameworks and the
gateway have the one that was asked for. MLflow's counts of tokens include what came from a cache. The gateway's call of
a provider is a span without an answer, inside of one that has it.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from undertow.span import Span
from undertow_collectors.decode import answer, names, settle
from undertow_collectors.decode.coerce import count
from undertow_collectors.decode.context import MAX_TOKENS
from undertow_collectors.decode.records import Record

SCOPE = "mlflow"
DIALECT = {
    "gen_ai.request.model": ".model_name",
    "model": ".asked",
    "stream": "stream",
    "streaming": "stream",
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "method": ".method",
    "action": ".method",
    "proxy_path": ".method",
}
"""What attributes mean to MLflow alone, which with MLFLOW_ENABLE_OTEL_GENAI_SEMCONV puts the served model where others
have the one that was asked for.
"""

KINDS = {"CHAT_MODEL": None, "LLM": None, "EMBEDDING": None, "AGENT": "agent", "TOOL": "tool"}
"""Type of a span -> why it is no call, None if it is one; all others are not_llm_call."""

_CLIENTS = dict.fromkeys(("Embeddings", "AsyncEmbeddings"), "openai")
"""Classes of clients after which spans are called that say nothing else of their provider."""

FIRST_CHUNK = "mlflow.chunk.item.0"

_USAGE = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cache_read_input_tokens",
}
_PARTS = ("cached_input_tokens", "reasoning_tokens")
_BODIES = {"choices", "candidates", "output", "content", "message", "data"}


def is_gateway(record: Record) -> bool:
    """Whether a span is what the AI Gateway did for one request, around its calls of providers."""
    return "endpoint_id" in record.attributes and "endpoint_name" in record.attributes


def skip_reason(record: Record, values: Mapping[str, Any]) -> str | None:
    """Return why a span is no call, None where it may be one.

    A caller that sends its trace along gets the gateway's calls again, below its own span: without a method.
    """
    kind = _plain(values[".mlflow"])
    if is_gateway(record):  # one of a budget that is spent is a failure of the type that calls have
        return "refused_by_gateway" if record.failed and kind == "LLM" else "wrapper"
    if record.name.startswith("provider/") and ".method" not in values:
        return "wrapper"
    return KINDS.get(kind, "not_llm_call")


def names_a_model(values: dict[str, Any]) -> bool:
    """Whether a span says which model was called; a function that its author called an LLM does not."""
    return bool(_asked(values) or _plain(values.get(".model_name")))


def found(values: dict[str, Any], record: Record) -> Iterator[tuple[str, Any, str]]:
    """What a span says: field, value, and the clue that it came from."""
    asked, named = _asked(values), _plain(values.get(".model_name"))
    yield "model", asked or named, ".asked" if asked else ".model_name"
    yield "provider", _provider(record.name, values), ".mlflow_provider"
    yield "operation", _operation(values), ".method"
    method = _plain(values.get(".method"))
    yield "stream", False if method in ("chat", "completions") else None, ".method"
    inputs = answer.opened(values, ".request")
    yield "temperature", inputs.get("temperature"), ".request"
    yield "max_tokens", next((inputs[name] for name in MAX_TOKENS if inputs.get(name)), None), ".request"
    yield "stream", inputs.get("stream"), ".request"
    body = _body(values)
    for name, value in answer.identity(body).items():
        yield name, value, ".returned"
    if not record.failed:
        yield "response_model", named if asked and named != asked else None, ".model_name"
    for name, tokens in _usage(values, body).items():
        yield name, tokens, ".usage"
    yield "cost_usd", answer.opened(values, ".cost").get("total_cost"), ".cost"


def answered(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the provider's body in what a span returned, empty where it is something else, and the request."""
    return _body(values), answer.opened(values, ".request")


def complete(span: Span, values: dict[str, Any], gateway: Record, derived: Counter[str]) -> None:
    """Give the gateway's only successful call what the span around it says of the answer."""
    body, parameters = answered(values)
    shown: dict[str, Any] = {**answer.identity(body), **answer.features(body, parameters)}
    shown |= {name: number for name, number in answer.usage(body).items() if name in _PARTS}
    first = next((event.time_ns for event in gateway.events() if event.name == FIRST_CHUNK), None)
    if span.stream and first is not None and first / 1e9 > span.started_at:
        shown["ttft_s"] = first / 1e9 - span.started_at
    for name, value in shown.items():
        if getattr(span, name) is None:
            setattr(span, name, value)
            derived[name] += 1


def _plain(value: Any) -> str:
    """A string without the quotes of JSON; empty where there is none."""
    if not isinstance(value, str):
        return ""
    try:
        found = json.loads(value) if value[:1] == '"' else value
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""


def _asked(values: dict[str, Any]) -> str:
    named = answer.opened(values, ".request").get("model")
    return _plain(values.get(".asked")) or (named if isinstance(named, str) else "")


def _provider(name: str, values: Mapping[str, Any]) -> str | None:
    """Who was asked, by name or by the client whose messages these are."""
    named = _plain(values.get(".mlflow_provider"))
    messages = _plain(values.get(".mlflow_format"))
    return named or (messages if names.is_provider(messages) else _CLIENTS.get(name))


def _operation(values: Mapping[str, Any]) -> str:
    method = _plain(values.get(".method"))
    if _plain(values.get(".mlflow")) == "EMBEDDING" or method.endswith("embeddings"):
        return "embeddings"
    return "text_completion" if method.startswith("completions") else "chat"


def _body(values: dict[str, Any]) -> dict[str, Any]:
    returned = answer.opened(values, ".returned")
    return returned if not returned.keys().isdisjoint(_BODIES) else {}


def _usage(values: dict[str, Any], body: dict[str, Any]) -> dict[str, int]:
    """MLflow's own count, and the parts of it in the provider's; MLflow counts no tokens of embeddings."""
    told = answer.opened(values, ".usage")
    usage = {field: number for field, key in _USAGE.items() if (number := count(told.get(key))) is not None}
    total, written = count(told.get("total_tokens")), count(told.get("cache_creation_input_tokens"))
    settle.tokens(usage, Counter(), total, written)
    if not usage:
        return answer.usage(body) if "data" not in body else {}
    return {name: number for name, number in answer.usage(body).items() if name in _PARTS} | usage
